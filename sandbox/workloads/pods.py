"""Reading and making pods: readiness, availability, ownership, selectors, names.

Shared by all workload controllers and by the node agent. Must not: decide what should happen to a pod.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from kube.kinds import Kind
from kube.objects import Object, is_deleting, labels_of, name_of, namespace_of, parse_time, uid_of

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_LONGEST_PREFIX = 58


def status_of(obj: Object) -> Mapping[str, Any]:
    """Return `status`, empty when there is none."""
    return obj.get("status") or {}


def spec_of(obj: Object) -> Mapping[str, Any]:
    """Return `spec`, empty when there is none."""
    return obj.get("spec") or {}


def condition_of(obj: Object, type_: str) -> Mapping[str, Any] | None:
    """Return the condition of a type, if the object has it."""
    return next((one for one in status_of(obj).get("conditions") or () if one.get("type") == type_), None)


def is_true(obj: Object, type_: str) -> bool:
    """Tell whether a condition is `True`."""
    condition = condition_of(obj, type_)
    return condition is not None and condition.get("status") == "True"


def is_ready(pod: Object) -> bool:
    """Tell whether the pod's condition `Ready` is true."""
    return is_true(pod, "Ready")


def is_finished(pod: Object) -> bool:
    """Tell whether the pod has ended for good."""
    return status_of(pod).get("phase") in ("Succeeded", "Failed")


def is_active(pod: Object) -> bool:
    """Tell whether the pod counts as a replica: neither finished nor on its way out."""
    return not is_finished(pod) and not is_deleting(pod)


def available_at(pod: Object, min_ready_seconds: int) -> datetime | None:
    """Return when the pod has been ready for long enough; None while it is not ready."""
    condition = condition_of(pod, "Ready")
    if condition is None or condition.get("status") != "True":
        return None
    since = parse_time(condition.get("lastTransitionTime")) or parse_time(pod["metadata"].get("creationTimestamp"))
    return since + timedelta(seconds=min_ready_seconds) if since else None


def is_available(pod: Object, min_ready_seconds: int, now: datetime) -> bool:
    """Tell whether the pod has been ready for `min_ready_seconds`; with zero of them, ready is enough."""
    if not min_ready_seconds:
        return is_ready(pod)
    moment = available_at(pod, min_ready_seconds)
    return moment is not None and moment <= now


def owner_reference(owner: Object, kind: Kind) -> dict[str, Any]:
    """Return the reference by which `owner` controls an object."""
    return {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def owner_uids(obj: Object) -> Iterable[str]:
    """Index objects by the uids of all their owners."""
    return (one["uid"] for one in obj["metadata"].get("ownerReferences") or ())


def short_hash(*parts: Any, length: int = 5) -> str:
    """Return letters that depend on the parts only, fit for a name.

    >>> short_hash("a", 1) == short_hash("a", 1) != short_hash("a", 2)
    True
    """
    text = json.dumps(parts, sort_keys=True, default=str).encode()
    number = int.from_bytes(hashlib.sha256(text).digest()[:16], "big")
    letters = []
    for _ in range(length):
        number, rest = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[rest])
    return "".join(letters)


def fresh_names(owner: Object, *, count: int, taken: Iterable[str], now: datetime) -> list[str]:
    """Return names for `count` new pods of an owner, none of them taken; the time keeps them from coming back."""
    prefix = f"{name_of(owner)}-"[:_LONGEST_PREFIX]
    used, found, serial = set(taken), list[str](), 0
    while len(found) < count:
        name = prefix + short_hash(uid_of(owner), now.isoformat(), serial)
        serial += 1
        if name not in used:
            used.add(name)
            found.append(name)
    return found


def pod_of_template(
    owner: Object, *, kind: Kind, name: str, template: Mapping[str, Any], labels: Mapping[str, str] = {}
) -> dict[str, Any]:
    """Return the pod that a controller creates from its template."""
    known = template.get("metadata") or {}
    metadata: dict[str, Any] = {
        "name": name,
        "generateName": f"{name_of(owner)}-",
        "namespace": namespace_of(owner),
        "labels": {**(known.get("labels") or {}), **labels},
        "ownerReferences": [owner_reference(owner, kind)],
    }
    for field in ("annotations", "finalizers"):
        if known.get(field):
            metadata[field] = known[field]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template.get("spec") or {}}


def carries(pod: Object, labels: Mapping[str, str]) -> bool:
    """Tell whether the pod has all these labels."""
    return labels.items() <= labels_of(pod).items()
