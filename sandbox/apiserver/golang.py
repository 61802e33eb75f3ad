"""What Go says about JSON that it cannot read: those texts reach users through the real server's refusals.

Owns the texts. Must not: know resources; the types of fields are marked in the schemas (`x-go`, `x-go-name`). Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sandbox.apiserver.typing_of import Schema, child_of, items_of

GO_NAME, GO_TYPES = "x-go-name", "x-go"
_SPACES = " \t\r\n"


def go_kind(value: Any) -> str:
    """Return what Go calls a JSON value: `object`, `array`, `string`, `number` or `bool`."""
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def syntax_error(text: str) -> str:
    """Return what is wrong with a text that is no JSON.

    >>> syntax_error("{")
    'unexpected end of JSON input'
    >>> syntax_error("x")
    "invalid character 'x' looking for beginning of value"
    """
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        rest = text[error.pos :].lstrip(_SPACES)
        if not rest or error.msg.startswith("Unterminated"):
            return "unexpected end of JSON input"
        return f"invalid character {_quoted(rest[0])} {_where(error.msg)}"
    return ""


def _quoted(character: str) -> str:
    if not character.isprintable() and ord(character) < 256 and character not in "\n\t":
        return f"'\\u{ord(character):04x}'"
    return {"'": "'\\''", '"': "'\"'", "\n": "'\\n'", "\t": "'\\t'"}.get(character, f"'{character}'")


def _where(message: str) -> str:
    if message.startswith("Expecting property name"):
        return "looking for beginning of object key string"
    if message.startswith("Expecting ':'"):
        return "after object key"
    if message.startswith("Expecting ','"):
        return "after object key:value pair"
    if message.startswith("Extra data"):
        return "after top-level value"
    return "looking for beginning of value"


def type_error(schema: Schema, value: Mapping[str, Any], path: str = "") -> str:
    """Return what is wrong with the first value of an object that its Go type cannot hold; empty when all fit."""
    struct, types = schema.get(GO_NAME, ""), schema.get(GO_TYPES) or {}
    for name, item in value.items():
        child = child_of(schema, name)
        if child is not None and item is not None:
            found = _misfit(child, item, types.get(name, ""), (struct, f"{path}.{name}"))
            if found:
                return found
    return ""


def _misfit(schema: Schema, value: Any, kind: str, place: tuple[str, str]) -> str:
    wanted = schema.get("type")
    if wanted is None or value is None or kind.endswith("[]uint8"):
        return ""
    if not _holds(str(wanted), value):
        number = f" {value}" if isinstance(value, float) and wanted == "integer" else ""
        return f"json: cannot unmarshal {go_kind(value)}{number} into Go struct field {place[0]}{place[1]} of type {kind}"
    if isinstance(value, Mapping):
        if GO_NAME in schema:
            return type_error(schema, value, place[1])
        each = schema.get("additionalProperties")
        items = [(each, item, kind.partition("]")[2]) for item in value.values()] if isinstance(each, Mapping) else []
    else:
        items = [(items_of(schema) or {}, item, kind.removeprefix("[]")) for item in value] if isinstance(value, list) else []
    return next((found for child, item, name in items if (found := _misfit(child, item, name, place))), "")


def _holds(wanted: str, value: Any) -> bool:
    match wanted:
        case "integer":
            return isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
    return go_kind(value) == {"boolean": "bool"}.get(wanted, wanted)
