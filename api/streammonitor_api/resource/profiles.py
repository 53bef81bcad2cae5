"""From a specification to the plan of its detectors: the profile first, then single changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from streammonitor_api.catalogue import Catalogue, DetectorInfo, catalogue
from streammonitor_api.plan import Adjustment, Plan, resolve_plan
from streammonitor_api.resource.detectors import DetectorEntry
from streammonitor_api.resource.spec import ProfileName

_TRACKS = {
    "Default": frozenset(("video", "audio", "stream")),
    "VideoOnly": frozenset(("video", "stream")),
    "AudioOnly": frozenset(("audio", "stream")),
    "TransportOnly": frozenset(("stream",)),
}
"""A profile runs the detectors that look at one of these kinds of track."""

PROFILES = tuple(_TRACKS)


def plan_of(
    profile: ProfileName, detectors: Sequence[DetectorEntry], known: Catalogue | None = None
) -> Plan:
    """The detectors that run on a monitor's streams, with their settings.

    Raises InputError for what the catalogue does not know, which a parsed monitor does not hold.
    """
    known = catalogue() if known is None else known
    left_out = [
        Adjustment("spec.profile", name, "enabled", False)
        for name, info in known.items()
        if not runs_in(profile, info)
    ]
    return resolve_plan(profile=[*left_out, *adjustments_of(detectors)], known=known)


def runs_in(profile: str, info: DetectorInfo) -> bool:
    """Say whether a profile runs a detector."""
    return not _TRACKS[profile].isdisjoint(info.tracks)


def adjustments_of(entries: Sequence[DetectorEntry]) -> Iterator[Adjustment]:
    """What entries set, each with its place in the resource."""
    for index, entry in enumerate(entries):
        for field, value in settings_of(entry):
            yield Adjustment(f"spec.detectors[{index}].{field}", entry.name, field, value)


def settings_of(entry: DetectorEntry) -> Iterator[tuple[str, object]]:
    """What an entry sets, by the camelCase names of a plan: `enabled` always, which is what
    checks the detector's name."""
    yield "enabled", entry.enabled
    common = {
        "severity": entry.severity,
        "alarmAfter": entry.alarm_after,
        "clearAfter": entry.clear_after,
    }
    yield from ((name, value) for name, value in common.items() if value is not None)
    yield from entry.settings.items()
