"""Segments are decrypted as they were encrypted, in pieces of any size."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streammonitor_api.errors import SourceError
from streammonitor_worker.source.hls.decryption import Decryption, check_method, vector_of
from streammonitor_worker.source.hls.playlist import Key
from streammonitor_worker.source.lost import LostError

ciphers = pytest.importorskip("cryptography.hazmat.primitives.ciphers")
KEY, VECTOR = bytes(range(16)), bytes(range(16, 32))


def encrypted(plain: bytes) -> bytes:
    padding = 16 - len(plain) % 16
    encryptor = ciphers.Cipher(ciphers.algorithms.AES(KEY), ciphers.modes.CBC(VECTOR)).encryptor()
    return bytes(encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize())


@given(st.integers(0, 400), st.integers(0, 2**32))
def test_segment_is_decrypted_piece_by_piece(length: int, seed: int) -> None:
    chance = random.Random(seed)
    plain = chance.randbytes(length)
    data, found = encrypted(plain), b""
    decryption = Decryption(KEY, VECTOR, "key")

    while data:
        size = chance.randrange(1, 100)
        found += decryption.update(data[:size])
        data = data[size:]

    assert found + decryption.finish() == plain


def test_segment_that_was_cut_off_keeps_what_there_is() -> None:
    plain = bytes(range(1, 161))
    decryption = Decryption(KEY, VECTOR, "key")

    found = decryption.update(encrypted(plain)[:100]) + decryption.finish()

    assert found == plain[:96]


def test_vector_is_the_number_of_the_segment_unless_given() -> None:
    assert vector_of(Key("AES-128", "k", None), 258) == bytes(14) + b"\x01\x02"
    assert vector_of(Key("AES-128", "k", VECTOR), 258) == VECTOR


@pytest.mark.parametrize("length", [0, 15, 17, 32])
def test_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(LostError, match=f"the key has {length} bytes"):
        Decryption(bytes(length), VECTOR, "key")


def test_other_methods_are_refused_for_good() -> None:
    with pytest.raises(SourceError, match="SAMPLE-AES") as caught:
        check_method(Key("SAMPLE-AES", "k", None), "somewhere")

    assert caught.value.permanent
