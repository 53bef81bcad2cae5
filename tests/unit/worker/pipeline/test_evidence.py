"""What is left of an incident's pictures where they cannot be written."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from streammonitor_worker.media import Picture
from streammonitor_worker.pipeline.evidence import EvidenceKeeper
from streammonitor_worker.source.pictures import planes_of

FULL_DISK = Path("/dev/full")


def picture(time: float) -> Picture:
    shade = np.full((48, 64), 100, np.uint8)
    frame = av.VideoFrame.from_ndarray(shade, format="gray").reformat(format="yuv420p")
    planes = planes_of(frame)
    return Picture(
        planes.luma, planes.chroma, track="video:0", time=time, duration=0.04, frame=frame
    )


def kept(folder: Path) -> dict[str, str]:
    keeper = EvidenceKeeper(folder)
    for time in (0.0, 0.04):
        keeper.see(picture(time))
    keeper.suspect("video-black", "video:0", 0.04)
    return keeper.keep("video-black", "video:0", "abc")


def test_pictures_of_an_incident_are_named(tmp_path: Path) -> None:
    assert kept(tmp_path) == {
        "first_picture": str(tmp_path / "abc-first.jpg"),
        "last_good_picture": str(tmp_path / "abc-last-good.jpg"),
    }
    assert (tmp_path / "abc-first.jpg").read_bytes().endswith(b"\xff\xd9")


@pytest.mark.skipif(not FULL_DISK.exists(), reason="only Linux has a device that is always full")
def test_full_disk_leaves_no_half_picture(tmp_path: Path) -> None:
    (tmp_path / "abc-first.jpg").symlink_to(FULL_DISK)

    told = kept(tmp_path)

    assert told["first_picture"].startswith("not written: ")
    assert told["first_picture"].endswith("No space left on device")
    assert [path.name for path in tmp_path.iterdir()] == ["abc-last-good.jpg"]


def test_folder_that_went_away_is_said(tmp_path: Path) -> None:
    told = kept(tmp_path / "gone")

    assert all(one.startswith("not written: ") for one in told.values())
