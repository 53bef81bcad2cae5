"""The live streams of the demo, with their defects and the truth about them."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType

from streammonitor_api.names import StreamKey, stream_key
from streammonitor_worker.synth import Recipe, parse_injection
from streammonitor_worker.synth.live import LiveStream
from streammonitor_worker.synth.truth import Truth

NAMESPACE = "demo"
SEGMENT_S = 1.0
"""Short, so that an incident is shown soon after it began."""
_STREAM_S = 150.0
"""Longer than the demo: no stream ends while it is shown."""
_PLAYABLE_S = 40.0
"""How long the first segments are waited for, on a slow machine."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A stream of the demo: its monitor and name, what it shows, and its defects."""

    monitor: str
    name: str
    picture: str
    sound: str
    defects: tuple[str, ...]

    @property
    def stream(self) -> StreamKey:
        return stream_key(NAMESPACE, self.monitor, self.name)


CHANNELS = (
    Channel("news", "one", "pan", "programme", ("video-freeze@10+4", "audio-silence@60+4")),
    Channel("news", "two", "testcard", "tone", ("video-black@12+5", "video-black@41+15")),
    Channel("news", "three", "sport", "programme", ("audio-silence@14+5", "audio-silence@39+17")),
    Channel("sports", "one", "sport", "tone", ("video-black@16+4", "video-freeze@38+17")),
    Channel("sports", "two", "pan", "music", ("audio-phase@18+4", "video-colour-bars@40+15")),
    Channel("sports", "three", "testcard", "tone", ("stream-unavailable@20+4", "video-flat@57+4")),
)
"""Defects at about 10 to 24 s, for two workers; long ones from about 40 s on, during which a worker
is killed; and some at about 60 s, while Redis is away."""


class DemoStreams:
    """Serves the streams on loopback while it is held."""

    def __init__(self, seed: int) -> None:
        self._live = {
            one.stream: LiveStream(_recipe(one, seed + number), segment_s=SEGMENT_S)
            for number, one in enumerate(CHANNELS)
        }
        self._stack = ExitStack()
        self.truth: dict[StreamKey, Truth] = {}

    @property
    def urls(self) -> Mapping[StreamKey, str]:
        return {stream: live.url for stream, live in self._live.items()}

    def __enter__(self) -> DemoStreams:
        """Start them and wait until all can be watched. Raises TimeoutError."""
        with ExitStack() as started:
            for live in self._live.values():
                started.enter_context(live)
            with ThreadPoolExecutor(len(self._live)) as pool:
                waited = {
                    stream: pool.submit(live.wait_until_playable, _PLAYABLE_S)
                    for stream, live in self._live.items()
                }
            self.truth = {stream: future.result() for stream, future in waited.items()}
            self._stack = started.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def began(self) -> float:
        """Wall clock (Unix time) of the first picture of the first of them."""
        return min(live.started_at for live in self._live.values())


def resources(urls: Mapping[StreamKey, str]) -> dict[str, str]:
    """The StreamMonitors of the demo as YAML, by the file's name."""
    files = {}
    for monitor in dict.fromkeys(one.monitor for one in CHANNELS):
        lines = [
            "apiVersion: streammonitor.dev/v1alpha1",
            "kind: StreamMonitor",
            f"metadata: {{namespace: {NAMESPACE}, name: {monitor}}}",
            "spec:",
            "  streams:",
        ]
        for one in CHANNELS:
            if one.monitor == monitor:
                lines.append(f"    - {{name: {one.name}, url: {urls[one.stream]}}}")
        # It looks at 30 s: a move would watch twice for 10 s, and the demo is short.
        lines += ["  detectors:", "    - {name: audio-loudness, enabled: false}", ""]
        files[f"{monitor}.yaml"] = "\n".join(lines)
    return files


def _recipe(channel: Channel, seed: int) -> Recipe:
    return Recipe(
        duration_s=_STREAM_S,
        width=320,
        height=180,
        fps=Fraction(25),
        gop_s=SEGMENT_S,
        picture=channel.picture,
        sound=channel.sound,
        seed=seed,
        injections=[parse_injection(text) for text in channel.defects],
    )
