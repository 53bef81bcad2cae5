"""What telemetry is asked for: an address for Prometheus, and OpenTelemetry's own variables.

The variables are the standard's; those about an exporter (endpoint, headers, timeout,
certificate, interval) are read by the SDK itself.
Source: OpenTelemetry specification, Environment Variable Specification and OTLP Exporter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from streammonitor_api.errors import InputError

_ENDPOINT = re.compile(r"https?://[^\s/]\S*")
_PROTOCOL = "http/protobuf"
"""The only one that the SDK is installed with; gRPC would cost another 15 MB."""


@dataclass(frozen=True, slots=True)
class TelemetryConfiguration:
    """Where to tell what. With nothing set, nothing is told and nothing imported."""

    prometheus: tuple[str, int] | None = None
    """Host and port on which metrics are served to Prometheus."""
    exposed: bool = False
    """Whether somebody else serves what is measured, see `Telemetry.exposition`."""
    otlp_metrics: bool = False
    otlp_traces: bool = False

    @property
    def wanted(self) -> bool:
        return bool(self.prometheus or self.exposed or self.otlp_metrics or self.otlp_traces)


def read_configuration(
    environment: Mapping[str, str],
    prometheus: tuple[str, int] | None = None,
    *,
    exposed: bool = False,
) -> TelemetryConfiguration:
    """Read what the environment asks for; `prometheus` and `exposed` are the caller's choice.

    Raises InputError for a protocol of OTLP that is not there, and for what is no address.
    """
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return TelemetryConfiguration(prometheus, exposed)
    return TelemetryConfiguration(
        prometheus,
        exposed,
        otlp_metrics=_exports(environment, "METRICS"),
        otlp_traces=_exports(environment, "TRACES"),
    )


def _exports(environment: Mapping[str, str], signal: str) -> bool:
    """Whether OTLP is configured for this signal: METRICS or TRACES."""
    endpoint = _first(
        environment, f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"
    )
    exporters = environment.get(f"OTEL_{signal}_EXPORTER", "otlp").split(",")
    if not endpoint or "otlp" not in (name.strip() for name in exporters):
        return False
    if not _ENDPOINT.fullmatch(endpoint):
        raise InputError(
            "OTEL_EXPORTER_OTLP_ENDPOINT: this is no address of a collector; "
            "write one such as http://collector:4318"
        )
    name = f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL"
    protocol = _first(environment, name, "OTEL_EXPORTER_OTLP_PROTOCOL") or _PROTOCOL
    if protocol != _PROTOCOL:
        raise InputError(
            f'OTEL_EXPORTER_OTLP_PROTOCOL: "{protocol}" is not available; '
            f"use {_PROTOCOL}, port 4318 of most collectors"
        )
    return True


def _first(environment: Mapping[str, str], *variables: str) -> str:
    """The first of these that is set to something; an empty one counts as unset."""
    return next((value for name in variables if (value := environment.get(name, "").strip())), "")
