"""What the media tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest

from tests.support.hls_clips import Cut, cut
from tests.support.hls_server import ScriptedServer, scripted_server
from tests.support.remote_clips import make


@pytest.fixture
def mean_luma() -> Callable[[Path], float]:
    """The mean luma of a picture file, 0 to 255."""

    def measure(path: Path) -> float:
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
            return float(frame.to_ndarray(format="gray").mean())

    return measure


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """An HTTP server on loopback that answers as a test tells it to."""
    with scripted_server() as running:
        yield running


@pytest.fixture(scope="session")
def clip_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("remote") / "clip.ts"
    make(path)
    return path


@pytest.fixture(scope="session")
def clip(clip_path: Path) -> bytes:
    return clip_path.read_bytes()


@pytest.fixture(scope="session")
def ts(tmp_path_factory: pytest.TempPathFactory) -> Cut:
    """A clip in segments of MPEG-TS, as HLS has them."""
    return cut(tmp_path_factory.mktemp("ts"))
