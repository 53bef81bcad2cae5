"""Writes the detectors' catalogue, which the contracts carry: `make generate`.

Everything in it is read off the detectors themselves: class attributes, settings fields, the
first line of the class docstring and the `Source` part of the module docstring. A detector that
lacks one of them is refused here, so nothing is listed without its reason.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_type_hints

from streammonitor_api import catalogue as contract
from streammonitor_api.durations import format_duration
from streammonitor_worker.detectors.base import Detector
from streammonitor_worker.detectors.registry import detector_types
from streammonitor_worker.media import Connection, Failure, Format, Idle, Packet, Picture, Sound

_TRACKS: dict[type, tuple[str, ...]] = {
    Picture: ("video",),
    Sound: ("audio",),
    Packet: ("video", "audio"),
    Failure: ("video", "audio"),
    Format: ("video", "audio"),
    Connection: ("stream",),
    Idle: ("stream", "video", "audio"),
}
"""What kinds of track the items that a detector reads belong to."""

_TYPES = {float: "float", int: "int", str: "str", bool: "bool"}


def describe_detectors(types: Mapping[str, type[Detector[Any]]]) -> list[dict[str, object]]:
    """Return the catalogue of these detectors, as plain data.

    Raises ValueError for a detector that does not say what it finds or where its defaults are
    from, or whose setting has another type than float, int, str or bool.
    """
    return [_describe(kind) for kind in types.values()]


def written(catalogue: Sequence[dict[str, object]]) -> str:
    """The text of the catalogue's file."""
    return json.dumps(catalogue, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _describe(kind: type[Detector[Any]]) -> dict[str, object]:
    return {
        "name": kind.name,
        "what": _first_line(kind),
        "tracks": _tracks(kind),
        "unit": kind.unit,
        "threshold": kind().threshold,
        "severity": kind.severity,
        "alarmAfter": format_duration(kind.alarm_after),
        "clearAfter": format_duration(kind.clear_after),
        "settings": [
            _describe_setting(kind, one) for one in dataclasses.fields(kind.settings_type)
        ],
        "source": _source(kind),
    }


def _describe_setting(kind: type[Detector[Any]], one: dataclasses.Field[Any]) -> dict[str, object]:
    hint = get_type_hints(kind.settings_type)[one.name]
    if hint not in _TYPES:
        raise ValueError(f"{kind.name}.{one.name}: a setting is one of {sorted(_TYPES.values())}")
    if not (one.metadata["what"] and one.metadata["source"]):
        raise ValueError(f"{kind.name}.{one.name}: say what it is and where its default is from")
    return {
        "name": contract.camel_case(one.name),
        "type": _TYPES[hint],
        "default": one.default,
        "unit": one.metadata["unit"],
        "minimum": one.metadata["minimum"],
        "maximum": one.metadata["maximum"],
        "what": one.metadata["what"],
        "source": one.metadata["source"],
    }


def _tracks(kind: type[Detector[Any]]) -> list[str]:
    if kind.scope == "stream":
        return ["stream"]
    reads = kind.reads if isinstance(kind.reads, tuple) else (kind.reads,)
    return list(dict.fromkeys(track for item in reads for track in _TRACKS[item]))


def _first_line(kind: type[Detector[Any]]) -> str:
    text = (kind.__doc__ or "").strip().partition("\n")[0]
    if not text:
        raise ValueError(f"{kind.name}: its class needs a docstring that says what it finds")
    return text


def _source(kind: type[Detector[Any]]) -> str:
    """The `Source` part of the module's docstring, as one paragraph."""
    lines = (inspect.getdoc(sys.modules[kind.__module__]) or "").splitlines()
    if "Source" not in lines:
        raise ValueError(f"{kind.name}: its module docstring needs a part `Source`")
    part = []
    for line in lines[lines.index("Source") + 1 :]:
        if line and not line.startswith(" "):
            break
        part.append(line.strip())
    return " ".join(filter(None, part))


def main() -> None:
    """Write the file into the source tree of the contracts."""
    path = Path(contract.__file__).with_name(contract.FILE_NAME)
    path.write_text(written(describe_detectors(detector_types())), encoding="utf-8")


if __name__ == "__main__":
    main()
