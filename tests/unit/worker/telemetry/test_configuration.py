"""Telemetry is what the standard's variables ask for, and nothing without them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from streammonitor_api.errors import InputError
from streammonitor_worker.telemetry.configuration import (
    TelemetryConfiguration,
    read_configuration,
)

BASE = "OTEL_EXPORTER_OTLP_ENDPOINT"
METRICS = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
TRACES = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
COLLECTOR = "http://127.0.0.1:4318"


def test_nothing_is_wanted_by_default() -> None:
    assert not read_configuration({}).wanted


@pytest.mark.parametrize(
    ("environment", "metrics", "traces"),
    [
        ({BASE: COLLECTOR}, True, True),
        ({METRICS: COLLECTOR}, True, False),
        ({TRACES: COLLECTOR}, False, True),
        ({BASE: ""}, False, False),
        ({BASE: COLLECTOR, "OTEL_TRACES_EXPORTER": "none"}, True, False),
        ({BASE: COLLECTOR, "OTEL_METRICS_EXPORTER": "console, otlp"}, True, True),
        ({BASE: COLLECTOR, "OTEL_SDK_DISABLED": "TRUE"}, False, False),
    ],
)
def test_variables_of_the_standard_are_obeyed(
    environment: dict[str, str], metrics: bool, traces: bool
) -> None:
    expected = TelemetryConfiguration(None, otlp_metrics=metrics, otlp_traces=traces)

    assert read_configuration(environment) == expected


def test_address_for_prometheus_needs_no_variable() -> None:
    configuration = read_configuration({"OTEL_SDK_DISABLED": "true"}, ("127.0.0.1", 9464))

    assert configuration == TelemetryConfiguration(("127.0.0.1", 9464))


@pytest.mark.parametrize(
    "variable", ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"]
)
def test_protocol_that_is_not_there_is_refused(variable: str) -> None:
    with pytest.raises(InputError, match='"grpc" is not available; use http/protobuf'):
        read_configuration({BASE: COLLECTOR, variable: "grpc"})


@pytest.mark.parametrize("endpoint", ["collector:4318", "not a url", "http://", "grpc://host:1"])
def test_endpoint_that_is_no_address_is_refused(endpoint: str) -> None:
    with pytest.raises(InputError, match="no address of a collector"):
        read_configuration({BASE: endpoint})


def test_reading_the_configuration_does_not_import_the_sdk() -> None:
    program = (
        "import sys, streammonitor_worker.telemetry.configuration; "
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stdout == "[]\n"
