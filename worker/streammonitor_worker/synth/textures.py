"""Still images that scenes are made of: colour bars, text, patterns, noise.

All are made once per scene and moved about by `scenes.py`; its places are in `landscapes.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streammonitor_worker.synth.canvas import BLACK, U8, Canvas, Colour

F32 = NDArray[np.float32]
Boolean = NDArray[np.bool_]

_SLOPE = 1.15
"""Natural images have amplitudes that fall with 1 / frequency (Field 1987); a little steeper
costs encoders less."""

_GLYPHS = {
    # 3 columns by 5 rows, a digit of the octal number a row, from the top.
    "0": 0o75557, "1": 0o26227, "2": 0o71747, "3": 0o71717, "4": 0o55711, "5": 0o74717,
    "6": 0o74757, "7": 0o71122, "8": 0o75757, "9": 0o75717, "A": 0o25755, "B": 0o65656,
    "C": 0o34443, "D": 0o65556, "E": 0o74647, "F": 0o74644, "G": 0o34553, "H": 0o55755,
    "I": 0o72227, "J": 0o11152, "K": 0o55655, "L": 0o44447, "M": 0o57755, "N": 0o65555,
    "O": 0o25552, "P": 0o65644, "R": 0o65655, "S": 0o34216, "T": 0o72222, "U": 0o55557,
    "V": 0o55552, "W": 0o55775, "Y": 0o55222, ":": 0o02020, " ": 0o00000,
}  # fmt: skip


def marble(height: int, width: int, rng: np.random.Generator) -> Canvas:
    """Paint a pattern with soft and hard edges everywhere, luma 40 to 212."""
    soft = clouds(height, width, rng)
    shapes = clouds(height, width, rng)
    light = 0.6 * soft + 0.4 * np.digitize(shapes, (0.35, 0.5, 0.62)) / 3
    light = (light - light.min()) / max(float(np.ptp(light)), 1e-6)
    half = ((height + 1) // 2, (width + 1) // 2)
    blue, red = (120 + 64 * (clouds(*half, rng) - 0.5) for _ in range(2))
    return Canvas(
        np.round(40 + 172 * light).astype(np.uint8),
        np.round(blue).astype(np.uint8),
        np.round(red).astype(np.uint8),
    )


def clouds(height: int, width: int, rng: np.random.Generator) -> F32:
    """Make noise with the spectrum of natural images, 0 to 1, periodic in both directions."""
    spectrum = np.fft.rfft2(rng.standard_normal((height, width), dtype=np.float32))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None] * height / width, np.fft.rfftfreq(width))
    frequency[0, 0] = np.inf
    noise: NDArray[np.floating[Any]] = np.fft.irfft2(
        spectrum / frequency**_SLOPE, s=(height, width)
    )
    low, high = np.percentile(noise[::4, ::4], (1, 99))
    scaled: F32 = np.clip((noise - low) / (high - low), 0, 1).astype(np.float32)
    return scaled


def grain_tile(height: int, width: int, deviation: float, rng: np.random.Generator) -> U8:
    """Make noise to be added to luma modulo 256; at most three deviations either way."""
    noise = rng.standard_normal((height, width), dtype=np.float32) * deviation
    limited = np.clip(np.round(noise), -3 * deviation, 3 * deviation).astype(np.int8)
    return limited.view(np.uint8)


def text_mask(text: str, scale: int) -> Boolean:
    """Write capital letters and figures, 3 by 5 cells of `scale` pixels each, spaced by one."""
    rows = np.zeros((5, 4 * len(text)), bool)
    for place, letter in enumerate(text):
        bits = _GLYPHS[letter]
        for row in range(5):
            for column in range(3):
                rows[row, 4 * place + column] = bits >> (14 - 3 * row - column) & 1
    return np.kron(rows, np.ones((scale, scale), bool)).astype(bool)


def disc_mask(size: int) -> Boolean:
    axis = np.arange(size) - (size - 1) / 2
    disc: Boolean = axis[:, None] ** 2 + axis**2 <= (size / 2) ** 2
    return disc


def colour_bars(height: int, width: int, kind: str) -> Canvas:
    """Paint colour bars: `ebu` (100/0/75/0, full height) or `smpte` (RP 219's ancestor EG 1)."""
    canvas = Canvas.filled(height, width)
    if kind == "ebu":
        bars = [(1.0, 1.0, 1.0), *_saturated(0.75)[1:], (0.0, 0.0, 0.0)]
        _paint_row(canvas, 0, height, [to_colour(*bar) for bar in bars])
        return canvas
    bars = _saturated(0.75)
    reverse = [bars[6], (0, 0, 0), bars[4], (0, 0, 0), bars[2], (0, 0, 0), bars[0]]
    first, second = height * 2 // 3, height * 3 // 4
    _paint_row(canvas, 0, first, [to_colour(*bar) for bar in bars])
    _paint_row(canvas, first, second, [to_colour(*bar) for bar in reverse])
    in_phase, quadrature = (72, 147, 103), (44, 170, 147)  # EG 1's -I and +Q
    pluge = [in_phase, (235, 128, 128), quadrature, BLACK]
    _paint_row(canvas, second, height, pluge, right=width * 5 // 7)
    _paint_row(canvas, second, height, [(12, 128, 128), BLACK, (20, 128, 128)],
               left=width * 5 // 7, right=width * 6 // 7)  # fmt: skip
    return canvas


def _saturated(level: float) -> list[tuple[float, float, float]]:
    """White, yellow, cyan, green, magenta, red, blue: falling luma."""
    on = ((1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 1))
    return [(level * red, level * green, level * blue) for red, green, blue in on]


def to_colour(red: float, green: float, blue: float) -> Colour:
    """Convert from RGB, 0 to 1, by ITU-R BT.601, which bars of test generators mostly use."""
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return (
        round(16 + 219 * luma),
        round(128 + 224 * (blue - luma) / 1.772),
        round(128 + 224 * (red - luma) / 1.402),
    )


def _paint_row(
    canvas: Canvas,
    top: int,
    bottom: int,
    colours: list[Colour],
    *,
    left: int = 0,
    right: int | None = None,
) -> None:
    span = (canvas.width if right is None else right) - left
    edges = [left + round(span * n / len(colours) / 2) * 2 for n in range(len(colours) + 1)]
    for start, end, colour in zip(edges, edges[1:], colours, strict=False):
        canvas.paint(top, start, bottom - top, end - start, colour)
    if edges[-1] >= canvas.width - 1:
        canvas.paint(top, edges[-2], bottom - top, canvas.width - edges[-2] + 1, colours[-1])
