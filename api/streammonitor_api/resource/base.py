"""What all models of a resource have in common, and the types of their small fields."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
"""RFC 1123, as Kubernetes names most things."""
SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"


class ResourceModel(BaseModel):
    """Fields in camelCase, strictly typed, nothing unknown."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, data: Any) -> Any:
        """A field that is null counts as not written, as for the API server."""
        if not isinstance(data, dict) or None not in data.values():
            return data
        known = {field.alias for field in cls.model_fields.values()}
        return {
            name: value for name, value in data.items() if value is not None or name not in known
        }


def _check_whole(value: object) -> object:
    """As JSON Schema has it: 1.0 is a whole number, "1" and true are none."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if type(value) is not int:
        raise PydanticCustomError("int_type", "int_type")
    return value


Whole = BeforeValidator(_check_whole)
"""To stand last in `Annotated[int, …]`."""

Name = Annotated[str, Field(min_length=1, max_length=63, pattern=LABEL)]
"""The name of an entry of a list."""

SecretName = Annotated[str, Field(min_length=1, max_length=253, pattern=SUBDOMAIN)]

ListMap = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
"""A list whose entries are told apart by name, so that several can own entries of it."""
