"""Starts telemetry for one watch and ends it: the SDK's providers, exporters and the endpoint."""

from __future__ import annotations

import threading
from collections.abc import Callable
from wsgiref.simple_server import WSGIServer

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import (
    SERVICE_NAME,
    SERVICE_VERSION,
    OTELResourceDetector,
    Resource,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import generate_latest, start_http_server

from streammonitor_api.errors import InputError
from streammonitor_api.events import Event
from streammonitor_worker.status import WorkerStatus
from streammonitor_worker.telemetry.configuration import TelemetryConfiguration
from streammonitor_worker.telemetry.instruments import (
    IncidentCounter,
    Statuses,
    create_instruments,
    create_worker_instruments,
)
from streammonitor_worker.telemetry.spans import trace_incident
from streammonitor_worker.telemetry.trouble import tell_trouble_once

_SCOPE = "streammonitor"

SEND_REST_S = 0.5
"""How long the end waits for a collector to take the rest: the end of a watch is promised within
2 s, and 1 s of these belongs to the streams."""


class Telemetry:
    """Telemetry of one watch, from its making to `close`.

    `statuses` tells how the streams are, at every collection and from any thread. Raises
    InputError where the endpoint for Prometheus cannot be opened, or the SDK is set up wrongly.
    """

    def __init__(
        self, configuration: TelemetryConfiguration, statuses: Statuses, version: str
    ) -> None:
        tell_trouble_once()
        self._version = version
        resource = _resource(version)
        self._incidents = IncidentCounter()
        try:
            readers, sender = _readers(configuration), _sender(configuration)
        except ValueError as error:  # of a variable that the SDK reads itself
            raise InputError(f"telemetry: {error}; check the variables OTEL_…") from None
        self._server = _serve(configuration.prometheus)
        self._metrics = MeterProvider(readers, resource=resource, shutdown_on_exit=False)
        create_instruments(
            self._metrics.get_meter(_SCOPE, version), statuses, self._incidents, version
        )
        self._traces: TracerProvider | None = None
        if sender is not None:
            self._traces = TracerProvider(resource=resource, shutdown_on_exit=False)
            self._traces.add_span_processor(sender)
            self._tracer = self._traces.get_tracer(_SCOPE, version)

    def observe_worker(self, status: Callable[[], WorkerStatus]) -> None:
        """Tell how a worker of a fleet is, too."""
        create_worker_instruments(self._metrics.get_meter(_SCOPE, self._version), status)

    @property
    def port(self) -> int | None:
        """The port that metrics are served on; chosen by the system where 0 was asked for."""
        return None if self._server is None else self._server.server_port

    def note(self, event: Event) -> None:
        """Take an event: a sink."""
        self._incidents.note(event)
        if self._traces is not None:
            trace_incident(self._tracer, event)

    def exposition(self) -> bytes:
        """What is measured, as Prometheus reads it."""
        return generate_latest()

    def close(self) -> None:
        """Send what is left and stop serving. Waits for a collector no longer than `SEND_REST_S`:
        one that is away is tried for longer by a thread that does not keep the process alive."""
        ends: list[Callable[[], None]] = []
        if self._server is not None:
            ends += [self._server.shutdown, self._server.server_close]
        if self._traces is not None:
            ends.append(self._traces.shutdown)
        ends.append(self._metrics.shutdown)
        thread = threading.Thread(target=_call_all, args=(ends,), daemon=True)
        thread.start()
        thread.join(SEND_REST_S)


def _call_all(calls: list[Callable[[], None]]) -> None:
    for call in calls:
        call()


def _resource(version: str) -> Resource:
    """Who tells; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES come before our own names."""
    given = OTELResourceDetector().detect().attributes
    return Resource.create({SERVICE_NAME: _SCOPE, SERVICE_VERSION: version, **given})


def _readers(configuration: TelemetryConfiguration) -> list[MetricReader]:
    readers: list[MetricReader] = []
    if configuration.prometheus is not None or configuration.exposed:
        readers.append(PrometheusMetricReader())
    if configuration.otlp_metrics:
        # 10 MB and a quarter of a second, for those who have a collector only.
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

        readers.append(PeriodicExportingMetricReader(OTLPMetricExporter()))
    return readers


def _sender(configuration: TelemetryConfiguration) -> BatchSpanProcessor | None:
    if not configuration.otlp_traces:
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return BatchSpanProcessor(OTLPSpanExporter())


def _serve(address: tuple[str, int] | None) -> WSGIServer | None:
    if address is None:
        return None
    host, port = address
    try:
        server, _ = start_http_server(port, host)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"--metrics {host}:{port}: {reason}; choose another address") from None
    return server
