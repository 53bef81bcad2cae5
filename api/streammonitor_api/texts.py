"""Reads the small texts that users write: profiles and resources.

The name that a user gave may be that of anything: a film, a pipe, a folder. So it is read up to a
limit, and what it is not is told in one line.
"""

from __future__ import annotations

from pathlib import Path

from streammonitor_api.errors import InputError

_MIB = 1 << 20


def read_small_text(path: Path, what: str, *, most_mib: int, advice: str) -> str:
    """Read a text in UTF-8 of at most `most_mib` MiB. Raises InputError that ends with `advice`."""
    try:
        with path.open("rb") as file:
            raw = file.read(most_mib * _MIB + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read, {error.strerror}; {advice}") from None
    if len(raw) > most_mib * _MIB:
        raise InputError(f"{path}: more than {most_mib} MiB is no {what}; {advice}")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text in UTF-8; {advice}") from None
