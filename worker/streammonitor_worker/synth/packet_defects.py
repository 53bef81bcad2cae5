"""Spoils packets on their way from the encoder to the file, so that the decoder refuses them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import av

from streammonitor_api.errors import InputError
from streammonitor_worker.synth.defects import at_or_after, complete_options
from streammonitor_worker.synth.recipe import Injection, Recipe
from streammonitor_worker.synth.truth import Defect

_START_CODE = re.compile(rb"\x00\x00\x01(.)", re.DOTALL)

_REFUSED_SLICE = b"\x80\x7f"
"""The beginning of a slice that no decoder accepts: H.264 reads slice type 510 of 9, MPEG-2 and
MPEG-4 codes that are in none of their tables."""


@dataclass(frozen=True)
class _Way:
    """How packets of a codec are spoilt so that FFmpeg 8 refuses or drops them, or calls
    them corrupt."""

    fill: bytes = b"\xff"
    keep: int = 0
    """Bytes of header, which say how long the packet is."""
    slices: frozenset[int] = frozenset()
    """What follows a start code (masked) where a slice begins; parsers need all the rest."""
    mask: int = 0xFF
    header: int = 1
    """Bytes of a slice that stay as they are, from that one on."""
    containers: frozenset[str] = frozenset()
    """Where it works; anywhere if empty. Elsewhere a parser drops what it does not understand,
    and the decoder never sees it."""


_WAYS: Mapping[str, _Way] = MappingProxyType(
    {
        "h264": _Way(slices=frozenset({1, 5}), mask=0x1F),
        "hevc": _Way(slices=frozenset(range(0, 64, 2)), mask=0x7E, header=2),
        "mpeg2video": _Way(slices=frozenset(range(0x01, 0xB0))),
        "mpeg4": _Way(containers=frozenset({".mkv", ".mov", ".mp4"})),
        "vp8": _Way(),
        "vp9": _Way(),
        "aac": _Way(fill=b"\x00"),  # ones would look like the next header
        "ac3": _Way(keep=8),
        "flac": _Way(),
    }
)


@dataclass
class _Target:
    injection: Injection
    track: str
    way: _Way
    first: Fraction
    last: Fraction
    hits: list[tuple[float, float]] = field(default_factory=list)
    """Times of the packets spoilt, from the first to after the last sample of each."""


class PacketSpoiler:
    """Makes a recipe's decode-errors and remembers which packets it met."""

    def __init__(self, recipe: Recipe) -> None:
        self._targets = list(_targets(recipe))
        self._end_s = recipe.duration_s
        self._picture_s = 1 / recipe.fps

    def spoil(self, packet: av.Packet[Any], track: str) -> None:
        """Spoil a packet of a track such as `video:0` if it is within a decode-error."""
        if packet.pts is None:
            return
        time = packet.pts * packet.time_base
        for target in self._targets:
            if track == target.track and target.first <= time < target.last:
                packet.update(_refused(bytes(packet), target.way))
                video = track.startswith("video")  # the encoder gives its pictures no duration
                lasts = self._picture_s if video else (packet.duration or 0) * packet.time_base
                target.hits.append((float(time), float(time + lasts)))

    def planned_defects(self) -> Iterator[tuple[Defect, bool]]:
        """Tell in the recipe's time what will be spoilt, to a packet's length."""
        for target in self._targets:
            yield from self._tell(target, float(target.first), float(target.last))

    def defects(self) -> Iterator[tuple[Defect, bool]]:
        """Tell in the recipe's time what was spoilt, and whether a watcher has to find it."""
        for target in self._targets:
            if not target.hits:
                raise InputError(
                    f"inject {target.injection}: no packet begins there; use a longer duration"
                )
            onset, recovery = min(hit[0] for hit in target.hits), max(hit[1] for hit in target.hits)
            yield from self._tell(target, onset, recovery)

    def _tell(
        self, target: _Target, onset_s: float, recovery_s: float
    ) -> Iterator[tuple[Defect, bool]]:
        goes_on = recovery_s >= self._end_s
        defect = Defect("decode-error", target.track, onset_s, None if goes_on else recovery_s)
        yield defect, True
        if target.track.startswith("video"):
            for detector in ("video-block-corruption", "video-freeze"):
                yield replace(defect, detector=detector), False


def _targets(recipe: Recipe) -> Iterator[_Target]:
    for injection in recipe.injections:
        if injection.detector == "decode-error":
            kind, codec = spoilt_codec(recipe, injection)
            rate = recipe.fps if kind == "video" else Fraction(recipe.audio_rate)
            times = (injection.at_s, injection.end_s)
            first, last = (at_or_after(time, rate) / rate for time in times)
            yield _Target(injection, f"{kind}:0", _WAYS[codec], first, last)


def check_codecs(recipe: Recipe, suffix: str) -> None:
    """Raise InputError where a decoder would not notice a decode-error."""
    for injection in recipe.injections:
        if injection.detector != "decode-error":
            continue
        kind, codec = spoilt_codec(recipe, injection)
        if codec not in _WAYS:
            fitting = "h264" if kind == "video" else "aac"
            raise InputError(
                f"inject {injection}: decoders of {codec} notice nothing; use {fitting}"
            )
        containers = sorted(_WAYS[codec].containers)
        if containers and suffix not in containers:
            raise InputError(
                f"inject {injection}: with {codec} noticed in {' and '.join(containers)} only; "
                "write to such a file"
            )


def spoilt_codec(recipe: Recipe, injection: Injection) -> tuple[str, str]:
    """Say whether video or audio is spoilt by a decode-error, and what it is coded in."""
    kind = str(complete_options(injection)["track"])
    return kind, recipe.video_codec if kind == "video" else recipe.audio_codec


def _refused(data: bytes, way: _Way) -> bytes:
    if not way.slices:
        return data[: way.keep] + way.fill * (len(data) - way.keep)
    return spoil_slices(data, way)


def spoil_slices(data: bytes, way: _Way) -> bytes:
    """Replace what follows the start code and the header of each slice; sizes stay."""
    spoilt = bytearray(data)
    codes = list(_START_CODE.finditer(data))
    ends = [code.start() for code in codes[1:]] + [len(data)]
    for code, end in zip(codes, ends, strict=True):
        if code[1][0] & way.mask in way.slices:
            begin = min(end, code.end() + way.header - 1)
            size = end - begin
            spoilt[begin:end] = (_REFUSED_SLICE + b"\xff" * size)[:size]
    return bytes(spoilt)
