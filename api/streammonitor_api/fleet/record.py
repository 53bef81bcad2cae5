"""A record: frozen plain data that operator and workers write to each other, to and from JSON.

Unknown fields are ignored when read, so that a newer peer of the same contract version may add
some.
"""

from __future__ import annotations

from typing import Any, Self, cast

from pydantic import TypeAdapter, ValidationError

from streammonitor_api.errors import VersionError

CONTRACT_VERSION = 1
"""Raised by 1 with each change that a peer of the version before would misunderstand."""
OLDEST_VERSION = 1
"""The oldest version that this code works with."""

_adapters: dict[type, TypeAdapter[Any]] = {}


def adapter_of(kind: type) -> TypeAdapter[Any]:
    """Reads and writes that kind; made at first use, as it takes milliseconds."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


class Record:
    """To and from JSON, for frozen dataclasses."""

    __slots__ = ()

    def as_json(self) -> str:
        return adapter_of(type(self)).dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `as_json` wrote. Raises VersionError for what is no such record."""
        try:
            return cast(Self, adapter_of(cls).validate_json(text))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(step) for step in first["loc"])
            raise VersionError(
                f"{cls.__name__}: {where}: {first['msg']}; it was written by another version of "
                "StreamMonitor: run operator and workers of the same release"
            ) from None
