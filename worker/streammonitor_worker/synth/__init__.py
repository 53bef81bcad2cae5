"""Makes test streams: files or live streams, with defects at known times.

Tests, benchmarks, the demo and `streammonitor generate` use it; the product that watches streams
does not. `Recipe` says what to make, `write_clip` makes it and returns the `Truth`; `live.py`
broadcasts it instead. Only `score.py` knows what watchers report.
"""

from streammonitor_worker.synth.clip import write_clip
from streammonitor_worker.synth.recipe import Injection, Recipe, parse_injection
from streammonitor_worker.synth.truth import Defect, Truth, read_truth

__all__ = [
    "Defect",
    "Injection",
    "Recipe",
    "Truth",
    "parse_injection",
    "read_truth",
    "write_clip",
]
