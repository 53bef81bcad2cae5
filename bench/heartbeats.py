"""What a fleet costs its Redis: heartbeats and events, by Redis' own account of its CPU time.

    python bench/heartbeats.py [--workers 2000] [--streams 50] [--seconds 20] [--seed 1]

Each worker is a connection of its own that sends the real script twice a second, in a random
phase; its table of streams goes along every 5 s. CPU time is what INFO tells of the server's
process, system time included, so that a busy machine does not matter. Shown beside it: what Redis
itself counts for the script, and, one after the other on one connection, for each other script of
the hot path. Targets: a heartbeat ≤ 0.2 ms, 2,000 workers ≤ 30 % of a core.
"""

from __future__ import annotations

import argparse
import random
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from streammonitor_api.events import Event
from streammonitor_api.fleet.connect import RedisSettings
from streammonitor_api.fleet.keys import Keys
from streammonitor_api.fleet.records import (
    BEAT_S,
    CONTRACT_VERSION,
    OLDEST_VERSION,
    TABLE_EVERY_S,
    Assign,
    FleetEvent,
    Heartbeat,
    StreamRow,
    StreamTable,
)
from streammonitor_api.fleet.scripts import Scripts, script_text
from streammonitor_api.fleet.store import OperatorStore, WorkerStore
from streammonitor_api.incident import Incident, Moment, wall_time
from streammonitor_api.names import Epoch, FleetName, StreamKey, WorkerId, new_incarnation

FLEET = FleetName("bench")


@contextmanager
def redis_server() -> Iterator[int]:
    binary = shutil.which("redis-server")
    if binary is None:
        sys.exit("redis-server is not on PATH; install Redis")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = int(one.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder]
        command += ["--save", "", "--appendonly", "no", "--maxclients", "10000"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            while True:
                with socket.socket() as attempt:
                    if attempt.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.01)
            yield port
        finally:
            process.terminate()
            process.wait()


def encode(parts: Sequence[object]) -> bytes:
    """A command as the protocol has it."""
    texts = [str(part).encode() for part in parts]
    body = b"".join(b"$%d\r\n%s\r\n" % (len(text), text) for text in texts)
    return b"*%d\r\n%s" % (len(texts), body)


class Client:
    """One simulated worker."""

    def __init__(self, port: int, number: int, streams: int, digest: str) -> None:
        self.worker, self.incarnation = WorkerId(f"worker-{number}"), new_incarnation()
        self.digest = digest
        self.serial = 0
        rows = tuple(
            StreamRow(
                stream=StreamKey(f"namespace/monitor-{number}/stream-{index}"),
                epoch=Epoch(3),
                state="watching",
                claimed=True,
                weight_cores=0.123,
                lag_s=0.5,
                last_picture_wall=wall_time(time.time()),
                spec_revision="0123456789ab",
            )
            for index in range(streams)
        )
        self.table = StreamTable(1, rows).as_json()
        self.beat = Heartbeat(
            worker=self.worker,
            incarnation=self.incarnation,
            capacity_cores=4.0,
            load_cores=3.1,
            streams=streams,
            host="node-17.example",
            pod=f"streammonitor-worker-{number}",
            node="node-17.example",
            http_port=8080,
        ).as_json()
        self.socket = socket.create_connection(("127.0.0.1", port))

    def command(self, with_table: bool) -> bytes:
        keys = Keys(FLEET)
        names = [keys.beats, keys.tables, keys.revisions, keys.term, keys.version]
        arguments = [
            *(self.worker, self.incarnation, self.serial),
            *(CONTRACT_VERSION, OLDEST_VERSION, self.beat, self.table if with_table else ""),
        ]
        self.serial += 1
        return encode(["EVALSHA", self.digest, len(names), *names, *arguments])


def cpu_s(client: Any) -> float:
    info = client.info("cpu")
    return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


def script_us(client: Any) -> tuple[float, int]:
    """What Redis counts for scripts: µs a call, calls."""
    told = client.info("commandstats")
    counted = [told[name] for name in ("cmdstat_evalsha", "cmdstat_eval") if name in told]
    calls = sum(int(one["calls"]) for one in counted)
    return sum(float(one["usec"]) for one in counted) / max(1, calls), calls


def beat_for(clients: Sequence[Client], seconds: float, seed: int) -> tuple[int, float]:
    """Send everybody's beats in time; returns how many, and the worst delay of an answer, s."""
    chance = random.Random(seed)
    begin = time.monotonic()
    due = sorted(
        (begin + chance.random() * BEAT_S + number * BEAT_S, chance.random(), client)
        for client in clients
        for number in range(int(seconds / BEAT_S))
    )
    table_due = {client: begin + chance.random() * TABLE_EVERY_S for client in clients}
    waiting: dict[socket.socket, float] = {}
    worst = 0.0
    with selectors.EpollSelector() as selector:
        for client in clients:
            selector.register(client.socket, selectors.EVENT_READ)
        position = answered = 0
        while answered < len(due):
            now = time.monotonic()
            while position < len(due) and due[position][0] <= now:
                client = due[position][2]
                with_table = now >= table_due[client]
                if with_table:
                    table_due[client] += TABLE_EVERY_S
                client.socket.sendall(client.command(with_table))
                waiting.setdefault(client.socket, now)
                position += 1
            for key, _ in selector.select(0.001):
                one = cast(socket.socket, key.fileobj)
                answer = one.recv(65536)
                if answer[:1] == b"-":
                    sys.exit(answer.decode())
                answered += answer.count(b"*5\r\n")
                worst = max(worst, time.monotonic() - waiting.pop(one, time.monotonic()))
    return len(due), worst


def measure_beats(port: int, arguments: argparse.Namespace) -> None:
    control: Any = Scripts.open(RedisSettings(url=f"redis://127.0.0.1:{port}/0")).client
    digest = control.script_load(script_text("beat"))
    clients = [Client(port, n, arguments.streams, digest) for n in range(arguments.workers)]
    beat_for(clients, BEAT_S, arguments.seed)
    control.config_resetstat()
    before, begin = cpu_s(control), time.monotonic()
    beats, worst = beat_for(clients, arguments.seconds, arguments.seed)
    took, used = time.monotonic() - begin, cpu_s(control) - before
    per_call, _ = script_us(control)
    share = used / beats * arguments.workers / BEAT_S
    print(f"{arguments.workers} workers with {arguments.streams} streams, seed {arguments.seed}:")
    print(f"  {beats} heartbeats in {took:.1f} s, worst answer after {1000 * worst:.0f} ms")
    print(f"  script: {per_call:.1f} µs a heartbeat")
    print(f"  CPU of Redis: {1e6 * used / beats:.1f} µs a heartbeat (target 200)")
    print(f"  {100 * share:.1f} % of a core at two heartbeats a second each (target 30)")
    for client in clients:
        client.socket.close()
    control.close()


def measure_calls(port: int, count: int) -> None:
    """The other calls, one after the other."""
    scripts = Scripts.open(RedisSettings(url=f"redis://127.0.0.1:{port}/0"))
    control: Any = scripts.client
    control.flushall()
    operator = OperatorStore(scripts, FLEET)
    term = operator.start_term("bench", "bench")
    worker = WorkerStore(scripts, FLEET, WorkerId("w"), new_incarnation())
    streams = [StreamKey(f"a/b/s{number}") for number in range(count)]

    def timed(what: str, work: Any, divisor: int) -> None:
        control.config_resetstat()
        work()
        per_call, calls = script_us(control)
        print(f"  {what}: {per_call * calls / divisor:.1f} µs of Redis")

    def publish(kind: Any, revision: int) -> None:
        for stream in streams:
            onset = Moment(1.0, wall_time(time.time() - 5))
            incident = Incident(
                f"{stream}!", stream, "video-freeze", "critical", "video:0", onset, None, None,
                -80.0, -60.0, "dB", {"pictures": 60},
            )  # fmt: skip
            event = Event(kind, onset.wall, incident)
            told = FleetEvent(stream=stream, epoch=Epoch(1), revision=revision, event=event)
            worker.publish(told)

    assign = [Assign(stream, "0123456789ab") for stream in streams]
    timed("assign, a stream", lambda: operator.assign(term, worker.worker, assign), count)
    timed("claim", lambda: [worker.claim(stream, Epoch(1)) for stream in streams], count)
    timed("publish opened", lambda: publish("opened", 1), count)
    timed("publish closed", lambda: publish("closed", 2), count)
    scripts.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--workers", type=int, default=2000)
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with redis_server() as port:
        measure_beats(port, arguments)
        measure_calls(port, 2000)


if __name__ == "__main__":
    main()
