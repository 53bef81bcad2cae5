"""Loudness after ITU-R BS.1770-4 and EBU R 128, of a stream that never ends.

The K-weighting is the standard's own filter, applied exactly: two second-order sections, at 48 kHz
with the coefficients of its tables 1 and 2, at other rates with those that the bilinear transform
makes of them. Numpy has no recursive filter, so samples are taken in rows: within a row the
output is a product of matrices, and only the filter's state goes from row to row.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F32 = NDArray[np.float32]
    F64 = NDArray[np.float64]

_TABLE_RATE = 48000
_SHELF = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285),
    (1.0, -1.69065929318241, 0.73248077421585),
)
_HIGH_PASS = (1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621)
"""Numerator and denominator of the standard's tables 1 and 2, at 48 kHz."""
_SHELF_HZ, _HIGH_PASS_HZ = 1682.0, 38.1
"""Where the sections act, from their poles: there the transform keeps their frequency."""
_HIGHEST_SHARE = 0.45
"""Of the rate, at most, for these: below 3,738 samples a second the shelf has no place."""

_WEIGHTS = {"SL": 1.41, "SR": 1.41, "BL": 1.41, "BR": 1.41, "LFE": 0.0, "LFE2": 0.0}
"""The standard's table 3, where surround channels stand at 100 to 120 degrees; 1 for all others."""

_OFFSET_LUFS = -0.691
ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE = 0.1
"""-10 LU."""
GATING_S = 0.4
"""Length of a gating block; they overlap by three quarters."""

_ROW = 48
"""Samples a row: with more, the matrix costs more; with fewer, there are more states to follow.
Measured at 48 kHz: 24, 48 and 96 cost 49, 46 and 53 microseconds a block of 100 ms stereo."""
_NEGLIGIBLE = 1e-9


def channel_weights(channels: tuple[str, ...]) -> F64:
    """How much each channel's power counts: (channels,)."""
    return np.array([_WEIGHTS.get(name, 1.0) for name in channels])


def lufs(power: float) -> float:
    """Loudness of a weighted mean square; -inf for 0."""
    return _OFFSET_LUFS + 10 * float(np.log10(power)) if power > 0 else float("-inf")


def decibels(powers: NDArray[np.floating[Any]]) -> F64:
    """10 log10 of powers, which may be 0: these are at -200 dB."""
    return np.asarray(10 * np.log10(np.maximum(powers, 1e-20, dtype=np.float64)))


def power_of(loudness_lufs: float) -> float:
    """The weighted mean square that has this loudness."""
    return float(10 ** ((loudness_lufs - _OFFSET_LUFS) / 10))


def gated(powers: F64) -> tuple[float, int]:
    """Power of gating blocks (blocks,) above both gates, and how many these are; 0, 0 for none."""
    loud = powers[powers > power_of(ABSOLUTE_GATE_LUFS)]
    if loud.size:
        loud = loud[loud > _RELATIVE_GATE * loud.mean()]
    return (float(loud.mean()), int(loud.size)) if loud.size else (0.0, 0)


class KWeighting:
    """Filters one track, block after block. `rate`: samples per second."""

    def __init__(self, rate: int, channels: int) -> None:
        self._matrices = _matrices(rate)
        self._channels = channels
        self.reset()

    def reset(self) -> None:
        """Begin anew: sound is missing before the next block."""
        self._state: F64 = np.zeros((self._channels, 4))

    def filter(self, samples: F32) -> F32:
        """Weight the next samples: (channels, count), float32, any count."""
        channels, count = samples.shape
        rows = -(-count // _ROW)
        rest = rows * _ROW - count
        if rest:
            padded = np.zeros((channels, rows * _ROW), np.float32)
            padded[:, :count] = samples
            samples = padded
        blocks = samples.reshape(channels, rows, _ROW)
        within, observed, reached = self._matrices.row
        states = np.empty((channels, rows + 1, 4))
        states[:, 0] = self._state
        np.matmul(blocks, reached, out=states[:, 1:])
        self._follow(states)
        filtered: F32 = blocks @ within
        filtered += states[:, :-1].astype(np.float32) @ observed
        self._state = self._last_state(states, blocks, _ROW - rest)
        return filtered.reshape(channels, rows * _ROW)[:, :count]

    def _follow(self, states: F64) -> None:
        """Add to each row's own contribution what the rows before left behind.

        In steps that double: after the first, a row knows the one before, then three, then seven.
        """
        step = 1
        for transition in self._matrices.transitions:
            if step >= states.shape[1]:
                return
            states[:, step:] += states[:, :-step] @ transition
            step *= 2

    def _last_state(self, states: F64, blocks: F32, filled: int) -> F64:
        """State after the `filled` samples of the last row."""
        if filled == _ROW:
            return states[:, -1].copy()
        transition = self._matrices.powers[filled]
        reached = self._matrices.row[2][_ROW - filled :]
        last: F64 = states[:, -2] @ transition + blocks[:, -1, :filled] @ reached
        return last


class _Matrices:
    """What the filter does to a row of samples and to its state, at one rate.

    Vectors are rows, so that matrices stand on their right. What makes and keeps the state is of
    double precision: with poles so close to 1, single lets bass through (0.1 dB at 25 Hz, 96 kHz).
    """

    def __init__(self, rate: int) -> None:
        state, entry, exit_, direct = _state_space(rate)
        powers = [np.eye(4)]
        for _ in range(_ROW):
            powers.append(powers[-1] @ state)
        response = [direct] + [float(exit_ @ powers[k] @ entry) for k in range(_ROW - 1)]
        within = np.zeros((_ROW, _ROW))
        for delay, value in enumerate(response):
            within += np.diag([value] * (_ROW - delay), k=delay)
        observed = np.array([exit_ @ powers[k] for k in range(_ROW)]).T
        reached = np.array([powers[_ROW - 1 - k] @ entry for k in range(_ROW)])
        self.row = _single(within), _single(observed), reached
        """Samples to output, state to output, samples to state."""
        self.powers = [power.T for power in powers]
        """What remains of a state after that many samples."""
        self.transitions = []
        """What remains of it after 1, 2, 4, … rows, until that is nothing."""
        transition = powers[_ROW]
        while np.abs(transition).max() > _NEGLIGIBLE:
            self.transitions.append(transition.T.copy())
            transition = transition @ transition


@lru_cache(maxsize=16)  # as many rates as there are in use; 20 kB each
def _matrices(rate: int) -> _Matrices:
    return _Matrices(rate)


def _single(matrix: F64) -> F32:
    return np.ascontiguousarray(matrix, np.float32)


def _state_space(rate: int) -> tuple[F64, F64, F64, float]:
    """Both sections in a row as state' = A state + B x, y = C state + D x (transposed direct
    form II): A (4, 4), B (4,), C (4,), D."""
    first, entry_1, direct_1 = _section(*_at_rate(*_SHELF, _SHELF_HZ, rate))
    second, entry_2, direct_2 = _section(*_at_rate(*_HIGH_PASS, _HIGH_PASS_HZ, rate))
    state = np.zeros((4, 4))
    state[:2, :2], state[2:, 2:] = first, second
    state[2:, 0] = entry_2  # the first section's output is its first state, plus the direct part
    entry = np.concatenate((entry_1, entry_2 * direct_1))
    exit_ = np.array([direct_2, 0.0, 1.0, 0.0])
    return state, entry, exit_, direct_1 * direct_2


def _section(b: F64, a: F64) -> tuple[F64, F64, float]:
    state = np.array([[-a[1], 1.0], [-a[2], 0.0]])
    return state, b[1:] - a[1:] * b[0], float(b[0])


def _at_rate(
    b: tuple[float, ...], a: tuple[float, ...], frequency_hz: float, rate: int
) -> tuple[F64, F64]:
    """A section that does at `rate` what it does at 48 kHz: back to the analogue, and forward."""
    if rate == _TABLE_RATE:
        return np.array(b), np.array(a)
    there = np.tan(np.pi * frequency_hz / _TABLE_RATE)
    here = np.tan(np.pi * min(frequency_hz / rate, _HIGHEST_SHARE))
    # The polynomial in z^-1 at 48 kHz, as one in s with s = (1 - z^-1) / (1 + z^-1), then in s
    # scaled by there / here, then in z^-1 again: the same map both ways, up to a factor of 4.
    turn = np.array([[1.0, 1.0, 1.0], [2.0, 0.0, -2.0], [1.0, -1.0, 1.0]])
    change = turn @ np.diag((there / here) ** np.arange(3)) @ turn
    numerator, denominator = change @ np.array(b), change @ np.array(a)
    return numerator / denominator[0], denominator / denominator[0]
