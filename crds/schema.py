"""Turns a model into the structural schema that a CustomResourceDefinition accepts.

Owns the rewriting of pydantic's JSON schema: inline definitions, no null alternatives, nothing that the API server refuses
(spec/kubernetes.md, "What pydantic emits that a structural schema refuses"). Must not: know a kind.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from crds.common import JsonSchema, Model
from crds.descriptions import descriptions

_KEPT = ("type", "format", "enum", "default", "x-kubernetes-map-type", "x-kubernetes-preserve-unknown-fields")
INT_OR_STRING = "x-kubernetes-int-or-string"
_ALTERNATIVES = ("allOf", "anyOf", "oneOf", "not")
_STRUCTURAL_TYPES = ("object", "array", "string", "integer", "number", "boolean")


class NotStructural(ValueError):
    """A model uses something that has no structural form; change the model."""


def structural_schema(model: type[Model]) -> JsonSchema:
    """Return the schema of a model's objects, with every definition inlined.

    Raises:
        NotStructural: the model refers to itself or has alternatives other than int-or-string.
    """
    raw = model.model_json_schema(by_alias=True)
    return _Inliner(raw.get("$defs", {}), {one.__name__: told for one in _all_models() if (told := descriptions(one))}).node(
        raw, (model.__name__,)
    )


def _all_models(base: type[Model] = Model) -> Iterator[type[Model]]:
    """Yield every model that is defined; their names are those of pydantic's definitions."""
    for one in base.__subclasses__():
        yield one
        yield from _all_models(one)


class _Inliner:
    """Rewrites one schema; `path` is the chain of definitions it came through."""

    def __init__(self, definitions: Mapping[str, JsonSchema], told: Mapping[str, Mapping[str, str]]) -> None:
        self._definitions = definitions
        self._told = told

    def node(self, raw: JsonSchema, path: tuple[str, ...]) -> JsonSchema:
        if "$ref" in raw:
            name = raw["$ref"].rpartition("/")[2]
            if name in path:
                raise NotStructural(f"{name} contains itself; cut the recursion with AnyObject")
            return self.node(self._definitions[name], (*path, name))
        if raw.get(INT_OR_STRING):
            return {"anyOf": [{"type": "integer"}, {"type": "string"}], INT_OR_STRING: True}
        if "anyOf" in raw:
            real = [one for one in raw["anyOf"] if one.get("type") != "null"]
            if len(real) != 1:
                raise NotStructural(f"{' > '.join(path)} has alternatives: {raw['anyOf']}")
            return self.node(real[0], path)
        return self._plain(raw, path)

    def _plain(self, raw: JsonSchema, path: tuple[str, ...]) -> JsonSchema:
        schema: JsonSchema = {key: raw[key] for key in _KEPT if key in raw}
        if "type" not in schema:
            raise NotStructural(f"{' > '.join(path)} has no type: {raw}")
        if "description" in raw:
            schema["description"] = inspect.cleandoc(raw["description"]).partition("\n\n")[0].replace("\n", " ")
        match raw["type"]:
            case "object" if "properties" in raw:
                if raw.get("required"):
                    schema["required"] = sorted(raw["required"])
                schema["properties"] = dict(self._properties(raw["properties"], path))
            case "object" if isinstance(raw.get("additionalProperties"), dict):
                schema["additionalProperties"] = self.node(raw["additionalProperties"], path)
            case "array":
                schema["items"] = self.node(raw["items"], path)
        return schema

    def _properties(self, raw: Mapping[str, JsonSchema], path: tuple[str, ...]) -> Iterator[tuple[str, JsonSchema]]:
        """Yield the fields of an object, each with what is said of it; else an object has the description of its type."""
        told = self._told.get(path[-1], {})
        for name, value in sorted(raw.items()):
            yield name, self.node(value, path) | ({"description": told[name]} if name in told else {})


def structural_errors(schema: JsonSchema, path: str = "") -> Iterator[str]:
    """Yield why a schema is not structural, node by node, as the API server would complain.

    Every node needs a type or the int-or-string marker; logical junctors must not carry types; properties and
    additionalProperties exclude each other.
    """
    yield from _own_errors(schema, path)
    for name, child in (schema.get("properties") or {}).items():
        yield from structural_errors(child, f"{path}.{name}")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from structural_errors(schema["additionalProperties"], f"{path}{{}}")
    if schema.get("type") == "array":
        yield from structural_errors(schema.get("items") or {}, f"{path}[]")


def _own_errors(schema: JsonSchema, path: str) -> Iterator[str]:
    where = path or "the root"
    int_or_string = schema.get(INT_OR_STRING, False)
    if int_or_string and schema.get("anyOf") != [{"type": "integer"}, {"type": "string"}]:
        yield f"{where}: int-or-string needs anyOf of integer and string"
    if not int_or_string:
        if schema.get("type") not in _STRUCTURAL_TYPES:
            yield f"{where}: type {schema.get('type')!r} is none of {', '.join(_STRUCTURAL_TYPES)}"
        yield from (f"{where}: {key} is not used here" for key in _ALTERNATIVES if key in schema)
    elif "type" in schema:
        yield f"{where}: int-or-string has no type of its own"
    if "properties" in schema and "additionalProperties" in schema:
        yield f"{where}: properties and additionalProperties exclude each other"
    forbidden = {"$ref", "$defs", "title", "const", "prefixItems", "uniqueItems", "examples", "deprecated"} & schema.keys()
    yield from (f"{where}: {key} is forbidden" for key in sorted(forbidden))
    unknown = set(schema.get("required") or ()) - (schema.get("properties") or {}).keys()
    yield from (f"{where}: required {name} is no property" for name in sorted(unknown))


def find(schema: JsonSchema, *names: str) -> dict[str, Any]:
    """Return the schema of a nested property, by the names on the way."""
    for name in names:
        schema = schema["properties"][name]
    return schema
