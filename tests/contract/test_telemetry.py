"""Prometheus and an OpenTelemetry collector understand what we tell them."""

from __future__ import annotations

import http.client
import logging
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from streammonitor_api.errors import InputError
from streammonitor_worker.telemetry.configuration import (
    TelemetryConfiguration,
    read_configuration,
)
from streammonitor_worker.telemetry.session import Telemetry
from tests.support.builders import a_status, an_event, an_incident
from tests.support.waiting import wait_until

STATUSES = [
    a_status('odd "name"\\.mp4', open_incidents=(an_incident(),)),
    a_status("https://host/live.m3u8", state="reconnecting", lag_s=2.5, reconnects=1),
]


@contextmanager
def telling(configuration: TelemetryConfiguration) -> Iterator[Telemetry]:
    telemetry = Telemetry(configuration, lambda: STATUSES, "1.2.3")
    try:
        yield telemetry
    finally:
        telemetry.close()


def scraped(port: int | None) -> str:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        assert response.status == 200
        return response.read().decode()


LOCAL = TelemetryConfiguration(("127.0.0.1", 0))


def test_scrape_tells_every_metric() -> None:
    with telling(LOCAL) as telemetry:
        telemetry.note(an_event("opened", an_incident()))
        text = scraped(telemetry.port)

    for line in (
        'streammonitor_streams{state="watching"} 1.0',
        'streammonitor_pictures_total{stream="https://host/live.m3u8"} 1800.0',
        'streammonitor_watched_seconds_total{stream="https://host/live.m3u8"} 60.0',
        'streammonitor_lag_seconds{stream="https://host/live.m3u8"} 2.5',
        'streammonitor_cpu_seconds_total{stage="decode",stream="https://host/live.m3u8"} 6.0',
        'streammonitor_reconnects_total{stream="https://host/live.m3u8"} 1.0',
        'streammonitor_incidents_total{detector="video-freeze",severity="critical"} 1.0',
        'streammonitor_open_incidents{severity="critical",stream="odd \\"name\\"\\\\.mp4"} 1.0',
        'streammonitor_build_info{version="1.2.3"} 1.0',
    ):
        assert line in _without_scope(text)


def _without_scope(text: str) -> str:
    """The lines without the labels that name the library, which come first."""
    return "\n".join(
        line.replace('otel_scope_name="streammonitor",', "")
        .replace('otel_scope_schema_url="",', "")
        .replace('otel_scope_version="1.2.3",', "")
        for line in text.splitlines()
    )


def test_promtool_has_nothing_to_complain_about() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool, of Prometheus, is not installed")
    with telling(LOCAL) as telemetry:
        telemetry.note(an_event("opened", an_incident()))
        text = scraped(telemetry.port)
    ours = "".join(
        line + "\n" for line in text.splitlines() if "streammonitor" in line.partition("{")[0]
    )

    done = subprocess.run(
        [promtool, "check", "metrics"], input=ours, capture_output=True, text=True
    )

    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


def test_address_in_use_is_told_in_one_line() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(InputError, match=rf"--metrics 127\.0\.0\.1:{port}: Address already"):
            Telemetry(TelemetryConfiguration(("127.0.0.1", port)), list, "1.2.3")


def test_second_watch_can_serve_after_the_first() -> None:
    for _ in range(2):
        with telling(LOCAL) as telemetry:
            assert "streammonitor_streams" in scraped(telemetry.port)


class Collector(ThreadingHTTPServer):
    """Takes OTLP over HTTP, and remembers it by path."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.received: dict[str, list[bytes]] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert isinstance(self.server, Collector)
        self.server.received.setdefault(self.path, []).append(body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_collector_receives_metrics_and_a_span(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "night-shift")

    with telling(read_configuration({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})) as telemetry:
        telemetry.note(an_event("opened", an_incident()))
        telemetry.note(an_event("closed", an_incident(recovery_s=8.0)))

    metrics = ExportMetricsServiceRequest.FromString(collector.received["/v1/metrics"][-1])
    (resource,) = metrics.resource_metrics
    names = {metric.name for scope in resource.scope_metrics for metric in scope.metrics}
    assert {"streammonitor.streams", "streammonitor.incidents"} <= names
    labels = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert labels["service.name"] == "night-shift"
    traces = ExportTraceServiceRequest.FromString(collector.received["/v1/traces"][-1])
    (span,) = traces.resource_spans[0].scope_spans[0].spans
    assert span.name == "video-freeze"
    assert span.end_time_unix_nano - span.start_time_unix_nano == 3_000_000_000


def test_absent_collector_does_not_hold_the_end_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as deaf:  # accepts, never answers
        monkeypatch.setenv(
            "OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{deaf.getsockname()[1]}"
        )
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3600")
        telemetry = Telemetry(
            TelemetryConfiguration(None, otlp_metrics=True, otlp_traces=True), list, "1.2.3"
        )
        telemetry.note(an_event("closed", an_incident(recovery_s=8.0)))

        closing_it = threading.Thread(target=telemetry.close)
        closing_it.start()
        wait_until(lambda: not closing_it.is_alive(), "the end, long before the collector's")


def test_collector_that_refuses_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        closed_port = probe.getsockname()[1]
    endpoint = f"http://user:secret@127.0.0.1:{closed_port}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "50")

    with telling(read_configuration({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})) as telemetry:
        telemetry.note(an_event("closed", an_incident(recovery_s=8.0)))
        told = _told_by_us(caplog, at_least=1)

    (line,) = told
    assert "cannot be sent" in line
    assert "secret" not in line
    assert not logging.getLogger("opentelemetry").propagate


def _told_by_us(caplog: pytest.LogCaptureFixture, at_least: int) -> list[str]:
    def ours() -> list[str]:
        return [one.getMessage() for one in caplog.records if one.name.startswith("streammonitor")]

    wait_until(lambda: len(ours()) >= at_least, "a line in the log")
    return ours()


def test_variable_that_the_sdk_refuses_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "0")
    configuration = TelemetryConfiguration(None, otlp_metrics=False, otlp_traces=True)

    with pytest.raises(InputError, match="telemetry: max_queue_size must be a positive integer"):
        Telemetry(configuration, list, "1.2.3")
