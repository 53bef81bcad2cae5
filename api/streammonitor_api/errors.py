"""What can go wrong, by what the caller can do about it.

    StreamMonitorError
    ├── InputError     the user has to change something: a file, an option, a setting
    └── SourceError    a source cannot be read; live ones are retried

Messages read `<where>: <what is wrong>; <what to do>` and never hold credentials.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class StreamMonitorError(Exception):
    """Base of all errors that are told to users as one line."""


class InputError(StreamMonitorError):
    """What the user gave is wrong; trying again will not help."""


class SourceError(StreamMonitorError):
    """A source cannot be opened or read.

    `permanent` says that no retry can help: a refused protocol, a file that is no media.
    """

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """Say what might have been meant: `did you mean "video-freeze"?`, or list what there is."""
    names = sorted(known)
    close = difflib.get_close_matches(wrong, names, n=1, cutoff=0.5)
    if close:
        return f'did you mean "{close[0]}"?'
    return f"known are: {', '.join(names)}"
