"""Alerts and dashboard ask for metrics that are told, by labels that these have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from streammonitor_operator.demand import demand_of
from streammonitor_operator.inventory import Inventory
from streammonitor_operator.metrics import FleetCollector
from streammonitor_operator.reconcile import Reconciler
from streammonitor_operator.settings import OperatorSettings
from streammonitor_worker.telemetry.configuration import TelemetryConfiguration
from streammonitor_worker.telemetry.session import Telemetry
from tests.support.builders import a_status, an_event, an_incident
from tests.support.chart import CHART, PROMETHEUS, ROOT, Chart
from tests.support.fleet_contract import Fleet

RUNBOOKS = ROOT / "docs" / "runbooks"
Labels = dict[str, set[str]]
"""The values of each label that were seen."""
_ADDED = {"namespace"}
"""Prometheus adds it."""


def told(text: str) -> dict[str, Labels]:
    """The names of all samples, with their labels."""
    found: dict[str, Labels] = {}
    for family in text_string_to_metric_families(text):
        # A family without samples yet: what Prometheus would call its samples.
        ending = "_total" if family.type == "counter" else ""
        found.setdefault(f"{family.name}{ending}", {})
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return found


@pytest.fixture
def metrics(fleet: Fleet) -> dict[str, Labels]:
    """All metrics that there are."""
    reconciler = Reconciler(Inventory(), fleet.operator, fleet.reader, identity="a", name="b")
    registry = CollectorRegistry(auto_describe=False)
    registry.register(FleetCollector(reconciler, OperatorSettings(identity="a", name="b")))
    operator = generate_latest(registry).decode()
    status = a_status("ns/monitor/stream", open_incidents=(an_incident(),))
    telemetry = Telemetry(TelemetryConfiguration(exposed=True), lambda: [status], "1")
    try:
        telemetry.note(an_event("opened", an_incident()))
        worker = telemetry.exposition().decode()
    finally:
        telemetry.close()
    return told(operator) | told(worker)


def dashboard_queries() -> list[str]:
    text = (CHART / "files" / "dashboard.json").read_text(encoding="utf-8")
    return [one["expr"] for panel in json.loads(text)["panels"] for one in panel["targets"]]


def check(queries: Iterable[str], metrics: dict[str, Labels]) -> None:
    """Each name is one of a metric, each label one of its, each value one that was seen."""
    queries = list(queries)
    assert queries
    for query in queries:
        names = re.findall(r"\bstreammonitor_\w+", query)
        assert names, query
        for name, selector in re.findall(r"(\bstreammonitor_\w+)(?:\{([^}]*)\})?", query):
            assert name in metrics, query
            for label, value in re.findall(r'(\w+)="([^"]*)"', selector):
                assert label in _ADDED | metrics[name].keys(), query
                assert label in _ADDED or value in metrics[name][label], query
        for label in re.findall(r"\bby \((\w+)\)", query):
            known = [metrics[name] for name in names]
            assert any(label in one or not one for one in known), query


def test_dashboard_asks_for_what_is_told(metrics: dict[str, Labels]) -> None:
    check(dashboard_queries(), metrics)


def test_alerts_ask_for_what_is_told_and_have_their_pages(
    metrics: dict[str, Labels], tmp_path: Path
) -> None:
    made = Chart(tmp_path).render({"monitoring": {"rules": {"enabled": True}}}, PROMETHEUS)
    (group,) = made.one("PrometheusRule")["spec"]["groups"]

    check((rule["expr"] for rule in group["rules"]), metrics)

    pages = {path.stem for path in RUNBOOKS.glob("*.md")} - {"index"}
    assert {rule["alert"] for rule in group["rules"]} == pages
    for rule in group["rules"]:
        assert rule["annotations"]["runbook_url"].endswith(f"/{rule['alert']}")
        listed = f"| [{rule['alert']}]({rule['alert']}.md) | {rule['labels']['severity']} |"
        assert listed in (RUNBOOKS / "index.md").read_text(encoding="utf-8")


def test_keda_s_value_is_in_the_demand(fleet: Fleet) -> None:
    """The name that the ScaledObject reads."""
    reconciler = Reconciler(Inventory(), fleet.operator, fleet.reader, identity="a", name="b")

    demand = demand_of(reconciler.state, head_room=1.2, fallback_cores=2.0).as_json()

    assert "workers_wanted" in demand
    text = (CHART / "templates" / "workers" / "scaledobject.yaml").read_text(encoding="utf-8")
    assert "valueLocation: workers_wanted" in text
