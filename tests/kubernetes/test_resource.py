"""What the API server takes, the models take, and the reverse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from streammonitor_api.catalogue import catalogue_text, parse_catalogue
from streammonitor_api.resource import ResourceError, parse_monitor
from streammonitor_api.resource.crd import build_crd
from tests.support.apiserver import Answer, ApiServer
from tests.support.resources import CASES, Case, a_monitor, a_stream

SAMPLES = sorted((Path(__file__).parents[2] / "manifests" / "samples").glob("*.yaml"))
PATH = "/apis/streammonitor.dev/v1alpha1/namespaces/{}/streammonitors"


def try_to_create(server: ApiServer, resource: dict[str, Any], **query: str) -> Answer:
    """As `kubectl apply` asks, but that nothing is kept."""
    path = PATH.format(resource["metadata"].get("namespace", "default"))
    asked = {"dryRun": "All", "fieldValidation": "Strict"} | query
    return server.request("POST", path, resource, **asked)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_apiserver_judges_as_the_models_do(apiserver: ApiServer, case: Case) -> None:
    answer = try_to_create(apiserver, case.resource)

    assert answer.accepted == case.good, answer.message
    assert "budget" not in answer.message
    assert not any(secret in answer.message for secret in ("hunter2", "hun/ter2", "hun#ter2"))


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("url-password", "spec.streams[0].url: {}: the address holds a user or a password; write "),
        ("url-file", "spec.streams[0].url: {}: not an allowed protocol; write an address with htt"),
        ("detector-no-unit", 'alarmAfter: {}: "2" has no unit; write a duration such as "2s"'),
        ("detector-unit-unknown", 'alarmAfter: {}: "2d" is not a duration; write one such as "2s"'),
        ("detector-setting-out-of-range", "share of video-black is 0.5 to 1"),
        ("detector-setting-of-another", '"run" belongs to audio-clipping'),
        ("stream-reference-without-av-sync", "leave reference out"),
        ("all-of-a-profile-disabled", "leave at least one enabled, or write suspend: true"),
        ("notify-both", "spec.notify[0]: {}: no receiver, or two of them; write either webhook"),
        ("same-name-twice", 'spec.streams[2]: Duplicate value: {"name":"a"}'),
        ("five-thousand-streams", "must have at most 1000 items"),
        ("stream-unknown-field", 'unknown field "spec.streams[0].renditon"'),
    ],
)
def test_apiserver_tells_what_to_write(apiserver: ApiServer, case: str, message: str) -> None:
    resource = next(one.resource for one in CASES if one.id == case)

    told = try_to_create(apiserver, resource).message

    expected = message.replace("{}: ", "")
    shown = told.replace('Invalid value: "string": ', "").replace('Invalid value: "object": ', "")
    assert expected in shown


def test_apiserver_fills_in_the_models_defaults(apiserver: ApiServer) -> None:
    resource = a_monitor(detectors=[{"name": "video-black"}], notify=[
        {"name": "a", "webhook": {"url": "https://a", "signingKeySecretRef": {"name": "a"}}}
    ])  # fmt: skip

    made = try_to_create(apiserver, resource).body

    assert parse_monitor(made).spec == parse_monitor(resource).spec
    written = parse_monitor(resource).spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert made["spec"] == {**written, "detectors": [{"name": "video-black", "enabled": True}]}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_samples_are_taken(apiserver: ApiServer, path: Path) -> None:
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        if document["kind"] == "StreamMonitor":
            answer = try_to_create(apiserver, document)
            assert answer.accepted, answer.message


def test_unknown_fields_are_dropped_for_those_who_are_not_strict(apiserver: ApiServer) -> None:
    resource = a_monitor(colour="red")

    answer = try_to_create(apiserver, resource, fieldValidation="Warn")

    assert answer.accepted
    assert "colour" not in answer.body["spec"]


def test_thousand_longest_addresses_fit(apiserver: ApiServer, namespace: str) -> None:
    streams = [
        a_stream(f"{'a' * 58}-{index:04d}", f"https://cdn.example/{'x' * 1004}")
        for index in range(1000)
    ]

    made = apiserver.create(PATH.format(namespace), a_monitor("big", namespace, streams=streams))

    assert len(made["spec"]["streams"]) == 1000
    apiserver.delete(f"{PATH.format(namespace)}/big")


def test_two_owners_may_each_apply_streams(apiserver: ApiServer, namespace: str) -> None:
    path = f"{PATH.format(namespace)}/shared"
    for owner, name in (("sports", "a"), ("news", "b")):
        resource = a_monitor("shared", namespace, streams=[a_stream(name)])
        answer = apiserver.request(
            "PATCH", path, resource, "application/apply-patch+yaml", fieldManager=owner
        )
        assert answer.accepted, answer.message

    assert [one["name"] for one in apiserver.get(path)["spec"]["streams"]] == ["a", "b"]


def test_status_is_a_subresource(apiserver: ApiServer, namespace: str) -> None:
    resource = {**a_monitor("a", namespace), "status": {"streams": {"total": 5}}}
    apiserver.create(PATH.format(namespace), resource)

    assert "status" not in apiserver.get(f"{PATH.format(namespace)}/a")
    apiserver.patch(f"{PATH.format(namespace)}/a/status", {"status": {"streams": {"total": 5}}})
    found = apiserver.get(f"{PATH.format(namespace)}/a")
    assert found["status"]["streams"]["total"] == 5
    assert found["metadata"]["generation"] == 1


def test_reference_is_taken_where_av_sync_runs(apiserver: ApiServer) -> None:
    text = catalogue_text().replace('"video-flat"', '"av-sync"')
    other = build_crd(parse_catalogue(text))
    # Beside the real one: another group has rules of its own.
    group = "av-sync.streammonitor.dev"
    other["metadata"]["name"] = f"streammonitors.{group}"
    other["spec"]["group"] = group
    other["spec"]["names"] |= {"shortNames": [], "categories": []}
    apiserver.install_crd(other)

    for profile, entry, good in (
        ("Default", None, True),
        ("Default", {"name": "av-sync", "enabled": False}, False),
        ("AudioOnly", None, False),
        ("AudioOnly", {"name": "av-sync"}, True),
    ):
        spec: dict[str, Any] = {"profile": profile, "detectors": [entry] if entry else []}
        resource = a_monitor(
            streams=[a_stream(reference={"url": "https://studio.example"})], **spec
        )
        served = {**resource, "apiVersion": f"{group}/v1alpha1"}
        path = f"/apis/{group}/v1alpha1/namespaces/default/streammonitors"
        answer = apiserver.request("POST", path, served, dryRun="All")
        assert answer.accepted == good, answer.message
        if good:
            parse_monitor(resource, parse_catalogue(text))
        else:
            with pytest.raises(ResourceError, match="av-sync only"):
                parse_monitor(resource, parse_catalogue(text))
