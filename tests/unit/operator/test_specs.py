"""What workers are told is what the resource asks for; what is wrong leaves the rest alone."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from streammonitor_api.fidelity import Fidelity
from streammonitor_api.resource import parse_monitor
from streammonitor_api.sealing import Credentials, FleetKey, TargetSecrets, generate_key
from streammonitor_operator.specs import Followed, SecretSeen, follow, read_resource, secrets_of
from tests.support.resources import URL, a_monitor, a_stream

KEY = FleetKey(generate_key())
PASSWORD = "hunter2-geheim"  # noqa: S105  # of nobody
LOGIN: dict[str, Any] = {"credentialsSecretRef": {"name": "cdn"}}


def secret(**values: str) -> SecretSeen:
    return SecretSeen({k: base64.b64encode(v.encode()).decode() for k, v in values.items()})


CDN = secret(username="admin", password=PASSWORD)


def followed(
    secrets: dict[str, SecretSeen] | None = None, key: FleetKey | None = KEY, **spec: Any
) -> Followed:
    return follow(parse_monitor(a_monitor(**spec)), secrets or {}, key)


def test_stream_is_told_with_all_that_was_asked_for() -> None:
    (spec,) = followed(
        streams=[a_stream("ch4", renditions="all")],
        detectors=[{"name": "video-black", "alarmAfter": "12s", "settings": {"share": 0.9}}],
        analysis={"mode": "Adaptive", "priority": 7},
    ).specs

    assert spec.stream == "default/sports/ch4"
    assert (spec.url, spec.renditions, spec.credentials) == (URL, "all", None)
    assert (spec.mode, spec.priority) == (Fidelity.ADAPTIVE, 7)
    black = next(one for one in spec.detectors if one.name == "video-black")
    assert black.alarm_after_s == 12.0
    assert black.settings["share"] == 0.9
    assert spec.overlap_s == 12.0


def test_overlap_is_bounded() -> None:
    (spec,) = followed(detectors=[{"name": "video-black", "alarmAfter": "5m"}]).specs

    assert spec.overlap_s == 30.0


def test_credentials_travel_sealed_for_their_stream_only() -> None:
    streams = [a_stream("a", **LOGIN), a_stream("b", **LOGIN)]

    first, second = followed({"cdn": CDN}, streams=streams).specs

    assert PASSWORD not in first.as_json()
    assert first.credentials is not None
    opened = Credentials.from_json(KEY.unseal(first.credentials, first.stream))
    assert (opened.username, opened.password) == ("admin", PASSWORD)
    assert first.credentials != second.credentials


def test_same_secret_gives_the_same_spec() -> None:
    def made(password: str) -> Any:
        seen = {"cdn": secret(username="admin", password=password)}
        return followed(seen, streams=[a_stream("a", **LOGIN)]).specs[0]

    assert made(PASSWORD) == made(PASSWORD)
    assert made(PASSWORD).source_revision != made("other").source_revision


def test_missing_secret_leaves_out_its_streams_only() -> None:
    missing = {"cdn": SecretSeen(None, "does not exist; create it")}

    result = followed(missing, streams=[a_stream("a", **LOGIN), a_stream("b")])

    assert [spec.stream for spec in result.specs] == ["default/sports/b"]
    assert result.fault is not None
    assert result.fault.reason == "CredentialsMissing"
    assert result.fault.message == "Secret default/cdn: does not exist; create it"


def test_secret_that_is_gone_is_used_until_it_is_back() -> None:
    gone = {"cdn": SecretSeen(CDN.data, "does not exist; create it")}

    result = followed(gone, streams=[a_stream("a", **LOGIN)])

    assert len(result.specs) == 1
    assert result.fault is not None
    assert "until then the credentials that it had are used" in result.fault.message


def test_without_a_fleet_key_secrets_are_not_sent() -> None:
    result = followed({"cdn": CDN}, key=None, streams=[a_stream("a", **LOGIN), a_stream("b")])

    assert [spec.stream for spec in result.specs] == ["default/sports/b"]
    assert result.fault is not None
    assert "set STREAMMONITOR_FLEET_KEY_FILE" in result.fault.message


def test_targets_travel_with_their_secrets_sealed() -> None:
    notify = [
        {
            "name": "on-call",
            "minSeverity": "critical",
            "webhook": {
                "url": "https://hooks.example",
                "signingKeySecretRef": {"name": "hooks", "key": "hmac"},
                "credentialsSecretRef": {"name": "cdn"},
            },
        },
        {"name": "alerts", "alertmanager": {"url": "http://alertmanager:9093"}},
    ]

    result = followed({"hooks": secret(hmac="abc"), "cdn": CDN}, notify=notify)

    webhook, alertmanager = result.specs[0].notify
    assert (webhook.kind, webhook.min_severity) == ("webhook", "critical")
    assert webhook.sealed is not None
    opened = TargetSecrets.from_json(
        KEY.unseal(webhook.sealed, webhook.sealed_for(result.specs[0].stream))
    )
    assert opened == TargetSecrets("", "abc", Credentials("admin", PASSWORD))
    assert (alertmanager.kind, alertmanager.sealed) == ("alertmanager", None)
    assert result.fault is None


@pytest.mark.parametrize("kind", ["webhook", "alertmanager"])
@pytest.mark.parametrize("rest", ["/services/T0/B0/geheim", "?token=geheim", "/?a=geheim#b"])
def test_address_of_a_target_is_sealed_but_for_its_host(kind: str, rest: str) -> None:
    url = f"https://hooks.example:8443{rest}"

    result = followed(notify=[{"name": "chat", kind: {"url": url}}])

    (target,) = result.specs[0].notify
    assert target.url == "https://hooks.example:8443"
    assert "geheim" not in result.specs[0].as_json()
    assert target.sealed is not None
    stream = result.specs[0].stream
    opened = TargetSecrets.from_json(KEY.unseal(target.sealed, target.sealed_for(stream)))
    assert opened == TargetSecrets(url)


def test_address_of_a_target_is_not_sent_without_a_fleet_key() -> None:
    notify = [{"name": "chat", "webhook": {"url": "https://hooks.example/services/geheim"}}]

    result = followed(key=None, notify=notify)

    assert result.specs[0].notify == ()
    assert result.fault is not None
    assert "notify chat: " in result.fault.message
    assert "geheim" not in result.fault.message


def test_target_without_its_key_is_left_out_and_the_streams_stay() -> None:
    notify = [
        {
            "name": "on-call",
            "webhook": {"url": "https://a", "signingKeySecretRef": {"name": "hooks"}},
        }
    ]

    result = followed({"hooks": secret(other="x")}, notify=notify)

    assert result.specs[0].notify == ()
    assert result.fault is not None
    assert result.fault.message.startswith("notify on-call: Secret default/hooks: no key key")


def test_all_secrets_that_are_referred_to_are_named() -> None:
    spec = parse_monitor(
        a_monitor(
            streams=[a_stream("a", **LOGIN), a_stream("b")],
            notify=[
                {
                    "name": "a",
                    "webhook": {"url": "https://a", "signingKeySecretRef": {"name": "x"}},
                },
                {
                    "name": "b",
                    "alertmanager": {"url": "https://a", "credentialsSecretRef": {"name": "y"}},
                },
            ],
        )
    ).spec

    assert secrets_of(spec) == {"cdn", "x", "y"}


def test_what_an_older_definition_let_in_is_left_out_and_told() -> None:
    written = a_monitor(
        streams=[a_stream("a"), a_stream("b", "file:///etc/passwd"), a_stream("c")],
        detectors=[{"name": "video-yellow"}, {"name": "video-black", "enabled": False}],
        colour="red",
    )

    monitor, fault = read_resource(written)

    assert monitor is not None
    assert [stream.name for stream in monitor.spec.streams] == ["a", "c"]
    assert [entry.name for entry in monitor.spec.detectors] == ["video-black"]
    assert fault is not None
    assert fault.reason == "Invalid"
    assert 'spec.detectors[0].name: no detector "video-yellow"' in fault.message
    assert "spec.streams[1].url: not an allowed protocol" in fault.message
    assert "spec.colour: no such field" in fault.message


def test_resource_that_makes_no_sense_comes_to_nothing_but_a_fault() -> None:
    monitor, fault = read_resource(a_monitor(streams="news"))

    assert monitor is None
    assert fault is not None
    assert (
        fault.message
        == "spec.streams: not a list; write one entry a line, each beginning with a dash"
    )


def test_long_lists_of_problems_are_cut() -> None:
    _, fault = read_resource(a_monitor(streams=[a_stream(f"s{i}", "x:") for i in range(9)]))

    assert fault is not None
    assert fault.message.endswith("; and 4 more")
