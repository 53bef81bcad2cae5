"""The models take what is right, and tell all that is wrong, in place and in words."""

from __future__ import annotations

import pytest

from streammonitor_api.catalogue import catalogue_text, parse_catalogue
from streammonitor_api.resource import ResourceError, parse_monitor, plan_of
from tests.support.resources import CASES, Case, a_monitor, a_stream

SECRETS = ("hunter2", "hun/ter2", "hun#ter2", "ter2")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_models_tell_what_is_wrong(case: Case) -> None:
    if case.good:
        parse_monitor(case.resource)
        return

    with pytest.raises(ResourceError) as raised:
        parse_monitor(case.resource)

    told = [str(problem) for problem in raised.value.problems]
    assert len(told) == len(case.told), told
    for text, expected in zip(told, case.told, strict=True):
        assert text.startswith(expected)
        assert "\n" not in text
        assert not any(secret in text for secret in SECRETS)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    resource = a_monitor(
        streams=[a_stream("a", "file:///a"), a_stream("a", reference={"url": "gopher://a"})],
        detectors=[{"name": "video-freze"}, {"name": "video-black", "settings": {"share": 9}}],
        suspended=True,
    )

    with pytest.raises(ResourceError) as raised:
        parse_monitor(resource)

    assert [str(problem).partition(":")[0] for problem in raised.value.problems] == [
        "spec.detectors[0].name",
        "spec.detectors[1].settings.share",
        "spec.streams",
        "spec.streams[0].url",
        "spec.streams[1].name",
        "spec.streams[1].reference.url",
        "spec.suspended",
    ]


@pytest.mark.parametrize("document", [None, "text", [], 3], ids=str)
def test_what_is_no_mapping_is_no_resource(document: object) -> None:
    with pytest.raises(ResourceError, match="not a resource; write apiVersion, kind"):
        parse_monitor(document)


def test_kind_must_be_written() -> None:
    with pytest.raises(ResourceError, match="kind: missing; write kind: StreamMonitor"):
        parse_monitor({key: value for key, value in a_monitor().items() if key != "kind"})


def test_what_is_absent_has_its_default() -> None:
    spec = parse_monitor(a_monitor()).spec

    assert (spec.profile, spec.suspend, spec.detectors, spec.notify) == ("Default", False, [], [])
    assert (spec.analysis.mode, spec.analysis.priority) == ("Full", 0)
    assert spec.streams[0].renditions == "highest"


def test_status_is_not_the_users_and_not_judged() -> None:
    monitor = parse_monitor({**a_monitor(), "status": {"of": "another version"}})

    assert monitor.key == "default/sports"


def test_profile_comes_before_single_changes() -> None:
    spec = parse_monitor(
        a_monitor(
            profile="TransportOnly",
            detectors=[
                {"name": "audio-silence", "alarmAfter": "10s", "settings": {"level": -70}},
                {"name": "stream-stall", "enabled": False},
            ],
        )
    ).spec

    plan = plan_of(spec.profile, spec.detectors)

    assert "video-black" not in plan
    assert "stream-stall" not in plan
    assert "continuity-error" in plan
    assert plan["audio-silence"].alarm_after_s == 10.0
    assert plan["audio-silence"].settings == {"level": -70.0}


def test_reference_is_taken_where_something_compares_with_it() -> None:
    known = parse_catalogue(catalogue_text().replace('"video-flat"', '"av-sync"'))
    resource = a_monitor(streams=[a_stream(reference={"url": "https://studio.example/live"})])

    parse_monitor(resource, known)

    resource["spec"]["detectors"] = [{"name": "av-sync", "enabled": False}]
    with pytest.raises(ResourceError, match="used by the detector av-sync only; enable it in"):
        parse_monitor(resource, known)
    resource["spec"] |= {"detectors": [], "profile": "AudioOnly"}
    with pytest.raises(ResourceError, match="used by the detector av-sync only"):
        parse_monitor(resource, known)


def test_printed_monitor_holds_no_more_than_was_written() -> None:
    monitor = parse_monitor(a_monitor())

    written = monitor.model_dump(by_alias=True, exclude_unset=True)
    assert parse_monitor({**a_monitor(), "spec": written["spec"]}) == monitor
