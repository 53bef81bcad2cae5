"""The truth as JSON."""

from __future__ import annotations

import json
from pathlib import Path

from streammonitor_worker.synth import Defect, Injection, Recipe, Truth, read_truth

TRUTH = Truth(
    Recipe(duration_s=9, injections=[Injection("video-freeze", 5, 3)]).to_dict(),
    (Defect("video-freeze", "video:0", 5.0213333333, 8.0213333333),),
    (Defect("decode-error", "video:0", 1.0, None),),
)


def test_truth_is_written_in_microseconds(tmp_path: Path) -> None:
    TRUTH.write(tmp_path / "truth.json")

    plain = json.loads((tmp_path / "truth.json").read_text())

    assert plain["defects"] == [
        {
            "detector": "video-freeze",
            "track": "video:0",
            "onset_s": 5.021333,
            "recovery_s": 8.021333,
        }
    ]
    assert plain["recipe"]["injections"] == ["video-freeze@5+3"]
    assert plain["recipe"]["fps"] == "30"


def test_truth_is_read_as_it_was_written(tmp_path: Path) -> None:
    TRUTH.write(tmp_path / "truth.json")

    again = read_truth(tmp_path / "truth.json")

    assert again.to_dict() == TRUTH.to_dict()
    assert isinstance(again.defects[0], Defect)
    assert again.tolerated[0].recovery_s is None
