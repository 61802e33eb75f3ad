"""Strategic merge patch: lists merge by key where the schema says so, with the `$` directives.

Owns the patch format. Must not: know kinds; keys come from `x-kubernetes-patch-*` of the schema. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.apiserver.failures import bad_request
from sandbox.apiserver.typing_of import child_of, items_of

_ORDER = "$setElementOrder/"
_REMOVE = "$deleteFromPrimitiveList/"


def strategic_merge(schema: Mapping[str, Any] | None, current: Any, patch: Any) -> Any:
    """Return `current` with a strategic merge patch applied; neither argument is changed.

    Raises:
        Refusal: 400 when a directive or a merge key cannot be read.
    """
    if not isinstance(patch, dict):
        return patch
    patch = dict(patch)
    directive, retained = patch.pop("$patch", None), patch.pop("$retainKeys", None)
    if directive == "replace":
        return patch
    if directive == "delete":
        return {}
    merged = dict(current) if isinstance(current, dict) else {}
    if retained is not None:
        merged = {key: value for key, value in merged.items() if key in retained}
    orders = {key.removeprefix(_ORDER): patch.pop(key) for key in list(patch) if key.startswith(_ORDER)}
    removals = {key.removeprefix(_REMOVE): patch.pop(key) for key in list(patch) if key.startswith(_REMOVE)}
    for name, gone in removals.items():
        merged[name] = [item for item in merged.get(name) or () if item not in gone]
    for name, value in patch.items():
        child = child_of(schema, name)
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, list):
            merged[name] = _merged_list(child, merged.get(name) or [], value, name)
        else:
            merged[name] = strategic_merge(child, merged.get(name), value)
    for name, order in orders.items():
        if isinstance(merged.get(name), list):
            merged[name] = _ordered(child_of(schema, name), merged[name], order)
    return merged


def _merge_key(schema: Mapping[str, Any] | None) -> str | None:
    return (schema or {}).get("x-kubernetes-patch-merge-key")


def _merges(schema: Mapping[str, Any] | None) -> bool:
    return "merge" in str((schema or {}).get("x-kubernetes-patch-strategy", ""))


def _merged_list(schema: Mapping[str, Any] | None, current: list[Any], patch: list[Any], name: str) -> list[Any]:
    replaced = [item for item in patch if not (isinstance(item, dict) and item.get("$patch") == "replace" and len(item) == 1)]
    if len(replaced) < len(patch):
        return replaced
    if not _merges(schema):
        return [_without_directives(item) for item in patch]
    key = _merge_key(schema)
    if key is None:
        joined = [*current, *(item for item in patch if item not in current)]
        return _patched_first(joined, current, patch, lambda item: item)
    merged = list(current)
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise bad_request(f"map: {item!r} does not contain declared merge key: {key} (in {name})")
        _merge_item(schema, merged, item, key)
    return _patched_first(merged, [item[key] for item in current], [item[key] for item in patch], lambda item: item[key])


def _patched_first(items: list[Any], before: list[Any], patched: list[Any], identity: Callable[[Any], Any]) -> list[Any]:
    """Order items as the patch has them; one that it does not have goes before it only if it was before it already."""
    rest = [item for item in items if identity(item) not in patched]
    result: list[Any] = []
    for item in (item for name in patched for item in items if identity(item) == name):
        while rest and identity(item) in before and before.index(identity(rest[0])) < before.index(identity(item)):
            result.append(rest.pop(0))
        result.append(item)
    return [*result, *rest]


def _merge_item(schema: Mapping[str, Any] | None, merged: list[Any], item: Mapping[str, Any], key: str) -> None:
    at = next((index for index, one in enumerate(merged) if isinstance(one, dict) and one.get(key) == item[key]), None)
    if item.get("$patch") == "delete":
        if at is not None:
            del merged[at]
    elif at is None:
        merged.append(strategic_merge(items_of(schema), {}, dict(item)))
    else:
        merged[at] = strategic_merge(items_of(schema), merged[at], dict(item))


def _without_directives(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_directives(item) for key, item in value.items() if not key.startswith("$")}
    return [_without_directives(item) for item in value] if isinstance(value, list) else value


def _ordered(schema: Mapping[str, Any] | None, items: list[Any], order: list[Any]) -> list[Any]:
    """Put the items that the client named into its order; others stay behind the one they followed."""
    key = _merge_key(schema)

    def identity(item: Any) -> Any:
        return item.get(key) if key is not None and isinstance(item, dict) else item

    wanted = [identity(item) for item in order]
    named = {repr(identity(item)): item for item in items if identity(item) in wanted}
    result = [named[repr(name)] for name in wanted if repr(name) in named]
    for index, item in enumerate(items):
        if identity(item) in wanted:
            continue
        before = items[index - 1] if index else None
        at = result.index(before) + 1 if before is not None and before in result else len(result) if before is not None else 0
        result.insert(at, item)
    return result
