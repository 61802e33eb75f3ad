"""What a ReplicaSet does next: adopt and release, create and delete pods, count them.

Owns the pods of ReplicaSets. Must not: do I/O or read a clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kube.kinds import POD, REPLICA_SET, ObjectRef
from kube.objects import (
    Object,
    annotations_of,
    controller_of,
    is_controlled_by,
    is_deleting,
    labels_of,
    name_of,
    namespace_of,
    parse_time,
    uid_of,
    version_of,
)
from kube.plan import Create, Delete, Event, Patch, Plan, Stage, Write
from kube.selectors import selects_for_workload
from sandbox.workloads.pods import (
    available_at,
    carries,
    condition_of,
    fresh_names,
    is_active,
    is_available,
    is_ready,
    owner_reference,
    pod_of_template,
    spec_of,
    status_of,
)

BURST = 500
"""At most this many pods are created or deleted in one go."""
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


@dataclass(frozen=True, slots=True)
class Claims:
    """The pods of a ReplicaSet: already owned, to be adopted, and owned but no longer selected."""

    owned: tuple[Object, ...]
    adopted: tuple[Object, ...]
    released: tuple[Object, ...]


def plan(replica_set: Object, pods: Sequence[Object], now: datetime) -> Plan:
    """Return everything to do about a ReplicaSet.

    Args:
        replica_set: the ReplicaSet.
        pods: every pod it owns or might adopt, in any order.
        now: the time; decides which ready pods are available.
    """
    claims = claim(replica_set, pods)
    active = [pod for pod in (*claims.owned, *claims.adopted) if is_active(pod)]
    ownership: list[Write] = [_adopt(replica_set, pod) for pod in claims.adopted]
    ownership += [_release(replica_set, pod) for pod in claims.released]
    writes = [] if is_deleting(replica_set) else _resize(replica_set, active, taken=pods, now=now)
    stages = [Stage("ownership", tuple(ownership)), Stage("replicas", tuple(writes))]
    return Plan(
        stages=tuple(stage for stage in stages if stage.writes),
        status=status(replica_set, active, now),
        events=tuple(_event(replica_set, write) for write in writes),
        look_again=_next_available(replica_set, active, now),
    )


def claim(replica_set: Object, pods: Sequence[Object]) -> Claims:
    """Sort pods by what they are to the ReplicaSet; an ended or going orphan is left alone."""
    selector, uid = spec_of(replica_set).get("selector"), uid_of(replica_set)
    owned, adopted, released = list[Object](), list[Object](), list[Object]()
    for pod in pods:
        selected = selects_for_workload(selector, labels_of(pod))
        if is_controlled_by(pod, uid):
            released.append(pod) if not selected and not is_deleting(replica_set) else owned.append(pod)
        elif selected and controller_of(pod) is None and is_active(pod) and not is_deleting(replica_set):
            adopted.append(pod)
    return Claims(tuple(owned), tuple(adopted), tuple(released))


def status(replica_set: Object, active: Sequence[Object], now: datetime) -> dict[str, Any]:
    """Return the status for these active pods; counters that are zero are left out, as upstream does."""
    seconds = int(spec_of(replica_set).get("minReadySeconds") or 0)
    labels = _template_labels(replica_set)
    counters = {
        "fullyLabeledReplicas": sum(carries(pod, labels) for pod in active),
        "readyReplicas": sum(is_ready(pod) for pod in active),
        "availableReplicas": sum(is_available(pod, seconds, now) for pod in active),
    }
    kept = {key: value for key, value in counters.items() if value}
    conditions = status_of(replica_set).get("conditions")
    generation = replica_set["metadata"].get("generation", 0)
    return {
        "replicas": len(active),
        **kept,
        "observedGeneration": generation,
        **({"conditions": conditions} if conditions else {}),
    }


def deletion_order(pods: Sequence[Object]) -> list[Object]:
    """Sort pods so that those missed least come first.

    Not bound, then pending, then not ready; a lower deletion cost; ready for less time; more restarts; younger.
    """

    def order(pod: Object) -> tuple[Any, ...]:
        ready = condition_of(pod, "Ready") if is_ready(pod) else None
        return (
            bool(spec_of(pod).get("nodeName")),
            _PHASES.get(str(status_of(pod).get("phase")), 0),
            is_ready(pod),
            _cost(pod),
            _reversed_time((ready or {}).get("lastTransitionTime")),
            -max((one.get("restartCount", 0) for one in status_of(pod).get("containerStatuses") or ()), default=0),
            _reversed_time(pod["metadata"].get("creationTimestamp")),
            name_of(pod),
        )

    return sorted(pods, key=order)


def _cost(pod: Object) -> int:
    try:
        return int(annotations_of(pod).get(DELETION_COST, "0"))
    except ValueError:
        return 0


def _reversed_time(text: str | None) -> float:
    moment = parse_time(text)
    return -moment.timestamp() if moment else 0.0


def _resize(replica_set: Object, active: Sequence[Object], *, taken: Sequence[Object], now: datetime) -> list[Write]:
    spec = spec_of(replica_set)
    wanted = spec.get("replicas")
    missing = (1 if wanted is None else int(wanted)) - len(active)
    if missing < 0:
        return [
            Delete(ref=ObjectRef(POD, namespace_of(pod), name_of(pod)), uid=uid_of(pod))
            for pod in deletion_order(active)[: min(-missing, BURST)]
        ]
    names = fresh_names(replica_set, count=min(missing, BURST), taken=map(name_of, taken), now=now)
    template = spec.get("template") or {}
    return [Create(kind=POD, body=pod_of_template(replica_set, kind=REPLICA_SET, name=name, template=template)) for name in names]


def _adopt(replica_set: Object, pod: Object) -> Patch:
    references = [*(pod["metadata"].get("ownerReferences") or ()), owner_reference(replica_set, REPLICA_SET)]
    return _set_owners(pod, references)


def _release(replica_set: Object, pod: Object) -> Patch:
    uid = uid_of(replica_set)
    return _set_owners(pod, [one for one in pod["metadata"]["ownerReferences"] if one.get("uid") != uid])


def _set_owners(pod: Object, references: Sequence[Mapping[str, Any]]) -> Patch:
    ref = ObjectRef(POD, namespace_of(pod), name_of(pod))
    return Patch(ref=ref, patch={"metadata": {"ownerReferences": list(references)}}, version=version_of(pod))


def _event(replica_set: Object, write: Write) -> Event:
    about = ObjectRef(REPLICA_SET, namespace_of(replica_set), name_of(replica_set))
    if isinstance(write, Create):
        return Event(about=about, reason="SuccessfulCreate", message=f"Created pod: {write.ref.name}")
    return Event(about=about, reason="SuccessfulDelete", message=f"Deleted pod: {write.ref.name}")


def _next_available(replica_set: Object, active: Sequence[Object], now: datetime) -> timedelta | None:
    seconds = int(spec_of(replica_set).get("minReadySeconds") or 0)
    if not seconds:
        return None
    moments = (available_at(pod, seconds) for pod in active)
    return min((moment - now for moment in moments if moment is not None and moment > now), default=None)


def _template_labels(replica_set: Object) -> Mapping[str, str]:
    return ((spec_of(replica_set).get("template") or {}).get("metadata") or {}).get("labels") or {}
