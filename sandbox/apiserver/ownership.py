"""managedFields: who set which field.

Owns the entries and how updates move fields between managers. Must not: merge objects; see applying.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.apiserver.core import Call, Core
from sandbox.apiserver.fieldsets import Changes, FieldSet, compare, difference, union
from sandbox.apiserver.presence import settled
from sandbox.apiserver.resources import Body, Resource
from sandbox.apiserver.typing_of import Schema

_NEVER_OWNED = frozenset(
    {
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "generation",
        "managedFields",
        "resourceVersion",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    }
)


@dataclass(frozen=True, slots=True)
class Manager:
    """Who owns fields: one entry of managedFields."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""


@dataclass(slots=True)
class Owned:
    """What one manager owns, and since when."""

    fields: FieldSet
    time: str


def read_entries(metadata: Mapping[str, Any]) -> dict[Manager, Owned]:
    """Return managedFields by manager; entries of an unknown form are left out."""
    found: dict[Manager, Owned] = {}
    for entry in metadata.get("managedFields") or ():
        if entry.get("fieldsType") == "FieldsV1":
            who = Manager(
                entry.get("manager", ""), entry.get("operation", ""), entry.get("apiVersion", ""), entry.get("subresource", "")
            )
            found[who] = Owned(entry.get("fieldsV1") or {}, entry.get("time", ""))
    return found


def write_entries(metadata: Body, entries: Mapping[Manager, Owned]) -> None:
    """Put managedFields into a private `metadata`; managers that own nothing are left out."""
    rows = []
    for who, owned in sorted(entries.items(), key=_place):
        if owned.fields:
            row: Body = {"manager": who.name, "operation": who.operation, "apiVersion": who.api_version}
            row |= {"time": owned.time} if owned.time and who.subresource != "scale" else {}
            row |= {"fieldsType": "FieldsV1", "fieldsV1": owned.fields}
            rows.append({**row, "subresource": who.subresource} if who.subresource else row)
    if rows:
        metadata["managedFields"] = rows
    else:
        metadata.pop("managedFields", None)


def _place(entry: tuple[Manager, Owned]) -> tuple[bool, str, str, str, str]:
    who, owned = entry
    return who.operation != "Apply", owned.time, who.name, who.api_version, who.subresource


def ownable(obj: Mapping[str, Any] | None) -> Body:
    """Return the part of an object whose fields can be owned."""
    if obj is None:
        return {}
    kept = {name: value for name, value in obj.items() if name not in ("apiVersion", "kind", "metadata")}
    metadata = {name: value for name, value in obj["metadata"].items() if name not in _NEVER_OWNED}
    return {"metadata": metadata, **kept}


def schema_of(call: Call) -> Schema:
    """Return the schema of whole objects, with the one of `metadata` in it."""
    return call.resource.schema


def track(call: Call, old: Mapping[str, Any] | None, new: Body, *, operation: str) -> None:
    """Note in `new` which manager its changes against `old` belong to; apply notes its own."""
    if operation == "Apply":
        return
    metadata = new["metadata"]
    given = metadata.get("managedFields")
    if given and not all(_is_entry(entry) for entry in given):  # entries that cannot be read count as not sent
        given = metadata.pop("managedFields") and None
    if given in ([], [{}]) and old is not None:
        metadata.pop("managedFields")
        return
    base = old["metadata"] if old is not None and given is None else metadata  # a client may rewrite the entries themselves
    entries = read_entries(base) if old is not None else {}
    schema, who = schema_of(call), manager_of(call, "Update")
    if old is None:
        fields = compare(schema, ownable(_nothing(call)), ownable(new)).set
        write_entries(metadata, {who: Owned(fields, call.core.timestamp())})
        return
    if not entries and old["metadata"].get("managedFields") is None and given is None:
        return
    changes = compare(schema, ownable(old), ownable(new))
    if not changes.set and not changes.removed:
        _keep(metadata, base)
        return
    write_entries(metadata, _taken(entries, who, changes, call.core.timestamp()))


def track_server(core: Core, resource: Resource, old: Mapping[str, Any], new: Body) -> None:
    """Note in `new` that the server itself changed the status."""
    changes = compare(resource.schema, ownable(old), ownable(new))
    who = Manager("kube-apiserver", "Update", resource.api_version, "status")
    write_entries(new["metadata"], _taken(read_entries(old["metadata"]), who, changes, core.timestamp()))


def _taken(entries: Mapping[Manager, Owned], who: Manager, changes: Changes, now: str) -> dict[Manager, Owned]:
    """Return the entries after a manager has made changes."""
    taken = union(changes.set, changes.removed)
    found = {
        other: owned if other == who else Owned(difference(owned.fields, taken), owned.time) for other, owned in entries.items()
    }
    mine = found.get(who, Owned({}, now))
    fields = union(difference(mine.fields, changes.removed), changes.set)
    found[who] = mine if fields == mine.fields else Owned(fields, now)
    return found


def _is_entry(entry: Any) -> bool:
    if entry == {}:
        return True
    return isinstance(entry, Mapping) and entry.get("operation") in ("Apply", "Update") and entry.get("fieldsType") == "FieldsV1"


def _keep(metadata: Body, old: Mapping[str, Any]) -> None:
    if "managedFields" in old:
        metadata["managedFields"] = old["managedFields"]
    else:
        metadata.pop("managedFields", None)


def unowned(call: Call, obj: Mapping[str, Any]) -> FieldSet:
    """Return every field of an object that was set by someone, whoever that was."""
    return compare(schema_of(call), ownable(_nothing(call)), ownable(obj)).set


def _nothing(call: Call) -> Body:
    """Return what an object is before anything is set: its structures are there, and nobody owns them."""
    empty: Body = {"apiVersion": "", "kind": "", "metadata": {}}
    return empty if call.resource.custom else settled(schema_of(call), empty)


def manager_of(call: Call, operation: str) -> Manager:
    """Return the manager that a request writes as."""
    subresource = call.address.subresource if call.address.subresource in ("status", "scale") else ""
    return Manager(call.manager[:128], operation, call.resource.api_version, subresource)
