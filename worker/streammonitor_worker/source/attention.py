"""How much of the video is wanted right now: the fidelity, and whether something is wrong.

Set by the pipeline, from its thread or another one; read by the decoders, packet by packet.
"""

from __future__ import annotations

from streammonitor_api.fidelity import Fidelity


class Attention:
    """One for a stream. Single attributes are set and read: atomic, no lock needed."""

    def __init__(self, fidelity: Fidelity) -> None:
        self.fidelity = fidelity
        self._alert_until_s = float("-inf")

    def alert(self, until_media_s: float) -> None:
        """At adaptive fidelity, want every picture up to this media time."""
        self._alert_until_s = max(self._alert_until_s, until_media_s)

    def wants_all(self, media_s: float) -> bool:
        """Whether more than the key pictures is wanted at this media time."""
        if self.fidelity is Fidelity.FULL:
            return True
        return self.fidelity is Fidelity.ADAPTIVE and media_s < self._alert_until_s
