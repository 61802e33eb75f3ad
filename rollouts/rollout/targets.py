"""What the current step asks for: weight and pods of each side, and whether the pods are there (spec/rollout.md 2.4).

Pure questions about a draft. Must not: change it.
"""

from __future__ import annotations

from rollouts.engine.replicas import Counts, canary_share, weighted
from rollouts.engine.steps import canary_scale_at, header_routes_at, mirror_routes_at, weight_at
from rollouts.rollout.draft import Draft
from rollouts.rollout.snapshot import ReplicaSet
from routers.base import Split


def wanted_weight(draft: Draft) -> int:
    """Return the weight that the current step wants for the new version."""
    if draft.is_first or draft.fully_promoted or draft.fast_track:
        return draft.settings.total_weight
    if draft.aborted:
        return 0
    return weight_at(draft.settings.steps, draft.index, draft.settings.total_weight)


def step_split(draft: Draft) -> Split:
    """Return the whole split of the current step: weight and the routes that steps have set up."""
    steps, index = draft.settings.steps, draft.index
    return Split(
        canary=wanted_weight(draft),
        total=draft.settings.total_weight,
        header_routes=header_routes_at(steps, index),
        mirror_routes=mirror_routes_at(steps, index),
    )


def wanted_counts(draft: Draft) -> Counts:
    """Return the pods that the current step wants; without a stable version of its own all are the new one's."""
    settings = draft.settings
    if draft.is_first or draft.fully_promoted:
        return Counts(settings.replicas, 0)
    if settings.routed:
        return Counts(_routed_canary(draft), _routed_stable(draft))
    return canary_share(
        replicas=settings.replicas, weight=wanted_weight(draft), total=settings.total_weight, surge=settings.surge > 0
    )


def _routed_canary(draft: Draft) -> int:
    """Return the canary's pods beside a full stable side."""
    settings = draft.settings
    if not draft.aborted and not draft.fast_track and (scale := canary_scale_at(settings.steps, draft.index)):
        pods = scale.pods(settings.replicas)
        return pods if scale.replicas is not None else lifted(draft, pods)
    pods = weighted(replicas=settings.replicas, weight=wanted_weight(draft), total=settings.total_weight)
    return lifted(draft, pods)


def _routed_stable(draft: Draft) -> int:
    """Return stable's pods: all of them, or with `dynamicStableScale` what its share of the traffic needs."""
    settings = draft.settings
    if not settings.dynamic_stable_scale:
        return settings.replicas
    left = settings.total_weight - wanted_weight(draft)
    return lifted(draft, weighted(replicas=settings.replicas, weight=left, total=settings.total_weight))


def lifted(draft: Draft, pods: int) -> int:
    """Raise a side that has any pods to `minPodsPerReplicaSet`, never above the replicas."""
    return min(max(pods, draft.settings.min_pods), max(draft.settings.replicas, pods)) if pods else 0


def pods_for(draft: Draft, weight: int) -> int:
    """Return the pods that carry a share of the traffic."""
    return weighted(replicas=draft.settings.replicas, weight=weight, total=draft.settings.total_weight)


def enough_available(draft: Draft, wanted: int) -> bool:
    """Tell whether the new version has the pods it is to have, by `replicaProgressThreshold` when one is set."""
    new, threshold = draft.new, draft.settings.threshold
    if new is None:
        return False
    if threshold is None or new.wanted != wanted:
        return new.wanted == wanted == new.available
    if threshold.percent:
        return new.available * 100 >= threshold.value * wanted
    return new.available >= min(threshold.value, wanted)


def at_wanted_counts(draft: Draft) -> bool:
    """Tell whether both sides are as the current step wants them."""
    wanted = wanted_counts(draft)
    if not enough_available(draft, wanted.canary):
        return False
    if draft.stable is None or draft.fully_promoted:
        return True
    if not draft.settings.dynamic_stable_scale and not _settled(draft.stable, wanted.stable):
        return False
    return draft.settings.routed or all(other.available == 0 for other in draft.others)


def _settled(replica_set: ReplicaSet, wanted: int) -> bool:
    return replica_set.wanted == wanted and wanted <= replica_set.count("replicas") <= wanted + replica_set.surge
