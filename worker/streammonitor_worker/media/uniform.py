"""What a picture without a picture looks like: how much of it is black, how uniform it is.

Several detectors ask: a black or a uniform picture also stands still, and one cause shall not be
told twice. So there is one definition of each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streammonitor_worker.media.tiles import tile_means

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streammonitor_worker.media.picture import Picture, Plane

    U8 = NDArray[np.uint8]

BLACK_LEVEL, BLACK_SHARE = 0.10, 0.98
"""FFmpeg, libavfilter/vf_blackdetect.c: pixel_black_th and picture_black_ratio_th."""
FLAT_SPREAD = 6.0
"""Levels: see `detectors/video_flat.py`."""

_NEUTRAL = 128
_CLOSE = 0.02
"""From this distance below the share that matters every pixel is counted: thinning out by 16 is
off by less than 0.01 on text and graphics of 1080p, and lines of one pixel may escape it."""
_BAND_SAMPLES = 1 << 17
"""Samples that are compared at a time: more memory would be fetched from the system each time."""
_FAR = 0.35
"""Beyond this distance a 256th of the pixels of 1080p is enough: a grid may meet many of them."""
_MARGIN = 0.02
"""Share at each edge that is not asked to be uniform: lines of the blanking interval in digitised
analogue pictures, within what ITU-R BT.1379 allows to be hidden."""
_GLANCE_ROWS = 8
"""Every how many rows are looked at first: five rows of most pictures are not of one colour."""
_SMALLEST = 8
"""Samples a side up to which nothing can be spared."""
_NOISE_RANGE = 8.0
"""The range of samples counts an eighth of that of tiles: noise spreads six times as far over the
samples as over the means of 64 of them, a detail much farther."""


def black_share(picture: Picture, level: float, share: float) -> float:
    """Share of the pixels that are black, 0-1; exact where it is close to `share`.

    Black is luma of at most `level`, a share of the nominal range, and chroma that is no farther
    from neutral than the same share of its own: a field of blue has a luma of 7 %.
    """
    limit = int(picture.black + level * (picture.white - picture.black))
    found = _share_up_to(picture.probe, limit)
    if found < share - _FAR:
        return found
    found = _share_up_to(picture.small, limit)
    if picture.step > 1 and found > share - _CLOSE:
        # The largest sample that still counts when its lower bits are cut off.
        found = _share_up_to(picture.luma, ((limit + 1) << (picture.depth - 8)) - 1)
    if found < share or picture.chroma is None:
        return found
    return min(found, *(_neutral_share(plane, picture, level) for plane in thinned_chroma(picture)))


def _share_up_to(samples: Plane, limit: int) -> float:
    if samples.size <= _BAND_SAMPLES:
        return int(np.count_nonzero(samples <= limit)) / samples.size
    band = max(1, _BAND_SAMPLES // samples.shape[1])
    found = sum(
        np.count_nonzero(samples[top : top + band] <= limit) for top in range(0, len(samples), band)
    )
    return int(found) / samples.size


def _neutral_share(plane: U8, picture: Picture, level: float) -> float:
    reach = int(level * (256 if picture.full_range else 224))
    # Wraps around: what is below neutral becomes large.
    apart = plane - np.uint8(_NEUTRAL - reach)
    return int(np.count_nonzero(apart <= 2 * reach)) / plane.size


def spread(picture: Picture) -> float:
    """How far the picture is from being uniform, levels: the most of its three planes.

    Of each plane, the range of the means of tiles, or an eighth of the range of the samples if
    that is more.
    """
    inner = _inner(picture.probe)
    for glance in (inner[::_GLANCE_ROWS], inner):
        found = _range(np.ascontiguousarray(glance)) / _NOISE_RANGE
        if found > FLAT_SPREAD:
            return found
    planes = (picture.small, *thinned_chroma(picture))
    return max(_plane_spread(plane) for plane in planes)


def _plane_spread(plane: U8) -> float:
    inner = np.ascontiguousarray(_inner(plane))
    means = tile_means(inner)
    return max(float(means.max() - means.min()), _range(inner) / _NOISE_RANGE)


def _inner(plane: U8) -> U8:
    if min(plane.shape) <= _SMALLEST:
        return plane
    top, left = (int(_MARGIN * side) + 1 for side in plane.shape)
    return plane[top:-top, left:-left]


def _range(samples: U8) -> int:
    return int(samples.max()) - int(samples.min())


def thinned_chroma(picture: Picture) -> tuple[U8, ...]:
    """The colour planes, 8 bits, contiguous, thinned out as `small` is."""
    if picture.chroma is None:
        return ()
    step = picture.step
    return tuple(
        np.ascontiguousarray(picture.to_8_bits(plane[::step, ::step])) for plane in picture.chroma
    )
