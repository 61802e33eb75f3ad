"""How much traffic the new version may have now, and the router writes that bring it there (spec/rollout.md 2.5).

Decides the split that is safe at this moment: held back while the canary lacks pods for its share, nothing on abort. What a
version is and what share it gets never change in the same step. Must not: scale, or know a router by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kube.plan import Write
from rollouts.engine import conditions as condition
from rollouts.engine.steps import scale_was_set, weight_at, weight_before
from rollouts.rollout.draft import Draft, Order
from rollouts.rollout.progress import FAILED, paused_for
from rollouts.rollout.references import routing_specs
from rollouts.rollout.services import (
    can_take_all,
    canary_in_use,
    nobody_on_canary,
    serves_another,
    stable_service_is_switched,
)
from rollouts.rollout.targets import at_wanted_counts, pods_for, step_split
from routers import ROUTERS
from routers.base import Router, RoutingError, RoutingSpec, Split
from routers.telling import told_of

REFUSED = "TrafficRoutingRefused"
"""The condition that says why a router cannot write what is wanted, such as an Ingress of somebody else; gone when it can."""


@dataclass(frozen=True, slots=True)
class Target:
    """The canary's weight that is safe now, and whether the routes that steps set up may stay."""

    weight: int
    keep_routes: bool
    why: str = ""


def observe_traffic(draft: Draft) -> None:
    """Read from the routers' objects how traffic is divided; routers that disagree leave it unknown."""
    if not draft.settings.routed:
        return
    seen = {router.observed(spec, draft.snapshot.routing) for router, spec in _routers(draft, None, None)}
    draft.observed = seen.pop() if len(seen) == 1 else None


def move_traffic(draft: Draft) -> None:
    """Write the split that is safe now, and record it."""
    if not draft.settings.routed:
        draft.canary_status.pop("weights", None)
        draft.status["conditions"] = condition.drop(draft.status.get("conditions") or (), REFUSED)
        return
    target = _target(draft)
    if target.why:
        draft.because(target.why)
    split = replace(step_split(draft), canary=target.weight)
    if not target.keep_routes:
        split = replace(split, header_routes=(), mirror_routes=())
    draft.wanted = split
    try:
        _write(draft, split)
    except RoutingError as error:
        _refuse(draft, error)
        return
    draft.status["conditions"] = condition.drop(draft.status.get("conditions") or (), REFUSED)
    _record(draft)


def _refuse(draft: Draft, error: RoutingError) -> None:
    """Say in a condition why traffic does not move, unless the spec's tells it; what is known already is no event."""
    conditions, text = draft.status.get("conditions") or (), str(error)
    draft.because(text)
    if (condition.find(conditions, REFUSED) or {}).get("message") == text and not draft.invalid:
        return
    draft.status["conditions"] = condition.drop(conditions, REFUSED)
    if not draft.invalid:
        draft.condition(REFUSED, "True", reason=error.reason, message=text)
        draft.event(error.reason, text, warning=True)


def _write(draft: Draft, split: Split) -> None:
    """Add the writes in a safe order: back first and alone; otherwise what the names mean before who is sent there."""
    observed = draft.observed
    taking_back = observed is not None and split.canary < observed.canary and not draft.fully_promoted
    if taking_back:
        writes = _desired(draft, split, hashes=False)
    elif observed is not None and (meaning := _desired(draft, observed, hashes=True)):
        _send(draft, Order.ROUTE, meaning, observed)
        draft.wanted = observed
        return
    elif observed == split:
        return
    else:
        writes = _desired(draft, split, hashes=True)
    order = Order.BACK if taking_back else Order.ROUTE
    _send(draft, order, writes, split)
    before = observed.canary if observed is not None else 0
    if writes and before != split.canary:
        draft.event("TrafficWeightUpdated", f"Traffic weight updated from {before} to {split.canary}", after=order)


def _send(draft: Draft, order: Order, writes: Sequence[Write], split: Split) -> None:
    """Add writes of a router's objects, and tell of each."""
    draft.write(order, *writes)
    for write in writes:
        if told := told_of(write, split):
            draft.event(*told, after=order)


def _desired(draft: Draft, split: Split, *, hashes: bool) -> list[Write]:
    stable_hash, canary_hash = _hashes(draft) if hashes else (None, None)
    writes: list[Write] = []
    for router, spec in _routers(draft, stable_hash, canary_hash):
        writes += router.desired(spec, split, draft.snapshot.routing)
    return writes


def _routers(draft: Draft, stable_hash: str | None, canary_hash: str | None) -> Iterator[tuple[Router, RoutingSpec]]:
    """Yield each router with what it is told; a hash of None leaves what its objects select as it is."""
    for key, spec in routing_specs(draft.rollout, draft.settings):
        yield ROUTERS[key], replace(spec, stable_hash=stable_hash, canary_hash=canary_hash)


def _hashes(draft: Draft) -> tuple[str | None, str | None]:
    """Return the versions that stable and canary may stand for now; None where nothing may change yet."""
    if draft.stable is None or not draft.stable_available:
        return None, None
    stable = draft.stable.hash
    if draft.fully_promoted:
        return stable, stable if can_take_all(draft) or nobody_on_canary(draft) else None
    known = (draft.canary_status.get("weights") or {}).get("canary", {}).get("podTemplateHash")
    if draft.aborted or draft.new is None or not draft.new_available:
        return stable, stable if nobody_on_canary(draft) else None
    may_change = nobody_on_canary(draft) or known == draft.new.hash
    return stable, draft.new.hash if may_change else None


def _target(draft: Draft) -> Target:
    """Choose the weight, by the order of spec/rollout.md 2.5."""
    on_canary = _on_canary(draft)
    if draft.is_first:
        stable_is_lost = bool(draft.status.get("stableRS")) and on_canary > 0 and draft.new_available > 0
        return Target(draft.settings.total_weight if stable_is_lost else 0, keep_routes=False)
    if draft.fully_promoted:
        return _on_promoted(draft, on_canary)
    if draft.aborted:
        return _on_abort(draft, on_canary)
    if not draft.new_available or serves_another(draft):
        return _unless_stable_is_gone(draft, Target(0, keep_routes=False))
    if draft.fast_track:
        return _unless_stable_is_gone(draft, _on_fast_track(draft, on_canary))
    target = _on_step(draft)
    if paused_for(draft, FAILED):
        target = replace(target, weight=min(target.weight, on_canary))  # no further than where the analysis failed
    return _unless_stable_is_gone(draft, target)


def _on_canary(draft: Draft) -> int:
    """Return the weight the canary has, as far as is known."""
    if draft.observed is not None:
        return draft.observed.canary
    return int((draft.canary_status.get("weights") or {}).get("canary", {}).get("weight") or 0)


def _on_promoted(draft: Draft, on_canary: int) -> Target:
    """Nobody needs the canary route any more: after a promotion at once, after a rollback when stable can carry its users."""
    if not stable_service_is_switched(draft):
        return Target(on_canary, keep_routes=False, why="waiting for the stable Service to select the new version")
    if draft.stable is None or can_take_all(draft) or not on_canary:
        return Target(0, keep_routes=False)
    settings = draft.settings
    weights = {int(step["setWeight"]) for step in settings.steps if step.get("setWeight") is not None}
    ways = (one for one in sorted(weights) if one < on_canary)
    fitting = (one for one in ways if pods_for(draft, settings.total_weight - one) <= draft.stable_available)
    return Target(next(fitting, on_canary), keep_routes=False, why="going back as stable gets its pods")


def _on_abort(draft: Draft, on_canary: int) -> Target:
    """Everybody back at once; with `dynamicStableScale` only as fast as stable gets its pods back."""
    settings = draft.settings
    target = Target(0, keep_routes=False)
    if not settings.dynamic_stable_scale or not on_canary:
        return _unless_stable_is_gone(draft, target)
    missing = max(0, settings.replicas - draft.stable_available)
    carried = missing if settings.abort_delay_given else max(missing, draft.new_available)
    carried = min(carried, settings.replicas)
    if not missing:
        return target
    weights = [int(step["setWeight"]) for step in settings.steps if step.get("setWeight") is not None]
    fitting = (weight for weight in reversed(weights) if pods_for(draft, weight) < carried and weight <= on_canary)
    weight = next(fitting, 0)
    if pods_for(draft, settings.total_weight - weight) > draft.stable_available:
        weight = on_canary
    why = f"aborted: stable has {draft.stable_available} of {settings.replicas} pods available"
    return Target(weight, keep_routes=False, why=why)


def _on_fast_track(draft: Draft, on_canary: int) -> Target:
    """Go to everything once all pods are there; until then stay, or with `dynamicStableScale` follow the pods."""
    settings = draft.settings
    if at_wanted_counts(draft):
        return Target(settings.total_weight, keep_routes=False)
    if settings.dynamic_stable_scale:
        share = settings.total_weight * draft.new_available // max(1, settings.replicas)
        return Target(min(share, settings.total_weight), keep_routes=False)
    return Target(on_canary, keep_routes=False, why=f"{draft.fast_track}: waiting for the new version's pods")


def _on_step(draft: Draft) -> Target:
    """Give the step's weight once the pods for it are there; less at once, more only then.

    Users that the new version has already stay while its pods can carry them, so that an autoscaler moves nobody to and fro
    (upstream goes back to the weight of the step before).
    """
    settings = draft.settings
    weight = weight_at(settings.steps, draft.index, settings.total_weight)
    if at_wanted_counts(draft):
        return Target(weight, keep_routes=True)
    held = min(weight, weight_before(settings.steps, draft.index))
    if settings.replicas and not scale_was_set(settings.steps, draft.index):
        carried = settings.total_weight * draft.new_available // settings.replicas
        held = min(max(held, min(weight, _on_canary(draft))), carried)
    why = f"holding the new version at {held} of {settings.total_weight} until its pods are available" if held < weight else ""
    return Target(held, keep_routes=True, why=why)


def _unless_stable_is_gone(draft: Draft, target: Target) -> Target:
    """Send nobody back to a stable side that could not serve them."""
    on_canary = _on_canary(draft)
    if target.weight >= on_canary:
        return target
    in_use = canary_in_use(draft)
    carried = next((one.side.sure for one in draft.all_sets if one.hash == in_use), draft.new_available)
    if not draft.stable_available and carried:
        return Target(on_canary, keep_routes=target.keep_routes, why="stable has no available pod: traffic stays where it is")
    needed = pods_for(draft, draft.settings.total_weight - target.weight)
    if draft.settings.dynamic_stable_scale and draft.stable_available < needed and carried:
        return Target(on_canary, keep_routes=target.keep_routes, why="waiting for stable's pods before traffic goes back to it")
    return target


def _record(draft: Draft) -> None:
    """Write down the split that stands once this plan's writes succeeded."""
    split, stable = draft.wanted, draft.stable
    if split is None or stable is None:
        draft.canary_status.pop("weights", None)
        return
    stored = draft.canary_status.get("weights") or {}
    known = (stored.get("canary") or {}).get("podTemplateHash")
    canary_hash = _hashes(draft)[1] or known or draft.new_hash
    weights: dict[str, Any] = {
        "canary": _one(split.canary, draft.settings.canary_service, canary_hash),
        "stable": _one(split.stable, draft.settings.stable_service, stable.hash),
    }
    if split.additional:
        weights["additional"] = [_one(one.weight, one.service, one.pod_hash) for one in split.additional]
    draft.canary_status["weights"] = weights


def _one(weight: int, service: str | None, pod_hash: str) -> dict[str, Any]:
    return {"weight": weight, "podTemplateHash": pod_hash, **({"serviceName": service} if service else {})}
