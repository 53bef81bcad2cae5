"""The first signal asks for the end, the second takes it, and nothing stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from streammonitor_cli.interrupts import stopping

WAIT_S = 10.0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_asks_for_the_end(number: signal.Signals) -> None:
    stop = threading.Event()

    with stopping(stop):
        os.kill(os.getpid(), number)

        assert stop.wait(WAIT_S)


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    threads = threading.active_count()

    with stopping(threading.Event()):
        assert signal.getsignal(signal.SIGTERM) is not before

    assert signal.getsignal(signal.SIGTERM) is before
    assert threading.active_count() == threads


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_second_signal_ends_the_process_at_once(number: signal.Signals) -> None:
    program = (
        "import os, threading\n"
        "from streammonitor_cli.interrupts import stopping\n"
        "stop, never = threading.Event(), threading.Event()\n"
        "with stopping(stop):\n"
        f"    os.kill(os.getpid(), {int(number)})\n"
        "    assert stop.wait(10)\n"
        f"    os.kill(os.getpid(), {int(number)})\n"
        "    never.wait(10)\n"
        "print('too late')\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)

    assert (done.returncode, done.stdout, done.stderr) == (128 + number, b"", b"")
