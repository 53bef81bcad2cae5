"""From a StreamMonitor to what workers are told: pure.

Secrets enter as what is known of them, and leave sealed. What cannot be followed (a Secret that is
missing, an entry that this version does not know) becomes a fault of the monitor, and everything
else is followed all the same.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from streammonitor_api.conditions import CREDENTIALS_MISSING, INVALID
from streammonitor_api.errors import InputError
from streammonitor_api.fleet.records import LONGEST_OVERLAP_S, NotifyTarget, StreamSpec
from streammonitor_api.names import StreamKey, stream_key
from streammonitor_api.plan import Plan
from streammonitor_api.resource import MonitorSpec, ResourceError, StreamMonitor, plan_of
from streammonitor_api.resource import NotifyTarget as WrittenTarget
from streammonitor_api.resource.detectors import DetectorEntry
from streammonitor_api.resource.monitor import parse_monitor
from streammonitor_api.resource.problems import Problem
from streammonitor_api.resource.spec import ProfileName, SecretReference, Stream
from streammonitor_api.sealing import Credentials, FleetKey, TargetSecrets, decode_secret
from streammonitor_operator.status import Fault

_TOLD = 5
"""Problems that a condition names; the rest is a number."""
_NO_KEY = (
    "the operator has no fleet key to seal secrets with; set STREAMMONITOR_FLEET_KEY_FILE for "
    "operator and workers"
)


@dataclass(frozen=True, slots=True)
class SecretSeen:
    """What is known of a Secret. `data` is its latest, base64, also when it is gone now."""

    data: Mapping[str, str] | None = field(default=None, repr=False)
    problem: str = ""
    """Why it cannot be read now, and what to do; empty when it can."""


Secrets = Mapping[str, SecretSeen]
"""The Secrets that a monitor refers to, by name."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What a monitor comes to."""

    specs: tuple[StreamSpec, ...]
    fault: Fault | None


def secrets_of(spec: MonitorSpec) -> frozenset[str]:
    """The names of all Secrets that a monitor refers to."""
    references: list[SecretReference | None] = [one.credentials_secret_ref for one in spec.streams]
    names = set()
    for target in spec.notify:
        for endpoint in (target.webhook, target.alertmanager):
            if endpoint is not None:
                references.append(endpoint.credentials_secret_ref)
        if target.webhook is not None and target.webhook.signing_key_secret_ref is not None:
            names.add(target.webhook.signing_key_secret_ref.name)
    return frozenset(names | {one.name for one in references if one is not None})


def follow(
    monitor: StreamMonitor, secrets: Secrets, key: FleetKey | None, fault: Fault | None = None
) -> Followed:
    """Make the specs of a monitor's streams.

    `fault` is what was found before; it is told first. A stream whose credentials cannot be had is
    left out; one whose Secret is gone keeps the last that were known.
    """
    return _Following(monitor, secrets, key).follow(fault)


class _Following:
    """One monitor on its way to specs."""

    def __init__(self, monitor: StreamMonitor, secrets: Secrets, key: FleetKey | None) -> None:
        self.monitor = monitor
        self.secrets = secrets
        self.key = key
        self.problems: dict[str, None] = {}

    def follow(self, fault: Fault | None) -> Followed:
        spec = self.monitor.spec
        plan = _shared_plan(spec.profile, json.dumps([_settings(one) for one in spec.detectors]))
        targets = self._targets()
        made = (self._stream(stream, plan, targets) for stream in spec.streams)
        specs = tuple(one for one in made if one is not None)
        if fault is None and self.problems:
            fault = Fault(CREDENTIALS_MISSING, _listed(self.problems))
        return Followed(specs, fault)

    def _stream(
        self, stream: Stream, plan: Plan, targets: tuple[NotifyTarget, ...]
    ) -> StreamSpec | None:
        spec = self.monitor.spec
        key = self._key(stream)
        sealed = None
        try:
            if stream.credentials_secret_ref is not None:
                credentials = self._credentials(stream.credentials_secret_ref)
                sealed = self._seal(credentials.as_json(), key)
        except InputError as error:
            self.problems[str(error)] = None
            return None
        return StreamSpec(
            stream=key,
            url=stream.url,
            credentials=sealed,
            # Sealing is deterministic: another text, other credentials.
            credentials_revision="" if sealed is None else _digest(sealed),
            renditions=stream.renditions,
            reference=None if stream.reference is None else stream.reference.url,
            detectors=tuple(plan.values()),
            mode=spec.analysis.fidelity,
            priority=spec.analysis.priority,
            overlap_s=overlap_s(plan),
            notify=targets,
            generation=self.monitor.metadata.generation,
        )

    def _key(self, stream: Stream) -> StreamKey:
        metadata = self.monitor.metadata
        return stream_key(metadata.namespace, metadata.name, stream.name)

    def _targets(self) -> tuple[NotifyTarget, ...]:
        made = []
        for target in self.monitor.spec.notify:
            try:
                made.append(self._target(target))
            except InputError as error:
                self.problems[f"notify {target.name}: {error}"] = None
        return tuple(made)

    def _target(self, target: WrittenTarget) -> NotifyTarget:
        endpoint = target.webhook or target.alertmanager
        assert endpoint is not None  # noqa: S101  one of them is there, as the resource is valid
        signing_key, credentials = "", Credentials()
        if target.webhook is not None and target.webhook.signing_key_secret_ref is not None:
            reference = target.webhook.signing_key_secret_ref
            data = self._data(reference.name)
            signing_key = decode_secret(self._where(reference.name), reference.key, data)
        if endpoint.credentials_secret_ref is not None:
            credentials = self._credentials(endpoint.credentials_secret_ref)
        shown, hidden = _split_address(endpoint.url)
        secrets = TargetSecrets(hidden, signing_key, credentials)
        made = NotifyTarget(
            name=target.name,
            kind="webhook" if target.webhook is not None else "alertmanager",
            url=shown,
            min_severity=target.min_severity,
        )
        if secrets == TargetSecrets():
            return made
        label = made.sealed_for(self._key(self.monitor.spec.streams[0]))
        return replace(made, sealed=self._seal(secrets.as_json(), label))

    def _credentials(self, reference: SecretReference) -> Credentials:
        return Credentials.from_secret(self._where(reference.name), self._data(reference.name))

    def _data(self, name: str) -> Mapping[str, str]:
        """What is known of a Secret; a problem with it is noted. Raises InputError without data."""
        seen = self.secrets[name]
        problem = f"{self._where(name)}: {seen.problem}"
        if seen.data is None:
            raise InputError(problem)
        if seen.problem:
            self.problems[f"{problem}; until then the credentials that it had are used"] = None
        return seen.data

    def _where(self, name: str) -> str:
        return f"Secret {self.monitor.metadata.namespace}/{name}"

    def _seal(self, secret: str, bound_to: str) -> str:
        if self.key is None:
            raise InputError(_NO_KEY)
        return self.key.seal(secret, bound_to)


def _split_address(url: str) -> tuple[str, str]:
    """What of a target's address everybody may read, and the whole of it where that is less."""
    parts = urlsplit(url)
    host = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return (url, "") if url.rstrip("/") == host else (host, url)


def _settings(entry: DetectorEntry) -> dict[str, Any]:
    return entry.model_dump(mode="json", by_alias=True, exclude_none=True)


@lru_cache(maxsize=1024)
def _shared_plan(profile: ProfileName, detectors: str) -> Plan:
    """The plan of monitors that are set alike: most of a fleet, and most of what it would take to
    remember 10,000 of them."""
    entries = [DetectorEntry.model_validate(one) for one in json.loads(detectors)]
    return plan_of(profile, entries)


def overlap_s(plan: Plan) -> float:
    """How long two workers watch a stream at a move: its longest alarm duration, at most 30 s."""
    return min(LONGEST_OVERLAP_S, max(detector.alarm_after_s for detector in plan.values()))


def read_resource(written: Mapping[str, Any]) -> tuple[StreamMonitor | None, Fault | None]:
    """Read a resource as the API server or a file has it.

    What is not valid (an older definition let it in, or a newer one did) is left out as far as the
    rest still makes sense, and told; without anything that makes sense there is no monitor.
    """
    try:
        return parse_monitor(written), None
    except ResourceError as error:
        fault = Fault(INVALID, _listed(str(problem) for problem in error.problems))
        return _salvage(written, error.problems), fault


def _salvage(written: Mapping[str, Any], problems: Iterable[Problem]) -> StreamMonitor | None:
    """Read it without the entries of lists, or else the fields, that are wrong."""
    rest = copy.deepcopy(dict(written))
    for problem in sorted(problems, key=lambda one: _order(one.path), reverse=True):
        _cut(rest, problem.path)
    try:
        return parse_monitor(rest)
    except ResourceError:
        return None


def _order(path: tuple[str | int, ...]) -> tuple[str, ...]:
    """So that later entries of a list are cut before earlier ones."""
    return tuple(f"{step:09d}" if isinstance(step, int) else step for step in path)


def _cut(rest: dict[str, Any], path: tuple[str | int, ...]) -> None:
    """Remove the innermost entry of a list that a path leads through, or the field."""
    entries = [index for index, step in enumerate(path) if isinstance(step, int)]
    path = path[: entries[-1] + 1] if entries else path
    found: Any = rest
    try:
        for step in path[:-1]:
            found = found[step]
        del found[path[-1]]
    except (KeyError, IndexError, TypeError):
        return  # cut already, with what was around it


def _listed(problems: Iterable[str]) -> str:
    texts = list(problems)
    more = f"; and {len(texts) - _TOLD} more" if len(texts) > _TOLD else ""
    return "; ".join(texts[:_TOLD]) + more


def _digest(sealed: str) -> str:
    return hashlib.blake2s(sealed.encode(), digest_size=6).hexdigest()
