"""Damages clean streams as networks and disks do, and says which pictures it met.

All damage is the same for the same seed. What a viewer sees of it is found in `visible.py`; files
that are not even streams any more are made in `mangling.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import PictureType
from numpy.typing import NDArray

from streammonitor_api.errors import InputError, suggestion
from streammonitor_worker.synth.origin import first_presented
from streammonitor_worker.synth.transport import CLOCK, TransportStream, Unit
from tests.support.visible import decode_what_can_be

_NAL_UNIT = re.compile(rb"(?:\x00)?\x00\x00\x01")
_SLICE_TYPES = frozenset({1, 5})
_FINE = Fraction(1, 90_000)
"""The clock of MPEG-TS: any picture's time is a whole number of it."""


@dataclass(frozen=True)
class Damage:
    """What was met, in media time.

    pictures: times of the pictures of which bytes are missing or wrong. spoilt: from when to when
    pictures can look wrong because of it: all that refer to those, up to the next key picture;
    None where none follows.
    """

    pictures: tuple[float, ...]
    spoilt: tuple[tuple[float, float | None], ...]


def lose_packets(
    source: Path,
    target: Path,
    *,
    seed: int,
    share: float,
    burst: int = 1,
    between: tuple[float, float] | None = None,
    track: str = "video:0",
) -> Damage:
    """Lose a share (0 to 1) of a track's MPEG-TS packets, `burst` at a time.

    At least one burst is lost. between: media times, outside of which nothing is lost.
    """
    stream, rows, units, first_s = _open(source, track, between)
    rng = np.random.default_rng(seed)
    places = max(1, len(rows) - burst + 1)
    count = min(places, max(1, round(share * len(rows) / burst)))
    starts = rng.choice(places, size=count, replace=False)
    lost = np.unique(np.concatenate([rows[start : start + burst] for start in starts]))
    damage = _damage(units, lost, first_s)
    stream.remove(lost)
    target.write_bytes(stream.to_bytes())
    return damage


def flip_stream_bits(
    source: Path,
    target: Path,
    *,
    seed: int,
    count: int,
    between: tuple[float, float] | None = None,
    track: str = "video:0",
) -> Damage:
    """Flip `count` bits in the payload of a track's MPEG-TS packets; their headers stay."""
    stream, rows, units, first_s = _open(source, track, between)
    rows = np.setdiff1d(rows, [unit.row for unit in units])  # PES headers stay, too
    if not rows.size:
        raise InputError(f"{source}: no payload to damage there; use a longer stretch")
    rng = np.random.default_rng(seed)
    chosen = rng.choice(rows, size=count)
    for row in chosen:
        byte = int(rng.integers(stream.payload_start(int(row)), stream.rows.shape[1]))
        stream.rows[row, byte] ^= 1 << int(rng.integers(8))
    target.write_bytes(stream.to_bytes())
    return _damage(units, np.unique(chosen), first_s)


def lose_slices(
    source: Path,
    target: Path,
    *,
    seed: int,
    share: float,
    between: tuple[float, float] | None = None,
    keys_too: bool = False,
) -> Damage:
    """Lose a share (0 to 1) of the slices of H.264 pictures in an MPEG-TS, at least one.

    The transport stream itself stays sound: nothing but the decoder can notice. keys_too: those of
    key pictures may be lost, too.
    """
    rng = np.random.default_rng(seed)
    start, end = between or (0.0, np.inf)
    first_s = first_presented(source)
    pictures: list[tuple[float, bool]] = []
    hit: list[int] = []

    def thin_out(packet: av.Packet[Any]) -> av.Packet[Any]:
        time = float((packet.pts or 0) * packet.time_base) - first_s
        pictures.append((time, packet.is_keyframe))
        if not start <= time < end or (packet.is_keyframe and not keys_too):
            return packet
        left, lost = _without_slices(bytes(packet), share, rng)
        if lost:
            hit.append(len(pictures) - 1)
        return _replaced(packet, left) if lost else packet

    with av.open(str(source)) as clean, av.open(str(target), "w") as spoilt:
        outputs = [spoilt.add_stream_from_template(stream) for stream in clean.streams]
        for packet in clean.demux():
            if packet.pts is not None:
                kept = thin_out(packet) if packet.stream.type == "video" else packet
                kept.stream = outputs[packet.stream.index]
                spoilt.mux(kept)
    if not hit:
        raise InputError(f"{source}: no slice was lost; use a larger share or a longer stretch")
    return Damage(tuple(sorted(pictures[n][0] for n in hit)), tuple(_spoilt(pictures, hit)))


def _replaced(packet: av.Packet[Any], data: bytes) -> av.Packet[Any]:
    other: av.Packet[Any] = av.Packet(data)
    other.pts, other.dts, other.time_base = packet.pts, packet.dts, packet.time_base
    other.is_keyframe = packet.is_keyframe
    return other


def _without_slices(data: bytes, share: float, rng: np.random.Generator) -> tuple[bytes, int]:
    """Leave out slices by chance; one is always left, or there would be no picture at all."""
    starts = [match.start() for match in _NAL_UNIT.finditer(data)]
    units = [data[a:b] for a, b in zip(starts, [*starts[1:], len(data)], strict=True)]
    slices = [n for n, unit in enumerate(units) if unit.lstrip(b"\0")[1] & 0x1F in _SLICE_TYPES]
    lost = [n for n in slices if rng.random() < share]
    if len(lost) == len(slices):
        lost = lost[:-1]
    return b"".join(unit for n, unit in enumerate(units) if n not in lost), len(lost)


def recode(source: Path, target: Path, *, crf: int = 23) -> None:
    """Decode the picture, damage and all, and encode it again, as a repeater would; copy the sound.

    Media times stay.
    """
    origin = Fraction(first_presented(source)).limit_denominator(_FINE.denominator)
    with av.open(str(source)) as damaged, av.open(str(target), "w") as repeated:
        video = damaged.streams.video[0]
        options = {"preset": "superfast", "crf": str(crf)}
        picture = repeated.add_stream("libx264", rate=video.average_rate, options=options)
        picture.width, picture.height, picture.pix_fmt = video.width, video.height, video.pix_fmt
        picture.codec_context.time_base = _FINE
        sounds = {
            sound.index: repeated.add_stream_from_template(sound) for sound in damaged.streams.audio
        }
        for packet in damaged.demux():
            if packet.stream.index in sounds and packet.pts is not None:
                packet.pts = packet.dts = packet.pts - round(origin / packet.time_base)
                packet.stream = sounds[packet.stream.index]
                repeated.mux(packet)
            elif packet.stream.index == video.index:
                for frame in decode_what_can_be(packet):
                    if frame.pts is not None and frame.time_base is not None:
                        frame.pts = round((frame.pts * frame.time_base - origin) / _FINE)
                        frame.time_base, frame.pict_type = _FINE, PictureType.NONE
                        repeated.mux(picture.encode(frame))
        repeated.mux(picture.encode(None))


def _open(
    source: Path, track: str, between: tuple[float, float] | None
) -> tuple[TransportStream, NDArray[np.intp], list[Unit], float]:
    """Read a transport stream: the rows that may be damaged, the units of the track, media 0."""
    stream = TransportStream(source.read_bytes())
    if track not in stream.tracks:
        raise InputError(f"{source}: no track {track}; {suggestion(track, stream.tracks)}")
    first_s = first_presented(source)
    start, end = between or (0.0, np.inf)
    units = stream.units(stream.tracks[track])
    rows = np.concatenate(
        [np.empty(0, np.intp)]
        + [
            np.append(unit.row, stream.continuation_rows(stream.tracks[track], unit))
            for unit in units
            if start <= unit.pts / CLOCK - first_s < end
        ]
    )
    if not rows.size:
        raise InputError(f"{source}: nothing of {track} there; use another stretch")
    return stream, rows, units, first_s


def _damage(units: Sequence[Unit], rows: NDArray[np.intp], first_s: float) -> Damage:
    """Find the pictures to which damaged rows belong."""
    owners = np.unique(np.searchsorted([unit.row for unit in units], rows, side="right") - 1)
    pictures = [(unit.pts / CLOCK - first_s, unit.key) for unit in units]
    return Damage(
        tuple(sorted(pictures[owner][0] for owner in owners)),
        tuple(_spoilt(pictures, owners.tolist())),
    )


def _spoilt(
    pictures: Sequence[tuple[float, bool]], hit: Sequence[int]
) -> Iterator[tuple[float, float | None]]:
    """Give the stretches in which damage can be seen.

    pictures: time and whether it is a key picture, in the order sent. hit: places in it. Damage
    stays until the next key picture, and reaches back to pictures that are sent later but shown
    earlier.
    """
    done = -1
    for place in hit:
        if place <= done:
            continue
        done = place
        while done + 1 < len(pictures) and not pictures[done + 1][1]:
            done += 1
        following = pictures[done + 1][0] if done + 1 < len(pictures) else None
        yield min(time for time, _ in pictures[place : done + 1]), following
