"""`streammonitor demo`: a fleet on this machine, from its start over all that may happen to it.

Makes live streams with defects, applies StreamMonitors to two workers, and shows what is reported;
then adds a worker, kills one, and stops Redis for some seconds. Ends by itself in about 90 s with
what was injected beside what was reported. Needs no network and no cluster.
Exit code: 0 when everything was found once and nothing else, 1 otherwise, 2 for bad usage.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streammonitor_api.errors import InputError
from streammonitor_cli.interrupts import stopping
from streammonitor_cli.output import Output
from streammonitor_cli.process import INCIDENTS, NO_INCIDENT
from streammonitor_cli.wording import counted

if TYPE_CHECKING:
    from streammonitor_api.names import StreamKey, WorkerId
    from streammonitor_cli.demo_report import Row
    from streammonitor_cli.demo_streams import DemoStreams
    from streammonitor_cli.fleet_view import FleetView
    from streammonitor_cli.local.fleet import LocalFleet
    from streammonitor_cli.snapshot import Snapshot
    from streammonitor_worker.synth.truth import Truth

WORKERS = 2
WORKER_JOINS_S = 27.0
WORKER_DIES_S = 49.0
REDIS_STOPS_S = 62.0
REDIS_AWAY_S = 6.0
END_S = 82.0
"""Since the streams began."""
STARTED_WITHIN_S = 30.0
SETTLED_WITHIN_S = 30.0
"""Streams that are made on a busy machine are late, and so are the last reports of them."""
MOVED_WITHIN_S = 20.0
BACK_WITHIN_S = 12.0
"""How long is waited for what takes 5 s on a machine that is not busy."""
SENT_WITHIN_S, SETTLED_S = 8.0, 2.0
_LOOK_S = 0.1


def register(commands: Any) -> None:
    """Add the sub-command."""
    parser = commands.add_parser(
        "demo",
        help="see a fleet watch live streams, lose a worker and its Redis: 90 s",
        description="Makes live streams with defects on this machine and has a fleet of two "
        "workers watch them; adds a worker, kills one, stops Redis for some seconds, and compares "
        "what was reported with what was injected. Ends by itself in about 90 s.",
        epilog="Exit code: 0 all found once and nothing else, 1 otherwise, 2 usage.",
    )
    parser.add_argument("--seed", type=int, default=1, help="of the pictures and sounds")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; returns the exit code."""
    from streammonitor_cli.demo_streams import DemoStreams
    from streammonitor_cli.fleet_view import choose_view, operator_noted

    stop = threading.Event()
    output = Output(sys.stdout, stop)
    view = choose_view(output)
    with (
        stopping(stop),
        output.held(),
        operator_noted(view),
        tempfile.TemporaryDirectory(prefix="streammonitor-demo-") as folder,
    ):
        view.note(f"── a fleet of {WORKERS} workers, and live streams with defects")
        try:
            with _fleet(Path(folder), view) as fleet:
                show = Show(fleet, view, stop)
                show.await_workers()
                with DemoStreams(arguments.seed) as streams:
                    show.play(streams, Path(folder))
        except _StoppedError:
            return INCIDENTS
        except TimeoutError as error:
            raise InputError(f"demo: {error}; is this machine very busy?") from None
    output.check()
    return _report(show, output)


@contextmanager
def _fleet(folder: Path, view: FleetView) -> Iterator[LocalFleet]:
    """A fleet on an empty folder."""
    from streammonitor_api.names import FleetName
    from streammonitor_cli.local.fleet import FleetOptions, LocalFleet

    (folder / "monitors").mkdir()
    options = FleetOptions(
        folder=folder / "monitors",
        state=folder / "state",
        workers=WORKERS,
        name=FleetName("demo"),
    )
    fleet = LocalFleet(options, view.note)
    try:
        fleet.start()
        yield fleet
    finally:
        fleet.stop()


class Show:
    """The demo as it goes on: what is done when, and what came of it."""

    def __init__(self, fleet: LocalFleet, view: FleetView, stop: threading.Event) -> None:
        self._fleet = fleet
        self._view = view
        self._stop = stop
        self._began = 0.0
        self.truth: Mapping[StreamKey, Truth] = {}
        self.coverage: dict[StreamKey, tuple[float, list[str]]] = {}
        self.results: list[str] = []
        self.failures: list[str] = []
        self.watched = 0.0
        """From when on all streams were watched, Unix time."""

    @property
    def events(self) -> list[Any]:
        return [one.told.event for one in self._view.events]

    @property
    def snapshot(self) -> Snapshot | None:
        return self._view.snapshot

    def await_workers(self) -> None:
        """Until they can be given something: the streams' time begins after that."""
        reader = self._fleet.reader
        self._await(
            lambda: sum(one.beat.ready for one in reader.read_fleet().workers.values()) >= WORKERS,
            STARTED_WITHIN_S,
        )

    def play(self, streams: DemoStreams, folder: Path) -> None:
        """All of it, until the end or until told to stop."""
        from streammonitor_cli.demo_report import coverage_of
        from streammonitor_cli.demo_streams import resources

        self._began, self.truth = streams.began, streams.truth
        with self._view.following(self._fleet.reader):
            for name, text in resources(streams.urls).items():
                (folder / "monitors" / name).write_text(text, encoding="utf-8")
            self._step("applying news.yaml and sports.yaml")
            applied_ms = self._redis_ms()
            self._await(lambda: self.snapshot is not None and self.snapshot.all_watched, 20.0)
            self.watched = time.time()
            self._at(WORKER_JOINS_S)
            self._add_worker()
            self._at(WORKER_DIES_S)
            self._kill_worker()
            self._at(REDIS_STOPS_S)
            self._stop_redis()
            self._at(END_S)
            self._await(lambda: all(row.is_over for row in self.rows()), SETTLED_WITHIN_S)
            self.coverage = coverage_of(
                streams.urls, self._fleet.reader.read_gaps(), applied_ms, self._redis_ms()
            )

    def rows(self) -> list[Row]:
        """What was reported beside what was injected, as far as that was to be seen by now."""
        from streammonitor_cli.demo_report import compare

        until = self._began + END_S
        return compare(self.truth, self.events, since=self.watched, until=until)

    def _add_worker(self) -> None:
        from streammonitor_operator.coverage import SOURCE_UNAVAILABLE

        before = self._owners()
        new = self._fleet.add_worker()
        self._step(f"{new} joins: a few streams move to it while their old worker goes on")
        even = len(before) // len(self._fleet.pids)
        since_ms = self._redis_ms()
        self._await(lambda: self._count(new) >= even, MOVED_WITHIN_S)
        moved = [one for one, worker in self._owners().items() if before.get(one) != worker]
        gaps = [
            gap
            for gap in self._fleet.reader.read_gaps(since_ms)
            if gap.stream in moved and gap.from_ms >= since_ms and gap.reason != SOURCE_UNAVAILABLE
        ]
        self._conclude(
            f"{new} joined: {len(moved)} of {counted(len(before), 'stream')} moved, "
            f"{'none' if not gaps else len(gaps)} interrupted",
            is_good=0 < len(moved) < len(before) and not gaps,
        )

    def _kill_worker(self) -> None:
        from streammonitor_cli.snapshot import take_snapshot

        victim = self._victim()
        lost = {
            one.stream: one.epoch or 0
            for one in take_snapshot(self._fleet.reader).streams
            if one.worker == victim
        }
        open_before = {
            one.id for one in self._fleet.reader.read_open_incidents() if one.stream in lost
        }
        self._step(f"SIGKILL to {victim}: {counted(len(lost), 'stream')} without a worker")
        began = time.monotonic()
        self._fleet.kill_worker(victim)
        is_back = self._await(lambda: self._are_back(lost), BACK_WITHIN_S)
        took_s = time.monotonic() - began
        open_now = {one.id for one in self._fleet.reader.read_open_incidents()}
        closed = {one.incident.id for one in self.events if one.kind == "closed"}
        kept = open_before & (open_now | closed)
        self._conclude(
            f"{victim} was killed: its {counted(len(lost), 'stream')} watched again after "
            f"{took_s:.1f} s, {counted(len(kept), 'open incident')} taken over",
            is_good=is_back and kept == open_before,
        )

    def _stop_redis(self) -> None:
        redis = self._fleet.embedded
        if redis is None:
            return
        self._step(f"Redis stops for {REDIS_AWAY_S:g} s: workers go on and keep their events")
        gone = time.time()
        redis.stop()
        self._await(lambda: time.time() >= gone + REDIS_AWAY_S, REDIS_AWAY_S + 1)
        redis.start()
        back = time.time()
        self._step("Redis is back: workers send what they kept")
        self._await(lambda: self._told_between(gone, back) > 0, SENT_WITHIN_S)
        self._await(lambda: time.time() >= back + SETTLED_S, SETTLED_S + 1)
        told = self._told_between(gone, back)
        self._conclude(
            f"Redis was away for {back - gone:.0f} s: {counted(told, 'event')} of that time kept "
            "on disk and sent",
            is_good=told > 0,
        )

    def _told_between(self, since: float, until: float) -> int:
        """How many events were told in a time, by the workers' clocks."""
        times = (datetime.fromisoformat(one.time).timestamp() for one in self.events)
        return sum(since < time < until for time in times)

    def _victim(self) -> WorkerId:
        """The worker with the most open incidents: the most to take over."""
        counts: dict[WorkerId, tuple[int, int]] = dict.fromkeys(self._fleet.pids, (0, 0))
        for one in self.snapshot.streams if self.snapshot else ():
            if one.worker in counts:
                incidents, streams = counts[one.worker]
                counts[one.worker] = incidents + one.open_incidents, streams + 1
        return max(counts, key=lambda name: counts[name])

    def _owners(self) -> dict[StreamKey, WorkerId | None]:
        from streammonitor_cli.snapshot import take_snapshot

        return {one.stream: one.worker for one in take_snapshot(self._fleet.reader).streams}

    def _count(self, worker: WorkerId) -> int:
        return sum(owner == worker for owner in self._owners().values())

    def _are_back(self, epochs: dict[StreamKey, int]) -> bool:
        """Whether a newer owner watches each of them; epochs are those of the owners before."""
        from streammonitor_cli.snapshot import take_snapshot

        known = {one.stream: one for one in take_snapshot(self._fleet.reader).streams}
        return all(
            known[one].state == "watching" and (known[one].epoch or 0) > epoch
            for one, epoch in epochs.items()
        )

    def _redis_ms(self) -> int:
        return self._fleet.reader.read_fleet().redis_ms

    def _at(self, second: float) -> None:
        """Go on until so many seconds after the streams began."""
        due = self._began + second
        self._await(lambda: time.time() >= due, second)

    def _await(self, is_there: Callable[[], bool], longest_s: float) -> bool:
        """See to the fleet until something is so; whether it is."""
        until = time.monotonic() + longest_s
        while not self._stop.is_set():
            self._fleet.look()
            if is_there():
                return True
            if time.monotonic() > until:
                return False
            self._stop.wait(_LOOK_S)
        raise _StoppedError

    def _step(self, text: str) -> None:
        self._view.note(f"── {text}")

    def _conclude(self, text: str, *, is_good: bool) -> None:
        self.results.append(text)
        if not is_good:
            self.failures.append(text)
        self._view.note(f"   {text}")


class _StoppedError(Exception):
    """The user has ended the demo."""


def _report(show: Show, output: Output) -> int:
    """Write what was injected beside what was reported, and what happened."""
    from streammonitor_cli.demo_report import table
    from streammonitor_cli.fleet_drawing import percent

    rows = show.rows()
    output.write_line("")
    for line in table(rows):
        output.write_line(line)
    output.write_line("")
    for result in show.results:
        mark = "✗" if result in show.failures else "✓"
        output.write_line(f"{mark} {result}")
    for stream, (share, missed) in sorted(show.coverage.items()):
        why = ", ".join(missed)
        output.write_line(f"{'':7}{stream:<19}{percent(share):>9} covered  {why}".rstrip())
    shares = [share for share, _ in show.coverage.values()]
    verdicts = [row.verdict for row in rows]
    injected = len(verdicts) - verdicts.count("false alarm")
    output.write_line(
        f"\n{verdicts.count('found')} of {counted(injected, 'defect')} found, "
        f"{verdicts.count('doubled')} doubled, "
        f"{counted(verdicts.count('false alarm'), 'false alarm')}, "
        f"coverage {percent(sum(shares) / len(shares) if shares else None)}."
    )
    is_good = not show.failures and set(verdicts) == {"found"}
    return NO_INCIDENT if is_good else INCIDENTS
