"""What a StreamMonitor asks for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool

from streammonitor_api.fidelity import Fidelity
from streammonitor_api.resource.addresses import HttpUrl, StreamUrl
from streammonitor_api.resource.base import ListMap, Name, ResourceModel, SecretName, Whole
from streammonitor_api.resource.detectors import DetectorEntry

MOST_STREAMS = 1000
"""A thousand entries of the longest allowed addresses fit into one object of etcd (1.5 MiB), and
the rules on them into what the API server spends on a check."""
MOST_DETECTORS = 100
MOST_TARGETS = 16


ProfileName = Literal["Default", "VideoOnly", "AudioOnly", "TransportOnly"]


class SecretReference(ResourceModel):
    """A Secret of the same namespace."""

    name: SecretName
    """Name of the Secret."""


class SecretKeyReference(ResourceModel):
    """A key of a Secret of the same namespace."""

    name: SecretName
    """Name of the Secret."""
    key: Annotated[str, Field(min_length=1, max_length=253, pattern="^[-._a-zA-Z0-9]+$")] = "key"
    """Key of its data."""


class Reference(ResourceModel):
    """Another stream to compare with."""

    url: StreamUrl
    """Address of the reference: what the stream is expected to show and sound like."""


class Stream(ResourceModel):
    """One watched source."""

    name: Name
    """Name of the stream, unique in this monitor; part of its key namespace/monitor/stream."""
    url: StreamUrl
    """Address of the stream, without user and password: http, https (HLS, MPEG-TS, MP4), udp, rtp,
    tcp, rtmp, rtmps, rtsp or rtsps."""
    credentials_secret_ref: SecretReference | None = None
    """Secret of the same namespace with what the source asks for. Keys: username and password
    (basic authentication), header (such as "Authorization: Bearer …"), query (such as "token=…",
    added to every request)."""
    renditions: Literal["highest", "lowest", "all"] = "highest"
    """Which rendition of a stream that has several; all watches each of them."""
    reference: Reference | None = None
    """Stream to compare with, for the detector av-sync."""


class Analysis(ResourceModel):
    """How closely the streams are watched."""

    mode: Literal["Full", "Adaptive", "KeyframesOnly"] = "Full"
    """Full decodes every picture; Adaptive does while something is suspicious, and key pictures
    otherwise; KeyframesOnly key pictures only. Sound is always decoded in full. When capacity is
    short, a lower one may be in effect: see the condition Degraded."""
    priority: Annotated[int, Field(ge=-1000, le=1000), Whole] = 0
    """Whose fidelity is kept when capacity is short: the highest. Coverage is never given up."""

    @property
    def fidelity(self) -> Fidelity:
        return Fidelity(self.mode)


class Webhook(ResourceModel):
    """An HTTP endpoint that gets CloudEvents 1.0 in structured mode."""

    url: HttpUrl
    """Where events are posted to."""
    signing_key_secret_ref: SecretKeyReference | None = None
    """Key that events are signed with (HMAC-SHA256)."""
    credentials_secret_ref: SecretReference | None = None
    """Secret with what the endpoint asks for; keys as those of a stream."""


class Alertmanager(ResourceModel):
    """A Prometheus Alertmanager."""

    url: HttpUrl
    """Its address, as in a browser; /api/v2/alerts is added."""
    credentials_secret_ref: SecretReference | None = None
    """Secret with what it asks for; keys as those of a stream."""


class NotifyTarget(ResourceModel):
    """Who is told of incidents: a webhook or an Alertmanager."""

    name: Name
    """Name of the target, unique in this monitor."""
    webhook: Webhook | None = None
    """Post CloudEvents here."""
    alertmanager: Alertmanager | None = None
    """Fire and resolve alerts here."""
    min_severity: Literal["warning", "critical"] = "warning"
    """Tell incidents of this severity and above."""


class MonitorSpec(ResourceModel):
    """What is to be watched, and how."""

    streams: Annotated[
        list[Stream], Field(min_length=1, max_length=MOST_STREAMS, json_schema_extra=dict(ListMap))
    ]
    """The streams, 1 to 1000; more go into further StreamMonitors. From about 1,000 streams on,
    use `kubectl apply --server-side`: the annotation that kubectl keeps otherwise is limited to
    256 KiB."""
    profile: ProfileName = "Default"
    """Which detectors run before `detectors` changes that: all; all but those that look at sound
    only; all but those that look at the picture only; only those that look at the stream itself."""
    detectors: Annotated[
        list[DetectorEntry],
        Field(max_length=MOST_DETECTORS, json_schema_extra=dict(ListMap)),
    ] = Field(default_factory=list)
    """Changes of single detectors; an entry also enables one that the profile leaves out."""
    analysis: Analysis = Field(default_factory=Analysis, json_schema_extra={"default": {}})
    """How closely the streams are watched."""
    notify: Annotated[
        list[NotifyTarget], Field(max_length=MOST_TARGETS, json_schema_extra=dict(ListMap))
    ] = Field(default_factory=list)
    """Who is told of incidents, beside the fleet's own event stream, metrics and this status."""
    suspend: StrictBool = False
    """Watch nothing of this for now. Open incidents are closed; the time does not count as
    unwatched."""
