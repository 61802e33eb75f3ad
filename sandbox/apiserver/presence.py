"""Which fields of built-in objects are there: the real server keeps its objects in typed structures, and that shows.

A structure is there even when it was not sent (`status: {}`), a required list is `null`, and an empty map or a zero number that may
be left out is left out. Owns that rule. Must not: know kinds; the fields are marked in the schemas (`x-always`, `x-drop`). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.apiserver.typing_of import Schema, child_of, items_of

ALWAYS, DROP = "x-always", "x-drop"


def settled(schema: Schema | None, value: Any) -> Any:
    """Return `value` as a server with typed structures shows it; the argument is not changed.

    >>> settled({"properties": {"size": {}}, "x-always": {"status": {}}, "x-drop": {"size"}}, {"size": 0})
    {'status': {}}
    """
    if isinstance(value, list):
        return [settled(items_of(schema), item) for item in value]
    if not isinstance(value, Mapping) or not schema or schema.get("x-kubernetes-preserve-unknown-fields"):
        return value
    always, drop = schema.get(ALWAYS) or {}, schema.get(DROP) or ()
    found: dict[str, Any] = {}
    for name, item in value.items():
        child = child_of(schema, name)
        if name not in always and (item is None or (name in drop and not item) or _is_empty_collection(child, item)):
            continue
        found[name] = settled(child, item)
    for name, zero in always.items():
        if found.get(name) is None:
            found[name] = settled(child_of(schema, name), {}) if zero == {} else zero
    return found


def nulls_in_maps(schema: Schema | None, value: Any) -> Any:
    """Return `value` with an empty text for every null in a map of texts: that is what Go reads there."""
    if isinstance(value, list):
        return [nulls_in_maps(items_of(schema), item) for item in value]
    if not isinstance(value, Mapping) or not schema:
        return value
    texts = "additionalProperties" in schema and (schema["additionalProperties"] or {}).get("type") == "string"
    return {name: "" if item is None and texts else nulls_in_maps(child_of(schema, name), item) for name, item in value.items()}


def without_empty(schema: Schema | None, value: Any) -> Any:
    """Return `value` without empty lists that an object of this type would not keep: nobody can own them."""
    if isinstance(value, list):
        return [without_empty(items_of(schema), item) for item in value]
    if not isinstance(value, Mapping) or not schema or schema.get("x-kubernetes-preserve-unknown-fields"):
        return value
    always = schema.get(ALWAYS) or {}
    return {name: without_empty(child_of(schema, name), item) for name, item in value.items() if name in always or item != []}


def _is_empty_collection(schema: Schema | None, value: Any) -> bool:
    return value == [] or (value == {} and "additionalProperties" in (schema or {}))
