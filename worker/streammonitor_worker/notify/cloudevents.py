"""An event as a CloudEvent 1.0 in structured mode, signed. Pure.

The envelope is that of https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md with the
extension `sequence` (the revision, in ten digits so that texts sort as numbers); `data` is the
event as `watch --output jsonl` writes it. `source` and `id` together name an event for ever: a
receiver that has seen the pair has seen the event.

The signature is that of https://www.standardwebhooks.com, for which there are libraries: the
header `webhook-signature` holds `v1,` and the HMAC-SHA256 in base64 of `id.timestamp.body`, with
`webhook-id` and `webhook-timestamp` (seconds since 1970, of this attempt). A receiver refuses
timestamps that are more than five minutes old, and ids that it has seen: then nothing can be
replayed to it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from urllib.parse import quote

from streammonitor_api.fleet.records import FleetEvent
from streammonitor_api.names import FleetName

CONTENT_TYPE = "application/cloudevents+json; charset=UTF-8"
TYPE_PREFIX = "dev.streammonitor.incident."
_WRITTEN_KEY = "whsec_"


def as_cloudevent(fleet: FleetName, told: FleetEvent) -> bytes:
    """The body of the request."""
    envelope = {
        "specversion": "1.0",
        "id": told.id,
        "source": f"/streammonitor/{quote(fleet)}/{quote(told.stream)}",
        "type": f"{TYPE_PREFIX}{told.event.kind}",
        "subject": told.event.incident.id,
        "time": told.event.time,
        "datacontenttype": "application/json",
        "sequence": f"{told.revision:010d}",
        "data": told.event.as_json(),
    }
    return json.dumps(envelope, ensure_ascii=False, allow_nan=False).encode()


def request_headers(
    told: FleetEvent, body: bytes, signing_key: str, now_s: float
) -> dict[str, str]:
    """Headers of an attempt at `now_s`; without a key it is not signed."""
    headers = {
        "Content-Type": CONTENT_TYPE,
        "webhook-id": told.id,
        "webhook-timestamp": str(int(now_s)),
    }
    if signing_key:
        headers["webhook-signature"] = sign(signing_key, told.id, int(now_s), body)
    return headers


def sign(signing_key: str, message_id: str, timestamp_s: int, body: bytes) -> str:
    """The value of `webhook-signature`."""
    text = f"{message_id}.{timestamp_s}.".encode() + body
    digest = hmac.new(key_bytes(signing_key), text, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def key_bytes(signing_key: str) -> bytes:
    """The key as it is used: base64 after `whsec_`, as Standard Webhooks has it, else UTF-8."""
    if signing_key.startswith(_WRITTEN_KEY):
        try:
            return base64.b64decode(signing_key.removeprefix(_WRITTEN_KEY), validate=True)
        except binascii.Error:
            pass
    return signing_key.encode()
