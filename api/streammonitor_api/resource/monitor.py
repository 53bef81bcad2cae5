"""The resource as a whole, and how one is read.

Unknown fields: the API server drops them unless asked to be strict, which `kubectl` asks for;
what is read here is read as strictly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError

from streammonitor_api.catalogue import Catalogue, catalogue
from streammonitor_api.errors import suggestion
from streammonitor_api.resource.base import LABEL, SUBDOMAIN, ResourceModel
from streammonitor_api.resource.checks import check_rules
from streammonitor_api.resource.problems import Problem, ResourceError, problems_of
from streammonitor_api.resource.spec import MonitorSpec
from streammonitor_api.resource.status import MonitorStatus

GROUP = "streammonitor.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "StreamMonitor"
PLURAL = "streammonitors"


class Metadata(ResourceModel):
    """The metadata that Kubernetes gives every object, as far as it matters here; the rest is
    taken and dropped."""

    model_config = ConfigDict(extra="ignore")

    name: Annotated[str, Field(min_length=1, max_length=253, pattern=SUBDOMAIN)]
    namespace: Annotated[str, Field(min_length=1, max_length=63, pattern=LABEL)] = "default"
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class StreamMonitor(ResourceModel):
    """A named set of streams with their settings."""

    api_version: Literal["streammonitor.dev/v1alpha1"] = "streammonitor.dev/v1alpha1"
    kind: Literal["StreamMonitor"] = "StreamMonitor"
    metadata: Metadata
    spec: MonitorSpec
    status: MonitorStatus | None = None

    @property
    def key(self) -> str:
        """`namespace/name`, which begins the keys of its streams."""
        return f"{self.metadata.namespace}/{self.metadata.name}"


def parse_monitor(document: object, known: Catalogue | None = None) -> StreamMonitor:
    """Read a resource from plain data, as YAML or JSON gives it.

    Raises ResourceError that lists everything that is wrong, with paths and nearest names. The
    status is not judged: it is not the user's.
    """
    known = catalogue() if known is None else known
    if not isinstance(document, Mapping):
        raise ResourceError([Problem((), "not a resource; write apiVersion, kind, metadata, spec")])
    asked = {name: value for name, value in document.items() if name != "status"}
    problems = list(_check_head(asked))
    monitor = None
    try:
        monitor = StreamMonitor.model_validate(asked, by_alias=True, by_name=False)
    except ValidationError as error:
        problems += problems_of(StreamMonitor, error)
    problems += check_rules(asked, known)
    if problems or monitor is None:
        raise ResourceError(_ordered(problems))
    return monitor


_METADATA = (
    "annotations", "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp",
    "finalizers", "generateName", "generation", "labels", "managedFields", "name", "namespace",
    "ownerReferences", "resourceVersion", "selfLink", "uid",
)  # fmt: skip
"""All that Kubernetes knows."""


def _check_head(document: Mapping[Any, Any]) -> Iterator[Problem]:
    """What is the same for every kind of resource."""
    for field, value in (("apiVersion", API_VERSION), ("kind", KIND)):
        # They have defaults for those who construct a resource, not for those who write one.
        if document.get(field) is None:
            yield Problem((field,), f"missing; write {field}: {value}")
    metadata = document.get("metadata")
    for field in metadata if isinstance(metadata, Mapping) else ():
        if field not in _METADATA:
            text = f"no such field; {suggestion(str(field), _METADATA)}"
            yield Problem(("metadata", str(field)), text)


def _ordered(problems: list[Problem]) -> list[Problem]:
    """In the order of places, one problem a place."""
    unique = {problem.path: problem for problem in reversed(problems)}

    def place(problem: Problem) -> tuple[str, ...]:
        return tuple(f"{step:9d}" if isinstance(step, int) else step for step in problem.path)

    return sorted(unique.values(), key=place)
