"""Structural schemas: pruning, defaulting and validation as a CustomResourceDefinition asks for.

Owns the OpenAPI v3 subset that Kubernetes accepts, with its error texts. Must not: know resources. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from sandbox.apiserver import rules
from sandbox.apiserver.failures import FieldError, duplicate, invalid, required, shown, unsupported

Schema: TypeAlias = Mapping[str, Any]

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


def is_open(schema: Schema) -> bool:
    """Tell whether unknown fields stay."""
    return bool(schema.get("x-kubernetes-preserve-unknown-fields"))


def _child(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def prune(schema: Schema, value: Any, path: str = "") -> tuple[Any, list[str]]:
    """Return `value` without fields the schema does not know, and the paths of those; the argument is not changed."""
    dropped: list[str] = []
    return _pruned(schema, value, path, dropped), dropped


def _pruned(schema: Schema, value: Any, path: str, dropped: list[str]) -> Any:
    if isinstance(value, list):
        items = schema.get("items")
        return [_pruned(items, item, f"{path}[{index}]", dropped) for index, item in enumerate(value)] if items else value
    if not isinstance(value, dict):
        return str(value) if schema.get("x-quantity") and _is(value, "number") else value
    properties, additional = _fields_of(schema)
    kept: dict[str, Any] = {}
    for name, item in value.items():
        child = properties.get(name, additional)
        if child is None or child is False:
            if is_open(schema):
                kept[name] = item
            else:
                dropped.append(_child(path, name))
        elif child is True:
            kept[name] = item
        elif item is not None or child.get("nullable") or "default" in child or is_open(child):
            kept[name] = _pruned(child, item, _child(path, name), dropped)
    return kept


def _fields_of(schema: Schema) -> tuple[Mapping[str, Any], Any]:
    """Return the declared fields, and the schema (or True) of all others."""
    properties = schema.get("properties") or {}
    if schema.get("x-kubernetes-embedded-resource"):
        properties = {
            **{name: {"x-kubernetes-preserve-unknown-fields": True} for name in ("apiVersion", "kind", "metadata")},
            **properties,
        }
    return properties, schema.get("additionalProperties")


def with_defaults(schema: Schema, value: Any) -> Any:
    """Return `value` completed with the defaults of the schema; the argument is not changed."""
    if isinstance(value, list):
        items = schema.get("items")
        return [with_defaults(items, item) for item in value] if items else value
    if not isinstance(value, dict):
        return value
    properties, additional = schema.get("properties") or {}, schema.get("additionalProperties")
    completed = dict(value)
    for name, child in properties.items():
        if "default" in child and (name not in completed or (completed[name] is None and not child.get("nullable"))):
            completed[name] = child["default"]
        if name in completed:
            completed[name] = with_defaults(child, completed[name])
    if isinstance(additional, Mapping):
        completed = {name: item if name in properties else with_defaults(additional, item) for name, item in completed.items()}
    return completed


def validate(schema: Schema, value: Any, path: str = "") -> list[FieldError]:
    """Return everything wrong with `value`, in the words of the real API server."""
    return list(_errors(schema, value, path))


def _errors(schema: Schema, value: Any, path: str) -> Iterator[FieldError]:
    if value is None:
        if not schema.get("nullable") and schema.get("type"):
            yield _wrong_type(path, "null", schema["type"])
        return
    if schema.get("x-kubernetes-int-or-string"):
        if isinstance(value, bool) or not isinstance(value, int | str):
            yield _wrong_type(path, _type_name(value), "integer,string")
        return
    if schema.get("x-quantity"):
        if not _is(value, "number") and not isinstance(value, str):
            yield _wrong_type(path, _type_name(value), "string")
        return
    wanted = schema.get("type")
    if wanted and not _is(value, wanted):
        yield _wrong_type(path, _type_name(value), wanted)
        return
    if "enum" in schema and value not in schema["enum"]:
        yield unsupported(path, value, schema["enum"])
    if isinstance(value, dict):
        yield from _object_errors(schema, value, path)
    elif isinstance(value, list):
        yield from _list_errors(schema, value, path)
    elif isinstance(value, str):
        yield from _string_errors(schema, value, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number_errors(schema, value, path)
    yield from _junctor_errors(schema, value, path)


def _is(value: Any, wanted: str) -> bool:
    if wanted in ("integer", "number") and isinstance(value, bool):
        return False
    if wanted == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES.get(wanted, (object,)))


def _type_name(value: Any) -> str:
    for name in ("boolean", "integer", "number", "string", "array", "object"):
        if isinstance(value, _TYPES[name]):
            return name
    return "null"


def _wrong_type(path: str, got: str, wanted: str) -> FieldError:
    return FieldError(path, "FieldValueTypeInvalid", f'Invalid value: "{got}": {path} in body must be of type {wanted}: "{got}"')


def _object_errors(schema: Schema, value: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    for name in schema.get("required") or ():
        if name not in value:
            yield required(_child(path, name))
    if len(value) > schema.get("maxProperties", len(value)):
        yield FieldError(path, "FieldValueTooMany", f"Too many: {len(value)}: must have at most {schema['maxProperties']} items")
    if len(value) < schema.get("minProperties", 0):
        yield invalid(path, value, f"{path} in body should have at least {schema['minProperties']} properties")
    properties, additional = schema.get("properties") or {}, schema.get("additionalProperties")
    for name, item in value.items():
        child = properties.get(name, additional)
        if isinstance(child, Mapping):
            yield from _errors(child, item, _child(path, name))


def _list_errors(schema: Schema, value: list[Any], path: str) -> Iterator[FieldError]:
    if len(value) > schema.get("maxItems", len(value)):
        yield FieldError(path, "FieldValueTooMany", f"Too many: {len(value)}: must have at most {schema['maxItems']} items")
    if len(value) < schema.get("minItems", 0):
        yield invalid(path, len(value), f"{path} in body should have at least {schema['minItems']} items")
    for index, item in enumerate(value):
        if schema.get("items"):
            yield from _errors(schema["items"], item, f"{path}[{index}]")
    yield from _repeated(schema, value, path)


def _repeated(schema: Schema, value: list[Any], path: str) -> Iterator[FieldError]:
    kind = schema.get("x-kubernetes-list-type")
    if kind not in ("set", "map"):
        return
    names = schema.get("x-kubernetes-list-map-keys") or ()
    seen: list[Any] = []
    for index, item in enumerate(value):
        key = {name: item.get(name) for name in names} if kind == "map" and isinstance(item, Mapping) else item
        if key in seen:
            yield duplicate(f"{path}[{index}]", key)
        seen.append(key)


def _string_errors(schema: Schema, value: str, path: str) -> Iterator[FieldError]:
    if len(value) > schema.get("maxLength", len(value)):
        yield FieldError(path, "FieldValueTooLong", f"Too long: may not be more than {schema['maxLength']} bytes")
    if len(value) < schema.get("minLength", 0):
        yield invalid(path, value, f"{path} in body should be at least {schema['minLength']} chars long")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield invalid(path, value, f"{path} in body should match '{schema['pattern']}'")
    if schema.get("format") == "date-time" and not _is_time(value):
        yield invalid(path, value, f"{path} in body must be of type date-time: {shown(value)}")


def _is_time(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _number_errors(schema: Schema, value: float, path: str) -> Iterator[FieldError]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and (value < low or (schema.get("exclusiveMinimum") and value == low)):
        than = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        yield invalid(path, value, f"{path} in body should be {than} {low}")
    if high is not None and (value > high or (schema.get("exclusiveMaximum") and value == high)):
        than = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        yield invalid(path, value, f"{path} in body should be {than} {high}")
    if schema.get("multipleOf") and value % schema["multipleOf"]:
        yield invalid(path, value, f"{path} in body should be a multiple of {schema['multipleOf']}")


def _junctor_errors(schema: Schema, value: Any, path: str) -> Iterator[FieldError]:
    for part in schema.get("allOf") or ():
        yield from _errors(part, value, path)
    if schema.get("anyOf") and not any(_fits(part, value) for part in schema["anyOf"]):
        yield invalid(path, "", f'"{path}" must validate at least one schema (anyOf)')
    if schema.get("oneOf"):
        valid = sum(_fits(part, value) for part in schema["oneOf"])
        if valid != 1:
            found = "Found none valid" if not valid else f"Found {valid} valid alternatives"
            yield invalid(path, "", f'"{path}" must validate one and only one schema (oneOf). {found}')
    if schema.get("not") and _fits(schema["not"], value):
        yield invalid(path, "", f'"{path}" must not validate the schema (not)')


def _fits(schema: Schema, value: Any) -> bool:
    return next(_errors(schema, value, ""), None) is None


def broken_rules(schema: Schema, new: Any, old: Any, path: str = "") -> list[FieldError]:
    """Return the `x-kubernetes-validations` that do not hold.

    Transition rules are looked at when there is an old value; what did not change is not looked at.
    """
    errors = [error for rule in schema.get("x-kubernetes-validations") or () for error in rules.check(rule, new, old, path)]
    if isinstance(new, Mapping):
        before = old if isinstance(old, Mapping) else {}
        for name, child in (schema.get("properties") or {}).items():
            if name in new and (name not in before or before[name] != new[name]):
                errors += broken_rules(child, new[name], before.get(name), _child(path, name))
    elif isinstance(new, list) and schema.get("items"):
        for index, item in enumerate(new):
            errors += broken_rules(schema["items"], item, None, f"{path}[{index}]")
    return errors
