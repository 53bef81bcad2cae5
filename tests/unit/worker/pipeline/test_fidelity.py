from __future__ import annotations

from streammonitor_api.fidelity import Fidelity
from streammonitor_worker.pipeline.fidelity import (
    FIRST_TRIAL_S,
    LONGEST_TRIAL_S,
    LOWER_LAG_S,
    SETTLE_S,
    FidelityControl,
)

LATE = LOWER_LAG_S + 1


def test_stream_in_time_keeps_its_fidelity() -> None:
    control = FidelityControl()

    assert {control.choose(0.3, now) for now in range(1000)} == {Fidelity.FULL}


def test_lagging_stream_is_lowered_a_step_at_a_time() -> None:
    control = FidelityControl()

    assert control.choose(LATE, 100.0) is Fidelity.ADAPTIVE
    assert control.choose(LATE, 100.0 + SETTLE_S - 0.1) is Fidelity.ADAPTIVE
    assert control.choose(LATE, 100.0 + SETTLE_S) is Fidelity.KEYFRAMES
    assert control.choose(LATE, 500.0) is Fidelity.KEYFRAMES


def test_room_raises_it_again() -> None:
    control = FidelityControl()
    control.choose(LATE, 100.0)

    assert control.choose(0.0, 101.0) is Fidelity.ADAPTIVE
    assert control.choose(0.0, 101.0 + FIRST_TRIAL_S) is Fidelity.FULL


def test_fidelity_never_exceeds_what_was_asked_for() -> None:
    control = FidelityControl(ceiling=Fidelity.KEYFRAMES)

    assert {control.choose(0.0, now) for now in range(1000)} == {Fidelity.KEYFRAMES}


def test_machine_that_is_too_small_settles() -> None:
    """At full fidelity the stream always lags: trials become rare instead of oscillating."""
    control = FidelityControl()
    changes, before = [], Fidelity.FULL
    for now in range(3600):
        fidelity = control.choose(LATE if control.fidelity is Fidelity.FULL else 0.0, float(now))
        if fidelity is not before:
            changes.append(now)
        before = fidelity

    last_trials = [later - earlier for earlier, later in zip(changes, changes[2:], strict=False)]
    assert last_trials[-1] >= LONGEST_TRIAL_S


def test_streams_lowered_together_are_raised_one_by_one() -> None:
    controls = [FidelityControl(chance=iter([share] * 9).__next__) for share in (0.0, 0.5, 1.0)]
    raised_at = []
    for control in controls:
        control.choose(3.0, 0.0)
        now = 0.0
        while control.fidelity is not Fidelity.FULL:
            now += 1.0
            control.choose(0.0, now)
        raised_at.append(now)

    assert raised_at == [16.0, 24.0, 31.0]
