"""What can go wrong, by what the caller can do about it.

    StreamMonitorError
    ├── InputError            the user has to change something: a file, an option, a setting
    ├── SourceError           a source cannot be read; live ones are retried
    ├── FencedError           a newer owner, operator or start of this worker: stop, never retry
    ├── VersionError          the other side speaks another version of the contract
    └── UnavailableError      Redis cannot be used now: keep what is to be written, retry
        └── LostError         Redis answers but lost what it held: write it anew, then go on

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


class FencedError(StreamMonitorError):
    """Somebody newer has taken over: a claim with a higher epoch, an operator with a higher term.

    Whoever gets this stops what it does for that stream or fleet; trying again will not help.
    """


class VersionError(StreamMonitorError):
    """Operator and worker speak versions of the contract that do not go together."""


class UnavailableError(StreamMonitorError):
    """Redis cannot be used now. What was to be written is kept and written later.

    `permanent` says that waiting will not help before somebody changes a setting: a password, a
    certificate, a role. It is retried all the same, slowly: settings change.
    """

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class LostError(UnavailableError):
    """Redis answers, but what it must know is gone: it was flushed, or came back older.

    The operator takes a new term and writes specs and assignments anew; a worker claims again.
    """


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """Say what might have been meant: `did you mean "video-freeze"?`, or list what there is."""
    names = sorted(known)
    close = difflib.get_close_matches(wrong, names, n=1, cutoff=0.5)
    if close:
        return f'did you mean "{close[0]}"?'
    return f"known are: {', '.join(names)}"
