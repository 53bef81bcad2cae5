"""The CustomResourceDefinition, made from the models.

pydantic's JSON schema becomes a structural one: references resolved, unions with null dropped,
what Kubernetes adds attached. `streammonitor crd` prints it; `manifests/crd.yaml` is that output.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streammonitor_api.catalogue import Catalogue, catalogue
from streammonitor_api.resource.checks import Place, object_rules
from streammonitor_api.resource.detectors import entry_schema
from streammonitor_api.resource.monitor import GROUP, KIND, PLURAL, VERSION, StreamMonitor
from streammonitor_api.resource.rules import add_cel
from streammonitor_api.resource.spec import MonitorSpec
from streammonitor_api.resource.status import MonitorStatus

Schema = dict[str, Any]

_COLUMNS = (
    ("Streams", "integer", ".status.streams.total", "Streams that are wanted"),
    ("Watched", "integer", ".status.streams.watched", "Streams that are being watched"),
    ("Degraded", "integer", ".status.streams.degraded", "Streams watched less closely than asked"),
    ("Incidents", "integer", ".status.incidents.open", "Open incidents"),
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', "Whether all is watched"),
    ("Age", "date", ".metadata.creationTimestamp", "Since when there is this resource"),
)
_WIDE = (
    ("Mode", "string", ".spec.analysis.mode", "How closely the streams are watched"),
    ("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', "Why it is ready or not"),
)


def build_crd(known: Catalogue | None = None) -> Schema:
    """Build the definition as plain data."""
    known = catalogue() if known is None else known
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [_column(*one, 0) for one in _COLUMNS[:-1]]
        + [_column(*one, 1) for one in _WIDE]
        + [_column(*_COLUMNS[-1], 0)],
        "schema": {"openAPIV3Schema": _resource_schema(known)},
        "subresources": {"status": {}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["smon"],
                "categories": ["all", "streammonitor"],
            },
            "scope": "Namespaced",
            "versions": [version],
        },
    }


def _column(name: str, kind: str, path: str, description: str, priority: int) -> Schema:
    column = {"name": name, "type": kind, "jsonPath": path, "description": description}
    return {**column, "priority": priority} if priority else column


def _resource_schema(known: Catalogue) -> Schema:
    spec = structural(MonitorSpec.model_json_schema(by_alias=True))
    entries = spec["properties"]["detectors"]
    entries["items"] = entry_schema(entries["items"], known)
    schema: Schema = {
        "type": "object",
        "description": _line(StreamMonitor.__doc__ or ""),
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "Version of this kind of resource."},
            "kind": {"type": "string", "description": "Kind of this resource."},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": structural(MonitorStatus.model_json_schema(by_alias=True)),
        },
    }
    for place, rule in object_rules(known):
        _attach(schema, place, rule.cel)
    return schema


def _attach(schema: Schema, place: Place, rule: dict[str, str]) -> None:
    """Add a rule where it belongs."""
    found = schema
    for step in place:
        found = found["items"] if step == "*" else found["properties"][step]
    found.update(add_cel(found, rule))


def structural(schema: Schema) -> Schema:
    """Turn a JSON schema of pydantic's into one that the API server takes."""
    return _structural(schema, schema.get("$defs", {}))


_KEPT = (
    "type", "format", "enum", "default", "required", "pattern", "minLength", "maxLength", "minimum",
    "maximum", "minItems", "maxItems", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type", "x-kubernetes-validations",
)  # fmt: skip


def _structural(schema: Mapping[str, Any], definitions: Mapping[str, Schema]) -> Schema:
    schema = _resolved(schema, definitions)
    result: Schema = {}
    if "description" in schema:
        result["description"] = _line(schema["description"])
    result |= {name: schema[name] for name in _KEPT if name in schema}
    if result.get("default", ...) is None:
        del result["default"]
    if "const" in schema:
        result["enum"] = [schema["const"]]
    if "properties" in schema:
        result["properties"] = {
            name: _structural(one, definitions) for name, one in schema["properties"].items()
        }
    elif isinstance(schema.get("additionalProperties"), Mapping):
        result["additionalProperties"] = _structural(schema["additionalProperties"], definitions)
    if "items" in schema:
        result["items"] = _structural(schema["items"], definitions)
    return result


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Schema]) -> Schema:
    """Follow references and drop the alternative null; what stands beside a reference wins."""
    result = dict(schema)
    alternatives = [one for one in result.pop("anyOf", ()) if one.get("type") != "null"]
    if len(alternatives) > 1:
        raise ValueError(f"a union has no structural schema: {alternatives}")
    for one in alternatives:
        result = {**_resolved(one, definitions), **result}
    if "$ref" in result:
        name = result.pop("$ref").rpartition("/")[2]
        result = {**_resolved(definitions[name], definitions), **result}
    return result


def _line(text: str) -> str:
    return " ".join(text.split())
