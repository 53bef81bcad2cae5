"""Sends one event to one target, in the target's own language."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache

from streammonitor_api.errors import InputError
from streammonitor_api.fleet.records import FleetEvent, NotifyTarget, OpenIncident
from streammonitor_api.names import FleetName, StreamKey
from streammonitor_api.sealing import FleetKey, TargetSecrets
from streammonitor_worker.notify.alerts import alerts_url, as_body, firing, resolved
from streammonitor_worker.notify.cloudevents import as_cloudevent, request_headers
from streammonitor_worker.notify.post import Outcome, Poster
from streammonitor_worker.sinks.renaming import with_onset

_JSON = {"Content-Type": "application/json"}
_NO_SECRETS = TargetSecrets()


class Messenger:
    """Knows the fleet and its key."""

    def __init__(
        self,
        fleet: FleetName,
        key: FleetKey | None,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._fleet = fleet
        self._key = key
        self._wall = wall
        self._poster = Poster()
        self._unseal = lru_cache(maxsize=1000)(self._unsealed)

    def send(self, target: NotifyTarget, told: FleetEvent) -> Outcome:
        """Tell a target of an event."""
        try:
            secrets = self._unseal(target, told.stream)
        except InputError as error:
            return Outcome(str(error))
        if target.kind == "alertmanager":
            return self._post_alerts(target, secrets, [self._alert(told)])
        body = as_cloudevent(self._fleet, told)
        headers = request_headers(told, body, secrets.signing_key, self._wall())
        return self._poster.post(secrets.url or target.url, body, headers, secrets.credentials)

    def send_again(self, target: NotifyTarget, incidents: Sequence[OpenIncident]) -> Outcome:
        """Tell an Alertmanager of incidents that are still open."""
        return self._send_all(target, incidents, self._still_firing)

    def send_resolved(self, target: NotifyTarget, incidents: Sequence[OpenIncident]) -> Outcome:
        """Take back alerts that were sent again while their incidents were being closed."""
        return self._send_all(target, incidents, self._taken_back)

    def close(self) -> None:
        self._poster.close()

    def _alert(self, told: FleetEvent) -> dict[str, object]:
        if told.event.kind == "closed":
            return resolved(self._fleet, told.stream, told.event)
        return firing(self._fleet, told.stream, told.event.incident, self._wall())

    def _still_firing(self, known: OpenIncident, now_s: float) -> dict[str, object]:
        incident = with_onset(known.event.incident, known.onset_ms)
        return firing(self._fleet, known.stream, incident, now_s)

    def _taken_back(self, known: OpenIncident, now_s: float) -> dict[str, object]:
        alert = firing(self._fleet, known.stream, known.event.incident, now_s)
        return {**alert, "endsAt": known.event.time}

    def _send_all(
        self,
        target: NotifyTarget,
        incidents: Sequence[OpenIncident],
        alert: Callable[[OpenIncident, float], dict[str, object]],
    ) -> Outcome:
        try:
            secrets = self._unseal(target, incidents[0].stream)
        except InputError as error:
            return Outcome(str(error))
        now_s = self._wall()
        return self._post_alerts(target, secrets, [alert(one, now_s) for one in incidents])

    def _post_alerts(
        self, target: NotifyTarget, secrets: TargetSecrets, alerts: Sequence[dict[str, object]]
    ) -> Outcome:
        return self._poster.post(
            alerts_url(secrets.url or target.url), as_body(alerts), _JSON, secrets.credentials
        )

    def _unsealed(self, target: NotifyTarget, stream: StreamKey) -> TargetSecrets:
        if target.sealed is None:
            return _NO_SECRETS
        if self._key is None:
            raise InputError(
                "its secrets cannot be read without the fleet key; give it to this worker"
            )
        return TargetSecrets.from_json(self._key.unseal(target.sealed, target.sealed_for(stream)))
