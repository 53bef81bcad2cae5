"""What is generated from chart and code is current: `make manifests` writes it."""

from __future__ import annotations

import subprocess

import yaml

from streammonitor_cli.crd import definition
from tests.support.chart import CHART, ROOT, helm


def test_plain_manifest_is_current() -> None:
    helm("version")
    done = subprocess.run(
        [str(ROOT / "manifests" / "render")], capture_output=True, text=True, check=True, timeout=60
    )

    written = (ROOT / "manifests" / "install.yaml").read_text(encoding="utf-8")
    assert done.stdout == written, "manifests/install.yaml is stale: make manifests"


def test_definition_in_the_chart_is_current() -> None:
    written = (CHART / "files" / "crd.yaml").read_text(encoding="utf-8")

    assert written == definition("yaml"), "charts/streammonitor/files/crd.yaml: make manifests"


def test_plain_manifest_holds_no_secret() -> None:
    text = (ROOT / "manifests" / "install.yaml").read_text(encoding="utf-8")

    kinds = [one["kind"] for one in yaml.safe_load_all(text)]
    assert "Secret" not in kinds
    assert kinds[0] == "Namespace"


def test_chart_is_of_the_version_of_the_project() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))

    assert f'\nversion = "{chart["appVersion"]}"\n' in project
