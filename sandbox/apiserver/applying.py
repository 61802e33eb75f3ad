"""Server-side apply: merge what a manager wants, take away what it no longer wants, refuse what others own.

Owns conflicts and removal. Must not: check objects; see writing.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sandbox.apiserver import failures
from sandbox.apiserver.conformance import decoded
from sandbox.apiserver.core import Call, checked_object, copied
from sandbox.apiserver.fieldsets import (
    FieldSet,
    compare,
    difference,
    intersection,
    is_atomic,
    item_key,
    list_type,
    of_value,
    paths,
    union,
    vanished,
)
from sandbox.apiserver.ownership import Manager, Owned, manager_of, ownable, read_entries, schema_of, unowned, write_entries
from sandbox.apiserver.presence import without_empty
from sandbox.apiserver.resources import Body
from sandbox.apiserver.storage import Stored
from sandbox.apiserver.typed import type_errors
from sandbox.apiserver.typing_of import Schema, child_of, items_of
from sandbox.apiserver.writing import create, update

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def apply(call: Call, body: Any) -> tuple[Stored, bool]:
    """Apply a manager's configuration; return the object and whether it is new.

    Raises:
        Refusal: 400 for what is no configuration of the object, 500 when it is not of its type, 409 when other managers own
            changed fields, else as writes do.
    """
    _check_configuration(call, body)
    written = copied(body)
    config = decoded(call, checked_object(call, body))
    if config["metadata"].get("managedFields"):
        raise failures.bad_request("metadata.managedFields must be nil")
    config = {**_without_nulls(config), "metadata": without_empty(call.core.metadata_schema, _without_nulls(config["metadata"]))}
    if not call.resource.custom:
        config = without_empty(schema_of(call), config)
    config["metadata"]["name"] = call.address.name
    version = config["metadata"].pop("resourceVersion", "")
    uid = config["metadata"].pop("uid", "")
    old = call.core.storage.get(call.resource.store, call.key)
    if old is None:
        return _first(call, config, uid), True
    current = call.resource.read(old.body)
    if uid and uid != current["metadata"]["uid"]:
        error = failures.invalid("metadata.uid", uid, "field is immutable")
        raise failures.not_valid(call.resource.target(call.address.name), [error, error])
    merged, entries = _merged(call, current, config, written)
    merged["metadata"] = {**merged["metadata"], "resourceVersion": version, "uid": uid or current["metadata"]["uid"]}
    write_entries(merged["metadata"], entries)
    return update(call, old, merged, operation="Apply"), False


def _first(call: Call, config: Body, uid: str) -> Stored:
    if uid:
        detail = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise failures.conflict(call.resource.target(call.address.name), detail)
    fields = of_value(schema_of(call), _wanted(config))
    write_entries(config["metadata"], {manager_of(call, "Apply"): Owned(fields, call.core.timestamp())})
    return create(call, config, operation="Apply")


def _check_configuration(call: Call, body: Any) -> None:
    if not isinstance(body, Mapping) or not isinstance(body.get("metadata", {}), Mapping):
        raise failures.bad_request("the configuration must be an object with metadata")
    given, kind = str(body.get("apiVersion") or ""), str(body.get("kind") or "")
    if (given, kind) != (call.resource.api_version, call.resource.kind):
        group, _, version = given.rpartition("/")
        raise failures.bad_request(f"invalid object type: {group}/{version}, Kind={kind}")
    if not (body.get("metadata") or {}).get("name"):
        raise failures.bad_request(
            f"the name of the object ({call.address.name} based on URL) was undeterminable: name must be provided"
        )
    if wrong := type_errors(schema_of(call), body):
        metadata = body["metadata"]
        what = f"{metadata.get('namespace', '')}/{metadata['name']}; {_gvk(call)}"
        raise failures.unexpected(f"failed to create typed patch object ({what}): {wrong}")


def _gvk(call: Call) -> str:
    return f"{call.resource.group}/{call.resource.version}, Kind={call.resource.kind}"


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _merged(call: Call, current: Body, config: Body, written: Body) -> tuple[Body, dict[Manager, Owned]]:
    schema, who = schema_of(call), manager_of(call, "Apply")
    entries = read_entries(current["metadata"])
    before, wanted = ownable(current), _wanted(config)
    fields = of_value(schema, wanted)
    if not entries and (set_before := unowned(call, current)):
        entries[Manager("before-first-apply", "Update", call.resource.api_version)] = Owned(set_before, call.core.timestamp())
    mine = entries.pop(who, Owned({}, ""))
    others: FieldSet = {}
    for owned in entries.values():
        others = union(others, owned.fields)
    merged = merge_typed(schema, before, wanted)
    changed = compare(schema, before, merged).set
    _refuse_conflicts(call, entries, difference(changed, _applied_by_client(call, current)))
    gone = vanished(vanished(mine.fields, fields), others)
    merged = removed(schema, merged, gone, others)
    entries = {
        other: Owned(difference(owned.fields, compare(schema, before, merged).set), owned.time) for other, owned in entries.items()
    }
    same = merged == before and _changes_nothing(schema, before, written)
    entries[who] = mine if mine.fields == fields else Owned(fields, mine.time if same else call.core.timestamp())
    _renew_last_applied(call, merged, written)  # after ownership: kubectl finds who applied before by the owner of the annotation
    metadata = {
        **{name: value for name, value in current["metadata"].items() if name not in _owned_names(before)},
        **merged.get("metadata", {}),
    }
    return {"apiVersion": current["apiVersion"], "kind": current["kind"], **merged, "metadata": metadata}, entries


def _changes_nothing(schema: Schema, before: Body, written: Body) -> bool:
    """Tell whether an object holds all of a configuration; an empty list counts, too, though it is not kept in metadata."""
    return bool(merge_typed(schema, before, _wanted(_without_nulls(written))) == before)


def _wanted(config: Body) -> Body:
    """Return the fields that a configuration asks for."""
    found = ownable(config)
    return found if found["metadata"] else {name: value for name, value in found.items() if name != "metadata"}


def _applied_by_client(call: Call, current: Body) -> FieldSet:
    """Return what `kubectl apply` without `--server-side` applied before: kubectl may take that over from itself."""
    text = (current["metadata"].get("annotations") or {}).get(LAST_APPLIED)
    if call.manager != "kubectl" or not text:
        return {}
    try:
        config = json.loads(text)
    except ValueError:
        return {}
    return of_value(schema_of(call), _wanted(config)) if isinstance(config, dict) and "metadata" in config else {}


def _owned_names(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    names: Mapping[str, Any] = obj.get("metadata") or {}
    return names


def _refuse_conflicts(call: Call, entries: Mapping[Manager, Owned], changed: FieldSet) -> None:
    if call.request.flag("force"):
        return
    causes = []
    for who, owned in entries.items():
        message = f"conflict with {_described(who)}"
        causes += [
            {"reason": "FieldManagerConflict", "message": message, "field": path}
            for path in paths(intersection(owned.fields, changed))
        ]
    if not causes:
        return
    lines = []
    for message in dict.fromkeys(cause["message"] for cause in causes):
        fields = [cause["field"] for cause in causes if cause["message"] == message]
        lines.append(
            f"{message}: {fields[0]}"
            if len(causes) == 1
            else "\n- ".join([f"{message.replace('conflict', 'conflicts', 1)}:", *fields])
        )
    count = f"{len(causes)} conflict{'s' if len(causes) > 1 else ''}"
    raise failures.Refusal(409, "Conflict", f"Apply failed with {count}: " + "\n".join(lines), details={"causes": causes})


def _described(who: Manager) -> str:
    text = f'"{who.name}"'
    if who.subresource:
        text += f' with subresource "{who.subresource}"'
    if who.operation == "Update":
        text += f" using {who.api_version}"
    return text


def _renew_last_applied(call: Call, merged: Body, config: Body) -> None:
    """Keep the annotation of client-side apply true, so that people may go back to it."""
    annotations = (merged.get("metadata") or {}).get("annotations") or {}
    if call.manager == "kubectl" and LAST_APPLIED in annotations:
        text = json.dumps(config, separators=(",", ":"), sort_keys=True) + "\n"
        merged["metadata"] = {**merged["metadata"], "annotations": {**annotations, LAST_APPLIED: text}}


def merge_typed(schema: Schema | None, live: Any, wanted: Any) -> Any:
    """Return `live` with everything of `wanted` in it; lists merge as the schema says."""
    if isinstance(wanted, Mapping) and isinstance(live, Mapping) and not is_atomic(schema):
        return {**live, **{name: merge_typed(child_of(schema, name), live.get(name), item) for name, item in wanted.items()}}
    if isinstance(wanted, list) and isinstance(live, list) and list_type(schema) in ("set", "map"):
        return _merge_items(schema, live, wanted)
    return wanted


def _merge_items(schema: Schema | None, live: list[Any], wanted: list[Any]) -> list[Any]:
    have = {item_key(schema, item): item for item in live}
    result = {item_key(schema, item): merge_typed(items_of(schema), have.get(item_key(schema, item)), item) for item in wanted}
    order = list(result)
    before = None
    for name in have:
        if name not in result:
            order.insert(order.index(before) + 1 if before in order else (len(order) if before else 0), name)
            result[name] = have[name]
        before = name
    return [result[name] for name in order]


def removed(schema: Schema | None, value: Any, gone: FieldSet, others: FieldSet) -> Any:
    """Return `value` without the members of `gone`, but for what others own below them."""
    if not gone:
        return value
    if isinstance(value, Mapping):
        kept = {}
        for name, item in value.items():
            left = _remaining(child_of(schema, name), item, gone.get(f"f:{name}"), others.get(f"f:{name}"))
            if left is not None:
                kept[name] = left[0]
        return kept
    if isinstance(value, list):
        found = [
            _remaining(items_of(schema), item, gone.get(key), others.get(key)) for item in value for key in [item_key(schema, item)]
        ]
        return [left[0] for left in found if left is not None]
    return value


def _remaining(schema: Schema | None, item: Any, gone: FieldSet | None, others: FieldSet | None) -> tuple[Any] | None:
    if gone is None:
        return (item,)
    if (not gone or "." in gone) and others is None:
        return None
    left = removed(schema, item, gone, others or {})
    return None if item and not left and others is None else (left,)
