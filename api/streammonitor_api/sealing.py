"""Secrets between operator and workers: sealed with the fleet key before they enter Redis.

AES-SIV (RFC 5297, from `cryptography`): authenticated encryption that takes what a secret belongs
to, a stream key, as associated data, so that a sealed text copied to another stream does not open.
It needs no nonce: sealing the same secret for the same stream again gives the same text, and so an
operator that starts anew changes nothing. That equality is all that it tells.

The fleet key is a list: the first one seals, all of them unseal, so a new key is put in front, and
the old one removed when everything has been sealed anew.

Nothing here shows a secret in `repr`, `str` or an error.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from streammonitor_api.errors import InputError

KEY_VARIABLE = "STREAMMONITOR_FLEET_KEY"
KEY_FILE_VARIABLE = "STREAMMONITOR_FLEET_KEY_FILE"
"""Only one of the two may be set."""

SECRET_KEYS = ("username", "password", "header", "query")
"""Keys of a Secret that holds credentials; `username` and `password` are those of the type
kubernetes.io/basic-auth."""

_KEY_BYTES = 32
_HOW = "make one with `openssl rand -base64 32`"
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.+)")
"""A header as RFC 9110 has it."""


class SealingError(InputError):
    """A sealed text does not open: another fleet key, another owner, or it was damaged."""


_PREFIX = "siv1."
"""Begins what is sealed in this way."""


def generate_key() -> str:
    """Make a new key: 44 characters of URL-safe base64, 256 random bits."""
    return base64.urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)).decode("ascii")


class FleetKey:
    """Seals and unseals."""

    def __init__(self, keys: str) -> None:
        """Take keys with commas, spaces or lines between them, the newest first.

        Raises InputError, which names the position of a key that is none, never the key.
        """
        texts = keys.replace(",", " ").split()
        if not texts:
            raise InputError(f"fleet key: it is empty; {_HOW}")
        self._ciphers = [
            _cipher(text, position, len(texts)) for position, text in enumerate(texts, 1)
        ]

    def __repr__(self) -> str:
        return "FleetKey(***)"

    def __reduce__(self) -> str:
        raise TypeError("a fleet key is not to be written down")

    def seal(self, secret: str, bound_to: str) -> str:
        """Seal a text for what it belongs to; the same text each time."""
        sealed = self._ciphers[0].encrypt(secret.encode(), [bound_to.encode()])
        return _PREFIX + base64.urlsafe_b64encode(sealed).decode("ascii")

    def unseal(self, sealed: str, bound_to: str) -> str:
        """Open what was sealed for the same. Raises SealingError."""
        for cipher in self._ciphers:
            try:
                raw = base64.urlsafe_b64decode(sealed.removeprefix(_PREFIX))
                return cipher.decrypt(raw, [bound_to.encode()]).decode()
            except (InvalidTag, ValueError):
                continue
        raise SealingError(
            f"{bound_to}: its credentials do not open with this fleet key; give operator and "
            "workers the same one"
        )


def _cipher(text: str, position: int, count: int) -> AESSIV:
    try:
        key = base64.urlsafe_b64decode(text)
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        which = f" {position} of {count}" if count > 1 else ""
        raise InputError(
            f"fleet key{which}: not 32 bytes in URL-safe base64 but {len(text)} characters; {_HOW}"
        )
    # AES-SIV takes two AES keys of 256 bits.
    return AESSIV(HKDF(SHA256(), 64, None, b"streammonitor sealing 1").derive(key))


def load_key(environment: Mapping[str, str]) -> FleetKey | None:
    """The fleet key that the environment gives, as text or as the name of a file.

    None where there is neither. Raises InputError for a file that cannot be read.
    """
    text, name = environment.get(KEY_VARIABLE), environment.get(KEY_FILE_VARIABLE)
    if text and name:
        raise InputError(f"{KEY_VARIABLE} and {KEY_FILE_VARIABLE} are both set; keep one")
    if name:
        return read_key(Path(name))
    return FleetKey(text) if text else None


def read_key(path: Path) -> FleetKey:
    """Read a fleet key from a file. Raises InputError."""
    try:
        return FleetKey(path.read_text(encoding="ascii"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read, {error.strerror}; {_HOW}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a fleet key; {_HOW}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a source or an endpoint asks for. Empty texts: not that.

    `header` is a name and its value. `query` is added to every request's query, as written.
    """

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    header: tuple[str, str] = field(default=("", ""), repr=False)
    query: str = field(default="", repr=False)

    @classmethod
    def from_secret(cls, where: str, data: Mapping[str, str]) -> Self:
        """Read the data of a Kubernetes Secret, base64 as it is there.

        `where` names the Secret in errors. Raises InputError that says which key is wrong, never
        what it holds.
        """
        texts = {key: _decoded(where, key, data[key]) for key in SECRET_KEYS if key in data}
        if not any(texts.values()):
            there = f"it has {', '.join(sorted(data))}" if data else "it is empty"
            raise InputError(
                f"{where}: no credentials, {there}; set username and password, header, or query"
            )
        if ("username" in texts) != ("password" in texts):
            missing = "password" if "username" in texts else "username"
            raise InputError(f"{where}: no key {missing}; set username and password together")
        return cls(
            username=texts.get("username", ""),
            password=texts.get("password", ""),
            header=_header(where, texts.get("header", "")),
            query=_query(where, texts.get("query", "")),
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `as_json` wrote."""
        written = json.loads(text)
        name, value = written.get("header", ("", ""))
        return cls(**{**written, "header": (name, value)})

    def as_json(self) -> str:
        """The form that is sealed: in clear, for nobody else."""
        written = {
            "username": self.username,
            "password": self.password,
            "header": self.header if self.header[0] else None,
            "query": self.query,
        }
        return json.dumps({name: value for name, value in written.items() if value})


@dataclass(frozen=True, slots=True)
class TargetSecrets:
    """What is secret about a target of notifications. Empty: not needed."""

    url: str = field(default="", repr=False)
    """The whole address: its path or query is the token of many a chat's webhook."""
    signing_key: str = field(default="", repr=False)
    """Of the HMAC that signs events."""
    credentials: Credentials = field(default=Credentials(), repr=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `as_json` wrote."""
        written = json.loads(text)
        credentials = Credentials.from_json(json.dumps(written.get("credentials", {})))
        return cls(written.get("url", ""), written.get("signing_key", ""), credentials)

    def as_json(self) -> str:
        """The form that is sealed: in clear, for nobody else."""
        credentials = json.loads(self.credentials.as_json())
        written = {
            "url": self.url,
            "signing_key": self.signing_key,
            "credentials": credentials,
        }
        return json.dumps({name: value for name, value in written.items() if value})


def decode_secret(where: str, key: str, data: Mapping[str, str]) -> str:
    """One value of a Secret's data as text. Raises InputError that never holds it."""
    if key not in data:
        there = f"it has {', '.join(sorted(data))}" if data else "it is empty"
        raise InputError(f"{where}: no key {key}, {there}; add it, or name another key")
    text = _decoded(where, key, data[key])
    if not text:
        raise InputError(f"{where}: its key {key} is empty; set it")
    return text


def _decoded(where: str, key: str, value: str) -> str:
    """Without the line feed at the end that editors and `echo` leave."""
    try:
        text = base64.b64decode(value, validate=True).decode().rstrip("\r\n")
    except ValueError:
        raise InputError(f"{where}: its key {key} is not a text in UTF-8; set it anew") from None
    if any(ord(letter) < 0x20 or ord(letter) == 0x7F for letter in text):
        raise InputError(f"{where}: its key {key} holds control characters; set it anew")
    return text


def _header(where: str, text: str) -> tuple[str, str]:
    if not text:
        return "", ""
    found = _HEADER.fullmatch(text)
    if not found:
        raise InputError(
            f'{where}: its key header is not a header; write NAME: VALUE, such as "Authorization: '
            'Bearer …"'
        )
    return found[1], found[2].strip()


def _query(where: str, text: str) -> str:
    query = text.lstrip("?&")
    if text and (not query or "#" in query or " " in query):
        raise InputError(f'{where}: its key query is not a query; write it as "token=…"')
    return query
