"""Taking the version and our mark out of Services and DestinationRules that no Rollout uses any more (spec/rollout.md 2.5).

Level-triggered from the mark itself, so nothing is left behind when a Rollout went while nobody watched; no finalizer is needed.
A Rollout that is not in the store is looked for at the server first: what selects everybody's pods is not changed because a list
came back empty. Must not: touch an object whose Rollout is there and refers to it, or whose Rollout's spec cannot be read just now.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from kube.effects import Perform
from kube.errors import ApiError
from kube.informer import Informer
from kube.kinds import DESTINATION_RULE, ROLLOUT, SERVICE, Kind, ObjectRef
from kube.objects import Key, Object, annotations_of, key_of, namespace_of, version_of
from kube.plan import Effect, Observation, Patch, Plan, Reason, Stage
from rollouts.engine.names import MANAGED_BY, POD_TEMPLATE_HASH
from rollouts.rollout.gather import Stores, is_unreadable

logger = logging.getLogger(__name__)

KINDS = (SERVICE, DESTINATION_RULE)
ASK_AGAIN = timedelta(seconds=60)
"""How long after the server could not say whether a Rollout is there."""


def release(stores: Stores, kind: Kind, key: Key, observations: Sequence[Observation] = ()) -> Plan | None:
    """Return what is to be taken out of an object; None when there is none of that name.

    `observations` may hold the answer to the effect that a plan asked for: whether the Rollout is gone, None when that is unknown.
    """
    obj = stores[kind].get(*key)
    if obj is None:
        return None
    manager = annotations_of(obj).get(MANAGED_BY)
    answers = {one.effect_id: one.answer for one in observations}
    consumed = tuple(answers)
    if not manager or _is_used(stores, ObjectRef(kind, *key), manager):
        return Plan(consumed=consumed)
    if stores[ROLLOUT].get(key[0], manager) is None:
        question = Effect(f"is it gone/{manager}", ObjectRef(ROLLOUT, key[0], manager))
        if question.id not in answers:
            return Plan(effects=(question,), reasons=(Reason(f'asking whether Rollout "{manager}" is gone'),), consumed=consumed)
        if not answers[question.id]:
            return Plan(consumed=consumed, look_again=ASK_AGAIN if answers[question.id] is None else None)
    patch = Patch(ref=ObjectRef(kind, *key), patch=_without_version(kind, obj), version=version_of(obj))
    reason = Reason(f'Rollout "{manager}" does not use it any more')
    return Plan(stages=(Stage("release", (patch,)),), reasons=(reason,), consumed=consumed)


def _is_used(stores: Stores, ref: ObjectRef, manager: str) -> bool:
    rollout = stores[ROLLOUT].get(ref.namespace, manager)
    if rollout is None:
        return False
    users = [key_of(one) for one in stores[ROLLOUT].by("refers", str(ref))]
    return (ref.namespace, manager) in users or is_unreadable(stores, (ref.namespace, manager))


def _without_version(kind: Kind, obj: Object) -> dict[str, Any]:
    patch: dict[str, Any] = {"metadata": {"annotations": {MANAGED_BY: None}}}
    spec = obj.get("spec") or {}
    if kind == SERVICE and POD_TEMPLATE_HASH in (spec.get("selector") or {}):
        patch["spec"] = {"selector": {POD_TEMPLATE_HASH: None}}
    if kind == DESTINATION_RULE and isinstance(spec.get("subsets"), list):
        patch["spec"] = {"subsets": [_without_label(subset) for subset in spec["subsets"]]}
    return patch


def _without_label(subset: Any) -> Any:
    labels = subset.get("labels") if isinstance(subset, Mapping) else None
    if not isinstance(labels, Mapping) or POD_TEMPLATE_HASH not in labels:
        return subset
    return {**subset, "labels": {key: value for key, value in labels.items() if key != POD_TEMPLATE_HASH}}


def reconciler(stores: Stores, kind: Kind) -> Callable[[Key, Sequence[Observation], datetime], Plan | None]:
    """Return the reconcile function of the controller that releases objects of a kind."""
    return lambda key, observations, _now: release(stores, kind, key, observations)


def asking(rollouts: Informer) -> Perform:
    """Return what answers whether a Rollout is gone: True or False; None when the server cannot say."""

    async def perform(_key: Key, effect: Effect) -> bool | None:
        ref: ObjectRef = effect.request
        try:
            return await rollouts.is_gone(ref.namespace, ref.name)
        except ApiError as error:
            logger.warning("it cannot be told whether %s is gone, so what it marked stays: %s", ref, error)
            return None

    return perform


def managed_by(stores: Stores, kind: Kind) -> Callable[[Object], Iterable[Key]]:
    """Return the mapper from a Rollout to the objects of a kind that bear its mark."""

    def keys(rollout: Object) -> Iterable[Key]:
        mark = f"{namespace_of(rollout)}/{rollout['metadata']['name']}"
        return [key_of(obj) for obj in stores[kind].by("managed", mark)]

    return keys
