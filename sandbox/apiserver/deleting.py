"""Deleting: graceful, with finalizers, with preconditions, one or many.

Owns deletion timestamps, grace periods and propagation finalizers. Must not: collect dependents; a garbage collector is a client.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sandbox.apiserver import failures
from sandbox.apiserver.core import Call, without
from sandbox.apiserver.resources import Body
from sandbox.apiserver.storage import Stored

_DEFAULT_GRACE_SECONDS = 30
_JOBS_WARNING = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set "
    "propagationPolicy=Orphan to suppress this warning"
)
_PROPAGATION = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}


def options_of(call: Call, body: Any) -> Body:
    """Return the `DeleteOptions` of a request: its body, completed by its query.

    Raises:
        Refusal: 400 for values that cannot be.
    """
    options: Body = dict(body) if isinstance(body, Mapping) else {}
    query = call.request.query
    if "gracePeriodSeconds" in query:
        options.setdefault("gracePeriodSeconds", call.request.number("gracePeriodSeconds"))
    if "propagationPolicy" in query:
        options.setdefault("propagationPolicy", query["propagationPolicy"])
    policy = options.get("propagationPolicy")
    if policy is not None and options.get("orphanDependents") is not None:
        both = "orphanDependents and deletionPropagation cannot be both set"
        raise failures.bad_option("DeleteOptions", failures.invalid("propagationPolicy", policy, both))
    if policy not in (None, "Background", *_PROPAGATION):
        error = failures.unsupported("propagationPolicy", policy, ("Foreground", "Background", "Orphan", "nil"))
        raise failures.bad_option("DeleteOptions", error)
    if policy is None and options.get("orphanDependents") is None and call.resource.store == "jobs.batch":
        options["propagationPolicy"] = "Orphan"
        call.warnings.append(_JOBS_WARNING)
    grace = options.get("gracePeriodSeconds")
    if grace is not None and (not isinstance(grace, int) or grace < 0):
        options["gracePeriodSeconds"] = 1
    return options


def delete(call: Call, old: Stored, options: Mapping[str, Any]) -> tuple[Stored, bool]:
    """Delete an object or mark it as going; return its last state, and whether it is gone.

    Raises:
        Refusal: 409 when a precondition does not hold.
    """
    check_preconditions(call, old, options)
    metadata = dict(old.body["metadata"])
    finalizers = _finalizers(metadata, options)
    grace = _grace_seconds(call, old.body, options)
    waits = bool(finalizers) or grace > 0 or _namespace_is_open(call, old.body)
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)
    if not waits:
        if call.resource.strategy.graceful:
            _mark(call, metadata, 0)
        return _gone(call, old, {**old.body, "metadata": metadata}, options), True
    if (
        metadata.get("deletionTimestamp")
        and metadata.get("deletionGracePeriodSeconds", 0) <= grace
        and metadata == old.body["metadata"]
    ):
        return old, False
    _mark(call, metadata, grace)
    body = {**old.body, "metadata": metadata}
    if call.resource.store == "namespaces":
        body["status"] = {**(body.get("status") or {}), "phase": "Terminating"}
    if is_dry_run(call, options):
        return Stored(body, old.revision), False
    return call.core.storage.put(call.resource.store, _key(old), body), False


def _mark(call: Call, metadata: Body, grace: int) -> None:
    if not metadata.get("deletionTimestamp") and "generation" in metadata:
        metadata["generation"] += 1
    if not metadata.get("deletionTimestamp") or grace < metadata.get("deletionGracePeriodSeconds", 0):
        moment = call.core.now() + timedelta(seconds=grace)
        metadata["deletionTimestamp"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        metadata["deletionGracePeriodSeconds"] = grace


def is_dry_run(call: Call, options: Mapping[str, Any]) -> bool:
    """Tell whether a deletion is only tried: by the query or by the options."""
    return call.dry_run or bool(options.get("dryRun"))


def _gone(call: Call, old: Stored, body: Body, options: Mapping[str, Any]) -> Stored:
    if is_dry_run(call, options):
        return old
    return call.core.storage.remove(call.resource.store, _key(old), body)


def _key(stored: Stored) -> tuple[str, str]:
    metadata = stored.body["metadata"]
    return metadata.get("namespace") or "", metadata["name"]


def _namespace_is_open(call: Call, body: Mapping[str, Any]) -> bool:
    return call.resource.store == "namespaces" and bool((body.get("spec") or {}).get("finalizers"))


def _finalizers(metadata: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    kept = list(metadata.get("finalizers") or ())
    policy = options.get("propagationPolicy") or ("Orphan" if options.get("orphanDependents") else None)
    if policy is None:
        return kept
    kept = [name for name in kept if name not in _PROPAGATION.values()]
    wanted = _PROPAGATION.get(policy)
    return [*kept, wanted] if wanted else kept


def _grace_seconds(call: Call, body: Mapping[str, Any], options: Mapping[str, Any]) -> int:
    """Return how long the node agent has; a pod that no node runs has nothing to finish."""
    if not call.resource.strategy.graceful:
        return 0
    spec, status = body.get("spec") or {}, body.get("status") or {}
    if not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
        return 0
    asked = options.get("gracePeriodSeconds")
    grace = int(asked if asked is not None else spec.get("terminationGracePeriodSeconds", _DEFAULT_GRACE_SECONDS))
    known = body["metadata"].get("deletionGracePeriodSeconds")
    return grace if known is None else min(grace, known)


def check_preconditions(call: Call, old: Stored, options: Mapping[str, Any]) -> None:
    """Check that an object is still the one that is to go.

    Raises:
        Refusal: 409 when it is not.
    """
    wanted = options.get("preconditions") or {}
    metadata = old.body["metadata"]
    target = replace(call.resource.target(metadata["name"]), plural=call.resource.kind)
    for field, text, why in (
        ("uid", "UID", "might have been deleted and then recreated"),
        ("resourceVersion", "ResourceVersion", "might have been modified"),
    ):
        if wanted.get(field) and wanted[field] != metadata[field]:
            detail = f"the {text} in the precondition ({wanted[field]}) does not match the {text} in record ({metadata[field]})"
            raise failures.conflict(target, f"{detail}. The object {why}")


def success(call: Call, last: Stored) -> dict[str, Any]:
    """Return the `Status` that answers a finished deletion."""
    details = without(call.resource.target(last.body["metadata"]["name"]).details(), "causes")
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {**details, "uid": last.body["metadata"]["uid"]},
    }
