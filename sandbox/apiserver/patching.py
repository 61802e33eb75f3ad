"""Merge patch (RFC 7386) and JSON patch (RFC 6902).

Owns the two formats. Must not: know resources; see strategic.py for the third format and applying.py for server-side apply.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonpatch
import jsonpointer

from sandbox.apiserver.failures import Refusal, bad_request
from sandbox.apiserver.golang import go_kind


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
        raise bad_request(
            f"error decoding patch: json: cannot unmarshal {go_kind(patch)} into Go value of type []handlers.jsonPatchOp"
        )
    if len(patch) > 10000:
        raise Refusal(413, "RequestEntityTooLarge", f"The allowed maximum operations in a JSON patch is 10000, got {len(patch)}")
    try:
        for operation in patch:
            target = jsonpatch.JsonPatch([_lenient(target, operation)]).apply(target)
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, KeyError):
        message = "the server rejected our request due to an error in our request"
        raise Refusal(422, "Invalid", message, details={}) from None
    return target


def _lenient(target: Any, operation: Any) -> Any:
    """Let `replace` set a field that is not there, as the real server does."""
    if not isinstance(operation, Mapping) or operation.get("op") != "replace":
        return operation
    parent, last = jsonpointer.JsonPointer(operation["path"]).to_last(target)
    return {**operation, "op": "add"} if isinstance(parent, dict) and last not in parent else operation
