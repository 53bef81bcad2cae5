"""Broadcasts a recipe as live HLS from this machine: encoded as the clock goes, served over HTTP.

FFmpeg's muxer cuts the segments into a temporary directory; `serve.py` serves them, with playlists
as `playlist.py` shows them and the server's own faults as `faults.py` plans them. Defects of
pictures, sounds and packets are in the stream itself, as in a file.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from http import HTTPStatus
from math import ceil, floor
from pathlib import Path, PurePosixPath
from shutil import rmtree
from tempfile import gettempdir
from types import TracebackType
from typing import Self
from uuid import uuid4

import av
from av.container import OutputContainer

from streammonitor_api.errors import InputError
from streammonitor_worker.synth.clip import make_truth
from streammonitor_worker.synth.defects import check_injections
from streammonitor_worker.synth.encoders import bits_per_second
from streammonitor_worker.synth.encoding import Encoding, refusing_in_one_line
from streammonitor_worker.synth.faults import ServerFaults
from streammonitor_worker.synth.material import material_defects
from streammonitor_worker.synth.origin import Origin, find_origin
from streammonitor_worker.synth.packet_defects import PacketSpoiler
from streammonitor_worker.synth.playlist import View, master_playlist, show
from streammonitor_worker.synth.recipe import Recipe
from streammonitor_worker.synth.renditions import check_live, plan_renditions
from streammonitor_worker.synth.serve import Answer, FileServer
from streammonitor_worker.synth.stream_defects import (
    break_continuity,
    format_changes,
    passages,
    planned_continuity_errors,
)
from streammonitor_worker.synth.transport import TransportStream
from streammonitor_worker.synth.truth import Truth

_PLAYLIST = "index.m3u8"
_MASTER = "master.m3u8"
_SEGMENT = re.compile(r"(\d+)\.(?:ts|m4s)")
_POLL_S = 0.05
"""How often it is looked whether the first segments are there."""
_SPARE_SEGMENTS = 3
"""Kept after they have left the playlist: RFC 8216, 6.2.2, wants them to stay for a while."""


@dataclass
class _Channel:
    """One playlist: a rendition, or the sound of all."""

    name: str
    recipe: Recipe
    directory: Path
    container: OutputContainer
    encoding: Encoding


class LiveStream:
    """A live HLS origin. Use it as a context manager, or call `start` and `stop`.

    segment_s: length of a segment, rounded to whole pictures. window: segments in the playlist,
    more if a fault would hide some for longer. sizes: further renditions, (width, height).
    separate_sound: an audio rendition of its own. fragmented: MP4 segments instead of MPEG-TS.
    Raises InputError for what cannot be broadcast.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        segment_s: float = 2.0,
        window: int = 6,
        sizes: Sequence[tuple[int, int]] = (),
        separate_sound: bool = False,
        fragmented: bool = False,
    ) -> None:
        if window < 1:
            raise InputError(f"window {window}: no segment to be seen; use a number from 1")
        self._pictures_each = max(1, round(Fraction(segment_s) * recipe.fps))
        self.segment_s = float(self._pictures_each / recipe.fps)
        """Seconds of a segment."""
        check_injections(recipe, live=True)
        check_live(recipe, self._pictures_each, fragmented=fragmented)
        self._recipe = recipe
        self._faults = ServerFaults(recipe, self.segment_s)
        self._window = window + ceil(self._faults.longest_s / self.segment_s)
        self._fragmented = fragmented
        self._plan = plan_renditions(recipe, sizes, separate_sound=separate_sound)
        self._changes = frozenset(n // self._pictures_each for n, _ in passages(recipe)[1:])
        self.directory = Path(gettempdir()) / f"streammonitor-live-{uuid4().hex}"
        """Where the segments are, from `start` to `stop`."""
        self._server = FileServer(self.directory, host=host, port=port, answer=self._answer)
        self._channels: list[_Channel] = []
        self._origin: Origin | None = None
        self._finding = threading.Lock()
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(len(self._plan) + 1, "live")
        self._encoders: list[Future[None]] = []
        self._absences: list[Future[None]] = []
        self._started = 0.0
        self.started_at = 0.0
        """Wall clock (Unix time) of the stream's first picture."""

    @property
    def url(self) -> str:
        """Of the playlist: the master playlist if there are several."""
        several = len(self._plan) > 1
        return self._server.url + (_MASTER if several else f"{self._plan[0][0]}/{_PLAYLIST}")

    def start(self) -> None:
        """Listen, and begin to encode."""
        self.directory.mkdir(mode=0o700)
        self._server.come_back()
        for name, recipe in self._plan:
            self._channels.append(self._open_channel(name, recipe))
        self._started, self.started_at = time.monotonic(), time.time()
        self._encoders = [self._pool.submit(self._broadcast, each) for each in self._channels]
        self._absences = [self._pool.submit(self._make_absences)]

    def stop(self) -> None:
        """Refuse connections, stop encoding, clean up. Raises what went wrong meanwhile."""
        self._stop.set()
        self._pool.shutdown()
        self._server.close()
        for channel in self._channels[len(self._encoders) :]:
            channel.container.close()  # opened, but never begun
        if self.directory.exists():
            rmtree(self.directory)
        for future in self._encoders + self._absences:
            future.result()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the stream's end; says whether it has come. Raises what went wrong."""
        done, running = wait(self._encoders, timeout_s, FIRST_EXCEPTION)
        for future in done:
            future.result()
        return not running

    def wait_until_playable(self, timeout_s: float) -> Truth:
        """Wait until the first segment of each playlist is there; returns the truth.

        Its times are those of a watcher that joins at the first segment. Raises TimeoutError.
        """
        deadline = time.monotonic() + timeout_s
        while not self.is_playable:
            if time.monotonic() > deadline or (self.wait(0) and not self.is_playable):
                raise TimeoutError(f"{self.url}: no segment after {timeout_s:g} s")
            self._stop.wait(_POLL_S)
        return self.truth()

    @property
    def is_playable(self) -> bool:
        """Whether the first segment of each playlist is there."""
        return all((channel.directory / _PLAYLIST).exists() for channel in self._channels)

    def truth(self) -> Truth:
        """Tell what is wrong when, for a watcher that joins at the first segment.

        To be asked for when the stream is playable: only then it is known when it begins.
        """
        origin = self._find_origin()
        found = [(defect, True) for defect in material_defects(self._recipe)]
        found += PacketSpoiler(self._recipe).planned_defects()
        found += planned_continuity_errors(self._recipe)
        found += self._faults.defects()
        found = [(defect.shifted(origin.to_media(0)), required) for defect, required in found]
        found += format_changes(self._recipe, origin)
        started_at = self.started_at - origin.to_media(0)
        return replace(make_truth(self._recipe, found), started_at=started_at)

    def __enter__(self) -> Self:
        with ExitStack() as begun:
            begun.callback(self.stop)
            self.start()
            begun.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _open_channel(self, name: str, recipe: Recipe) -> _Channel:
        directory = self.directory / name
        directory.mkdir()
        kind = "m4s" if self._fragmented else "ts"
        options = {
            # The muxer cuts at the first key picture from this time on.
            "hls_time": f"{floor(self.segment_s * 1e6) / 1e6:.6f}",
            "hls_list_size": str(self._window + _SPARE_SEGMENTS),
            "hls_delete_threshold": str(_SPARE_SEGMENTS),
            "hls_flags": "delete_segments+program_date_time+independent_segments+temp_file",
            "hls_segment_type": "fmp4" if self._fragmented else "mpegts",
            "hls_segment_filename": str(directory / f"%d.{kind}"),
        }
        container = av.open(str(directory / _PLAYLIST), "w", format="hls", options=options)
        encoding = Encoding(
            recipe, container, live=True, pace=self._pace, key_every=self._pictures_each
        )
        return _Channel(name, recipe, directory, container, encoding)

    def _broadcast(self, channel: _Channel) -> None:
        with refusing_in_one_line("live stream"), channel.container:
            channel.encoding.run()

    def _elapsed(self) -> float:
        return time.monotonic() - self._started

    def _pace(self, due_s: float) -> bool:
        return not self._stop.wait(max(0.0, due_s - self._elapsed()))

    def _make_absences(self) -> None:
        self._note_origin()
        for absence in self._faults.absences:
            if not self._pace(absence.at_s):
                return
            self._server.go_away()
            if not self._pace(absence.end_s):
                return
            self._server.come_back()

    def _note_origin(self) -> None:
        """Find it as soon as there is a first segment: that does not stay for ever, and who asks
        for the truth may come late."""
        while not self._stop.wait(_POLL_S):
            if self.is_playable:
                self._find_origin()
                return
            if all(encoder.done() for encoder in self._encoders):
                return  # one of them says why

    def _find_origin(self) -> Origin:
        with self._finding:
            return self._known_origin()

    def _known_origin(self) -> Origin:
        if self._origin is None:
            channel = self._channels[0]
            head = channel.directory / "init.mp4"
            first = next(channel.directory.glob("0.*")).read_bytes()
            data = (head.read_bytes() if self._fragmented else b"") + first
            self._origin = find_origin(data, channel.encoding.first_packet_s)
        return self._origin

    def _answer(self, path: PurePosixPath) -> Answer | None:
        """Answer for playlists and for segments that are lost or damaged on their way."""
        if path == PurePosixPath(_MASTER):
            return Answer(body=self._master().encode())
        if path.name == _PLAYLIST:
            return self._playlist(path)
        segment = _SEGMENT.fullmatch(path.name)
        if segment and self._faults.is_lost(int(segment[1])):
            return Answer(HTTPStatus.NOT_FOUND)
        if segment and path.parts[0] == self._channels[0].name:
            return self._damaged(path)
        return None

    def _playlist(self, path: PurePosixPath) -> Answer:
        try:
            text = (self.directory / path).read_text(encoding="utf-8")
        except FileNotFoundError:
            return Answer(HTTPStatus.NOT_FOUND)  # no such rendition, or no segment yet
        newest = self._faults.newest(self._elapsed())
        shown = show(text, View(self._window, newest, self._changes))
        return Answer(HTTPStatus.NOT_FOUND) if shown is None else Answer(body=shown.encode())

    def _damaged(self, path: PurePosixPath) -> Answer | None:
        """Lose packets of a segment of the first rendition if that is asked for."""
        if not any(i.detector == "continuity-error" for i in self._recipe.injections):
            return None
        try:
            stream = TransportStream((self.directory / path).read_bytes())
        except FileNotFoundError:
            return Answer(HTTPStatus.NOT_FOUND)
        break_continuity(self._recipe, stream, self._find_origin())
        return Answer(body=stream.to_bytes())

    def _master(self) -> str:
        channels = [(f"{name}/{_PLAYLIST}", recipe) for name, recipe in self._plan]
        variants = [
            (uri, recipe, bits_per_second(recipe))
            for uri, recipe in channels
            if recipe.picture is not None or len(channels) == 1
        ]
        sounds = [uri for uri, recipe in channels if recipe.picture is None]
        return master_playlist(variants, sounds[0] if sounds else None)
