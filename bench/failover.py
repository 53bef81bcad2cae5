"""How long streams are unwatched when a worker is killed, and when they are moved on purpose.

    python bench/failover.py [--kills 100] [--moves 100] [--streams 6] [--workers 3] [--seed 1]

Real workers (processes), a real Redis, the real operator loop, live HLS streams made here, all on
this machine. Each stream goes black for 3 s now and then; what is told of that is compared with
what was broadcast. Counted are streams, not workers: each kill is one sample a stream it hit.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from pathlib import Path

from streammonitor_api.fleet.operator_store import OperatorStore
from streammonitor_api.fleet.reader_store import ReaderStore
from streammonitor_api.fleet.records import StreamSpec
from streammonitor_api.incident import wall_time
from streammonitor_api.names import FleetName, StreamKey, WorkerId, stream_key
from streammonitor_api.plan import resolve_plan
from streammonitor_operator.inventory import Inventory, Monitor, monitor_of
from streammonitor_operator.reconcile import Reconciler
from streammonitor_worker.synth import Recipe, parse_injection
from streammonitor_worker.synth.live import LiveStream
from tests.support.redis_server import RedisServer, any_binary, running

FLEET = FleetName("bench")
PLAN = resolve_plan(only=["video-black", "stream-unavailable", "stream-stall"])
OVERLAP_S = 5.0
"""The longest alarm duration of these detectors."""
BLACK_EACH_S, BLACK_S = 15, 3
SOURCE_TIME = "source_time_s"
MARGIN_S = 45.0
"""What was broadcast this close to the beginning or end is not judged: it may come late."""
POLL_S = 0.02
HALF_HOUR_S = 1800


@dataclass
class Sample:
    """One stream that changed its owner."""

    stream: StreamKey
    from_worker: WorkerId
    began: float
    """Wall clock: when the worker was killed, or told to drain."""
    to_worker: WorkerId | None = None
    assigned: float | None = None
    """When the operator had given it to another."""
    claimed: float | None = None
    first_media: float | None = None
    old_last_seen: float = 0.0


@dataclass
class Fleet:
    """Everything that runs."""

    redis: RedisServer
    folder: Path
    specs: Sequence[StreamSpec]
    reader: ReaderStore
    store: OperatorStore
    workers: dict[WorkerId, subprocess.Popen[bytes]] = field(default_factory=dict)
    started: int = 0

    def start_worker(self) -> WorkerId:
        self.started += 1
        name = WorkerId(f"worker-{self.started}")
        command = [
            *(sys.executable, "-m", "streammonitor_cli.main", "worker"),
            *("--redis", self.redis.url, "--fleet", FLEET, "--worker-id", name),
            *("--engines", "1", "--capacity", "2"),
        ]
        with (self.folder / "workers.log").open("ab") as log:
            self.workers[name] = subprocess.Popen(command, stdout=log, stderr=log)
        return name

    def owners(self) -> dict[StreamKey, tuple[WorkerId | None, float]]:
        """Who holds each stream, since when (seconds since 1970)."""
        claims = self.store.read_claims()
        return {one: (claim.worker, claim.claimed_ms / 1000) for one, claim in claims.items()}

    def await_calm(self, within_s: float = 60.0) -> None:
        """Until every stream is watched by a worker that runs."""
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            tables = self.reader.read_fleet().tables
            watched = {
                row.stream
                for worker in self.workers
                if worker in tables
                for row in tables[worker].rows
                if row.claimed and row.state == "watching"
            }
            moving = sum(len(tables[one].rows) for one in self.workers if one in tables)
            if len(watched) == len(self.specs) == moving:
                return
            time.sleep(0.1)
        raise SystemExit(f"not calm after {within_s:.0f} s; see {self.folder}")


def kill_one(fleet: Fleet, chance: random.Random) -> list[Sample]:
    """Kill a worker and see its streams come back."""
    owners = fleet.owners()
    worker = chance.choice(sorted({w for w, _ in owners.values() if w in fleet.workers}))
    time.sleep(chance.random())  # at any moment between two heartbeats
    process = fleet.workers.pop(worker)
    process.send_signal(signal.SIGKILL)
    killed = time.time()
    process.wait()
    samples = [Sample(one, worker, killed) for one, (w, _) in owners.items() if w == worker]
    follow(fleet, samples)
    fleet.start_worker()
    return samples


def drain_one(fleet: Fleet, chance: random.Random) -> list[Sample]:
    """Have a worker drained, after another was started in its place."""
    fleet.start_worker()
    owners = fleet.owners()
    worker = chance.choice(sorted({w for w, _ in owners.values() if w in fleet.workers}))
    fleet.workers[worker].send_signal(signal.SIGTERM)
    began = time.time()
    samples = [Sample(one, worker, began) for one, (w, _) in owners.items() if w == worker]
    follow(fleet, samples, within_s=90.0)
    process = fleet.workers.pop(worker)
    if process.wait(30) != 0:
        raise SystemExit(f"{worker}: drained with exit code {process.returncode}")
    return samples


def follow(fleet: Fleet, samples: list[Sample], within_s: float = 30.0) -> None:
    """Until each stream has another owner that has decoded it."""
    until = time.monotonic() + within_s
    while any(one.first_media is None or one.claimed is None for one in samples):
        if time.monotonic() > until:
            raise SystemExit(f"not taken over in {within_s:.0f} s: {samples}")
        given = fleet.store.read_assignments()
        owners = fleet.owners()
        tables = fleet.reader.read_fleet().tables
        for one in samples:
            others = (some.by_stream for name, some in given.items() if name != one.from_worker)
            if one.assigned is None and any(one.stream in streams for streams in others):
                one.assigned = time.time()
            look_at(one, owners, {w: {r.stream: r for r in t.rows} for w, t in tables.items()})
        time.sleep(POLL_S)


def look_at(one: Sample, owners: dict, tables: dict) -> None:  # type: ignore[type-arg]
    old = tables.get(one.from_worker, {}).get(one.stream)
    if old is not None and old.state == "watching":
        one.old_last_seen = time.time()
    owner, claimed = owners[one.stream]
    if one.claimed is None and owner not in (None, one.from_worker):
        one.to_worker, one.claimed = owner, claimed
    for worker, rows in tables.items():
        row = rows.get(one.stream)
        if worker == one.from_worker or row is None or row.last_picture_wall is None:
            continue
        first = datetime.fromisoformat(row.last_picture_wall).timestamp()
        if one.first_media is None and first > one.began:
            one.first_media = first


def operate(inventory: Inventory, redis: RedisServer, stop: threading.Event) -> None:
    scripts = redis.scripts()
    loop = Reconciler(
        inventory,
        OperatorStore(scripts, FLEET),
        ReaderStore(scripts, FLEET),
        identity="bench",
        name="bench",
    )
    while not stop.is_set():
        stop.wait(loop.step(time.time()).again_s)


@contextmanager
def a_fleet(streams: int, workers: int, seed: int, folder: Path) -> Iterator[tuple[Fleet, list]]:  # type: ignore[type-arg]
    with ExitStack() as stack:
        redis = stack.enter_context(running(any_binary(), folder))
        lives = [stack.enter_context(broadcast(seed + n)) for n in range(min(3, streams))]
        truths = [live.wait_until_playable(60) for live in lives]
        specs = [
            StreamSpec(
                stream=stream_key("bench", "streams", f"s{number}"),
                url=lives[number % len(lives)].url,
                detectors=tuple(PLAN.values()),
                overlap_s=OVERLAP_S,
            )
            for number in range(streams)
        ]
        inventory, stop = Inventory(), threading.Event()
        inventory.put_monitor(Monitor(monitor_of(specs[0].stream), 1, tuple(specs)))
        inventory.complete()
        scripts = redis.scripts()
        fleet = Fleet(
            redis, folder, specs, ReaderStore(scripts, FLEET), OperatorStore(scripts, FLEET)
        )
        thread = threading.Thread(target=operate, args=(inventory, redis, stop), daemon=True)
        for _ in range(workers):
            fleet.start_worker()
        thread.start()
        try:
            yield fleet, [truths[number % len(truths)] for number in range(streams)]
        finally:
            stop.set()
            thread.join()
            for process in fleet.workers.values():
                process.kill()
                process.wait()


def broadcast(seed: int) -> LiveStream:
    blacks = range(5 + seed % 7, HALF_HOUR_S, BLACK_EACH_S)
    recipe = Recipe(
        duration_s=HALF_HOUR_S,
        width=160,
        height=90,
        fps=Fraction(10),
        gop_s=1.0,
        seed=seed,
        injections=[parse_injection(f"video-black@{at}+{BLACK_S}") for at in blacks],
    )
    return LiveStream(recipe, segment_s=1.0)


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def report(what: str, values: Sequence[float], target: str) -> None:
    print(
        f"{what:<48} n={len(values):<4} p50 {statistics.median(values):5.2f}  "
        f"p99 {percentile(values, 0.99):5.2f}  max {max(values):5.2f} s   {target}",
        flush=True,
    )


def judge(
    fleet: Fleet,
    truths: list,  # type: ignore[type-arg]
    since: float,
    until: float,
    samples: Sequence[Sample],
) -> Counter[str]:
    """Compare what was told with what was broadcast between two moments; of a defect that nobody
    watched for a part, as its stream changed its owner then, it is counted apart."""
    result: Counter[str] = Counter()
    with (fleet.folder / "events.jsonl").open("w") as kept:
        kept.writelines(f"{one.as_json()}\n" for one in fleet.reader.read_events(merged=True))
    told: dict[str, list] = {one.stream: [] for one in fleet.specs}  # type: ignore[type-arg]
    kinds: Counter[tuple[str, str]] = Counter()
    for one in fleet.reader.read_events():
        incident = one.told.event.incident
        kinds[incident.id, one.told.event.kind] += 1
        if one.told.event.kind == "opened" and incident.detector == "video-black":
            told[one.told.stream].append((incident.evidence[SOURCE_TIME], incident.id))
        elif one.told.event.kind == "opened":
            onset = datetime.fromisoformat(incident.onset.wall).timestamp()
            result[f"other: {incident.detector}"] += since < onset < until
    result["events told twice"] = sum(n - 1 for (_, kind), n in kinds.items() if kind != "updated")
    for spec, truth in zip(fleet.specs, truths, strict=True):
        for defect in truth.defects:
            onset = truth.started_at + defect.onset_s
            if not since + MARGIN_S < onset < until - MARGIN_S:
                continue
            # By the stream's own time: a busy machine broadcasts late.
            near = [i for at, i in told[spec.stream] if abs(at - defect.onset_s) < 1]
            in_gap = any(
                one.stream == spec.stream
                and onset < (one.first_media or one.began)
                and one.began < onset + BLACK_S
                for one in samples
            )
            result["defects"] += 1
            result["lost"] += not near
            result["in a gap"] += in_gap
            result["in a gap and lost"] += in_gap and not near
            if len(near) != 1:
                print(f"  {spec.stream}: black at {wall_time(onset)}: {near}", file=sys.stderr)
            result["doubled"] += len(near) > 1
            result["never closed"] += any(not kinds[i, "closed"] for i in near)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=100, help="streams whose worker is killed")
    parser.add_argument("--moves", type=int, default=100, help="streams that are moved")
    parser.add_argument("--streams", type=int, default=6)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where logs are kept")
    args = parser.parse_args()
    chance = random.Random(args.seed)
    folder = args.folder or Path(tempfile.mkdtemp(prefix="failover-"))
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with a_fleet(args.streams, args.workers, args.seed, folder) as (fleet, truths):
        fleet.await_calm()
        began = time.time()
        moves: list[Sample] = []
        while len(moves) < args.moves:
            moves += drain_one(fleet, chance)
            fleet.await_calm()
            print(f"\r{len(moves)} moves", end="", file=sys.stderr, flush=True)
        moved = time.time()
        kills: list[Sample] = []
        while len(kills) < args.kills:
            kills += kill_one(fleet, chance)
            fleet.await_calm()
            print(f"\r{len(kills)} kills", end="", file=sys.stderr, flush=True)
        print("\r", end="", file=sys.stderr)
        killed = time.time()
        if moves:
            unwatched = [max(0.0, (m.first_media or 0) - m.old_last_seen) for m in moves]
            report("move: unwatched", unwatched, "0")
            report("move: drain to claim", [(m.claimed or 0) - m.began for m in moves], "")
            print(
                f"  incidents: {dict(judge(fleet, truths, began, moved, moves))}  lost, doubled: 0"
            )
        if kills:
            given = [(k.assigned or 0) - k.began for k in kills]
            report("kill: noticed, and given to another", given, "<= 3.5")
            report("kill: claimed by another", [(k.claimed or 0) - k.began for k in kills], "")
            back = [(k.first_media or 0) - k.began for k in kills]
            report("kill: first picture decoded again", back, "p99 <= 5")
            print(f"  incidents: {dict(judge(fleet, truths, moved, killed, kills))}   doubled 0")
        print(f"  gaps in coverage: {len(fleet.reader.read_gaps())}; logs in {folder}")


if __name__ == "__main__":
    main()
