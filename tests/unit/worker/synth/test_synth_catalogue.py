"""The list of all there is to choose from."""

from __future__ import annotations

import pytest

from streammonitor_worker.synth import Recipe, parse_injection
from streammonitor_worker.synth.catalogue import catalogue
from streammonitor_worker.synth.defects import check_injections, complete_options

DEFECTS = catalogue()["defects"]


@pytest.mark.parametrize("told", DEFECTS)
def test_defect_can_be_injected_as_it_is_told(told: str) -> None:
    name, *options = told.split()
    plain = [option.partition("|")[0] for option in options]
    injection = parse_injection(",".join([f"{name}@1+2", *plain]))

    check_injections(Recipe(duration_s=9, injections=[injection]), live=True)

    assert complete_options(injection) == complete_options(parse_injection(f"{name}@1+2"))


def test_every_kind_of_defect_is_told() -> None:
    names = {told.partition(" ")[0] for told in DEFECTS}

    assert {"video-freeze", "audio-phase", "decode-error", "stream-stall"} <= names
