"""Everything that touches the network and the media library's demuxers and decoders.

    stream ── connect ── transport: file, http, hls, sockets, remote   where bytes come from
       └───── session ── demux ── opening ── timeline ── decode        what is made of them

The media library is given bytes, never an address (RTMP and RTSP apart): see `demux` and `url`.
"""

from __future__ import annotations

from streammonitor_api.fidelity import Fidelity
from streammonitor_worker.source.options import Renditions, SourceOptions
from streammonitor_worker.source.renditions import Rendition, expand
from streammonitor_worker.source.still import encode_jpeg
from streammonitor_worker.source.stream import Source
from streammonitor_worker.source.url import redact
from streammonitor_worker.source.waiting import Waiting

SourceSpec = str | Rendition
"""What a Source is made of."""

__all__ = [
    "Fidelity",
    "Rendition",
    "Renditions",
    "Source",
    "SourceOptions",
    "SourceSpec",
    "Waiting",
    "encode_jpeg",
    "expand",
    "redact",
]
