"""Where objects meet the schema of their resource: decoding, pruning, defaults and validation.

Owns which parts of an object a schema speaks for, and how type errors are worded. Must not: implement schemas; see schema.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.apiserver import failures, schema
from sandbox.apiserver.core import Call, unreadable, without
from sandbox.apiserver.failures import FieldError
from sandbox.apiserver.golang import type_error
from sandbox.apiserver.presence import nulls_in_maps
from sandbox.apiserver.resources import Body

_ENVELOPE = ("apiVersion", "kind", "metadata")


def decoded(call: Call, obj: Body) -> Body:
    """Return an object without fields that its schema does not know; `fieldValidation` decides what is said about them.

    The spec of a status write is not looked at: the write cannot change it.

    Raises:
        Refusal: 400 for unknown fields with `fieldValidation=Strict`, and for built-in fields of a wrong type.
    """
    declared = call.resource.schema
    if not declared:
        return obj
    if not call.resource.custom:
        obj = nulls_in_maps(declared, obj)
    ignored = {"spec": obj.pop("spec")} if call.address.subresource == "status" and "spec" in obj else {}
    meta = {"properties": {"metadata": (declared.get("properties") or {}).get("metadata", {}), "apiVersion": {}, "kind": {}}}
    head, dropped = schema.prune(meta, {name: obj[name] for name in _ENVELOPE if name in obj})
    body, more = schema.prune(declared, without(obj, *_ENVELOPE))
    _report(call, obj, [*dropped, *more])
    if call.resource.custom:
        _refuse_types(call, meta["properties"]["metadata"], head.get("metadata") or {})
    else:
        _refuse_types(call, declared, {**head, **body})
    return {**head, **ignored, **body}


def _report(call: Call, obj: Body, dropped: list[str]) -> None:
    mode = call.request.query.get("fieldValidation") or "Warn"
    if not dropped or mode == "Ignore":
        return
    if mode == "Warn":
        call.warnings.extend(f'unknown field "{path}"' for path in dropped)
        return
    fields = ", ".join(f'unknown field "{path}"' for path in dropped)
    if call.request.method == "PATCH" and call.request.headers.get("content-type", "").startswith("application/apply-patch"):
        raise failures.bad_request(f"failed to create typed patch object: {fields}")
    raise unreadable(call, obj, f"strict decoding error: {fields}")


def _refuse_types(call: Call, declared: Mapping[str, Any], obj: Mapping[str, Any]) -> None:
    if found := type_error(declared, obj):
        raise unreadable(call, obj, found)


def complete(call: Call, obj: Body) -> None:
    """Apply the defaults of the schema to a custom object, in place."""
    if call.resource.custom:
        obj.update(schema.with_defaults(_spec_part(call), without(obj, *_ENVELOPE)))


def schema_errors(call: Call, new: Mapping[str, Any], old: Mapping[str, Any] | None) -> list[FieldError]:
    """Return where a custom object breaks its schema, rules included; what an update leaves as it was is not judged again."""
    if not call.resource.custom:
        return []
    body, declared = without(new, *_ENVELOPE), _spec_part(call)
    same = [name for name, value in body.items() if name in old and old[name] == value] if old is not None else []
    errors = schema.validate(_lacking(declared, same), without(body, *same))
    return errors or schema.broken_rules(declared, body, without(old, *_ENVELOPE) if old is not None else None)


def _spec_part(call: Call) -> Mapping[str, Any]:
    declared = call.resource.schema
    required = [name for name in declared.get("required") or () if name not in _ENVELOPE]
    return {**declared, "required": required, "properties": without(declared.get("properties") or {}, *_ENVELOPE)}


def _lacking(declared: Mapping[str, Any], names: list[str]) -> Mapping[str, Any]:
    """Return a schema that does not ask for some fields at the top."""
    return {**declared, "required": [name for name in declared["required"] if name not in names]}
