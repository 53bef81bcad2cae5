"""`python -m streammonitor_worker.engine`: see `process`."""

from __future__ import annotations

import sys

from streammonitor_worker.engine.process import run_process

run_process(sys.argv[1:])
