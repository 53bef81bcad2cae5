"""What a supervisor and an engine say to each other: JSON, one object a line, over a socket.

Both ends are of one installation, so there are no versions. Orders may hold secrets (addresses
with credentials): they are not logged, and `repr` does not show them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, cast

from streammonitor_api.events import Event, OpenIncident
from streammonitor_api.fidelity import Fidelity
from streammonitor_api.incident import Incident, Severity
from streammonitor_api.plan import DetectorPlan, Plan

Renditions = Literal["highest", "lowest", "all"]


@dataclass(frozen=True, slots=True)
class WatchOrder:
    """Watch a stream; where it is watched already, go on like this.

    It is opened again only where `opening` differs.
    """

    stream: str
    opening: str
    """Names all that it takes to open it: another one means that it has to be opened again."""
    url: str = field(repr=False)
    plan: Plan
    fidelity: Fidelity = Fidelity.FULL
    renditions: Renditions = "highest"
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    query: str = field(default="", repr=False)
    join_s: float = 0.0
    """How far back in a live playlist to begin where it is opened for the first time, at least."""


@dataclass(frozen=True, slots=True)
class OwnOrder:
    """Tell from now on what is found; see `Pipeline.own`."""

    stream: str
    left_open: tuple[OpenIncident, ...] = ()
    closed: tuple[Incident, ...] = ()


@dataclass(frozen=True, slots=True)
class LimitOrder:
    """Watch at most at this fidelity."""

    stream: str
    fidelity: Fidelity


@dataclass(frozen=True, slots=True)
class EndOrder:
    """Stop watching. With a reason, close what is open and give that; without, leave it open."""

    stream: str
    cancelled: str | None = None


@dataclass(frozen=True, slots=True)
class ClockOrder:
    """Tell the time by this; see `FleetClock`."""

    offset_s: float


StreamOrder = WatchOrder | OwnOrder | LimitOrder | EndOrder
Order = StreamOrder | ClockOrder


@dataclass(frozen=True, slots=True)
class Ready:
    """The engine can decode."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A thread has begun to watch a stream: if the engine dies in it, that is whose it was."""

    stream: str
    thread: int


@dataclass(frozen=True, slots=True)
class Told:
    """An event of a stream that is owned."""

    stream: str
    event: Event


@dataclass(frozen=True, slots=True)
class Seen:
    """A stream's first picture (sound, where there is none) since it was opened."""

    stream: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A stream was ended, as ordered; nothing more comes of it."""

    stream: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStats:
    """How a stream is doing; counters only grow while the engine lives."""

    stream: str
    state: Literal["opening", "watching", "reconnecting", "ended", "failed"] = "opening"
    fidelity: str = "Full"
    lag_s: float = 0.0
    cores: float | None = None
    """CPU cores that it uses, smoothed; None before there is a measurement."""
    full_cores: float | None = None
    """The same when it was last watched at the fidelity that is wanted."""
    pixel_rate: float | None = None
    """Width × height × pictures a second of all its renditions; None before that is known."""
    last_media: float | None = None
    """Unix time at which media was last watched; None while there was none."""
    pictures: int = 0
    media_s: float = 0.0
    cpu_s: Mapping[str, float] = field(default_factory=dict)
    reconnects: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Stats:
    """All streams of the engine."""

    streams: tuple[StreamStats, ...]


Report = Ready | Begun | Told | Seen | Ended | Stats


_SIMPLE: dict[str, type[Ready | Begun | Seen | Ended]] = {
    "Ready": Ready,
    "Begun": Begun,
    "Seen": Seen,
    "Ended": Ended,
}


def write_order(order: Order) -> bytes:
    """An order as a line."""
    content: dict[str, object]
    match order:
        case WatchOrder():
            content = {
                "stream": order.stream,
                "opening": order.opening,
                "url": order.url,
                "plan": [_plan_json(one) for one in order.plan.values()],
                "fidelity": order.fidelity,
                "renditions": order.renditions,
                "headers": order.headers,
                "query": order.query,
                "join_s": order.join_s,
            }
        case OwnOrder():
            content = {
                "stream": order.stream,
                "left_open": [[one.incident.as_json(), one.revision] for one in order.left_open],
                "closed": [incident.as_json() for incident in order.closed],
            }
        case LimitOrder():
            content = {"stream": order.stream, "fidelity": order.fidelity}
        case EndOrder():
            content = {"stream": order.stream, "cancelled": order.cancelled}
        case ClockOrder():
            content = {"offset_s": order.offset_s}
    return _line(order, content)


def read_order(line: bytes) -> Order:
    """What `write_order` wrote."""
    data = json.loads(line)
    kind = data.pop("kind")
    if kind == "WatchOrder":
        plans = (_read_plan(one) for one in data.pop("plan"))
        headers = tuple((name, value) for name, value in data.pop("headers"))
        fidelity = Fidelity(data.pop("fidelity"))
        return WatchOrder(
            **data, plan={one.name: one for one in plans}, fidelity=fidelity, headers=headers
        )
    if kind == "OwnOrder":
        left = (OpenIncident(Incident.from_json(one), n) for one, n in data["left_open"])
        closed = tuple(Incident.from_json(one) for one in data["closed"])
        return OwnOrder(data["stream"], tuple(left), closed)
    if kind == "LimitOrder":
        return LimitOrder(data["stream"], Fidelity(data["fidelity"]))
    return ClockOrder(**data) if kind == "ClockOrder" else EndOrder(**data)


def write_report(report: Report) -> bytes:
    """A report as a line."""
    match report:
        case Told():
            event = report.event
            content = {
                "stream": report.stream,
                "event": event.as_json(),
                "revision": event.revision,
            }
        case Stats():
            content = {"streams": [_fields(one) for one in report.streams]}
        case _:
            content = _fields(report)
    return _line(report, content)


def read_report(line: bytes) -> Report:
    """What `write_report` wrote."""
    data = json.loads(line)
    kind = data.pop("kind")
    if kind == "Told":
        event = Event.from_json(data["event"])
        told = Event(event.kind, event.time, event.incident, data["revision"])
        return Told(data["stream"], told)
    if kind == "Stats":
        return Stats(tuple(StreamStats(**one) for one in data["streams"]))
    return _SIMPLE[kind](**data)


def _line(message: Order | Report, content: Mapping[str, object]) -> bytes:
    text = json.dumps({"kind": type(message).__name__, **content}, ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass") + b"\n"


def _fields(message: Any) -> dict[str, object]:
    return {one.name: getattr(message, one.name) for one in fields(message)}


def _plan_json(plan: DetectorPlan) -> dict[str, object]:
    return {**_fields(plan), "settings": dict(plan.settings)}


def _read_plan(data: Mapping[str, Any]) -> DetectorPlan:
    return DetectorPlan(
        name=data["name"],
        severity=cast(Severity, data["severity"]),
        alarm_after_s=data["alarm_after_s"],
        clear_after_s=data["clear_after_s"],
        settings=data["settings"],
    )
