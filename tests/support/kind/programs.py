"""The programs that a cluster is driven with, each as it is: no client library in between."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
COMMAND_S = 60.0
Manifest = dict[str, Any]
FoundT = TypeVar("FoundT")


class CommandError(Exception):
    """A program ended with another code than 0; the message has what it said."""


def run(
    *command: str | Path,
    within_s: float = COMMAND_S,
    stdin: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a program in the repository; returns its output. Raises CommandError."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=ROOT,
            input=stdin,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise CommandError(f"{' '.join(words)}: not done after {within_s:.0f} s") from late
    if done.returncode != 0:
        said = f"{done.stdout[-3000:]}{done.stderr[-3000:]}"
        raise CommandError(f"{' '.join(words)}: exit code {done.returncode}\n{said}")
    return done.stdout


def why_there_is_no_kind(image: str) -> str:
    """Why the product cannot be tried in a cluster here; empty where it can."""
    for program in ("docker", "kind", "kubectl", "helm"):
        if shutil.which(program) is None:
            return f"{program} is not installed: the tests on kind need docker, kind, kubectl, helm"
    try:
        run("docker", "info")
    except CommandError:
        return "docker's engine does not answer: the tests on kind need it"
    try:
        run("docker", "image", "inspect", image)
    except CommandError:
        return f"there is no image {image}: make image"
    return ""


def skip_without_kind(image: str) -> None:
    """A desk without docker runs the other tests."""
    if why := why_there_is_no_kind(image):
        pytest.skip(why)


class Cluster:
    """A kind cluster, as its administrator sees it."""

    def __init__(self, name: str, kubeconfig: Path) -> None:
        self.name = name
        self.environment = {"KUBECONFIG": str(kubeconfig)}
        self.context = f"kind-{name}"

    def kubectl(
        self, *arguments: str, stdin: str | None = None, within_s: float = COMMAND_S
    ) -> str:
        """Run kubectl; returns its output. Raises CommandError."""
        return run(
            *("kubectl", "--context", self.context, *arguments),
            stdin=stdin,
            within_s=within_s,
            environment=self.environment,
        )

    def helm(self, *arguments: str | Path, within_s: float = COMMAND_S) -> str:
        """Run helm; returns its output. Raises CommandError."""
        return run(
            *("helm", "--kube-context", self.context, *arguments),
            within_s=within_s,
            environment=self.environment,
        )

    def get(self, what: str, namespace: str = "", *arguments: str) -> Manifest:
        """An object ("pod/name"), or a list of them ("pods")."""
        words = ("get", what, "--namespace", namespace or "default", *arguments, "--output", "json")
        found: Manifest = json.loads(self.kubectl(*words))
        return found

    def all(self, what: str, namespace: str = "", *arguments: str) -> list[Manifest]:
        where = arguments if namespace else ("--all-namespaces", *arguments)
        items: list[Manifest] = self.get(what, namespace, *where)["items"]
        return items

    def exists(self, what: str, namespace: str) -> bool:
        words = ("get", what, "--namespace", namespace, "--ignore-not-found", "--output", "name")
        return bool(self.kubectl(*words).strip())

    def apply(self, *objects: Manifest, text: str = "") -> None:
        """Apply objects, or the text of a file."""
        self.kubectl("apply", "--filename", "-", stdin=text or yaml.safe_dump_all(objects))

    def refusal(self, *objects: Manifest) -> str:
        """What is said when these are applied, which are not taken."""
        try:
            self.apply(*objects)
        except CommandError as failed:
            return str(failed)
        raise AssertionError("the API server took it")

    def raw(self, path: str, within_s: float = COMMAND_S) -> Any:
        """JSON from a path of the API server, such as one that leads on to a pod."""
        return json.loads(self.kubectl("get", "--raw", path, within_s=within_s))

    def pods(self, namespace: str, component: str) -> list[Manifest]:
        """The pods of a part of the product that are not on their way out."""
        labels = f"app.kubernetes.io/component={component}"
        found = self.all("pods", namespace, "--selector", labels)
        return [one for one in found if "deletionTimestamp" not in one["metadata"]]

    def on_node(self, node: str, *command: str) -> str:
        """Run a program on a node."""
        return run("docker", "exec", node, *command)

    def nodes(self) -> list[str]:
        return run("kind", "get", "nodes", "--name", self.name).split()

    def tag(self, image: str, tag: str) -> str:
        """Have an image on all nodes under another tag, as if it were another one."""
        repository = f"docker.io/{image.rpartition(':')[0]}"
        names = f"docker.io/{image}", f"{repository}:{tag}"
        for node in self.nodes():
            self.on_node(node, "ctr", "--namespace", "k8s.io", "images", "tag", "--force", *names)
        return tag

    def await_true(
        self, look: Callable[[], FoundT | None], what: str, within_s: float = COMMAND_S
    ) -> FoundT:
        """What `look` finds; a command that fails is as good as nothing found."""
        last = ""

        def try_it() -> FoundT | None:
            nonlocal last
            try:
                return look()
            except CommandError as failed:
                last = str(failed)
                return None

        try:
            return wait_until(try_it, what, within_s=within_s, every_s=0.2)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{last}") from None


def is_ready(pod: Manifest) -> bool:
    conditions = pod["status"].get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def name_of(one: Manifest) -> str:
    return str(one["metadata"]["name"])
