"""Values that cannot be are refused, with what to do."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.support.chart import CHART, Chart, Values

WRONG: list[tuple[Values, str]] = [
    ({"workers": {"replica": 3}}, "at '/workers': additional properties 'replica' not allowed"),
    ({"autoscaling": {"metric": "gpu"}}, "value must be one of 'cpu', 'demand', 'none'"),
    ({"autoscaling": {"minReplicas": 0}}, "at '/autoscaling/minReplicas'"),
    ({"autoscaling": {"headRoom": 0.9}}, "at '/autoscaling/headRoom'"),
    ({"autoscaling": {"cpuUtilization": 120}}, "at '/autoscaling/cpuUtilization'"),
    ({"workers": {"drain": "soon"}}, "at '/workers/drain'"),
    ({"workers": {"resources": {"requests": {"cpu": "two"}}}}, "requests/cpu'"),
    ({"image": {"pullPolicy": "Sometimes"}}, "'Always', 'IfNotPresent', 'Never'"),
    ({"fleet": "Fleet One"}, "at '/fleet'"),
    ({"redis": {"external": {"url": "http://redis"}}}, "at '/redis/external/url'"),
    ({"operator": {"namespaces": ["News"]}}, "at '/operator/namespaces/0'"),
    ({"networkPolicy": {"redisPorts": [70000]}}, "at '/networkPolicy/redisPorts/0'"),
    ({"monitoring": {"rules": {"coverageObjective": 99.9}}}, "at '/monitoring/rules/coverageO"),
]

NO_REDIS: Values = {"redis": {"enabled": False}}
TWO_REDIS: Values = {"redis": {"external": {"url": "redis://data:6379/0"}}}
CONTRADICTIONS: list[tuple[Values, str]] = [
    ({"workers": {"replicas": 3}}, "remove workers.replicas, or set autoscaling.metric: none"),
    ({"autoscaling": {"minReplicas": 30}}, "lower it, or raise maxReplicas"),
    ({"autoscaling": {"metric": "demand"}}, "install KEDA, or set autoscaling.metric: cpu"),
    ({"workers": {"resources": {"requests": {"cpu": None}}}}, "write a number of cores"),
    (NO_REDIS, "write the URL of your Redis such as redis://"),
    (TWO_REDIS, "set redis.enabled: false, or remove the URL"),
    (
        {"redis": {"enabled": False, "external": {"url": "redis://data:6379", "tlsSecret": "a"}}},
        "begin it with rediss://",
    ),
    (
        {"redis": {"enabled": False, "external": {"url": "rediss://d", "clientCertificate": True}}},
        "name the Secret with ca.crt, tls.crt and tls.key",
    ),
    ({"operator": {"namespaces": ["a"], "watchNodes": True}}, "set operator.watchNodes: false"),
    ({"operator": {"serviceAccount": {"create": False}}}, "name one, or set create: true"),
    ({"monitoring": {"podMonitor": {"enabled": True}}}, "Prometheus Operator"),
]


@pytest.mark.parametrize(("values", "message"), WRONG)
def test_wrong_value_is_refused_by_its_place(chart: Chart, values: Values, message: str) -> None:
    assert message in chart.refusal(values)


@pytest.mark.parametrize(("values", "remedy"), CONTRADICTIONS)
def test_contradiction_is_refused_with_a_remedy(chart: Chart, values: Values, remedy: str) -> None:
    assert remedy in chart.refusal(values)


def test_every_value_of_the_schema_has_a_default() -> None:
    """The reverse holds too, or the chart's own values would be refused."""
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))

    missing = {path for path in _paths(schema, schema) if not _has(values, path.split("."))}

    optional = ("global", "resources.claims", "resources.limits", "resources.requests")
    assert {path for path in missing if not path.endswith(optional)} == set()


def _paths(part: Any, schema: Any, at: str = "") -> set[str]:
    """The places that a schema names, without those that have others below them."""
    if "$ref" in part:
        part = schema["definitions"][part["$ref"].rpartition("/")[2]]
    found: set[str] = set()
    for key, inner in part.get("properties", {}).items():
        found |= _paths(inner, schema, f"{at}{key}.") or {f"{at}{key}"}
    return found


def _has(values: Any, path: list[str]) -> bool:
    for key in path:
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True
