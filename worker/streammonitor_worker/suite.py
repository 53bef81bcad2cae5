"""Makes detectors from a plan: the contracts' names and values become the worker's objects."""

from __future__ import annotations

from typing import Any

from streammonitor_api.catalogue import snake_case
from streammonitor_api.plan import DetectorPlan
from streammonitor_worker.detectors.base import Detector
from streammonitor_worker.detectors.registry import detector_types


def build_detector(plan: DetectorPlan) -> Detector[Any]:
    """Make one instance, for one track or one stream, as the detector's `scope` says.

    Raises KeyError for a detector that this worker does not have.
    """
    kind = detector_types()[plan.name]
    settings = {snake_case(name): value for name, value in plan.settings.items()}
    return kind(kind.settings_type(**settings))
