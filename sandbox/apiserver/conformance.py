"""Where objects meet the schema of their resource: pruning, defaults and validation.

Owns which parts of an object a schema speaks for. Must not: implement schemas; see schema.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.apiserver import schema
from sandbox.apiserver.core import Call, without
from sandbox.apiserver.failures import FieldError
from sandbox.apiserver.resources import Body

_ENVELOPE = ("apiVersion", "kind", "metadata")


def complete(call: Call, obj: Body) -> None:
    """Apply the defaults of the schema to a custom object, in place."""
    if call.resource.custom:
        completed = schema.with_defaults(call.resource.schema, without(obj, *_ENVELOPE))
        obj.update(completed)


def schema_errors(call: Call, new: Mapping[str, Any], old: Mapping[str, Any] | None) -> list[FieldError]:
    """Return where a custom object breaks its schema, rules included."""
    if not call.resource.custom:
        return []
    body = without(new, *_ENVELOPE)
    errors = schema.validate(call.resource.schema, body)
    return errors or schema.broken_rules(call.resource.schema, body, without(old, *_ENVELOPE) if old else None)


def pruned(call: Call, obj: Body) -> tuple[Body, list[str]]:
    """Return the object without fields that the schema does not know, and the paths of those."""
    if not call.resource.schema:
        return obj, []
    body, dropped = schema.prune(call.resource.schema, without(obj, *_ENVELOPE))
    return {**{key: obj[key] for key in _ENVELOPE if key in obj}, **body}, dropped
