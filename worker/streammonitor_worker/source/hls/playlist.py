"""What a playlist says. Pure: text in, data out.

Reads what is needed to fetch the media, and passes over every tag that it does not know or that
is malformed but not needed: a monitor that gives up where players go on is of no use.
"""

from __future__ import annotations

from dataclasses import dataclass

from streammonitor_worker.source.hls.attributes import attributes, seconds, whole

MAX_BYTES = 4 << 20
"""Of a playlist: a day of 2 s segments with names of 80 characters."""
MAX_SEGMENTS = 50_000
"""Of a playlist: a day of 2 s segments, which is 43,200."""
MAX_VARIANTS = 100
LONGEST_TARGET_S = 60.0
"""However long a playlist says its segments are, it is loaded again after so long, and a stall is
noticed: ten times the segments that Apple's authoring specification asks for."""
SIGNATURE = "#EXTM3U"


class PlaylistError(ValueError):
    """Text that is no playlist, or one beyond the limits. The message says what is wrong."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    first: int
    length: int

    @property
    def last(self) -> int:
        return self.first + self.length - 1


@dataclass(frozen=True, slots=True)
class Key:
    """How segments are encrypted. `iv` None: the segment's sequence number."""

    method: str
    uri: str
    iv: bytes | None


@dataclass(frozen=True, slots=True)
class Map:
    """What has to be read before a segment: the header of a fragmented mp4."""

    uri: str
    byte_range: ByteRange | None


@dataclass(frozen=True, slots=True)
class Segment:
    uri: str
    sequence: int
    duration_s: float
    discontinuity: bool
    """Its timestamps, tracks or formats do not follow from the segment before."""
    missing: bool
    """The playlist itself says that it is not there."""
    byte_range: ByteRange | None
    key: Key | None
    map: Map | None


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    segments: tuple[Segment, ...]
    sequence: int
    """Of the first segment."""
    target_s: float
    ended: bool
    left_out: int = 0
    """Segments at the beginning that nobody asked for."""

    @property
    def end(self) -> int:
        """Sequence number after the last segment's."""
        return self.sequence + self.left_out + len(self.segments)

    def segment(self, sequence: int) -> Segment:
        """The segment of a number that is listed and was asked for."""
        return self.segments[sequence - self.sequence - self.left_out]

    @property
    def duration_s(self) -> float:
        return sum(segment.duration_s for segment in self.segments)


@dataclass(frozen=True, slots=True)
class Variant:
    uri: str
    bandwidth: int
    width: int
    height: int
    codecs: str
    audio: str
    """Group of its sound renditions; empty where the sound is in it."""

    @property
    def sound_only(self) -> bool:
        """Whether it says that it has no picture."""
        codecs = [codec.strip().lower() for codec in self.codecs.split(",") if codec.strip()]
        sounds = ("mp4a", "ac-3", "ec-3", "opus", "flac", "mp3", "alac", "vorbis")
        return not self.height and bool(codecs) and all(c.startswith(sounds) for c in codecs)


@dataclass(frozen=True, slots=True)
class SoundRendition:
    group: str
    uri: str
    """Empty: its sound is in the variants themselves."""
    is_default: bool


@dataclass(frozen=True, slots=True)
class MasterPlaylist:
    variants: tuple[Variant, ...]
    sounds: tuple[SoundRendition, ...]


def parse_playlist(text: str, since: int = 0) -> MasterPlaylist | MediaPlaylist:
    """Read a playlist; of one of segments only those from number `since` on, which is what is new
    where it is read every few seconds.

    Raises PlaylistError where it is none, or beyond the limits.
    """
    lines = [line.strip() for line in text.lstrip("\ufeff").splitlines()]
    lines = [line for line in lines if line]
    if not lines or not lines[0].startswith(SIGNATURE):
        raise PlaylistError(f"the playlist does not begin with {SIGNATURE}")
    if any(line.startswith("#EXT-X-STREAM-INF:") for line in lines):
        return _parse_master(lines)
    return _MediaParser(since).parse(lines)


def _parse_master(lines: list[str]) -> MasterPlaylist:
    variants: list[Variant] = []
    sounds: list[SoundRendition] = []
    pending: dict[str, str] | None = None
    for line in lines:
        if line.startswith("#EXT-X-STREAM-INF:"):
            pending = attributes(line)
        elif line.startswith("#EXT-X-MEDIA:"):
            found = attributes(line)
            if found.get("TYPE") == "AUDIO":
                is_default = found.get("DEFAULT") == "YES"
                group = found.get("GROUP-ID", "")
                sounds.append(SoundRendition(group, found.get("URI", ""), is_default))
        elif not line.startswith("#") and pending is not None:
            variants.append(_variant(line, pending))
            pending = None
        if len(variants) > MAX_VARIANTS or len(sounds) > MAX_VARIANTS:
            raise PlaylistError(f"the playlist has more than {MAX_VARIANTS} renditions")
    if not variants:
        raise PlaylistError("the master playlist lists no rendition")
    return MasterPlaylist(tuple(variants), tuple(sounds))


def _variant(uri: str, found: dict[str, str]) -> Variant:
    width, _, height = found.get("RESOLUTION", "").partition("x")
    return Variant(
        uri,
        bandwidth=whole(found.get("BANDWIDTH", "")),
        width=whole(width),
        height=whole(height),
        codecs=found.get("CODECS", ""),
        audio=found.get("AUDIO", ""),
    )


class _MediaParser:
    """Reads a media playlist from top to bottom; tags hold for the segments after them."""

    def __init__(self, since: int) -> None:
        self._since = since
        self._segments: list[Segment] = []
        self._count = 0
        self._sequence = 0
        self._target_s = 0.0
        self._ended = False
        self._duration_s: float | None = None
        self._discontinuity = False
        self._missing = False
        self._range: tuple[int, int | None] | None = None
        self._range_ends: dict[str, int] = {}
        self._key: Key | None = None
        self._has_plain_key = False
        """Since the last segment."""
        self._map: Map | None = None

    def parse(self, lines: list[str]) -> MediaPlaylist:
        for line in lines:
            if not line.startswith("#"):
                self._add(line)
            elif line.startswith("#EXT"):
                name, _, value = line.partition(":")
                self._take(name, value)
        longest = max((segment.duration_s for segment in self._segments), default=0.0)
        target_s = min(self._target_s or longest or 1.0, LONGEST_TARGET_S)
        left_out = self._count - len(self._segments)
        return MediaPlaylist(tuple(self._segments), self._sequence, target_s, self._ended, left_out)

    def _take(self, name: str, value: str) -> None:
        if name == "#EXTINF":
            self._duration_s = seconds(value.partition(",")[0])
        elif name == "#EXT-X-TARGETDURATION":
            self._target_s = seconds(value)
        elif name == "#EXT-X-MEDIA-SEQUENCE" and not self._count:
            self._sequence = whole(value)
        elif name == "#EXT-X-DISCONTINUITY":
            self._discontinuity = True
        elif name == "#EXT-X-GAP":
            self._missing = True
        elif name == "#EXT-X-BYTERANGE":
            self._range = _range(value)
        elif name == "#EXT-X-KEY":
            self._take_key(attributes(value))
        elif name == "#EXT-X-MAP":
            self._map = _map(attributes(value))
        elif name == "#EXT-X-ENDLIST" or (name == "#EXT-X-PLAYLIST-TYPE" and value == "VOD"):
            self._ended = True

    def _take_key(self, found: dict[str, str]) -> None:
        """Of several keys for the same segments, the one that needs no protection system."""
        plain = found.get("KEYFORMAT", "identity") == "identity"
        if plain or not self._has_plain_key:
            self._key = _key(found)
        self._has_plain_key = self._has_plain_key or plain

    def _add(self, uri: str) -> None:
        if self._duration_s is None:
            return
        if self._count == MAX_SEGMENTS:
            raise PlaylistError(f"the playlist has more than {MAX_SEGMENTS} segments")
        byte_range = None
        if self._range is not None:
            length, first = self._range
            first = self._range_ends.get(uri, 0) if first is None else first
            byte_range = ByteRange(first, length)
            self._range_ends[uri] = first + length
        number = self._sequence + self._count
        if number >= self._since:
            self._segments.append(
                Segment(
                    uri,
                    number,
                    self._duration_s,
                    self._discontinuity,
                    self._missing,
                    byte_range,
                    self._key,
                    self._map,
                )
            )
        self._count += 1
        self._duration_s, self._range = None, None
        self._discontinuity = self._missing = self._has_plain_key = False


def _key(found: dict[str, str]) -> Key | None:
    method = found.get("METHOD", "NONE")
    if method == "NONE":
        return None
    iv = found.get("IV", "")
    digits = iv[2:] if iv[:2] in ("0x", "0X") else ""
    try:
        vector = int(digits, 16).to_bytes(16, "big") if digits else None
    except (ValueError, OverflowError) as error:
        raise PlaylistError(f"the initialisation vector {iv[:40]!r} is not valid") from error
    return Key(method, found.get("URI", ""), vector)


def _map(found: dict[str, str]) -> Map | None:
    if not found.get("URI"):
        return None
    limits = _range(found.get("BYTERANGE", ""))
    byte_range = None if limits is None else ByteRange(limits[1] or 0, limits[0])
    return Map(found["URI"], byte_range)


def _range(value: str) -> tuple[int, int | None] | None:
    """Length and, where it is given, first byte of `<length>[@<first>]`."""
    length, _, first = value.partition("@")
    if not whole(length):
        return None
    return whole(length), whole(first) if first.strip().isdigit() else None
