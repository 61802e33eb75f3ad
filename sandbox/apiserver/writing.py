"""Creating and updating objects: completion, checks, metadata and versions.

Owns what happens between a decoded body and the stored version. Must not: read requests' formats or delete.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.apiserver import failures
from sandbox.apiserver.conformance import complete, schema_errors
from sandbox.apiserver.core import Call, copied, require_open_namespace, without
from sandbox.apiserver.definitions import DEFINITIONS
from sandbox.apiserver.failures import FieldError
from sandbox.apiserver.naming import check_metadata
from sandbox.apiserver.ownership import track
from sandbox.apiserver.presence import settled
from sandbox.apiserver.resources import Body
from sandbox.apiserver.storage import Stored

_SYSTEM_METADATA = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "resourceVersion",
    "generation",
)
_CLAIMED = ("labels", "annotations", "finalizers", "ownerReferences")
_NAME_ATTEMPTS = 8


def create(call: Call, obj: Body, *, operation: str = "Update") -> Stored:
    """Store a new object and return it; with `dryRun` it is returned but not stored.

    Raises:
        Refusal: 404 no such namespace, 409 name taken, 422 the object breaks rules.
    """
    resource, metadata = call.resource, obj["metadata"]
    if metadata.get("resourceVersion"):
        raise failures.unexpected("resourceVersion should not be set on objects to be created")
    generated = not metadata.get("name")
    _give_name(call, metadata)
    require_open_namespace(call, metadata["name"])
    _require_open_definition(call)
    head = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": without(metadata, *_SYSTEM_METADATA)}
    fresh = resource.stored({**head, **without(obj, *head)})
    stamp = fresh["metadata"]
    stamp["uid"] = call.core.new_uid()
    stamp["creationTimestamp"] = call.core.timestamp()
    if resource.strategy.generation == "never" and metadata.get("generation"):
        stamp["generation"] = metadata["generation"]
    if "status" in resource.subresources:
        fresh.pop("status", None)
    resource.strategy.default(fresh)
    complete(call, fresh)
    fresh = shaped(call, fresh)
    stamp = fresh["metadata"]
    track(call, None, fresh, operation=operation)
    if resource.strategy.initial_status is not None:
        fresh["status"] = copied(resource.strategy.initial_status)
    if resource.strategy.prepare:
        resource.strategy.prepare(call.core, fresh, None)
    check(call, fresh, None)
    if resource.strategy.generation != "never":
        stamp["generation"] = 1
    key = (metadata.get("namespace") or "", stamp["name"])
    if call.core.storage.get(resource.store, key) is not None:
        if not generated:
            raise _taken(call, key, stamp["name"])
        refusal = failures.already_exists(resource.target(stamp["name"]))
        raise failures.Refusal(
            409, "AlreadyExists", f"{refusal.message}, the server was not able to generate a unique name for the object"
        )
    return save(call, key, fresh)


def _taken(call: Call, key: tuple[str, str], name: str) -> failures.Refusal:
    refusal = failures.already_exists(call.resource.target(name))
    there = call.core.storage.get(call.resource.store, key)
    if there is None or not there.body["metadata"].get("deletionTimestamp"):
        return refusal
    return failures.Refusal(409, "AlreadyExists", f"object is being deleted: {refusal.message}", details=refusal.details)


def shaped(call: Call, obj: Body) -> Body:
    """Return an object with the fields that are always there and without those left out; of a custom one, this is its metadata."""
    schema = {"properties": {"metadata": call.core.metadata_schema}} if call.resource.custom else call.resource.schema
    body = {"metadata": obj["metadata"]} if call.resource.custom else obj
    found: Body = {**obj, **settled(schema, body)} if call.resource.custom else settled(schema, body)
    if "managedFields" in obj["metadata"]:  # empty ones say that ownership is to be forgotten
        found["metadata"]["managedFields"] = obj["metadata"]["managedFields"]
    return found


def _require_open_definition(call: Call) -> None:
    definition = call.core.storage.get(DEFINITIONS, ("", call.resource.store)) if call.resource.custom else None
    if definition is not None and definition.body["metadata"].get("deletionTimestamp"):
        raise failures.method_not_allowed("create not allowed while custom resource definition is terminating")


def _give_name(call: Call, metadata: Body) -> None:
    prefix = metadata.get("generateName")
    if metadata.get("name"):
        return
    if not prefix:
        raise failures.not_valid(call.resource.target(), [failures.required("metadata.name", "name or generateName is required")])
    for _ in range(_NAME_ATTEMPTS):
        metadata["name"] = prefix[:58] + call.core.name_suffix()
        key = (metadata.get("namespace") or "", metadata["name"])
        if call.core.storage.get(call.resource.store, key) is None:
            return


def update(call: Call, old: Stored, obj: Body, *, operation: str = "Update") -> Stored:
    """Store a new version of an object and return it; one that changes nothing keeps its version.

    Raises:
        Refusal: 409 when it was computed from another version or belongs to another object, 422 when it breaks rules.
    """
    resource = call.resource
    _check_preconditions(call, old, obj["metadata"])
    new = _isolate(call, old.body, resource.stored(obj))
    _keep_system_metadata(old.body["metadata"], new["metadata"])
    if call.address.subresource != "status":
        resource.strategy.default(new)
        complete(call, new)
    new = shaped(call, new)
    _track_update(call, old.body, new, sent=obj["metadata"], operation=operation)
    if resource.strategy.prepare and call.address.subresource != "status":
        resource.strategy.prepare(call.core, new, old.body)
    check(call, new, old.body)
    bump_generation(call, old.body, new)
    if _same(old.body, new):
        return old
    return save(call, (new["metadata"].get("namespace") or "", new["metadata"]["name"]), new)


def _track_update(call: Call, old: Mapping[str, Any], new: Body, *, sent: Mapping[str, Any], operation: str) -> None:
    """Note who changed what; metadata sent to the status of a custom object counts as set, though it is not taken."""
    claimed = new
    if call.resource.custom and call.address.subresource == "status":
        claimed = {**new, "metadata": {**new["metadata"], **{name: sent[name] for name in _CLAIMED if sent.get(name)}}}
    elif call.address.subresource == "scale" and call.resource.scale is not None:
        claimed = _without_no_replicas(new, call.resource.scale.replicas.split("."))
    track(call, old, claimed, operation=operation)
    if "managedFields" in claimed["metadata"]:
        new["metadata"]["managedFields"] = claimed["metadata"]["managedFields"]
    else:
        new["metadata"].pop("managedFields", None)


def _without_no_replicas(obj: Body, path: list[str]) -> Body:
    """Return an object without replicas that are none: a Scale does not show them, so nobody owns them."""
    name, *rest = path
    if name not in obj or (not rest and obj[name]):
        return obj
    return {**obj, name: _without_no_replicas(obj[name], rest)} if rest else without(obj, name)


def _check_preconditions(call: Call, old: Stored, metadata: Mapping[str, Any]) -> None:
    target = call.resource.target(old.body["metadata"]["name"])
    uid, wanted = old.body["metadata"]["uid"], metadata.get("uid")
    if wanted and wanted != uid:
        raise failures.conflict(target, f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {uid}")
    version = metadata.get("resourceVersion")
    if version and not str(version).isdecimal():
        raise failures.unexpected(f'strconv.ParseUint: parsing "{version}": invalid syntax')
    if version not in (None, "", "0") and version != old.body["metadata"]["resourceVersion"]:
        raise failures.conflict(target)


def _isolate(call: Call, old: Mapping[str, Any], new: Body) -> Body:
    """Keep a status write away from the spec, and a spec write away from the status."""
    if "status" not in call.resource.subresources:
        return {**new, "metadata": dict(new["metadata"])}
    if call.address.subresource == "status":
        metadata = dict(old["metadata"]) if call.resource.custom else {**new["metadata"]}
        if call.resource.strategy.status_keeps_labels:
            metadata["labels"] = old["metadata"].get("labels")
        metadata["managedFields"] = new["metadata"].get("managedFields", old["metadata"].get("managedFields"))
        kept = {**without(old, "status"), "metadata": {key: value for key, value in metadata.items() if value is not None}}
        return {**kept, "status": new["status"]} if new.get("status") is not None else kept
    kept = {**without(new, "status"), "metadata": dict(new["metadata"])}
    return {**kept, "status": old["status"]} if "status" in old else kept


def _keep_system_metadata(old: Mapping[str, Any], new: Body) -> None:
    for name in _SYSTEM_METADATA:
        if name in old:
            new[name] = old[name]
        else:
            new.pop(name, None)
    for name in ("labels", "annotations", "finalizers", "ownerReferences"):
        if name in new and not new[name]:
            del new[name]
    if "generateName" in old:
        new.setdefault("generateName", old["generateName"])


def bump_generation(call: Call, old: Mapping[str, Any], new: Body) -> None:
    """Raise `metadata.generation` when the desired state changed."""
    rule = call.resource.strategy.generation
    if rule == "never" or call.address.subresource == "status":
        return
    ignored = ("metadata",) if rule == "any" else ("metadata", "status")
    annotated = call.resource.strategy.watched_annotations and old["metadata"].get("annotations") != new["metadata"].get(
        "annotations"
    )
    if annotated or without(old, *ignored) != without(new, *ignored):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


def _same(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return (
        without(old, "metadata") == without(new, "metadata")
        and without(old["metadata"], "managedFields") == without(new["metadata"], "managedFields")
        and _managers(old) == _managers(new)
    )


def _managers(obj: Mapping[str, Any]) -> list[Body]:
    """Return who owns what, without the times."""
    return [without(entry, "time") for entry in obj["metadata"].get("managedFields") or ()]


def check(call: Call, new: Body, old: Mapping[str, Any] | None) -> None:
    """Validate an object.

    Raises:
        Refusal: 422 with every broken rule as a cause.
    """
    errors: list[FieldError] = check_metadata(call.resource, new["metadata"], old["metadata"] if old else None)
    errors += schema_errors(call, new, old)
    errors += call.resource.strategy.validate(new, old)
    if errors:
        raise failures.not_valid(call.resource.target(new["metadata"]["name"]), errors)


def save(call: Call, key: tuple[str, str], body: Body) -> Stored:
    """Commit a version, or remove the object when its last finalizer went while it was being deleted."""
    storage, store = call.core.storage, call.resource.store
    metadata = body["metadata"]
    leaving = metadata.get("deletionTimestamp") and not metadata.get("finalizers") and _nothing_left_to_wait_for(call, body)
    if call.dry_run:
        metadata.setdefault("resourceVersion", "")
        shown = without(metadata, *(() if metadata["resourceVersion"] else ("resourceVersion",)))
        return Stored({**body, "metadata": shown}, storage.revision)
    if leaving:
        return _removed(call, key, body)
    return storage.put(store, key, body)


def _removed(call: Call, key: tuple[str, str], body: Body) -> Stored:
    """Remove an object whose last finalizer goes: watchers see it as it was before, and the answer keeps its version."""
    old = call.core.storage.get(call.resource.store, key)
    call.core.storage.remove(call.resource.store, key, old.body if old else body)
    version = (old.body if old else body)["metadata"]["resourceVersion"]
    return Stored({**body, "metadata": {**body["metadata"], "resourceVersion": version}}, call.core.storage.revision)


def _nothing_left_to_wait_for(call: Call, body: Mapping[str, Any]) -> bool:
    if call.resource.strategy.graceful:
        return not body["metadata"].get("deletionGracePeriodSeconds")
    return not (body.get("spec") or {}).get("finalizers") if call.resource.store == "namespaces" else True
