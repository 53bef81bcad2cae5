"""What a detector may see: pictures, sounds, packets and what happened to the connection.

Plain data over numpy. Nothing here knows where it came from: `source` makes these objects, the
`pipeline` hands them from function to function, `detectors` read them.
"""

from streammonitor_worker.media.items import (
    STREAM_TRACK,
    Connection,
    Failure,
    Format,
    Idle,
    Packet,
)
from streammonitor_worker.media.picture import Picture
from streammonitor_worker.media.sound import Sound

Item = Packet | Picture | Sound | Format | Failure | Connection | Idle

__all__ = [
    "STREAM_TRACK",
    "Connection",
    "Failure",
    "Format",
    "Idle",
    "Item",
    "Packet",
    "Picture",
    "Sound",
]
