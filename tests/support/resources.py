"""StreamMonitors, good and bad: one table, judged by the models and by a real API server.

Each case says what the models tell, as `place: text` with the beginning of the text; none where
the resource is good.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

URL = "https://cdn.example/live/index.m3u8"


def a_stream(name: str = "news", url: str = URL, **fields: Any) -> dict[str, Any]:
    return {"name": name, "url": url, **fields}


def a_monitor(name: str = "sports", namespace: str = "default", **spec: Any) -> dict[str, Any]:
    """A resource with one stream, and whatever of its specification is given."""
    return {
        "apiVersion": "streammonitor.dev/v1alpha1",
        "kind": "StreamMonitor",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"streams": [a_stream()], **spec},
    }


@dataclass(frozen=True)
class Case:
    """A resource, and what is told of it."""

    id: str
    resource: dict[str, Any]
    told: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        return not self.told


def _spec(case: str, *told: str, **spec: Any) -> Case:
    return Case(case, a_monitor(**spec), told)


def _url(case: str, url: str, *told: str) -> Case:
    texts = (f"spec.streams[0].url: {text}" for text in told)
    return _spec(f"url-{case}", *texts, streams=[a_stream(url=url)])


def _stream(case: str, *told: str, **fields: Any) -> Case:
    return _spec(f"stream-{case}", *told, streams=[a_stream(**fields)])


def _detector(case: str, *told: str, **fields: Any) -> Case:
    texts = (f"spec.detectors[0]{text}" for text in told)
    entry = {"name": "video-black", **fields}
    return _spec(f"detector-{case}", *texts, detectors=[entry])


def _notify(case: str, *told: str, **target: Any) -> Case:
    texts = (f"spec.notify[0]{text}" for text in told)
    return _spec(f"notify-{case}", *texts, notify=[{"name": "on-call", **target}])


_USER = "the address holds a user or a password; write it without them"
_PROTOCOL = "not an allowed protocol; write an address with http://"
_HOST = "the address names no host; write for example"
_PORT = "the port is no number up to 65535; write for example"
_NO_PORT = "the address names no port; write for example"
_PLAIN = "an address holds neither spaces nor control characters; remove them"
_SECRET = {"name": "cdn-login"}

ADDRESSES = [
    _url("hls", URL),
    _url("query", "https://cdn.example/live?token=abc&x=a@b.example"),
    _url("at-in-path", "https://cdn.example/@channel/live"),
    _url("fragment", "https://cdn.example#x"),
    _url("capitals", "HTTPS://CDN.example/live"),
    _url("port", "http://cdn.example:8080/live"),
    _url("highest-port", "http://cdn.example:65535"),
    _url("ipv6", "http://[2001:db8::1]:8080/live"),
    _url("ipv6-without-port", "rtsp://[2001:db8::1]/live"),
    _url("multicast", "udp://239.0.0.1:5000"),
    _url("multicast-with-at", "udp://@239.0.0.1:5000?fifo_size=1000"),
    _url("rtp", "rtp://239.0.0.1:5004"),
    _url("rtmps", "rtmps://ingest.example/app/key"),
    _url("tcp", "tcp://encoder.example:9000"),
    _url("longest", f"https://cdn.example/{'x' * 1004}"),
    _url("unicode", "https://cdn.example/sport/fußball"),
    _url("file", "file:///srv/media/a.ts", _PROTOCOL),
    _url("plain-path", "/srv/media/a.ts", _PROTOCOL),
    _url("srt", "srt://encoder.example:9000", _PROTOCOL),
    _url("concat", "concat:http://a|http://b", _PROTOCOL),
    _url("one-slash", "http:/cdn.example/live", _PROTOCOL),
    _url("no-slash", "http:cdn.example", _PROTOCOL),
    _url("empty", "", "empty; write a value"),
    _url("password", "https://admin:hunter2@cdn.example/live", _USER),
    _url("user", "rtsp://admin@camera.example/1", _USER),
    _url("password-with-slash", "https://admin:hun/ter2@cdn.example/live", _USER),
    _url("password-with-hash", "https://admin:hun#ter2@cdn.example/live", _USER),
    _url("no-host", "https:///live", _HOST),
    _url("nothing-but-protocol", "https://", _HOST),
    _url("only-port", "http://:80/live", _HOST),
    _url("port-too-high", "http://cdn.example:65536/live", _PORT),
    _url("port-much-too-high", "http://cdn.example:808080/live", _PORT),
    _url("port-no-number", "http://cdn.example:http/live", _PORT),
    _url("udp-without-port", "udp://239.0.0.1", _NO_PORT),
    _url("udp-with-empty-port", "udp://239.0.0.1:/", _NO_PORT),
    _url("space", "https://cdn.example/live news", _PLAIN),
    _url("line-feed", "https://cdn.example/live\n", _PLAIN),
    _url("too-long", f"https://cdn.example/{'x' * 1005}", "longer than 1024 characters; shorten"),
    _url("number", 5, "not a text; write it in quotation marks"),  # type: ignore[arg-type]
]

STREAMS = [
    _stream("credentials", credentialsSecretRef=_SECRET),
    _stream("all-renditions", renditions="all"),
    _stream("renditions-null", renditions=None),
    _stream("reference-null", reference=None),
    _stream("name-of-one-letter", name="a"),
    _stream("longest-name", name="a" * 63),
    _stream(
        "name-with-capitals",
        'spec.streams[0].name: "News 1" is not a name; write small letters, digits and dashes, '
        'such as "news-1"',
        name="News 1",
    ),
    _stream("name-ends-with-dash", 'spec.streams[0].name: "a-" is not a name', name="a-"),
    _stream("name-too-long", "spec.streams[0].name: longer than 63", name="a" * 64),
    _stream("name-with-dot", 'spec.streams[0].name: "a.b" is not a name', name="a.b"),
    _stream(
        "unknown-field",
        'spec.streams[0].renditon: no such field; did you mean "renditions"?',
        renditon="all",
    ),
    _stream(
        "wrong-renditions",
        'spec.streams[0].renditions: no renditions "high"; did you mean "highest"?',
        renditions="high",
    ),
    _stream(
        "secret-as-text",
        "spec.streams[0].credentialsSecretRef: not a mapping; write NAME: VALUE",
        credentialsSecretRef="cdn-login",
    ),
    _stream(
        "secret-without-name",
        "spec.streams[0].credentialsSecretRef.name: missing; add it",
        credentialsSecretRef={},
    ),
    _stream(
        "secret-of-another-namespace",
        "spec.streams[0].credentialsSecretRef.namespace: no such field; ",
        credentialsSecretRef={"name": "a", "namespace": "b"},
    ),
    _stream(
        "reference-without-av-sync",
        "spec.streams: a reference is for the detector av-sync, which this version does not have",
        reference={"url": URL},
    ),
    _spec("no-stream", "spec.streams: an empty list; write at least one entry", streams=[]),
    _spec("streams-null", "spec.streams: missing; add it", streams=None),
    _spec("streams-no-list", "spec.streams: not a list", streams={"news": URL}),
    _spec("stream-null", "spec.streams[0]: not a mapping", streams=[None]),
    _spec("stream-without-url", "spec.streams[0].url: missing; add it", streams=[{"name": "a"}]),
    _spec(
        "same-name-twice",
        'spec.streams[2].name: a second entry named "a"; give it another name',
        streams=[a_stream("a"), a_stream("b"), a_stream("a")],
    ),
    _spec("thousand-streams", streams=[a_stream(f"s{index}") for index in range(1000)]),
    _spec(
        "five-thousand-streams",
        "spec.streams: at most 1000 entries, 5000 are here; move the others to a further Str",
        streams=[a_stream(f"s{index}") for index in range(5000)],
    ),
]

DETECTORS = [
    _detector(
        "complete",
        enabled=True,
        severity="warning",
        alarmAfter="5s",
        clearAfter="500ms",
        settings={"share": 0.9, "level": 0.05},
    ),
    _detector("off", enabled=False),
    _detector("whole-number-for-a-share", settings={"share": 1}),
    _detector("durations", alarmAfter="1h2m3s4ms", clearAfter="0s"),
    _detector("a-day", alarmAfter="24h"),
    _detector("nulls", severity=None, alarmAfter=None, settings=None, enabled=None),
    _detector("setting-null", settings={"share": None}),
    _detector("setting-of-another-null", settings={"run": None}),
    _detector(
        "unknown-setting-null",
        '.settings.shar: video-black has no setting "shar"; did you mean "share"?',
        settings={"shar": None},
    ),
    _detector(
        "unknown-field-null", '.alarm: no such field; did you mean "alarmAfter"?', alarm=None
    ),
    _detector(
        "unknown-name",
        '.name: no detector "video-blak"; did you mean "video-black"?',
        name="video-blak",
    ),
    _detector(
        "unknown-field",
        '.alarm_after: no such field; did you mean "alarmAfter"?',
        alarm_after="2s",
    ),
    _detector(
        "no-unit",
        '.alarmAfter: "2" has no unit; write a duration such as "2s"',
        alarmAfter="2",
    ),
    _detector("bare-number", '.alarmAfter: "2" has no unit', alarmAfter=2),
    _detector("unit-unknown", '.alarmAfter: "2d" is not a duration', alarmAfter="2d"),
    _detector("units-out-of-order", '.alarmAfter: "1s1m" is not', alarmAfter="1s1m"),
    _detector("duration-with-space", ".alarmAfter: ", alarmAfter=" 2s"),
    _detector("duration-empty", '.clearAfter: "" is not a duration', clearAfter=""),
    _detector("duration-of-two-days", ".alarmAfter: ", alarmAfter="48h"),
    _detector("duration-endless", ".alarmAfter: ", alarmAfter="9" * 22 + "h"),
    _detector("duration-with-line-feed", ".alarmAfter: ", alarmAfter="2s\n"),
    _detector("enabled-as-text", ".enabled: neither true nor false", enabled="yes"),
    _detector(
        "severity-unknown",
        '.severity: no severity "critic"; did you mean "critical"?',
        severity="critic",
    ),
    _detector(
        "setting-out-of-range",
        ".settings.share: 7 is out of range; share is 0.5 to 1",
        settings={"share": 7},
    ),
    _detector(
        "setting-of-another",
        '.settings.run: video-black has no setting "run"; ',
        settings={"run": 12},
    ),
    _detector(
        "setting-unknown",
        '.settings.shar: video-black has no setting "shar"; did you mean "share"?',
        settings={"shar": 0.9},
    ),
    _detector(
        "setting-as-text",
        ".settings.share: a number is wanted here; write a number (0.5 to 1) without quot",
        settings={"share": "0.9"},
    ),
    _detector("setting-true", ".settings.share: a number is wanted", settings={"share": True}),
    _detector("setting-list", ".settings.share: ", settings={"share": [1]}),
    _detector("settings-list", ".settings: not a mapping", settings=[1]),
    _spec(
        "detector-fraction-for-whole-number",
        "spec.detectors[0].settings.run: a whole number is wanted here",
        detectors=[{"name": "audio-clipping", "settings": {"run": 3.5}}],
    ),
    _spec("whole-number", detectors=[{"name": "audio-clipping", "settings": {"run": 12}}]),
    _spec(
        "same-detector-twice",
        "spec.detectors[1].name: a second entry for video-flat; join the two",
        detectors=[{"name": "video-flat"}, {"name": "video-flat", "enabled": False}],
    ),
    _spec(
        "all-of-a-profile-disabled",
        "spec.detectors: all detectors are disabled; leave at least one enabled",
        profile="TransportOnly",
        detectors=[
            {"name": name, "enabled": False}
            for name in ("continuity-error", "stream-stall", "stream-unavailable", "timestamp-jump")
        ],
    ),
    _spec(
        "all-but-those-of-a-profile-disabled",
        profile="AudioOnly",
        detectors=[{"name": "video-black", "enabled": False}],
    ),
]

REST = [
    _spec("profile", profile="AudioOnly"),
    _spec("analysis", analysis={"mode": "Adaptive", "priority": -10}),
    _spec("priority-as-float", analysis={"priority": 5.0}),
    _spec("suspended", suspend=True),
    _spec("everything-null", profile=None, detectors=None, analysis=None, notify=None),
    _spec(
        "profile-unknown",
        'spec.profile: no profile "AudoOnly"; did you mean "AudioOnly"?',
        profile="AudoOnly",
    ),
    _spec(
        "mode-in-small-letters",
        'spec.analysis.mode: no mode "full"; did you mean "Full"?',
        analysis={"mode": "full"},
    ),
    _spec(
        "priority-too-high",
        "spec.analysis.priority: 5000 is out of range; write at most 1000",
        analysis={"priority": 5000},
    ),
    _spec(
        "priority-as-text",
        "spec.analysis.priority: not a whole number; write one, without quotation marks",
        analysis={"priority": "5"},
    ),
    _spec("priority-true", "spec.analysis.priority: not a whole", analysis={"priority": True}),
    _spec("suspend-as-number", "spec.suspend: neither true nor false", suspend=1),
    _spec("unknown-in-spec", "spec.stream: no such field; did you mean", stream=[]),
    _notify("webhook", webhook={"url": "https://hooks.example/x", "signingKeySecretRef": _SECRET}),
    _notify("alertmanager", alertmanager={"url": "http://alertmanager:9093"}),
    _notify("severity", alertmanager={"url": "http://a:9093"}, minSeverity="critical"),
    _notify("nobody", ": no receiver, or two of them; write either webhook or alertmanager"),
    _notify(
        "both",
        ": no receiver, or two of them; write either webhook or alertmanager",
        webhook={"url": "https://a"},
        alertmanager={"url": "https://a"},
    ),
    _notify(
        "webhook-by-udp",
        ".webhook.url: not an allowed protocol; write an address with http:// or https://",
        webhook={"url": "udp://a:1"},
    ),
    _notify("webhook-with-token", f".webhook.url: {_USER}", webhook={"url": "https://t@a/"}),
    _notify(
        "key-with-slash",
        '.webhook.signingKeySecretRef.key: "a/b" is not a key; write letters',
        webhook={"url": "https://a", "signingKeySecretRef": {"name": "a", "key": "a/b"}},
    ),
    Case(
        "labels-and-annotations",
        {
            **a_monitor(),
            "metadata": {"name": "a", "namespace": "default", "labels": {"team": "sports"}},
        },
    ),
    Case(
        "unknown-in-metadata",
        {**a_monitor(), "metadata": {"name": "a", "namespace": "default", "label": {}}},
        ('metadata.label: no such field; did you mean "labels"?',),
    ),
    Case(
        "name-of-monitor-with-capitals",
        a_monitor(name="Sports"),
        ('metadata.name: "Sports" is not a name; write small letters, digits, dashes and dots',),
    ),
    Case(
        "unknown-at-top", {**a_monitor(), "specs": {}}, ('specs: no such field; did you mean "s',)
    ),
    Case(
        "another-version",
        {**a_monitor(), "apiVersion": "streammonitor.dev/v1"},
        ('apiVersion: no apiVersion "streammonitor.dev/v1"; did you mean',),
    ),
    Case(
        "another-kind",
        {**a_monitor(), "kind": "Monitor"},
        ('kind: no kind "Monitor"; did you mean "StreamMonitor"?',),
    ),
    Case(
        "no-spec",
        {key: value for key, value in a_monitor().items() if key != "spec"},
        ("spec: missing; add it",),
    ),
]

CASES = [*ADDRESSES, *STREAMS, *DETECTORS, *REST]
