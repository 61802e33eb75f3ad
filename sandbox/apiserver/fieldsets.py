"""Sets of fields in the FieldsV1 form, and what changed between two objects as such sets.

Owns the arithmetic behind managedFields. A set is a tree of `f:NAME`, `k:{KEYS}` and `v:VALUE` nodes; an empty node is a member,
one with `.` is a member that has members below. Must not: know managers. Pure; arguments are never changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sandbox.apiserver.typing_of import Schema, child_of, items_of

FieldSet: TypeAlias = dict[str, Any]

_KEY_DEFAULTS = {"protocol": "TCP"}
_ABSENT = object()


def is_atomic(schema: Schema | None) -> bool:
    """Tell whether a list or map is owned as a whole."""
    return (schema or {}).get("x-kubernetes-map-type") == "atomic"


def list_type(schema: Schema | None) -> str:
    """Return `atomic`, `set` or `map`."""
    return str((schema or {}).get("x-kubernetes-list-type", "atomic"))


def item_key(schema: Schema | None, item: Any) -> str:
    """Return the node name of a list item: `k:{"name":"web"}` or `v:"text"`."""
    if list_type(schema) != "map" or not isinstance(item, Mapping):
        return "v:" + json.dumps(item, separators=(",", ":"), sort_keys=True)
    names = (schema or {}).get("x-kubernetes-list-map-keys") or ()
    keys = {name: item.get(name, _default_key(schema, name)) for name in names}
    return "k:" + json.dumps(
        {name: value for name, value in keys.items() if value is not None}, separators=(",", ":"), sort_keys=True
    )


def _default_key(schema: Schema | None, name: str) -> Any:
    declared = (child_of(items_of(schema), name) or {}).get("default")
    return _KEY_DEFAULTS.get(name) if declared is None else declared


def children(schema: Schema | None, value: Any) -> dict[str, tuple[Schema | None, Any]] | None:
    """Return what a value consists of, by node name; None for a scalar and whatever is owned as a whole."""
    if isinstance(value, Mapping) and not is_atomic(schema):
        return {f"f:{name}": (child_of(schema, name), item) for name, item in value.items()}
    if isinstance(value, list) and list_type(schema) in ("set", "map"):
        return {item_key(schema, item): (items_of(schema), item) for item in value}
    return None


def of_value(schema: Schema | None, value: Any, *, whole: bool = False) -> FieldSet:
    """Return every field of a value.

    Args:
        schema: says which lists and maps are owned as a whole.
        value: the object.
        whole: also count maps themselves as members, as for fields that an update created.
    """
    parts = children(schema, value)
    if not parts:
        return {}
    found: FieldSet = {}
    for name, (child, item) in parts.items():
        below = of_value(child, item, whole=whole)
        if below and (whole or child is None or name.startswith("k:")):
            below = {".": {}, **below}
        found[name] = below
    return found


@dataclass(slots=True)
class Changes:
    """Fields that differ between two objects."""

    set: FieldSet = field(default_factory=dict)
    """Added or modified."""
    removed: FieldSet = field(default_factory=dict)


def compare(schema: Schema | None, old: Any, new: Any) -> Changes:
    """Return what differs; parts that are equal are not descended into."""
    before, after = children(schema, old), children(schema, new)
    if old is None and isinstance(new, list):
        before = {}
    changes = Changes()
    if before is None or after is None:
        return changes
    for name, (child, item) in after.items():
        was = before[name][1] if name in before else _ABSENT
        if was is item or (was is not _ABSENT and was == item):
            continue
        if was is _ABSENT:
            below = of_value(child, item, whole=True)
            changes.set[name] = {".": {}, **below} if below else {}
        elif not _can_be_filled(child, was) or children(child, item) is None:
            changes.set[name] = {}
            changes.removed |= {name: below} if (below := of_value(child, was, whole=True)) else {}
        else:
            inner = compare(child, was, item)
            changes.set |= {name: inner.set} if inner.set else {}
            changes.removed |= {name: inner.removed} if inner.removed else {}
    for name, (child, item) in before.items():
        if name not in after:
            below = of_value(child, item, whole=True)
            changes.removed[name] = {".": {}, **below} if below else {}
    return changes


def _can_be_filled(schema: Schema | None, value: Any) -> bool:
    """Tell whether what is put into a value belongs to whoever puts it there, and not the value as a whole."""
    return children(schema, value) is not None or (value is None and list_type(schema) in ("set", "map"))


def union(one: FieldSet, other: FieldSet) -> FieldSet:
    """Return the members of either."""
    merged = dict(one)
    for name, node in other.items():
        have = merged.get(name)
        if have is None:
            merged[name] = node
        elif node != have:
            merged[name] = _join(have, node)
    return merged


def _join(one: FieldSet, other: FieldSet) -> FieldSet:
    if not one or not other:  # one side is a plain member: keep that when the other has members below
        return {".": {}, **(one or other)}
    return union(one, other)


def _is_member(node: FieldSet) -> bool:
    return not node or "." in node


def difference(one: FieldSet, other: FieldSet) -> FieldSet:
    """Return the members of the first that are not in the second."""
    left: FieldSet = {}
    for name, node in one.items():
        if name == ".":
            continue
        against = other.get(name)
        if against is None:
            left[name] = node
            continue
        below = difference(node, against)
        if _is_member(node) and not _is_member(against):
            left[name] = {".": {}, **below} if set(below) - {"."} else {}
        elif below:
            left[name] = below
    if "." in one and "." not in other and other:
        left = {".": {}, **left}
    return left


def vanished(one: FieldSet, kept: FieldSet) -> FieldSet:
    """Return the members of the first that are not in the second, where a map that still has members has not vanished itself."""
    left: FieldSet = {}
    for name, node in one.items():
        if name == ".":
            continue
        if name not in kept:
            left[name] = node
        elif below := vanished(node, kept[name]):
            left[name] = below
    return left


def intersection(one: FieldSet, other: FieldSet) -> FieldSet:
    """Return the members of both."""
    shared: FieldSet = {}
    for name, node in one.items():
        against = other.get(name)
        if name == "." or against is None:
            continue
        below = intersection(node, against)
        if _is_member(node) and _is_member(against):
            shared[name] = {".": {}, **below} if below else {}
        elif below:
            shared[name] = below
    return shared


def paths(tree: FieldSet, prefix: str = "") -> Iterator[str]:
    """Yield the members as people write them: `.spec.containers[name="web"].image`."""
    for name, node in tree.items():
        if name == ".":
            continue
        path = prefix + _shown(name)
        if _is_member(node):
            yield path
        yield from paths(node, path)


def _shown(name: str) -> str:
    kind, _, text = name.partition(":")
    if kind == "f":
        return f".{text}"
    if kind == "v":
        return f"[={text}]"
    keys = json.loads(text)
    return "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in keys.items()) + "]"
