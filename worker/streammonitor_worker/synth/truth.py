"""What really is wrong with a test stream, and when: the yardstick of tests, benchmarks and demo.

Times are media time: seconds since the stream's first presented sample, whichever track it is
on. They are those of whole pictures and samples, after all rounding and all shifts by encoders
and containers, so that a watcher may be held to a single picture.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Defect:
    """A defect, from its first defective sample to the first sound one.

    track: `video:0`, `audio:1`, or `stream`. recovery_s: None where the stream ends with it; for
    an event of an instant the same as onset_s.
    """

    detector: str
    track: str
    onset_s: float
    recovery_s: float | None

    def shifted(self, by_s: float) -> Defect:
        recovery = None if self.recovery_s is None else self.recovery_s + by_s
        return replace(self, onset_s=self.onset_s + by_s, recovery_s=recovery)

    def to_dict(self) -> dict[str, object]:
        """Make it plain for JSON, times rounded to the microsecond."""
        recovery = None if self.recovery_s is None else round(self.recovery_s, 6)
        return asdict(self) | {"onset_s": round(self.onset_s, 6), "recovery_s": recovery}


@dataclass(frozen=True)
class Truth:
    """All defects of a stream by onset.

    defects: what a watcher has to find. tolerated: what it may find besides, because a defect
    can bring others about (lost packets may or may not be seen); neither a hit nor a false alarm.
    recipe: what the stream was made from, as plain data. started_at: of a live stream, the wall
    clock (Unix time) of media time 0, for watchers that join later.
    """

    recipe: Mapping[str, object]
    defects: Sequence[Defect]
    tolerated: Sequence[Defect] = ()
    started_at: float | None = None

    def to_dict(self) -> dict[str, object]:
        return {
            "recipe": dict(self.recipe),
            "defects": [defect.to_dict() for defect in self.defects],
            "tolerated": [defect.to_dict() for defect in self.tolerated],
            "started_at": self.started_at,
        }

    def write(self, path: Path | str) -> None:
        """Write it as JSON."""
        Path(path).write_text(json.dumps(self.to_dict(), indent=2) + "\n", encoding="utf-8")


def read_truth(path: Path | str) -> Truth:
    """Read what `Truth.write` wrote."""
    plain = json.loads(Path(path).read_text(encoding="utf-8"))
    return Truth(
        plain["recipe"],
        tuple(Defect(**defect) for defect in plain["defects"]),
        tuple(Defect(**defect) for defect in plain["tolerated"]),
        plain["started_at"],
    )
