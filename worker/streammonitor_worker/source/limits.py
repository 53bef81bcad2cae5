"""What an untrusted input may cost: each limit with its reason, in one place."""

from __future__ import annotations

import ctypes
from functools import cache

import av
import av.logging

MAX_TRACKS = 16
"""Video and audio tracks of a stream; broadcast multiplexes with every dub have fewer."""

MAX_CHANNELS = 64
"""Channels of an audio track; the largest layout in use is 22.2."""

MAX_ALLOCATION = 64 << 20
"""Bytes of any one allocation of the media library. Its largest honest ones are the index of a
day-long mp4 (24 B a sample, 30 pictures/s: 62 MB) and a key frame of 8K."""

PROBE_BYTES = 5_000_000
"""Read to learn what is inside, at most: FFmpeg's own default, 8 s of an 5 Mb/s stream."""

PROBE_US = 5_000_000
"""Media time looked at to learn what is inside: FFmpeg's own default for transport streams is
7 s; audio and video of a live stream show up well within 5 s."""

FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,flv,live_flv,avi,ogg,asf,mxf,nut,gxf,dv,"
    "ivf,obu,yuv4mpegpipe,h264,hevc,m4v,mpegvideo,mjpeg,vc1,cavsvideo,"
    "wav,w64,aiff,au,caf,mp3,aac,ac3,eac3,flac,dts,loas,rm"
)
"""Demuxers that may be given bytes. Not among them: whatever reads a list of other addresses
(hls, dash, concat, image2, sdp), captures devices or plays scripts."""

REMOTE_FORMATS = "flv,live_flv,rtsp"
"""Demuxers for what the media library opens by address."""

MIN_FPS, MAX_FPS = 1.0, 300.0
"""Nominal pictures per second outside of this are not believed."""


@cache
def bound_media_library() -> None:
    """Silence the media library's own log and bound what it may allocate, once a process.

    Its codecs check sizes only against what a 32-bit integer can hold. The setter is not part of
    the binding, so it is called in the library that the binding has loaded.
    """
    av.logging.set_level(None)
    library = ctypes.CDLL(av._core.__file__)
    library.av_max_alloc.argtypes = [ctypes.c_size_t]
    library.av_max_alloc.restype = None
    library.av_max_alloc(MAX_ALLOCATION)


def sane_fps(rate: object) -> float:
    """A nominal rate as float; 0 where it is unknown or absurd."""
    if not rate:
        return 0.0
    fps = float(rate)  # type: ignore[arg-type]  # Fraction or float
    return fps if MIN_FPS <= fps <= MAX_FPS else 0.0
