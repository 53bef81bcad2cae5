"""Runs the simulation from seeds, and replays one that failed.

python -m tests.support.fleet_sim --seed 43 --dense              one seed of the short runs
python -m tests.support.fleet_sim --seed 43 --dense --trace s39  … all lines about a stream
python -m tests.support.fleet_sim --seed 43 --dense --real       … on a real redis-server
python -m tests.support.fleet_sim --seed 43 --older              a Redis that comes back older
python -m tests.support.fleet_sim --seed 43 --losses             one that loses its data often
python -m tests.support.fleet_sim --stream-hours 1000000     seeds from 0 until that is reached
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import Counter
from collections.abc import Callable

from tests.support.fleet_sim.fleet import (
    DENSE,
    LONG,
    LOSSES,
    OLDER,
    Simulation,
)
from tests.support.fleet_sim.ledger import ViolationError

SHAPES = {"dense": DENSE, "older": OLDER, "losses": LOSSES}
"""By their options."""


def main() -> int:
    """Returns 1 when an invariant broke."""
    parser = argparse.ArgumentParser(prog="fleet_sim", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="which one, or which is the first")
    parser.add_argument("--stream-hours", type=float, help="go on with further seeds until then")
    parser.add_argument("--dense", action="store_true", help="a short run with faults all the time")
    parser.add_argument("--older", action="store_true", help="a Redis that loses its last seconds")
    parser.add_argument("--losses", action="store_true", help="a Redis that loses all, and deaths")
    parser.add_argument("--real", action="store_true", help="on a real redis-server: slow")
    parser.add_argument("--trace", nargs="?", const="", help="print every line that contains this")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    wanted = [shape for name, shape in SHAPES.items() if getattr(arguments, name)]
    shape = wanted[0] if wanted else LONG
    total, faults, seed, began = 0.0, Counter[str](), arguments.seed, time.process_time()
    while True:
        simulation = Simulation(seed, shape, real=arguments.real, echo=_echo(arguments.trace))
        try:
            result = simulation.run()
        except ViolationError as violation:
            _print_end(simulation, violation, arguments.trace)
            return 1
        total += result.stream_hours
        faults.update(result.faults)
        _say(
            f"seed {seed}: {result.stream_hours:,.0f} stream-hours, "
            f"{sum(result.faults.values())} faults, {result.tally['incidents']} incidents of "
            f"{result.tally['defects']} defects, watched again after at most "
            f"{max(result.back_s, default=0.0):.1f} s"
        )
        if total >= (arguments.stream_hours or 0.0):
            break
        seed += 1
    _say(f"{total:,.0f} stream-hours in {time.process_time() - began:.0f} s of CPU; faults:")
    for name, count in sorted(faults.items()):
        _say(f"  {count:6d}  {name}")
    return 0


def _echo(wanted: str | None) -> Callable[[str], None] | None:
    if wanted is None:
        return None

    def echo(line: str) -> None:
        if wanted in line:
            _say(line)

    return echo


def _print_end(simulation: Simulation, violation: ViolationError, trace: str | None) -> None:
    if trace is None:
        for line in simulation.trace.last():
            _say(line)
    _say(f"\n{violation}\n")
    shape = "".join(f" --{name}" for name, one in SHAPES.items() if one == simulation.shape)
    _say(f"Again: python -m tests.support.fleet_sim --seed {simulation.seed}{shape} --trace STREAM")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
