"""Decrypts segments: AES-128 in CBC mode with PKCS#7 padding (RFC 8216, 4.3.2.4 and 5.2).

The cryptography package is imported when the first encrypted segment comes: most streams need
it never, and it takes 7 MB.
"""

from __future__ import annotations

from typing import Any

from streammonitor_api.errors import SourceError
from streammonitor_worker.source.hls.playlist import Key
from streammonitor_worker.source.lost import LostError

BLOCK = 16
METHOD = "AES-128"


class Decryption:
    """Decrypts one segment, piece by piece. The last block is held back, for its padding."""

    def __init__(self, key: bytes, vector: bytes, where: str) -> None:
        self._where = where
        self._decryptor = _aes_cbc(key, vector, where)
        self._ciphered = b""
        self._plain = b""

    def update(self, data: bytes) -> bytes:
        data = self._ciphered + data
        whole = len(data) - len(data) % BLOCK
        self._ciphered = data[whole:]
        plain: bytes = self._plain + self._decryptor.update(data[:whole])
        self._plain = plain[-BLOCK:]
        return plain[:-BLOCK]

    def finish(self) -> bytes:
        """The last block without its padding. A segment that was cut off has none that is valid:
        then as it is."""
        padding = self._plain[-1] if self._plain else 0
        valid = 1 <= padding <= BLOCK and self._plain.endswith(bytes([padding]) * padding)
        return self._plain[:-padding] if valid else self._plain


def vector_of(key: Key, sequence: int) -> bytes:
    """The initialisation vector: the key's own, otherwise the segment's number."""
    return key.iv if key.iv is not None else (sequence % 2**128).to_bytes(BLOCK, "big")


def check_method(key: Key, where: str) -> None:
    """Raises SourceError, permanent, for an encryption that cannot be undone here."""
    if key.method != METHOD:
        raise SourceError(
            f"{where}: its segments are encrypted with {key.method[:40]!r}, which cannot be "
            f"decrypted; use a stream in clear or with {METHOD}",
            permanent=True,
        )


def _aes_cbc(key: bytes, vector: bytes, where: str) -> Any:
    if len(key) != BLOCK:
        raise LostError(where, f"the key has {len(key)} bytes instead of {BLOCK}")
    try:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    except ImportError as error:
        raise SourceError(
            f"{where}: its segments are encrypted; install the cryptography package",
            permanent=True,
        ) from error
    return Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor()
