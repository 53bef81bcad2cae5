"""The catalogue that the contracts carry is what the detectors say, and a plan fits them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from streammonitor_api.catalogue import catalogue, catalogue_text
from streammonitor_api.plan import DetectorPlan, parse_adjustment, resolve_plan
from streammonitor_worker.catalogue import describe_detectors, written
from streammonitor_worker.detectors.base import Detector, Measure, Settings, setting
from streammonitor_worker.detectors.registry import detector_types
from streammonitor_worker.media import Picture
from streammonitor_worker.pipeline.watchers import build_detector
from streammonitor_worker.reference import reference


def test_catalogue_file_is_current() -> None:
    current = written(describe_detectors(detector_types()))

    assert catalogue_text() == current, "the catalogue is out of date: run `make generate`"


def test_reference_of_the_detectors_is_current() -> None:
    page = Path(__file__).parents[3] / "docs" / "detectors.md"

    assert page.read_text(encoding="utf-8") == reference(catalogue()), (
        "the reference is out of date: run `make generate`"
    )


@pytest.mark.parametrize("name", detector_types())
def test_one_name_everywhere(name: str) -> None:
    kind = detector_types()[name]
    underscored = name.replace("-", "_")

    assert kind.__module__ == f"streammonitor_worker.detectors.{underscored}"
    assert kind.__name__ == "".join(word.capitalize() for word in name.split("-"))


@pytest.mark.parametrize("plan", resolve_plan().values(), ids=lambda plan: str(plan.name))
def test_default_plan_gives_the_detectors_own_defaults(plan: DetectorPlan) -> None:
    kind = detector_types()[plan.name]

    assert build_detector(plan).settings == kind.settings_type()
    assert (plan.alarm_after_s, plan.clear_after_s) == (kind.alarm_after, kind.clear_after)


def test_plan_reaches_the_settings_of_the_detector() -> None:
    plan = resolve_plan(adjustments=[parse_adjustment("video-black.share=0.75")])

    assert build_detector(plan["video-black"]).threshold == 0.75


@pytest.mark.parametrize("info", catalogue().values(), ids=lambda info: str(info.name))
def test_every_default_is_within_its_range(info: Any) -> None:
    adjustments = [
        parse_adjustment(f"{info.name}.{one.name}={one.default}") for one in info.settings.values()
    ]

    plan = resolve_plan(adjustments=adjustments)

    assert plan[info.name].settings == {n: one.default for n, one in info.settings.items()}


@pytest.mark.parametrize("info", catalogue().values(), ids=lambda info: str(info.name))
def test_every_number_has_a_range_and_a_reason(info: Any) -> None:
    assert re.search(r"\w{3}", info.source)
    for one in info.settings.values():
        assert one.type in ("str", "bool") or one.range, f"{one.name} has no range"


@dataclass(frozen=True, kw_only=True)
class Tangled(Settings):
    members: tuple[str, ...] = setting(0, what="members", source="nowhere")


class WithoutSource(Detector[Picture]):
    """A defect whose module says no source."""

    name = "video-sourceless"
    reads = Picture
    unit = "share"
    severity = "warning"
    alarm_after = 1.0
    clear_after = 1.0

    @property
    def threshold(self) -> float:
        return 1.0

    def observe(self, item: Picture) -> Iterator[Measure]:
        yield Measure(item.time, item.end, False, 0.0)


class WithTangledSettings(WithoutSource):
    """A defect whose settings hold a list."""

    name = "video-tangled"
    settings_type = Tangled


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (WithoutSource, "video-sourceless: its module docstring needs a part `Source`"),
        (WithTangledSettings, "video-tangled.members: a setting is one of"),
    ],
)
def test_detector_that_does_not_explain_itself_is_refused(
    kind: type[Detector[Any]], problem: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        describe_detectors({kind.name: kind})
