"""What is known of a StreamMonitor: written by the operator, on transitions only."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from streammonitor_api.resource.base import ResourceModel, Whole

MOST_INCIDENTS = 20
"""Of the open ones, the newest: enough to see what is wrong, in an object that stays small."""

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339."""
Count = Annotated[int, Field(ge=0), Whole]


class Condition(ResourceModel):
    """One aspect of the state, after KEP-1623."""

    type: Annotated[str, Field(min_length=1, max_length=316)]
    """Ready, Degraded or Alerting."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    observed_generation: Count | None = None
    """Generation of the specification that it was judged by."""
    last_transition_time: Time
    """When `status` changed last."""
    reason: Annotated[
        str,
        Field(min_length=1, max_length=1024, pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"),
    ]
    """Why, as one word for programs."""
    message: Annotated[str, Field(max_length=32768)]
    """Why, for people, and what to do."""


class StreamCounts(ResourceModel):
    """How many streams."""

    total: Count = 0
    """Streams that are wanted."""
    watched: Count = 0
    """Of them, those that are being watched."""
    degraded: Count = 0
    """Of these, those that are watched less closely than was asked for."""


class OpenIncident(ResourceModel):
    """An incident that goes on."""

    id: str
    """Its identifier, as in events."""
    stream: str
    """Name of the stream in this monitor."""
    detector: str
    """Name of the detector."""
    severity: Literal["warning", "critical"]
    """How bad it is."""
    track: str
    """The track it is on, such as video:0."""
    onset: Time
    """When it began."""


class IncidentSummary(ResourceModel):
    """The open incidents."""

    open: Count = 0
    """How many there are."""
    newest: Annotated[
        list[OpenIncident],
        Field(
            max_length=MOST_INCIDENTS,
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ] = Field(default_factory=list)
    """The newest of them, at most 20."""


class MonitorStatus(ResourceModel):
    """What is known of the streams."""

    observed_generation: Count | None = None
    """Generation of the specification that all this is about."""
    conditions: Annotated[
        list[Condition],
        Field(
            max_length=8,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            },
        ),
    ] = Field(default_factory=list)
    """Ready, Degraded and Alerting."""
    streams: StreamCounts | None = None
    """Counts of streams."""
    incidents: IncidentSummary | None = None
    """Open incidents."""
