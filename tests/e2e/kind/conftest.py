"""Tests on a kind cluster with the product installed in it.

KIND_CLUSTER names a cluster; one that is there already is used and stays, otherwise it is made by
`kind/up` and deleted at the end. Where docker, kind, kubectl or helm are missing the tests skip.
Each test has a namespace of its own and can run alone. What the cluster looked like when a test
failed is in build/e2e/TEST/. What was measured is printed at the end.
"""

from __future__ import annotations

import os
import secrets
import shlex
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from tests.support.kind.diagnostics import collect
from tests.support.kind.figures import Figures
from tests.support.kind.programs import ROOT, Cluster, run, skip_without_kind
from tests.support.kind.release import IMAGE, Release, base_values, image_id
from tests.support.kind.scenery import Scenery
from tests.support.kind.watching import Watching

UP_S = 600.0
"""A cluster is made in 30 s, images are loaded in as long; more where other work goes on."""
KEDA_S = 300.0
TEST_S = 600
"""No test may take longer; each waits for what it waits for with deadlines of its own."""
LIMIT_S = 60 * float(os.environ.get("E2E_LIMIT") or "inf")
"""From the beginning of the run on; no test is begun after it."""
_HERE = Path(__file__).parent
_FIGURES = pytest.StashKey[Figures]()
_BEGAN = time.monotonic()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_FIGURES] = Figures()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HERE) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TEST_S))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.path.is_relative_to(_HERE) and time.monotonic() - _BEGAN > LIMIT_S:
        pytest.skip(f"cut: the time for tests on kind, {LIMIT_S / 60:g} minutes, is over")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    cluster = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and isinstance(cluster, Cluster):
        folder = ROOT / "build" / "e2e" / item.name
        collect(cluster, folder)
        report.sections.append(("the cluster", f"what it looked like is in {folder}"))
    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    lines = config.stash[_FIGURES].lines()
    if lines:
        terminalreporter.section("measured")
        for line in lines:
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Figures:
    """What is measured; it is printed at the end."""
    return request.config.stash[_FIGURES]


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, figures: Figures) -> Iterator[Cluster]:
    """The cluster, with metrics-server and the images."""
    skip_without_kind(IMAGE)
    name = os.environ.get("KIND_CLUSTER") or "streammonitor-e2e"
    folder = tmp_path_factory.mktemp("kind")
    kubeconfig = folder / "kubeconfig"
    was_there = name in run("kind", "get", "clusters").split()
    if was_there:
        kubeconfig.write_text(run("kind", "get", "kubeconfig", "--name", name), encoding="utf-8")
    cluster = Cluster(name, kubeconfig)
    release = Release(cluster, folder)
    try:
        if not (was_there and _has_the_image(release)):
            began = time.monotonic()
            bring_up(cluster, release)
            figures.add("kind-up: cluster, images, chart", time.monotonic() - began)
        yield cluster
    finally:
        if not was_there:
            run("kind", "delete", "cluster", "--name", name, within_s=120)


def bring_up(cluster: Cluster, release: Release) -> None:
    """As `make kind-up` does, with the values of these tests."""
    environment = {
        **cluster.environment,
        "KIND_CLUSTER": cluster.name,
        "IMAGE": IMAGE,
        "HELM_ARGS": f"--values {release.values_file(base_values())}",
    }
    run("kind/up", within_s=UP_S, environment=environment)


def _has_the_image(release: Release) -> bool:
    """Whether nothing has to be loaded: it is there with the image that there is now."""
    values = release.installed_values() or {}
    annotations = values.get("workers", {}).get("podAnnotations", {})
    return bool(annotations.get("image-id") == image_id())


@pytest.fixture(scope="session")
def keda(cluster: Cluster) -> None:
    """KEDA in the cluster: as it is there, or as the command in KEDA_INSTALL puts it there."""
    there = ("get", "crd", "scaledobjects.keda.sh", "--ignore-not-found", "--output", "name")
    if cluster.kubectl(*there).strip():
        return
    install = os.environ.get("KEDA_INSTALL")
    if not install:
        pytest.skip(
            "KEDA is not in the cluster: install it there, or name in KEDA_INSTALL a command that "
            "does and is given the cluster's name"
        )
    run(*shlex.split(install), cluster.name, within_s=KEDA_S, environment=cluster.environment)


@pytest.fixture(scope="session")
def scenery(cluster: Cluster) -> Scenery:
    """Live streams, and who notes what becomes of them."""
    scenery = Scenery(cluster)
    scenery.put_up(IMAGE)
    return scenery


@pytest.fixture
def release(cluster: Cluster, tmp_path: Path) -> Release:
    """The product, installed with the base values; all pods are ready."""
    release = Release(cluster, tmp_path)
    release.ensure()
    return release


@pytest.fixture
def make_watching(cluster: Cluster, scenery: Scenery) -> Iterator[Callable[[], Watching]]:
    """Makes a namespace for the monitors of a test."""
    made: list[str] = []

    def make() -> Watching:
        name = f"e2e-{secrets.token_hex(3)}"
        cluster.kubectl("create", "namespace", name)
        made.append(name)
        return Watching(cluster, scenery, name)

    yield make
    for name in made:
        cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def watching(make_watching: Callable[[], Watching], release: Release) -> Watching:
    """A namespace for the monitors of this test; the product is installed."""
    return make_watching()
