"""The incident that a stream is in quarantine."""

from __future__ import annotations

from streammonitor_api.events import OpenIncident
from streammonitor_worker.supervisor import quarantine
from streammonitor_worker.supervisor.duties import Assigned, Duty
from tests.support.builders import NOON_S, an_incident

ONE = "prod/sports/one"


def test_quarantine_opens_once_and_closes_with_its_length() -> None:
    duty = Duty(ONE, Assigned(1, 0.0, None), claimed=1)
    opened = quarantine.opening(duty, NOON_S, 3, "killed by SIGSEGV", 40.0)
    assert opened is not None
    duty.note(opened, 0.0)

    assert "3 times, killed by SIGSEGV" in str(opened.incident.evidence["reason"])
    assert quarantine.opening(duty, NOON_S + 1, 4, "killed by SIGSEGV", 0.0) is None
    closed = quarantine.closing(duty, NOON_S + 300, NOON_S)
    assert closed is not None
    assert (closed.kind, closed.revision) == ("closed", 2)
    assert closed.incident.id == opened.incident.id
    assert closed.incident.duration_s == 300.0
    duty.note(closed, 1.0)
    assert quarantine.closing(duty, NOON_S + 301, NOON_S) is None


def test_engines_are_not_told_of_it() -> None:
    duty = Duty(ONE, Assigned(1, 0.0, None), claimed=1)
    opened = quarantine.opening(duty, NOON_S, 3, "exit code 1", 0.0)
    assert opened is not None
    other = OpenIncident(an_incident(stream=ONE), 1)

    assert quarantine.of_engines((OpenIncident(opened.incident, 1), other)) == (other,)
