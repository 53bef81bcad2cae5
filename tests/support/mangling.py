"""Makes files that no honest encoder writes, for tests of what must survive them.

Every seed gives one way of spoiling, applied to any file: bits flipped, the end cut off, pieces
lost, doubled, swapped, zeroed or replaced by noise, lengths made absurd.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_Way = Callable[[bytearray, np.random.Generator], bytearray]


def mangle(data: bytes, seed: int) -> bytes:
    """Spoil a file's bytes in the way of that seed; the result differs from `data`, which must
    have at least 64 bytes."""
    if len(data) < _SMALLEST:
        raise ValueError(f"{len(data)} bytes are too few to be spoilt; give {_SMALLEST}")
    rng = np.random.default_rng(seed)
    way = WAYS[seed % len(WAYS)]
    while (spoilt := bytes(way(bytearray(data), rng))) == data:
        pass  # noise can hit upon the bytes that were there; the next is another
    return spoilt


def _flip_bits(data: bytearray, rng: np.random.Generator) -> bytearray:
    """One bit in a thousand to one in a million, at least one."""
    count = max(1, int(len(data) * 8 * 10 ** rng.uniform(-6, -3)))
    for place in rng.integers(0, len(data) * 8, count):
        data[place // 8] ^= 1 << int(place) % 8
    return data


def _flip_head_bits(data: bytearray, rng: np.random.Generator) -> bytearray:
    """In the first kilobyte, where formats, sizes and tables are."""
    head = min(len(data), 1024)
    for place in rng.integers(0, head * 8, int(rng.integers(1, 17))):
        data[place // 8] ^= 1 << int(place) % 8
    return data


def _truncate(data: bytearray, rng: np.random.Generator) -> bytearray:
    return data[: int(rng.integers(0, len(data)))]


def _behead(data: bytearray, rng: np.random.Generator) -> bytearray:
    return data[int(rng.integers(1, len(data))) :]


def _piece(data: bytearray, rng: np.random.Generator) -> slice:
    size = int(rng.integers(1, max(2, len(data) // 4)))
    start = int(rng.integers(0, len(data) - size + 1))
    return slice(start, start + size)


def _lose_piece(data: bytearray, rng: np.random.Generator) -> bytearray:
    del data[_piece(data, rng)]
    return data


def _double_piece(data: bytearray, rng: np.random.Generator) -> bytearray:
    piece = _piece(data, rng)
    data[piece.stop : piece.stop] = data[piece]
    return data


def _swap_pieces(data: bytearray, rng: np.random.Generator) -> bytearray:
    cut = int(rng.integers(1, len(data)))
    return data[cut:] + data[:cut]


def _zero_piece(data: bytearray, rng: np.random.Generator) -> bytearray:
    piece = _piece(data, rng)
    data[piece] = bytes(piece.stop - piece.start)
    return data


def _noise_piece(data: bytearray, rng: np.random.Generator) -> bytearray:
    piece = _piece(data, rng)
    data[piece] = rng.bytes(piece.stop - piece.start)
    return data


def _absurd_number(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Four bytes of the head, a length or a size with luck, become the largest number."""
    start = int(rng.integers(0, min(len(data), 4096) - 4))
    data[start : start + 4] = b"\x7f\xff\xff\xff"
    return data


WAYS: tuple[_Way, ...] = (
    _flip_bits,
    _flip_head_bits,
    _truncate,
    _behead,
    _lose_piece,
    _double_piece,
    _swap_pieces,
    _zero_piece,
    _noise_piece,
    _absurd_number,
)

_SMALLEST = 64
