"""FFmpeg's own filters, run on decoded sound: a second opinion for tests of detectors."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np

from tests.support.hearing import Clip

_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1(side)"}


def filter_metadata(clip: Clip, name: str, arguments: str) -> list[dict[str, str]]:
    """What a filter of FFmpeg writes into each frame of 100 ms."""
    layout = _LAYOUTS[len(clip.channels)]
    graph = av.filter.Graph()
    source = graph.add_abuffer(
        format="fltp", sample_rate=clip.rate, layout=layout, time_base=Fraction(1, clip.rate)
    )
    judge, sink = graph.add(name, arguments), graph.add("abuffersink")
    source.link_to(judge)
    judge.link_to(sink)
    graph.configure()
    told, size = [], clip.rate // 10
    for first in range(0, clip.samples.shape[1], size):
        block = np.ascontiguousarray(clip.samples[:, first : first + size])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
        frame.sample_rate, frame.pts = clip.rate, first
        frame.time_base = Fraction(1, clip.rate)
        graph.push(frame)
        told += _pulled(graph)
    graph.push(None)
    return told + _pulled(graph)


def _pulled(graph: av.filter.Graph) -> list[dict[str, str]]:
    frames = []
    while True:
        try:
            frames.append(dict(graph.pull().metadata))
        except (av.error.BlockingIOError, av.error.EOFError):
            return frames
