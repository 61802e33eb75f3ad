"""What a Deployment does next: its ReplicaSets, their sizes, its revisions.

Owns ReplicaSets of Deployments. Must not: do I/O, or write status (deployment_status.py says what it is).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kube.kinds import DEPLOYMENT, REPLICA_SET, ObjectRef
from kube.objects import Object, annotations_of, is_deleting, name_of, namespace_of, uid_of
from kube.plan import Create, Delete, Event, Patch, Plan, Stage, Write
from sandbox.workloads import deployment_status
from sandbox.workloads.pods import is_finished, owner_reference, short_hash, spec_of, status_of

REVISION = "deployment.kubernetes.io/revision"
DESIRED = "deployment.kubernetes.io/desired-replicas"
LARGEST = "deployment.kubernetes.io/max-replicas"
HASH = "pod-template-hash"
_NOT_INHERITED = ("kubectl.kubernetes.io/last-applied-configuration", REVISION, DESIRED, LARGEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A Deployment with its ReplicaSets."""

    deployment: Object
    new: Object | None
    old: tuple[Object, ...]
    """Oldest first."""

    @property
    def all(self) -> tuple[Object, ...]:
        """Every ReplicaSet, the new one last."""
        return (*self.old, self.new) if self.new is not None else self.old

    @property
    def replicas(self) -> int:
        """How many pods are wanted."""
        return size_of(self.deployment)

    @property
    def limits(self) -> tuple[int, int]:
        """How many pods more, and how many available pods fewer, than wanted there may be during an update."""
        rolling = (spec_of(self.deployment).get("strategy") or {}).get("rollingUpdate") or {}
        surge = share(rolling.get("maxSurge", "25%"), self.replicas, up=True)
        unavailable = share(rolling.get("maxUnavailable", "25%"), self.replicas, up=False)
        return surge, unavailable if surge or unavailable else 1

    @property
    def recreates(self) -> bool:
        """Whether the strategy is `Recreate`."""
        return (spec_of(self.deployment).get("strategy") or {}).get("type") == "Recreate"


def size_of(obj: Object) -> int:
    """Return `spec.replicas`, one when it is not given."""
    replicas = spec_of(obj).get("replicas")
    return 1 if replicas is None else int(replicas)


def share(value: int | str, total: int, *, up: bool) -> int:
    """Return a number or a percentage of `total` as a number of pods.

    >>> share("25%", 10, up=True), share("25%", 10, up=False), share(2, 10, up=True)
    (3, 2, 2)
    """
    if isinstance(value, str) and value.endswith("%"):
        scaled = int(value[:-1]) * total
        return -(-scaled // 100) if up else scaled // 100
    return int(value)


def plan(deployment: Object, *, replica_sets: Sequence[Object], pods: Sequence[Object], now: datetime) -> Plan:
    """Return everything to do about a Deployment.

    Args:
        deployment: the Deployment.
        replica_sets: those it controls.
        pods: the pods of these ReplicaSets.
        now: the time, for conditions.
    """
    family = family_of(deployment, replica_sets)
    if is_deleting(deployment):
        return Plan(status=deployment_status.status(family, now))
    writes = _wanted(family, pods)
    status = deployment_status.status(family, now)
    return Plan(
        stages=(Stage("replica sets", tuple(writes)),) if writes else (),
        status=status,
        events=tuple(event for write in writes if (event := _event(family, write))),
        look_again=deployment_status.deadline(family, status, now),
    )


def family_of(deployment: Object, replica_sets: Sequence[Object]) -> Family:
    """Find the ReplicaSet of the current template; the oldest, when several have it."""
    ordered = sorted(replica_sets, key=lambda one: (one["metadata"].get("creationTimestamp") or "", name_of(one)))
    wanted = _template(deployment)
    new = next((one for one in ordered if _template(one) == wanted), None)
    return Family(deployment=deployment, new=new, old=tuple(one for one in ordered if one is not new))


def _template(obj: Object) -> dict[str, Any]:
    template = dict(spec_of(obj).get("template") or {})
    metadata = {key: value for key, value in (template.get("metadata") or {}).items() if value and key != "creationTimestamp"}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != HASH}
    return {**template, "metadata": {**metadata, "labels": labels}}


def _wanted(family: Family, pods: Sequence[Object]) -> list[Write]:
    paused = bool(spec_of(family.deployment).get("paused"))
    if paused or _was_scaled(family):
        return [*_scale_all(family), *_annotate(family)]
    if family.new is None:
        if family.recreates and _still_running(family, pods):
            return _resize_all((one, 0) for one in family.old)
        return [_create(family), *_annotate(family)]
    sizes = _recreate(family, pods) if family.recreates else _roll(family)
    writes = _resize_all(sizes.values())
    return writes or [*_annotate(family), *_forget_history(family)]


def _was_scaled(family: Family) -> bool:
    """Tell whether somebody changed the Deployment's size since its ReplicaSets were given theirs."""
    active = [one for one in family.all if size_of(one)]
    return len(active) > 1 and any(annotations_of(one).get(DESIRED) not in (None, str(family.replicas)) for one in active)


def _scale_all(family: Family) -> list[Write]:
    """Give active ReplicaSets their share of a new size, in proportion to what they have."""
    active = [one for one in family.all if size_of(one)]
    if len(active) == 1 or not active:
        only = active[0] if active else family.new
        return _resize_all([(only, family.replicas)]) if only is not None else []
    total = sum(map(size_of, active))
    allowed = family.replicas + (0 if family.recreates else family.limits[0]) if family.replicas else 0
    ordered = sorted(active, key=lambda one: (-size_of(one), name_of(one)))
    sizes = [max(0, round(size_of(one) * allowed / total)) for one in ordered]
    sizes[0] = max(0, sizes[0] + allowed - sum(sizes))
    desired = {DESIRED: str(family.replicas), LARGEST: str(allowed)}
    return [
        _patch(one, {"spec": {"replicas": size}, "metadata": {"annotations": desired}})
        for one, size in zip(ordered, sizes, strict=True)
        if size != size_of(one) or annotations_of(one).get(DESIRED) != str(family.replicas)
    ]


def _roll(family: Family) -> dict[str, tuple[Object, int]]:
    """Return wanted sizes for one step of a rolling update: up within the surge, or down within what may be missing."""
    assert family.new is not None
    surge, unavailable = family.limits
    total = sum(map(size_of, family.all))
    have = size_of(family.new)
    if have > family.replicas:
        return {"new": (family.new, family.replicas)}
    room = max(0, family.replicas + surge - total)
    sizes: dict[str, tuple[Object, int]] = {}
    if have < family.replicas and room:
        sizes["new"] = (family.new, min(family.replicas, have + room))
        return sizes
    missing = max(0, have - int(status_of(family.new).get("availableReplicas") or 0))
    removable = total - (family.replicas - unavailable) - missing
    old = {uid_of(one): size_of(one) for one in family.old}
    for one in family.old:  # pods that serve nobody go first
        idle = min(size_of(one) - int(status_of(one).get("availableReplicas") or 0), removable)
        if idle > 0:
            old[uid_of(one)] -= idle
            removable -= idle
    available = sum(int(status_of(one).get("availableReplicas") or 0) for one in family.all)
    removable = min(removable, available - (family.replicas - unavailable))
    for one in family.old:
        step = min(old[uid_of(one)], max(removable, 0))
        old[uid_of(one)] -= step
        removable -= step
    return {uid_of(one): (one, old[uid_of(one)]) for one in family.old}


def _recreate(family: Family, pods: Sequence[Object]) -> dict[str, tuple[Object, int]]:
    assert family.new is not None
    if any(size_of(one) for one in family.old) or _still_running(family, pods):
        return {uid_of(one): (one, 0) for one in family.old}
    return {"new": (family.new, family.replicas)}


def _still_running(family: Family, pods: Sequence[Object]) -> bool:
    old = {uid_of(one) for one in family.old}
    owners = ((pod, one.get("uid")) for pod in pods for one in pod["metadata"].get("ownerReferences") or ())
    return any(uid in old and not is_finished(pod) for pod, uid in owners) or any(size_of(one) for one in family.old)


def _resize_all(sizes: Any) -> list[Write]:
    return [_patch(one, {"spec": {"replicas": size}}) for one, size in sizes if size_of(one) != size]


def _patch(replica_set: Object, patch: Mapping[str, Any]) -> Patch:
    return Patch(ref=ObjectRef(REPLICA_SET, namespace_of(replica_set), name_of(replica_set)), patch=patch)


def _create(family: Family) -> Create:
    deployment = family.deployment
    template = spec_of(deployment)["template"]
    collisions = status_of(deployment).get("collisionCount") or 0
    digest = short_hash(_template(deployment), collisions, length=10)
    labels = {**((template.get("metadata") or {}).get("labels") or {}), HASH: digest}
    selector = spec_of(deployment)["selector"]
    size = family.replicas if family.recreates else min(family.replicas, max(0, _room(family)))
    body = {
        "metadata": {
            "name": f"{name_of(deployment)}-{digest}",
            "namespace": namespace_of(deployment),
            "labels": labels,
            "annotations": _annotations(family),
            "ownerReferences": [owner_reference(deployment, DEPLOYMENT)],
        },
        "spec": {
            "replicas": size,
            "minReadySeconds": int(spec_of(deployment).get("minReadySeconds") or 0),
            "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH: digest}},
            "template": {**template, "metadata": {**(template.get("metadata") or {}), "labels": labels}},
        },
    }
    return Create(kind=REPLICA_SET, body=body)


def _room(family: Family) -> int:
    return family.replicas + family.limits[0] - sum(map(size_of, family.old))


def revision_of(obj: Object) -> int:
    """Return the revision an object is annotated with, 0 without one."""
    text = annotations_of(obj).get(REVISION, "")
    return int(text) if text.isdigit() else 0


def _revision(family: Family) -> int:
    newest = max((revision_of(one) for one in family.old), default=0)
    known = revision_of(family.new) if family.new is not None else 0
    return known if known > newest else newest + 1


def _annotations(family: Family) -> dict[str, str]:
    inherited = {key: value for key, value in annotations_of(family.deployment).items() if key not in _NOT_INHERITED}
    largest = family.replicas + (0 if family.recreates else family.limits[0])
    return {**inherited, REVISION: str(_revision(family)), DESIRED: str(family.replicas), LARGEST: str(largest)}


def _annotate(family: Family) -> list[Write]:
    """Keep revision and sizes in the annotations of the Deployment and of its new ReplicaSet."""
    writes: list[Write] = []
    wanted = _annotations(family)
    if family.new is not None and not wanted.items() <= annotations_of(family.new).items():
        writes.append(_patch(family.new, {"metadata": {"annotations": wanted}}))
    if annotations_of(family.deployment).get(REVISION) != wanted[REVISION] and (family.new is not None or not family.old):
        ref = ObjectRef(DEPLOYMENT, namespace_of(family.deployment), name_of(family.deployment))
        writes.append(Patch(ref=ref, patch={"metadata": {"annotations": {REVISION: wanted[REVISION]}}}))
    return writes


def _forget_history(family: Family) -> list[Write]:
    limit = spec_of(family.deployment).get("revisionHistoryLimit")
    keep = 10 if limit is None else int(limit)
    spent = [one for one in family.old if not size_of(one) and not status_of(one).get("replicas") and not is_deleting(one)]
    spent.sort(key=lambda one: (revision_of(one), name_of(one)))
    gone = spent[: max(0, len(spent) - keep)] if deployment_status.is_complete(family) else []
    return [Delete(ref=ObjectRef(REPLICA_SET, namespace_of(one), name_of(one)), uid=uid_of(one)) for one in gone]


def _event(family: Family, write: Write) -> Event | None:
    about = ObjectRef(DEPLOYMENT, namespace_of(family.deployment), name_of(family.deployment))
    match write:
        case Create(ref=ref, body=body):
            message = f"Scaled up replica set {ref.name} from 0 to {body['spec']['replicas']}"
            return Event(about=about, reason="ScalingReplicaSet", message=message)
        case Patch(ref=ref, patch=patch) if "replicas" in (patch.get("spec") or {}):
            before = next((size_of(one) for one in family.all if name_of(one) == ref.name), 0)
            after = patch["spec"]["replicas"]
            word = "up" if after > before else "down"
            message = f"Scaled {word} replica set {ref.name} from {before} to {after}"
            return Event(about=about, reason="ScalingReplicaSet", message=message)
    return None
