"""What of a configuration its schema does not allow: server-side apply reads it strictly, whatever `fieldValidation` says.

Owns the texts about fields, types and keys that occur twice. Must not: apply. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.apiserver.fieldsets import item_key, list_type
from sandbox.apiserver.golang import go_kind
from sandbox.apiserver.typing_of import Schema, child_of, items_of

_ENVELOPE = ("apiVersion", "kind")
_EXPECTED = {"object": "map", "array": "list", "string": "string", "boolean": "boolean", "integer": "numeric (int or float)"}


def type_errors(schema: Schema, value: Mapping[str, Any]) -> str:
    """Return what is wrong with a configuration, empty when it is as its schema says."""
    known = {name: item for name, item in value.items() if name not in _ENVELOPE}
    found = list(_errors(schema, known, ""))
    return "".join(found) if len(found) < 2 else "\n".join(["errors:", *(f"  {error}" for error in found)])


def _errors(schema: Schema | None, value: Any, path: str) -> Iterator[str]:
    if schema is None or value is None or schema.get("x-kubernetes-int-or-string") or schema.get("x-quantity"):
        return
    wanted = str(schema.get("type") or "")
    if wanted and not _is(wanted, value):
        yield f"{path}: expected {_EXPECTED.get(wanted, wanted)}, got {_shown(value)}"
    elif isinstance(value, Mapping):
        yield from _field_errors(schema, value, path)
    elif isinstance(value, list):
        yield from _item_errors(schema, value, path)


def _field_errors(schema: Schema, value: Mapping[str, Any], path: str) -> Iterator[str]:
    open_ended = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    for name, item in value.items():
        child = child_of(schema, name)
        if child is None and not open_ended:
            yield f"{path}.{name}: field not declared in schema"
        else:
            yield from _errors(child, item, f"{path}.{name}")


def _item_errors(schema: Schema, value: list[Any], path: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, item in enumerate(value):
        key = item_key(schema, item) if list_type(schema) in ("set", "map") else ""
        if key and key in seen:
            yield f"{path}: duplicate entries for key {_key(key)}"
        seen.add(key)
        yield from _errors(items_of(schema), item, f"{path}{_key(key) if key else f'[{index}]'}")


def _key(node: str) -> str:
    kind, _, text = node.partition(":")
    if kind == "v":
        return f"[={text}]"
    return "[" + ",".join(f"{name}={json.dumps(item)}" for name, item in json.loads(text).items()) + "]"


def _is(wanted: str, value: Any) -> bool:
    return go_kind(value) == {"boolean": "bool", "integer": "number"}.get(wanted, wanted)


def _shown(value: Any) -> str:
    """Print a value as Go does."""
    if isinstance(value, list | Mapping):
        return f"&{{{_plain(value)}}}"
    return f"&value.valueUnstructured{{Value:{json.dumps(value)}}}"


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return "[" + " ".join(_plain(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{name}:{_plain(item)}" for name, item in sorted(value.items())) + "]"
    return "<nil>" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
