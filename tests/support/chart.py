"""The chart as `helm template` renders it; where helm is not installed, tests skip and say so."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "streammonitor"
RELEASE, NAMESPACE = "sm", "video"
KEDA, PROMETHEUS = "keda.sh/v1alpha1", "monitoring.coreos.com/v1"
_KUBERNETES = "1.30.0"
"""The oldest that is supported."""

Values = dict[str, Any]
Manifest = dict[str, Any]


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run helm; skips where there is none."""
    program = shutil.which("helm")
    if program is None:
        pytest.skip("helm is not installed: install Helm 3 to test the chart")
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def _template(values: Values | None, api_versions: tuple[str, ...], folder: Path) -> Any:
    path = folder / "values.yaml"
    path.write_text(yaml.safe_dump(values or {}), encoding="utf-8")
    return helm(
        "template", RELEASE, str(CHART), "--namespace", NAMESPACE, "--kube-version", _KUBERNETES,
        "--values", str(path), *(f"--api-versions={one}" for one in api_versions),
    )  # fmt: skip


class Chart:
    """Renders with some values, into a folder for its files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def render(self, values: Values | None = None, *api_versions: str) -> Rendered:
        """What is installed with these values, on a cluster that has these further APIs."""
        done = _template(values, api_versions, self._folder)
        assert done.returncode == 0, done.stderr
        return Rendered([one for one in yaml.safe_load_all(done.stdout) if one])

    def refusal(self, values: Values, *api_versions: str) -> str:
        """Why these values are refused."""
        done = _template(values, api_versions, self._folder)
        assert done.returncode != 0, "the values were taken"
        return str(done.stderr)


class Rendered:
    """The objects of an installation."""

    def __init__(self, objects: list[Manifest]) -> None:
        self.objects = objects

    def all(self, kind: str) -> list[Manifest]:
        return [one for one in self.objects if one["kind"] == kind]

    def one(self, kind: str, name: str = "") -> Manifest:
        """The only object of a kind whose name has this ending."""
        (found,) = (one for one in self.all(kind) if one["metadata"]["name"].endswith(name))
        return found

    def pod(self, kind: str, name: str) -> Manifest:
        """The pod that an object makes."""
        return dict(self.one(kind, name)["spec"]["template"]["spec"])

    def pods(self) -> list[Manifest]:
        """The specs of all pods, those of tests too."""
        made = [one["spec"]["template"]["spec"] for one in self.objects if _makes_pods(one)]
        return [*made, *(one["spec"] for one in self.all("Pod"))]


def _makes_pods(one: Manifest) -> bool:
    return one["kind"] in ("Deployment", "StatefulSet")


def variables(pod: Manifest) -> dict[str, Any]:
    """The variables of a pod's only container: a value, or where it comes from."""
    (container,) = pod["containers"]
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}
