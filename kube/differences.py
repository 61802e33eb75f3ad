"""The smallest merge patch from one JSON object to another (RFC 7386). Pure.

Must not: know what the fields mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge_patch(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the patch that makes `current` equal to `wanted`; empty when it is.

    A null in `wanted` means absent, as a merge patch cannot set one. Lists are replaced as a whole.

    >>> merge_patch({"a": 1, "b": {"c": 1, "d": 2}}, {"b": {"c": 1, "d": 3}})
    {'b': {'d': 3}, 'a': None}
    """
    patch: dict[str, Any] = {}
    for name, value in wanted.items():
        if value is None:
            continue
        old = current.get(name)
        if isinstance(value, Mapping):
            if not isinstance(old, Mapping):
                patch[name] = without_nulls(value)
            elif inner := merge_patch(old, value):
                patch[name] = inner
        elif old is None or not same(old, value):
            patch[name] = value
    for name, old in current.items():
        if old is not None and wanted.get(name) is None:
            patch[name] = None
    return patch


def is_applied(current: Mapping[str, Any], patch: Mapping[str, Any]) -> bool:
    """Tell whether a merge patch would change nothing."""
    for name, value in patch.items():
        old = current.get(name)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            if not is_applied(old, value):
                return False
        elif not same(old, without_nulls(value) if isinstance(value, Mapping) else value):
            return False
    return True


def same(one: Any, other: Any) -> bool:
    """Compare JSON values; unlike Python, true is not 1."""
    if isinstance(one, bool) is not isinstance(other, bool):
        return False
    return bool(one == other)


def without_nulls(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object without its null fields, at any depth outside lists."""
    return {name: without_nulls(item) if isinstance(item, Mapping) else item for name, item in value.items() if item is not None}


def replaces_a_list(patch: Mapping[str, Any]) -> bool:
    """Tell whether a merge patch overwrites a list as a whole: whoever edited it meanwhile would lose."""
    return any(
        isinstance(value, list | tuple) or (isinstance(value, Mapping) and replaces_a_list(value)) for value in patch.values()
    )
