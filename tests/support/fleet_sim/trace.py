"""What happened, in words: kept for the last minutes, printed when an invariant breaks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from tests.support.fleet_sim.clock import Clock

KEPT = 4000


class Trace:
    """Lines with true time and who: `12.345  worker-2  claims a/b/c at epoch 3`."""

    def __init__(self, clock: Clock, echo: Callable[[str], None] | None = None) -> None:
        self._clock = clock
        self._echo = echo
        self._lines: deque[str] = deque(maxlen=KEPT)

    def note(self, who: str, text: str) -> None:
        line = f"{self._clock.now:12.3f}  {who:<12}  {text}"
        self._lines.append(line)
        if self._echo is not None:
            self._echo(line)

    def about(self, who: str) -> list[str]:
        """What somebody did, as far as it is kept."""
        return [line for line in self._lines if line[14:].startswith(f"{who} ")]

    def last(self, about: str = "", count: int = 80) -> list[str]:
        """The last lines, of those only that mention something if `about` is given."""
        chosen = [line for line in self._lines if about in line]
        return chosen[-count:]
