"""Merge patch (RFC 7386) and JSON patch (RFC 6902).

Owns the two formats. Must not: know resources; see strategic.py for the third format and applying.py for server-side apply.
"""

from __future__ import annotations

from typing import Any

import jsonpatch
import jsonpointer

from sandbox.apiserver.failures import Refusal, bad_request


def merge(target: Any, patch: Any) -> Any:
    """Return `target` with a merge patch applied; neither argument is changed.

    >>> merge({"a": 1, "b": {"c": 2, "d": 3}}, {"a": None, "b": {"c": 4}})
    {'b': {'c': 4, 'd': 3}}
    """
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def apply_json_patch(target: Any, patch: Any) -> Any:
    """Return a copy of `target` with a JSON patch applied.

    Raises:
        Refusal: 400 for a patch that is not one, 422 when an operation does not apply.
    """
    if not isinstance(patch, list):
        raise bad_request("a JSON patch must be a list of operations")
    if len(patch) > 10000:
        raise Refusal(413, "RequestEntityTooLarge", f"The allowed maximum operations in a JSON patch is 10000, got {len(patch)}")
    try:
        return jsonpatch.JsonPatch(patch).apply(target)
    except jsonpatch.InvalidJsonPatch as error:
        raise bad_request(f"error decoding patch: {error}") from None
    except jsonpatch.JsonPatchTestFailed:
        path = _failed_test(target, patch)
        raise Refusal(
            422,
            "Invalid",
            f"the server rejected our request due to an error in our request: testing path {path} value failed: test failed",
        ) from None
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, KeyError) as error:
        raise Refusal(422, "Invalid", f"the server rejected our request due to an error in our request: {error}") from None


def _failed_test(target: Any, patch: list[Any]) -> str:
    """Return the path of the first `test` that does not hold."""
    for count, operation in enumerate(patch, start=1):
        try:
            jsonpatch.JsonPatch(patch[:count]).apply(target)
        except jsonpatch.JsonPatchTestFailed:
            return str(operation["path"])
    return ""
