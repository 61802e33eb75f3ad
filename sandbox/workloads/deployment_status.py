"""The status of a Deployment: counters, and the conditions that `kubectl rollout status` and `kubectl wait` read.

Owns `Available` and `Progressing`. Must not: decide sizes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from kube.objects import Object, format_time, name_of, parse_time
from sandbox.workloads.pods import condition_of, spec_of, status_of

if TYPE_CHECKING:
    from sandbox.workloads.deployments import Family

DEADLINE_SECONDS = 600


def status(family: Family, now: datetime) -> dict[str, Any]:
    """Return the whole wanted status."""
    new, deployment = family.new, family.deployment
    total = _sum(family, "replicas")
    available = _sum(family, "availableReplicas")
    counters = {
        "replicas": total,
        "updatedReplicas": int(status_of(new).get("replicas") or 0) if new is not None else 0,
        "readyReplicas": _sum(family, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, total - available),
    }
    kept = {key: value for key, value in counters.items() if value}
    collisions = status_of(deployment).get("collisionCount")
    progressing = _progressing(family, counters, now)
    conditions = [_available(family, available, now), *([progressing] if progressing else [])]
    return {
        "observedGeneration": deployment["metadata"].get("generation", 0),
        **kept,
        **({"collisionCount": collisions} if collisions else {}),
        "conditions": conditions,
    }


def is_complete(family: Family) -> bool:
    """Tell whether all pods are new and available and none of the old are left."""
    new, wanted = family.new, family.replicas
    if new is None:
        return False
    counts = (int(status_of(new).get(name) or 0) for name in ("replicas", "availableReplicas"))
    return all(count == wanted for count in counts) and _sum(family, "replicas") == wanted and _is_seen(family)


def deadline(family: Family, status: Mapping[str, Any], now: datetime) -> timedelta | None:
    """Return when to look whether the update got stuck; None when it is done or may take for ever."""
    condition = next((one for one in status["conditions"] if one["type"] == "Progressing"), None)
    if condition is None or is_complete(family) or condition["status"] == "False":
        return None
    since = parse_time(condition["lastUpdateTime"]) or now
    left = since + timedelta(seconds=_deadline_seconds(family)) - now
    return max(left, timedelta(0)) + timedelta(seconds=1)


def _is_seen(family: Family) -> bool:
    """Tell whether every ReplicaSet's status is about its newest spec."""
    return all(status_of(one).get("observedGeneration") == one["metadata"].get("generation") for one in family.all)


def _sum(family: Family, counter: str) -> int:
    return sum(int(status_of(one).get(counter) or 0) for one in family.all)


def _deadline_seconds(family: Family) -> int:
    seconds = spec_of(family.deployment).get("progressDeadlineSeconds")
    return DEADLINE_SECONDS if seconds is None else int(seconds)


def _available(family: Family, available: int, now: datetime) -> dict[str, Any]:
    needed = family.replicas if family.recreates else family.replicas - family.limits[1]
    if available >= needed:
        text = "Deployment has minimum availability."
        return _condition(family.deployment, ("Available", "True", "MinimumReplicasAvailable", text), now)
    text = "Deployment does not have minimum availability."
    return _condition(family.deployment, ("Available", "False", "MinimumReplicasUnavailable", text), now)


def _progressing(family: Family, counters: Mapping[str, int], now: datetime) -> dict[str, Any] | None:
    deployment, new = family.deployment, family.new
    known = condition_of(deployment, "Progressing")
    if spec_of(deployment).get("paused"):
        return _condition(deployment, ("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused"), now)
    if is_complete(family):
        assert new is not None
        text = f'ReplicaSet "{name_of(new)}" has successfully progressed.'
        return _condition(deployment, ("Progressing", "True", "NewReplicaSetAvailable", text), now)
    if new is None:
        text = "the ReplicaSet of the new template is to be created"
        return _condition(deployment, ("Progressing", "True", "ReplicaSetUpdated", text), now)
    text = f'ReplicaSet "{name_of(new)}" is progressing.'
    if known is None or known.get("reason") in ("NewReplicaSetAvailable", "DeploymentPaused") or _moved(deployment, counters):
        return _condition(deployment, ("Progressing", "True", "ReplicaSetUpdated", text), now, touch=True)
    since = parse_time(known.get("lastUpdateTime")) or now
    if known.get("reason") == "ProgressDeadlineExceeded" or since + timedelta(seconds=_deadline_seconds(family)) <= now:
        text = f'ReplicaSet "{name_of(new)}" has timed out progressing.'
        return _condition(deployment, ("Progressing", "False", "ProgressDeadlineExceeded", text), now)
    return _condition(deployment, ("Progressing", "True", "ReplicaSetUpdated", text), now)


def _moved(deployment: Object, counters: Mapping[str, int]) -> bool:
    """Tell whether more new pods, fewer old ones or more ready ones are there than when last written."""
    before = {name: int(status_of(deployment).get(name) or 0) for name in counters}
    old_before, old_now = (one["replicas"] - one["updatedReplicas"] for one in (before, counters))
    grown = any(counters[name] > before[name] for name in ("updatedReplicas", "readyReplicas", "availableReplicas"))
    return grown or old_now < old_before


def _condition(deployment: Object, value: tuple[str, str, str, str], now: datetime, *, touch: bool = False) -> dict[str, Any]:
    """Build a condition that keeps the times of the one it equals, unless `touch` says that there was progress."""
    type_, status, reason, message = value
    known = condition_of(deployment, type_) or {}
    body = {"type": type_, "status": status, "reason": reason, "message": message}
    same = all(known.get(key) == text for key, text in body.items()) and not touch
    transition = known.get("lastTransitionTime") if known.get("status") == status else None
    return {
        **body,
        "lastUpdateTime": known["lastUpdateTime"] if same else format_time(now),
        "lastTransitionTime": transition or format_time(now),
    }
