"""What the chart installs, by what is asked of it."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
import yaml

from streammonitor_api.fleet.connect import RedisSettings
from streammonitor_api.resource.crd import build_crd
from streammonitor_api.sealing import FleetKey
from tests.support.chart import CHART, KEDA, PROMETHEUS, ROOT, Chart, Rendered, variables

EXTERNAL = {
    "redis": {
        "enabled": False,
        "external": {
            "url": "rediss-sentinel://a:26379,b:26380/fleet/0",
            "existingSecret": "redis-login",
            "tlsSecret": "redis-ca",
        },
    }
}


def test_every_pod_may_run_where_pods_are_restricted(default: Rendered) -> None:
    assert len(default.pods()) == 4
    for pod in default.pods():
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["enableServiceLinks"] is False
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["requests"]["cpu"]
            assert container["resources"]["limits"]["memory"]


def test_only_the_operator_has_an_account_with_rights(default: Rendered) -> None:
    mounted = [pod for pod in default.pods() if pod["automountServiceAccountToken"]]

    assert [pod["containers"][0]["name"] for pod in mounted] == ["operator"]


def test_operator_is_one_and_never_two(default: Rendered) -> None:
    spec = default.one("Deployment", "-operator")["spec"]

    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}


def test_autoscaler_and_nothing_else_says_how_many_workers(default: Rendered) -> None:
    assert "replicas" not in default.one("Deployment", "-worker")["spec"]
    spec = default.one("HorizontalPodAutoscaler")["spec"]
    (metric,) = spec["metrics"]
    container = default.pod("Deployment", "-worker")["containers"][0]
    assert metric["type"] == "ContainerResource"
    assert metric["containerResource"]["container"] == container["name"]
    (down,) = spec["behavior"]["scaleDown"]["policies"]
    assert (down["type"], down["value"], down["periodSeconds"]) == ("Pods", 1, 60)
    assert spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 300


def test_keda_asks_the_operator_what_it_serves(chart: Chart) -> None:
    made = chart.render({"autoscaling": {"metric": "demand", "headRoom": 1.5}}, KEDA)

    told = variables(made.pod("Deployment", "-operator"))
    assert float(told["STREAMMONITOR_HEAD_ROOM"]) == 1.5
    assert not made.all("HorizontalPodAutoscaler")
    assert "replicas" not in made.one("Deployment", "-worker")["spec"]
    (trigger,) = made.one("ScaledObject")["spec"]["triggers"]
    service = made.one("Service", "-operator")
    name, port = service["metadata"]["name"], service["spec"]["ports"][0]["port"]
    assert trigger["metadata"]["url"] == f"http://{name}.video.svc:{port}/demand"
    assert trigger["metadata"]["valueLocation"] == "workers_wanted"


@pytest.mark.parametrize(("given", "made"), [(None, 2), (0, 0), (7, 7)])
def test_without_autoscaler_the_values_say_it(chart: Chart, given: int | None, made: int) -> None:
    rendered = chart.render({"autoscaling": {"metric": "none"}, "workers": {"replicas": given}})

    assert rendered.one("Deployment", "-worker")["spec"]["replicas"] == made
    assert not rendered.all("HorizontalPodAutoscaler")


@pytest.mark.parametrize(("request_", "cores"), [("1500m", 1.5), (2, 2.0), ("500m", 0.5)])
def test_worker_plans_with_what_it_requests(chart: Chart, request_: Any, cores: float) -> None:
    made = chart.render({"workers": {"resources": {"requests": {"cpu": request_}}}})

    told = variables(made.pod("Deployment", "-worker"))
    assert float(told["STREAMMONITOR_CAPACITY"]) == cores
    told = variables(made.pod("Deployment", "-operator"))
    assert float(told["STREAMMONITOR_WORKER_CAPACITY"]) == cores


@pytest.mark.parametrize(("drain", "grace_s"), [("90s", 120), ("2m", 150), ("1m30s", 120)])
def test_worker_may_drain_to_the_end(chart: Chart, drain: str, grace_s: int) -> None:
    pod = chart.render({"workers": {"drain": drain}}).pod("Deployment", "-worker")

    assert pod["terminationGracePeriodSeconds"] == grace_s


@pytest.mark.parametrize(("part", "name"), [("operator", "-operator"), ("workers", "-worker")])
def test_pods_leave_a_lost_node_soon(chart: Chart, part: str, name: str) -> None:
    own = {"key": "video", "operator": "Exists"}
    rendered = chart.render({part: {"tolerations": [own], "nodeLostSeconds": 5}})

    first, *lost = rendered.one("Deployment", name)["spec"]["template"]["spec"]["tolerations"]
    assert first == own
    assert {one["key"].rpartition("/")[2]: one["tolerationSeconds"] for one in lost} == {
        "not-ready": 5,
        "unreachable": 5,
    }


def test_operator_follows_exactly_the_worker_pods(default: Rendered) -> None:
    told = variables(default.pod("Deployment", "-operator"))
    worker = default.one("Deployment", "-worker")["spec"]

    wanted = worker["selector"]["matchLabels"]
    selector = told["STREAMMONITOR_WORKER_SELECTOR"]
    assert dict(one.split("=") for one in selector.split(",")) == wanted
    assert wanted.items() <= worker["template"]["metadata"]["labels"].items()


def test_rights_are_those_that_are_tested(default: Rendered) -> None:
    """tests/kubernetes/test_operator_rbac.py runs the operator with those of rbac.yaml."""
    text = (ROOT / "manifests" / "rbac.yaml").read_text(encoding="utf-8")
    tested = [rule for one in yaml.safe_load_all(text) for rule in one.get("rules", ())]
    granted = [
        rule for kind in ("ClusterRole", "Role") for rule in default.one(kind).get("rules", ())
    ]

    assert sorted(granted, key=str) == sorted(tested, key=str)


def test_in_single_namespaces_no_right_is_cluster_wide(chart: Chart) -> None:
    made = chart.render({"operator": {"namespaces": ["news", "sports"]}})

    assert not made.all("ClusterRole")
    assert not made.all("ClusterRoleBinding")
    there = {one["metadata"]["namespace"] for one in made.all("RoleBinding")}
    assert there == {"video", "news", "sports"}
    told = variables(made.pod("Deployment", "-operator"))
    assert told["STREAMMONITOR_NAMESPACES"] == "news,sports"
    assert told["STREAMMONITOR_WATCH_NODES"] == "false"


def test_generated_fleet_key_is_one(default: Rendered) -> None:
    key = base64.b64decode(default.one("Secret", "-fleet-key")["data"]["key"]).decode()

    assert FleetKey(key).unseal(FleetKey(key).seal("secret", "a"), "a") == "secret"


def test_variables_of_an_external_redis_are_understood(chart: Chart) -> None:
    made = chart.render(EXTERNAL)
    told = variables(made.pod("Deployment", "-worker"))

    assert not made.all("StatefulSet")
    given = {name: "x" if isinstance(value, dict) else value for name, value in told.items()}
    settings = RedisSettings.from_environment(given)
    assert settings.address == "rediss-sentinel://a:26379,b:26380/fleet/0"
    assert settings.ca_file == "/etc/streammonitor/redis-tls/ca.crt"
    assert {settings.password, settings.username, settings.sentinel_password} == {"x"}


def test_policies_let_the_ports_of_an_external_redis_out(chart: Chart) -> None:
    policy = chart.render(EXTERNAL).one("NetworkPolicy", "-operator")

    open_ports = {
        port["port"] for rule in policy["spec"]["egress"] for port in rule.get("ports", ())
    }
    assert {26379, 26380, 6379, 443, 53} <= open_ports


def test_nothing_comes_in_but_probes_and_metrics(default: Rendered) -> None:
    for part in ("operator", "worker"):
        spec = default.one("NetworkPolicy", f"-{part}")["spec"]
        (rule,) = spec["ingress"]
        assert set(spec["policyTypes"]) == {"Ingress", "Egress"}
        assert rule["ports"] == [{"protocol": "TCP", "port": "http"}]
    redis = default.one("NetworkPolicy", "-redis")["spec"]
    assert redis["egress"] == []


def test_workers_do_not_reach_cloud_metadata(default: Rendered) -> None:
    streams = default.one("NetworkPolicy", "-worker")["spec"]["egress"][-1]

    blocks = [one["ipBlock"] for one in streams["to"] if "ipBlock" in one]
    assert blocks[0] == {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}


@pytest.mark.parametrize("keep", [True, False])
def test_definition_is_the_code_s_and_stays_if_wanted(chart: Chart, keep: bool) -> None:
    made = chart.render({"crds": {"keep": keep}}).one("CustomResourceDefinition")

    assert made["spec"] == build_crd()["spec"]
    assert (made["metadata"].get("annotations") is not None) == keep


def test_definition_can_be_left_to_others(chart: Chart) -> None:
    assert not chart.render({"crds": {"install": False}}).all("CustomResourceDefinition")


def test_image_with_a_digest_has_no_tag(chart: Chart) -> None:
    digest = f"sha256:{'a' * 64}"
    made = chart.render({"image": {"digest": digest}}).pod("Deployment", "-operator")

    assert made["containers"][0]["image"] == f"streammonitor/streammonitor@{digest}"


def test_monitoring_reaches_the_pods(chart: Chart) -> None:
    wanted = {"podMonitor": {"enabled": True}, "dashboard": {"enabled": True}}
    made = chart.render({"monitoring": wanted}, PROMETHEUS)

    spec = made.one("PodMonitor")["spec"]
    ports = [port for pod in made.pods() for port in pod["containers"][0].get("ports", ())]
    assert spec["podMetricsEndpoints"][0]["port"] in {port["name"] for port in ports}
    assert made.one("ConfigMap", "-dashboard")["data"]["streammonitor.json"]


def test_one_template_file_makes_one_kind_of_object() -> None:
    for path in (CHART / "templates").rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        assert len(re.findall(r"^kind: ", text, re.MULTILINE)) <= 1, path
