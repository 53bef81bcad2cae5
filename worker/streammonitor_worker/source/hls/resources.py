"""Fetches what playlists name, from where they may name it.

A playlist from the network may name http and https addresses only. One from a local file may
name those, and files below its own folder, links resolved. All else (`file:`, `concat:`, `data:`,
`subfile:`, a way out of the folder …) is refused with an error that names it.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urljoin

from streammonitor_api.errors import InputError
from streammonitor_worker.source.file import FileReader
from streammonitor_worker.source.hls.playlist import ByteRange
from streammonitor_worker.source.http import HttpClient, HttpResponse
from streammonitor_worker.source.lost import LostError
from streammonitor_worker.source.url import HTTP_SCHEMES, redact, refused, scheme_of
from streammonitor_worker.source.waiting import Waiting

Location = str | Path
"""Where something is: an http(s) address or a local file."""


class Body:
    """The bytes of a resource, as they come."""

    def __init__(self, source: HttpResponse | FileReader, left: int | None) -> None:
        self._source = source
        self._left = left

    def read(self, size: int) -> bytes:
        """Some bytes, none at the end. Raises LostError when it breaks off."""
        if self._left is not None:
            size = min(size, self._left)
        data = self._source.read(size) if size else b""
        if isinstance(self._source, FileReader) and self._source.failure:
            raise LostError("file", self._source.failure)
        if self._left is not None:
            self._left -= len(data)
        return data

    def close(self) -> None:
        self._source.close()


class Resources:
    """What a playlist's stream may fetch. `folder`: of a local playlist, resolved."""

    def __init__(self, client: HttpClient, waiting: Waiting, folder: Path | None) -> None:
        self._client = client
        self._waiting = waiting
        self._folder = folder

    def locate(self, uri: str, base: Location, where: str) -> Location:
        """Where a URI found in the playlist at `base` leads.

        Raises SourceError, permanent, where it may not lead there.
        """
        if isinstance(base, Path) and not scheme_of(uri):
            return self._locate_file(uri, base, where)
        target = uri if isinstance(base, Path) or scheme_of(uri) else urljoin(base, uri)
        if scheme_of(target) not in HTTP_SCHEMES:
            raise refused(where, f"the playlist refers to {redact(uri)!r}, which is not opened")
        return target

    def open(self, location: Location, byte_range: ByteRange | None, skip: int = 0) -> Body:
        """Open a resource, or a range of it, leaving out the first `skip` bytes.

        Raises LostError where it cannot be had, SourceError where it never can.
        """
        first = (byte_range.first if byte_range else 0) + skip
        last = byte_range.last if byte_range else None
        left = None if last is None else last - first + 1
        if isinstance(location, Path):
            return self._open_file(location, first, left)
        wanted = None if byte_range is None and not first else first
        response = self._client.get(location, wanted, last)
        if first and response.status != 206:
            response.close()
            raise LostError(redact(location), "the server does not give parts of it")
        return Body(response, left)

    def read_all(self, location: Location, byte_range: ByteRange | None, limit: int) -> bytes:
        """Read a small resource as a whole.

        Raises LostError where that fails, or it is larger than `limit`.
        """
        body = self.open(location, byte_range)
        data = bytearray()
        try:
            while part := body.read(65536):
                data += part
                if len(data) > limit:
                    raise LostError(show(location), f"it is larger than {limit} bytes")
        finally:
            body.close()
        return bytes(data)

    def close(self) -> None:
        self._client.close()

    def _locate_file(self, uri: str, base: Path, where: str) -> Path:
        for name in (uri, unquote(uri)):
            try:
                path = (base.parent / name).resolve()
            except (OSError, ValueError):  # a name that no file can have
                continue
            inside = self._folder is not None and path.is_relative_to(self._folder)
            if inside and (path.exists() or name == unquote(uri)):
                return path
            if not inside:
                break
        raise refused(where, f"the playlist refers to {redact(uri)!r}, outside of its own folder")

    def _open_file(self, path: Path, first: int, left: int | None) -> Body:
        try:
            reader = FileReader(path, self._waiting)
        except InputError as error:
            raise LostError(str(path), f"{path.name!r} cannot be opened", status=404) from error
        reader.seek(first)
        return Body(reader, left)


def show(location: Location) -> str:
    """How to call it in messages."""
    return str(location) if isinstance(location, Path) else redact(location)
