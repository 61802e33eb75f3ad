"""Restarting pods on request (`spec.restartAt`): a few at a time, and never the last one that serves (spec/rollout.md 2.6).

A ReplicaSet of one pod gets a second one first; when that serves, the old one is named as the first to go and the ReplicaSet is
scaled back, which asks no disruption budget and starts no third pod. Must not: write a ReplicaSet's size (scaling.py does).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kube.objects import Object, annotations_of, format_time, name_of, parse_time, uid_of
from kube.plan import Evict, Patch
from rollouts.engine.names import POD_DELETION_COST
from rollouts.rollout.draft import Draft, Order
from rollouts.rollout.snapshot import ReplicaSet, available_at, pod_ref, ready_since

RECHECK = timedelta(seconds=30)
FIRST_TO_GO = "-2147483648"
"""The lowest cost of deletion that Kubernetes knows."""


@dataclass(frozen=True, slots=True)
class _Pods:
    """The pods of one ReplicaSet, as a restart sees them."""

    dead: Sequence[Object]
    """Too old, and not ready: nobody misses them."""
    old: Sequence[Object]
    """Too old, and ready."""
    serving: Sequence[Object]
    """Young enough, and available."""
    rising: Sequence[Object]
    """Young enough, and ready, but not for `minReadySeconds` yet."""

    @classmethod
    def of(cls, draft: Draft, replica_set: ReplicaSet, asked: datetime) -> _Pods:
        pods, limit = draft.snapshot.pods_of(replica_set), format_time(asked)
        old = [pod for pod in pods if _created(pod) < limit]
        young = [(available_at(pod, draft.settings.min_ready), pod) for pod in pods if _created(pod) >= limit]
        return cls(
            dead=[pod for pod in old if ready_since(pod) is None],
            old=[pod for pod in old if ready_since(pod) is not None],
            serving=[pod for since, pod in young if since is not None and since <= draft.now],
            rising=[pod for since, pod in young if since is not None and since > draft.now],
        )


def _created(pod: Object) -> str:
    return str(pod["metadata"].get("creationTimestamp") or "")


def _goes_first(pod: Object) -> bool:
    return annotations_of(pod).get(POD_DELETION_COST) == FIRST_TO_GO


def _under_way(draft: Draft) -> datetime | None:
    """Return the moment before which no pod may be born; None when no restart is under way."""
    asked = draft.settings.restart_at
    if asked is None or draft.now < asked or parse_time(draft.status.get("restartedAt")) == asked:
        return None
    return asked


def surge_pod(draft: Draft, replica_set: ReplicaSet, replicas: int) -> int:
    """Return 1 while a ReplicaSet that is to have one pod needs another beside it to be restarted, else 0.

    It does until the young pod serves and the old one is seen to be the first to go.
    """
    asked = _under_way(draft)
    if asked is None or replicas != 1:
        return 0
    pods = _Pods.of(draft, replica_set, asked)
    if len(pods.old) != 1:
        return 0
    return 0 if pods.serving and _goes_first(pods.old[0]) else 1


def restart_pods(draft: Draft) -> None:
    """Replace the pods that are older than `restartAt`, as many at a time as may be unavailable."""
    asked = draft.settings.restart_at
    if asked is not None and draft.now < asked:
        draft.because("a restart is asked for later", until=asked)
    asked = _under_way(draft)
    if asked is None:
        return
    sets = sorted(draft.all_sets, key=lambda one: draft.stable is None or one.uid != draft.stable.uid)
    pods = [(one, _Pods.of(draft, one, asked)) for one in sets]
    left = sum(len(one.dead) + len(one.old) for _, one in pods)
    if not left:
        draft.status["restartedAt"] = format_time(asked)
        return
    dead = [pod for _, one in pods for pod in one.dead]
    spare = [pod for replica_set, one in pods for pod in _replaceable(draft, replica_set, one)]
    at_once = max(1, draft.settings.unavailable)
    for pod in (dead + spare[: max(0, _may_miss(draft, at_once))])[:at_once]:
        draft.write(Order.TIDY, Evict(ref=pod_ref(pod), uid=uid_of(pod)))
    draft.because(f"restarting: {left} pods are older than {format_time(asked)}")
    draft.look_again(RECHECK)


def _may_miss(draft: Draft, at_once: int) -> int:
    """Return how many available pods may go now.

    They are counted one by one: the ReplicaSets' counters still hold the pods that were evicted a moment ago.
    """
    pods = [pod for one in draft.all_sets for pod in draft.snapshot.pods_of(one)]
    since = [available_at(pod, draft.settings.min_ready) for pod in pods]
    available = sum(moment is not None and moment <= draft.now for moment in since)
    return available - (max(draft.settings.replicas, sum(one.wanted for one in draft.all_sets)) - at_once)


def _replaceable(draft: Draft, replica_set: ReplicaSet, pods: _Pods) -> Sequence[Object]:
    """Return the serving pods that may be evicted: all but one, so that somebody always answers.

    A single pod is not evicted but outlived: once a young one serves, it is named as the first to go.
    """
    if replica_set.wanted != 1:
        return pods.old[: max(0, len(pods.old) + len(pods.serving) - 1)]
    if len(pods.old) == 1 and pods.serving:
        cost = {"metadata": {"annotations": {POD_DELETION_COST: FIRST_TO_GO}}}
        if not _goes_first(pods.old[0]):
            draft.write(Order.TIDY, Patch(ref=pod_ref(pods.old[0]), patch=cost))
    elif len(pods.old) == 1:
        draft.because(f"{name_of(pods.old[0])} serves alone: it goes once a young pod beside it is available")
        for pod in pods.rising:
            draft.look_again((available_at(pod, draft.settings.min_ready) or draft.now) - draft.now)
    return ()
