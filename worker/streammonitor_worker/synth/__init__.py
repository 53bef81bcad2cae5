"""Makes test streams: files or live streams, with defects at known times.

Tests, benchmarks, the demo and `streammonitor generate` use it; the product that watches streams
does not. `Recipe` says what to make, `write_clip` makes it and returns the `Truth`; `live.py`
broadcasts it instead. `damage.py` spoils finished streams as networks do, `visible.py` says what is
seen of that, `hostile.py` makes files that are no streams any more. Only `score.py` knows what
watchers report.
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
