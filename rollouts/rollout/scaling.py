"""How many pods each ReplicaSet is to have now (spec/rollout.md 2.4, 2.6).

Capacity comes before traffic and goes after it: no side shrinks below what its observed traffic needs. Must not: move traffic.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from kube.objects import annotations_of, format_time
from rollouts.engine.names import DESIRED_REPLICAS, RESTART_SURGE, SCALE_DOWN_DEADLINE
from rollouts.engine.replicas import Counts, Side, basic_scale, drain_others
from rollouts.engine.steps import scale_was_set
from rollouts.rollout.draft import Draft, Order
from rollouts.rollout.progress import FAILED, INCONCLUSIVE, paused_for
from rollouts.rollout.restarts import surge_pod
from rollouts.rollout.revisions import create_replica_set
from rollouts.rollout.services import holds_users, nobody_on_canary, selected_hash, serves_another
from rollouts.rollout.snapshot import ReplicaSet
from rollouts.rollout.targets import lifted, pods_for, wanted_counts
from routers.base import Split

NOTHING = Side(spec=0, available=0)


def scale(draft: Draft) -> None:
    """Bring every ReplicaSet as far towards its wanted size as is safe now, creating the new one."""
    if _is_frozen(draft):
        if draft.new is None:
            create_replica_set(draft, 0)
        for one in draft.all_sets:
            _write_size(draft, one, one.wanted, {})
        return
    counts = _routed(draft) if draft.settings.routed else _basic(draft)
    if draft.new is None:
        create_replica_set(draft, counts.canary)
    else:
        _resize(draft, draft.new, counts.canary)
    if draft.stable is not None and (draft.new is None or draft.stable.uid != draft.new.uid):
        _resize(draft, draft.stable, counts.stable)
    (_drain_routed if draft.settings.routed else _drain_basic)(draft)


def _is_frozen(draft: Draft) -> bool:
    """Tell whether a person stopped the update: only an unchanged number of replicas is frozen, scaling still works."""
    return (draft.settings.paused or _waits_for_verdict(draft)) and not _replicas_changed(draft) and not draft.aborted


def _waits_for_verdict(draft: Draft) -> bool:
    return bool(paused_for(draft, INCONCLUSIVE) or paused_for(draft, FAILED))


def _replicas_changed(draft: Draft) -> bool:
    """Tell whether `spec.replicas` is another than the ReplicaSets were sized for."""
    wanted = str(draft.settings.replicas)
    active = [one for one in (draft.new, draft.stable) if one and one.wanted > 0]
    return any(annotations_of(one.obj).get(DESIRED_REPLICAS, wanted) != wanted for one in active)


def _basic(draft: Draft) -> Counts:
    """Without a router: within surge and availability, older ReplicaSets first."""
    settings = draft.settings
    stable = draft.stable.side if draft.stable and not draft.fully_promoted else NOTHING
    counts = basic_scale(
        replicas=settings.replicas,
        target=wanted_counts(draft),
        new=draft.new.side if draft.new else NOTHING,
        stable=stable,
        others=tuple(one.side for one in draft.others),
        surge=settings.surge,
        unavailable=settings.unavailable,
    )
    return Counts(_kept_for_users(draft, draft.new, counts.canary), _kept_for_users(draft, draft.stable, counts.stable))


def _kept_for_users(draft: Draft, replica_set: ReplicaSet | None, pods: int) -> int:
    """Leave one pod to a version that the stable Service selects, as long as pods are wanted and may not all be missing."""
    settings = draft.settings
    if pods or replica_set is None or not replica_set.wanted or settings.replicas <= settings.unavailable:
        return pods
    return 1 if holds_users(draft, replica_set) else 0


def _routed(draft: Draft) -> Counts:
    """With a router: both sides beside each other, neither below what is sent to it."""
    wanted = wanted_counts(draft)
    if draft.is_first or draft.fully_promoted:
        return wanted
    return Counts(_routed_canary(draft, wanted.canary), _routed_stable(draft, wanted.stable))


def _routed_canary(draft: Draft, wanted: int) -> int:
    """Return the canary's pods now: on abort they stay for their delay, and always while traffic needs them."""
    new = draft.new
    if new is None:
        return wanted
    if draft.aborted:
        return _aborted_canary(draft, new)
    if draft.observed is None and wanted < new.wanted:
        return new.wanted
    carried = max(one.canary for one in _splits(draft)) if draft.observed else 0
    explicit = scale_was_set(draft.settings.steps, draft.index)
    if wanted < new.wanted and carried and not explicit:
        return max(wanted, min(new.wanted, pods_for(draft, carried)))
    return wanted


def _aborted_canary(draft: Draft, new: ReplicaSet) -> int:
    settings = draft.settings
    if draft.observed is None or draft.observed.canary > 0:
        if settings.dynamic_stable_scale and draft.observed is not None and not settings.abort_delay_given:
            return min(new.wanted, lifted(draft, pods_for(draft, draft.observed.canary)))
        return new.wanted
    if settings.dynamic_stable_scale and not settings.abort_delay_given:
        return 0
    if settings.abort_delay is None or new.wanted == 0:
        return new.wanted
    if draft.stable_available < settings.replicas:
        draft.because("aborted: the canary's pods stay until stable has all of its own")
        return new.wanted
    return 0 if _delay_is_over(draft, new, settings.abort_delay, "aborted canary") else new.wanted


def _routed_stable(draft: Draft, wanted: int) -> int:
    """Return stable's pods now: with `dynamicStableScale` they follow the traffic, never ahead of it."""
    stable = draft.stable
    if stable is None or not draft.settings.dynamic_stable_scale:
        return wanted
    if draft.aborted or serves_another(draft):
        return draft.settings.replicas
    if draft.observed is None:
        return max(wanted, stable.wanted)
    total = draft.settings.total_weight
    most = max(total - min(one.canary, total) for one in _splits(draft))
    return max(wanted, lifted(draft, pods_for(draft, most)))


def _splits(draft: Draft) -> list[Split]:
    """Return the splits that hold while this plan is carried out: the one that is seen, and the one that is written."""
    return [one for one in (draft.observed, draft.wanted) if one is not None]


def _resize(draft: Draft, replica_set: ReplicaSet, replicas: int) -> None:
    """Write a new size, together with what else the ReplicaSet is to say about it."""
    annotations: dict[str, str | None] = {}
    desired = str(draft.settings.replicas)
    if annotations_of(replica_set.obj).get(DESIRED_REPLICAS) != desired and replicas:
        annotations[DESIRED_REPLICAS] = desired
    if SCALE_DOWN_DEADLINE in annotations_of(replica_set.obj) and _deadline_is_obsolete(draft, replica_set, replicas):
        annotations[SCALE_DOWN_DEADLINE] = None
    _write_size(draft, replica_set, replicas, annotations)


def _write_size(draft: Draft, replica_set: ReplicaSet, replicas: int, annotations: dict[str, str | None]) -> None:
    """Write size and annotations as far as they are others; a pod that a restart needs is added, and noted beside the size."""
    before, surge = replica_set.wanted + replica_set.surge, surge_pod(draft, replica_set, replicas)
    size = replicas + surge
    if bool(surge) != (RESTART_SURGE in annotations_of(replica_set.obj)):
        annotations = {**annotations, RESTART_SURGE: "1" if surge else None}
    patch: dict[str, object] = {}
    order = Order.GROW if size >= before else Order.SHRINK
    if annotations:
        patch["metadata"] = {"annotations": annotations}
    if size != before:
        patch["spec"] = {"replicas": size}
        verb = "up" if size > before else "down"
        revision = draft.revision if draft.new and replica_set.uid == draft.new.uid else replica_set.revision
        draft.event(
            "ScalingReplicaSet",
            f"Scaled {verb} ReplicaSet {replica_set.name} (revision {revision}) from {before} to {size}",
            after=order,
        )
    if patch:
        draft.patch_replica_set(order, replica_set, patch)


def _deadline_is_obsolete(draft: Draft, replica_set: ReplicaSet, replicas: int) -> bool:
    is_aborted_canary = draft.aborted and draft.new is not None and replica_set.uid == draft.new.uid
    return replicas == 0 or not is_aborted_canary


def _drain_basic(draft: Draft) -> None:
    """Drain what is neither new nor stable as far as availability allows."""
    running = [one for one in draft.others if one.wanted > 0]
    if not running:
        return
    everything = draft.all_sets
    total = Side(spec=sum(one.wanted for one in everything), available=sum(one.side.sure for one in everything))
    kept = drain_others(
        replicas=draft.settings.replicas,
        others=tuple(one.side for one in running),
        total=total,
        unavailable=draft.settings.unavailable,
    )
    for one, replicas in zip(running, kept, strict=True):
        _resize(draft, one, _kept_for_users(draft, one, replicas))


def _drain_routed(draft: Draft) -> None:
    """Drain old versions nobody is sent to: the last stable one after its delay, others at once."""
    running = sorted((one for one in draft.others if one.wanted > 0), key=lambda one: one.revision, reverse=True)
    settings = draft.settings
    for at, one in enumerate(running):
        if _may_have_users(draft, one):
            draft.because(f"ReplicaSet {one.name} keeps its pods while traffic may reach them")
            _write_size(draft, one, one.wanted, {})
            continue
        limited = settings.scale_down_delay_revisions is not None and at >= settings.scale_down_delay_revisions
        delayed = (draft.fully_promoted or one.scale_down_deadline) and settings.scale_down_delay and not limited
        if not delayed or _delay_is_over(draft, one, settings.scale_down_delay, "previous version"):
            _resize(draft, one, 0)
        else:
            _write_size(draft, one, one.wanted, {})


def _may_have_users(draft: Draft, replica_set: ReplicaSet) -> bool:
    """Tell whether a Service or subset still stands for this version while anybody is sent there."""
    settings, services = draft.settings, draft.snapshot.services
    if draft.observed is None:
        return True
    stable_selects = selected_hash(services.get(settings.stable_service or "")) == replica_set.hash
    weights = draft.canary_status.get("weights") or {}
    canary_means = (weights.get("canary") or {}).get("podTemplateHash") == replica_set.hash
    canary_selects = selected_hash(services.get(settings.canary_service or "")) == replica_set.hash
    if stable_selects:
        return True
    if draft.fully_promoted and draft.observed.canary > 0 and not settings.stable_service:
        return True
    return (canary_means or canary_selects) and not nobody_on_canary(draft)


def _delay_is_over(draft: Draft, replica_set: ReplicaSet, delay: timedelta, what: str) -> bool:
    """Start or follow a scale-down delay, which is written on the ReplicaSet."""
    if not delay:
        return True
    deadline: datetime | None = replica_set.scale_down_deadline
    if deadline is None:
        deadline = draft.now + delay
        patch = {"metadata": {"annotations": {SCALE_DOWN_DEADLINE: format_time(deadline)}}}
        draft.patch_replica_set(Order.TIDY, replica_set, patch)
    if draft.now >= deadline:
        return True
    draft.because(f"the pods of the {what} ({replica_set.name}) stay until their scale-down delay is over", until=deadline)
    return False
