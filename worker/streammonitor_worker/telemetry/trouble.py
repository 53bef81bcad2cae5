"""Says once, in one line, that what is measured cannot be sent.

The SDK says so at every attempt, with addresses that may hold secrets, and a collector that is
away for a night is no reason to fill a log, let alone to disturb the watching.
"""

from __future__ import annotations

import logging

logger = logging.getLogger(__name__)

_SDK = "opentelemetry"
"""The logger above all loggers of the SDK and its exporters."""


class SendingTrouble(logging.Handler):
    """Takes what the SDK logs, and tells the first of it in our own words."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._told = False

    def emit(self, record: logging.LogRecord) -> None:
        if self._told:
            return
        self._told = True
        logger.warning(
            "telemetry: what is measured cannot be sent and is tried further; check "
            "OTEL_EXPORTER_OTLP_ENDPOINT and the collector"
        )


def tell_trouble_once() -> None:
    """Begin anew to take what the SDK logs. For good: its threads may outlive their telemetry."""
    sdk = logging.getLogger(_SDK)
    sdk.propagate = False
    for handler in list(sdk.handlers):
        if isinstance(handler, SendingTrouble):
            sdk.removeHandler(handler)
    sdk.addHandler(SendingTrouble())
