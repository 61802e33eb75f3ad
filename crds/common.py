"""What all our models share: their base, the scalar types of the API and the small objects that occur everywhere.

A field that is None was left out (or is null); what that means is the reader's to say, defaults are never stored.
Must not: know a particular kind.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, core_schema

JsonSchema: TypeAlias = dict[str, Any]


class Model(BaseModel):
    """A part of an object as the API server holds it: frozen, with every unknown field kept."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        defer_build=True,
        extra="allow",
        frozen=True,
        populate_by_name=True,
        strict=True,
    )

    def dump(self) -> dict[str, Any]:
        """Return exactly what was read or given, unknown fields included, nothing filled in; shares nothing with the model."""
        unknown = self.__pydantic_extra__ or {}
        written = {
            info.alias or name: _plain(value)
            for name, info in type(self).model_fields.items()
            if name in self.model_fields_set
            # An unknown key that is spelt like a Python name marks the field of that name as set; pydantic's own dump writes it.
            and ((value := self.__dict__[name]) is not None or name not in unknown)
        }
        return written | {name: _plain(value) for name, value in unknown.items()}


def _plain(value: Any) -> Any:
    match value:
        case Model():
            return value.dump()
        case dict():
            return {key: _plain(one) for key, one in value.items()}
        case list():
            return [_plain(one) for one in value]
        case _:
            return value


class _IntOrString:
    """Accepts a whole number or a string, and says so in one sentence when it is neither."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.union_schema(
            [core_schema.int_schema(strict=True), core_schema.str_schema(strict=True)],
            custom_error_type="int_or_string",
            custom_error_message="must be an integer or a string",
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchema:
        return {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}


IntOrString: TypeAlias = Annotated[int | str, _IntOrString]
"""A count or a share (`25`, `"25%"`), or a number that may be written as a template argument."""
Int32: TypeAlias = Annotated[int, Field(ge=-(2**31), le=2**31 - 1), WithJsonSchema({"type": "integer", "format": "int32"})]
Int64: TypeAlias = Annotated[int, Field(ge=-(2**63), le=2**63 - 1), WithJsonSchema({"type": "integer", "format": "int64"})]
Time: TypeAlias = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""An RFC 3339 time, kept as text so that it is written back as it came."""
AnyObject: TypeAlias = Annotated[dict[str, Any], WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True})]
"""An object of which nothing is known but that it is one: kept whole."""
Embedded: TypeAlias = AnyObject
"""A core type inside ours (pod template, Job spec): kept whole, judged by whoever creates the object."""
StringMap: TypeAlias = dict[str, str]


class Metadata(Model):
    """Labels and annotations to put on something."""

    labels: StringMap | None = None
    """To add."""
    annotations: StringMap | None = None
    """To add."""


class LabelRequirement(Model):
    """One condition on a label: In, NotIn, Exists or DoesNotExist."""

    key: str
    """Of the label."""
    operator: str
    """In, NotIn, Exists or DoesNotExist."""
    values: list[str] | None = None
    """Of the label, for In and NotIn."""


class LabelSelector(Model):
    """Which objects are meant: all labels equal and all expressions true."""

    model_config = ConfigDict(json_schema_extra={"x-kubernetes-map-type": "atomic"})

    match_labels: StringMap | None = None
    """All of these, with these values."""
    match_expressions: list[LabelRequirement] | None = None
    """All of these."""


class NamedObject(Model):
    """A reference by name, in the same namespace."""

    name: str
    """Of the object."""


class OptionalName(Model):
    """A Service to create; without a name it gets the one of what it serves."""

    name: str | None = None


class Condition(Model):
    """One aspect of the observed state, with its reason."""

    type: str
    """Which aspect: Available, Progressing, Paused, Healthy, Completed or InvalidSpec."""
    status: str
    """True, False or Unknown."""
    last_update_time: Time
    """When it was written last."""
    last_transition_time: Time
    """Since when the status is so."""
    reason: str
    """In one word."""
    message: str
    """For people."""


class Resource(Model):
    """What every one of our kinds has around its spec."""

    api_version: str | None = None
    kind: str | None = None
    metadata: AnyObject | None = None
