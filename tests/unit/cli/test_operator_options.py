"""The operator is set by options, else by variables; what is wrong is told in one line."""

from __future__ import annotations

import logging

import pytest

from streammonitor_api.errors import InputError
from streammonitor_cli.main import main
from streammonitor_cli.operator import read_options
from streammonitor_operator.main import OperatorOptions


def options(arguments: str = "", **environment: str) -> OperatorOptions:
    """What a command line comes to, with variables without their STREAMMONITOR_."""
    import argparse

    from streammonitor_cli.operator import register

    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    namespace = parser.parse_args(["operator", *arguments.split()])
    return read_options(namespace, {f"STREAMMONITOR_{k}": v for k, v in environment.items()})


def test_defaults_follow_the_whole_cluster() -> None:
    made = options()

    assert made.fleet == "default"
    assert made.cluster.namespaces == ()
    assert made.cluster.watch_nodes
    assert (made.host, made.port) == ("0.0.0.0", 8080)  # noqa: S104  as probes need it
    assert made.key is None
    assert (made.worker_capacity_cores, made.head_room) == (2.0, 1.2)


def test_options_go_before_variables() -> None:
    made = options("--fleet studio --namespaces a,b,a", FLEET="other", NAMESPACES="c", POD="op-1")

    assert made.fleet == "studio"
    assert made.cluster.namespaces == ("a", "b")
    assert made.cluster.name == "op-1"


def test_variables_set_everything() -> None:
    made = options(
        WORKER_NAMESPACE="video", WORKER_SELECTOR="app=w", WATCH_NODES="false",
        LISTEN="127.0.0.1:9000", WORKER_CAPACITY="4", HEAD_ROOM="1.5",
    )  # fmt: skip

    assert (made.cluster.home, made.cluster.worker_selector) == ("video", "app=w")
    assert not made.cluster.watch_nodes
    assert (made.host, made.port) == ("127.0.0.1", 9000)
    assert (made.worker_capacity_cores, made.head_room) == (4.0, 1.5)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--fleet Studio", "fleet 'Studio': not a name"),
        ("--listen nowhere", '--listen: "nowhere" is not an address; write HOST:PORT'),
        ("--watch-nodes yes", '--watch-nodes: "yes" is neither true nor false; write one of them'),
        ("--head-room much", "--head-room much: not a number above 0; write for example 2"),
        ("--namespaces Prod", '--namespaces: "Prod" is not a name; write small letters'),
    ],
)
def test_wrong_option_is_told(arguments: str, told: str) -> None:
    with pytest.raises(InputError) as raised:
        options(arguments)

    assert str(raised.value).startswith(told)


def test_without_kubernetes_the_command_says_what_to_set(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)

    assert main(["operator"]) == 2

    assert "no Kubernetes to be found; run in a pod, or set KUBECONFIG" in capsys.readouterr().err


def test_kubeconfig_that_cannot_be_used_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/missing")

    assert main(["operator"]) == 2

    told = capsys.readouterr().err
    assert "KUBECONFIG: cannot be used, " in told
    assert "No such file" in told


def test_log_of_a_process_is_left_as_it_was(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/missing")
    root, ours = logging.getLogger(), logging.getLogger("streammonitor")
    before = list(root.handlers), root.level, ours.level

    assert main(["operator"]) == 2

    assert (list(root.handlers), root.level, ours.level) == before
