"""What shows a watch to somebody."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from streammonitor_api.events import Event, Summary

if TYPE_CHECKING:
    from streammonitor_worker.status import StreamStatus


class Display(ABC):
    """Shows events while the watch lasts, and summaries when it is over."""

    def held(self) -> AbstractContextManager[object]:
        """Hold the terminal while the watch lasts, where one is needed."""
        return nullcontext()

    @abstractmethod
    def show(self, event: Event) -> None:
        """Show one event: a sink. Called from the threads of streams, one at a time."""

    @abstractmethod
    def close(self, summaries: Iterable[Summary], statuses: Sequence[StreamStatus]) -> None:
        """Show what became of each stream: the last that is shown."""
