"""Which pods the stable and the canary Service select (spec/rollout.md 2.5).

A Service moves only to pods that are there, and the canary's only while nobody is sent to it. Must not: know a router.
"""

from __future__ import annotations

from kube.kinds import SERVICE, ObjectRef
from kube.objects import Object, annotations_of
from kube.plan import Patch
from rollouts.engine.names import MANAGED_BY, POD_TEMPLATE_HASH
from rollouts.rollout.draft import Draft, Order
from rollouts.rollout.snapshot import ReplicaSet
from rollouts.rollout.targets import wanted_weight


def switch_services(draft: Draft) -> None:
    """Point each Service at the version whose users it is to have."""
    target = _stable_target(draft)
    if target is not None:
        _switch(draft, draft.settings.stable_service, target)
    target = _canary_target(draft)
    if target is not None:
        _switch(draft, draft.settings.canary_service, target)


def _stable_target(draft: Draft) -> ReplicaSet | None:
    """Return what the stable Service is to select.

    Without a router the last old pods go before the promotion, so once the new version is to have all, the Service moves as
    soon as its own pods would do (upstream leaves the Service without any endpoint for that moment).
    """
    settings, new = draft.settings, draft.new
    if settings.routed or new is None or draft.is_first or wanted_weight(draft) < settings.total_weight:
        return draft.stable
    return new if draft.new_available >= max(1, settings.replicas - settings.unavailable) else draft.stable


def holds_users(draft: Draft, replica_set: ReplicaSet) -> bool:
    """Tell whether the stable Service still selects a version, so that its last pod has to stay."""
    service = draft.snapshot.services.get(draft.settings.stable_service or "")
    return service is not None and selected_hash(service) == replica_set.hash


def selected_hash(service: Object | None) -> str:
    """Return the pod template hash a Service selects; empty when it selects by other labels only."""
    return str(((service or {}).get("spec", {}).get("selector") or {}).get(POD_TEMPLATE_HASH, ""))


def stable_service_is_switched(draft: Draft) -> bool:
    """Tell whether the stable Service, if there is one, selects the stable version in what the API server shows."""
    name = draft.settings.stable_service
    return not name or draft.stable is None or selected_hash(draft.snapshot.services.get(name)) == draft.stable.hash


def nobody_on_canary(draft: Draft) -> bool:
    """Tell whether no router sends anybody to the canary, so that what it selects may change."""
    return not draft.settings.routed or (draft.observed is not None and draft.observed.canary == 0)


def canary_in_use(draft: Draft) -> str:
    """Return the hash of the version that the canary route means now; empty when that is not known."""
    if draft.settings.canary_service:
        return selected_hash(draft.snapshot.services.get(draft.settings.canary_service))
    weights = (draft.rollout.get("status") or {}).get("canary", {}).get("weights") or {}
    return str((weights.get("canary") or {}).get("podTemplateHash") or "")


def serves_another(draft: Draft) -> bool:
    """Tell whether users are on the canary route of a version that is not wanted any more: they go back to stable first."""
    if not draft.settings.routed or nobody_on_canary(draft):
        return False
    return canary_in_use(draft) not in ("", draft.new_hash)


def can_take_all(draft: Draft) -> bool:
    """Tell whether stable may be sent everybody at once: with `dynamicStableScale` only when it has all of its pods."""
    return not draft.settings.dynamic_stable_scale or draft.stable_available >= draft.settings.replicas


def _canary_target(draft: Draft) -> ReplicaSet | None:
    """Return what the canary Service is to select; None leaves it as it is."""
    if draft.is_first:
        return draft.stable
    if draft.fully_promoted:
        return draft.stable if can_take_all(draft) or nobody_on_canary(draft) else None
    current = selected_hash(draft.snapshot.services.get(draft.settings.canary_service or ""))
    if draft.aborted:
        return draft.stable if nobody_on_canary(draft) else None
    if draft.new is None or not draft.new_available:
        return draft.stable if nobody_on_canary(draft) and not current else None
    return draft.new if current == draft.new.hash or nobody_on_canary(draft) else None


def _switch(draft: Draft, name: str | None, target: ReplicaSet) -> None:
    service = draft.snapshot.services.get(name or "")
    if name is None or service is None:
        return
    current = selected_hash(service)
    managed = annotations_of(service).get(MANAGED_BY) == draft.name
    if current == target.hash and managed:
        return
    enough = target.available >= max(1, target.wanted) if not current else target.available >= 1
    if current != target.hash and not enough:
        draft.because(f"Service {name} is switched once ReplicaSet {target.name} has available pods")
        return
    patch = {"metadata": {"annotations": {MANAGED_BY: draft.name}}, "spec": {"selector": {POD_TEMPLATE_HASH: target.hash}}}
    draft.write(Order.SERVICE, Patch(ref=ObjectRef(SERVICE, draft.namespace, name), patch=patch))
    if current != target.hash:
        told = f"Switched selector for service '{name}' from '{current}' to '{target.hash}'"
        draft.event("SwitchService", told, after=Order.SERVICE)
