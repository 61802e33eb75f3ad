"""The DestinationRule of a subset split: which pods each subset selects (spec/rollout.md 3.3).

Owns one label in the two subsets, the subsets of running experiments, and the mark that says who manages them. Other labels and
other subsets stay, which upstream drops. Must not: know a route.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crds.names import MANAGED_BY, POD_TEMPLATE_HASH
from kube.kinds import ObjectRef
from kube.objects import Object
from kube.plan import Patch, Write
from routers.base import InvalidRouting, MissingObject, Objects, RoutingSpec, Split
from routers.istio_config import FIELD, Sides, Subsets
from routers.shape import annotations_in, mapping, mappings, owner_name, sequence, text, version


def subset_writes(spec: RoutingSpec, split: Split, *, sides: Sides, objects: Objects) -> list[Write]:
    """Return the write that makes the subsets select the versions; none in host split or when they do already.

    Raises:
        MissingObject: the DestinationRule does not exist.
        InvalidRouting: it lacks one of the subsets.
    """
    if (names := sides.subsets) is None:
        return []
    rule = objects.by_ref.get(names.rule)
    if rule is None:
        raise MissingObject(
            f'{FIELD}.destinationRule.name: Invalid value: "{names.rule.name}": {names.rule} not found; create it',
            reason="DestinationRuleNotFound",
        )
    current = _subsets(rule)
    _check(names, current)
    wanted = _labelled(current, {names.stable: spec.stable_hash, names.canary: spec.canary_hash})
    wanted = _with_experiments(wanted, split, sides)
    patch: dict[str, Any] = {"spec": {"subsets": wanted}} if wanted != list(current) else {}
    knows = spec.stable_hash is not None or spec.canary_hash is not None
    # Another Rollout may share the rule: its name stays until one of our subsets changes, so that two never take turns.
    if annotations_in(rule).get(MANAGED_BY) != owner_name(spec) and (patch or (knows and not annotations_in(rule).get(MANAGED_BY))):
        patch["metadata"] = {"annotations": {MANAGED_BY: owner_name(spec)}}
    return [Patch(ref=names.rule, patch=patch, version=version(rule))] if patch else []


def released(spec: RoutingSpec, rule: Object, *, ref: ObjectRef, sides: Sides) -> list[Write]:
    """Return the write that takes label, mark and experiments' subsets out of a DestinationRule again."""
    assert sides.subsets is not None
    current = _subsets(rule)
    wanted = _with_experiments(_labelled(current, {sides.subsets.stable: "", sides.subsets.canary: ""}), Split(canary=0), sides)
    patch: dict[str, Any] = {"spec": {"subsets": wanted}} if wanted != list(current) else {}
    if annotations_in(rule).get(MANAGED_BY) == owner_name(spec):
        patch["metadata"] = {"annotations": {MANAGED_BY: None}}
    return [Patch(ref=ref, patch=patch, version=version(rule))] if patch else []


def _subsets(rule: Object) -> Sequence[Any]:
    return sequence(mapping(rule.get("spec")).get("subsets"))


def _check(names: Subsets, subsets: Sequence[Any]) -> None:
    known = {text(subset.get("name")) for subset in mappings(subsets)}
    for side, name in (("Stable", names.stable), ("Canary", names.canary)):
        if name not in known:
            raise InvalidRouting(f"{side} subset '{name}' not found in {names.rule}; add it to spec.subsets")


def _labelled(subsets: Sequence[Any], hashes: Mapping[str, str | None]) -> list[Any]:
    return [_with_hash(subset, hashes) if isinstance(subset, Mapping) else subset for subset in subsets]


def _with_hash(subset: Mapping[str, Any], hashes: Mapping[str, str | None]) -> Mapping[str, Any]:
    wanted = hashes.get(text(subset.get("name")))
    labels = dict(mapping(subset.get("labels")))
    if wanted is None or labels.get(POD_TEMPLATE_HASH, "") == wanted:
        return subset
    labels.pop(POD_TEMPLATE_HASH, None)
    return {**subset, "labels": {**labels, POD_TEMPLATE_HASH: wanted} if wanted else labels}


def _with_experiments(subsets: Sequence[Any], split: Split, sides: Sides) -> list[Any]:
    """Return the subsets with exactly those experiments that run now, each under the name of its Service."""
    ours = {text(one.get("name")): one for one in mappings(subsets) if _is_experiment(one, sides)}
    kept = [one for one in subsets if not (isinstance(one, Mapping) and _is_experiment(one, sides))]
    running = [
        {**ours.get(one.service, {}), "name": one.service, "labels": {POD_TEMPLATE_HASH: one.pod_hash}}
        for one in split.additional
        if one.pod_hash
    ]
    return kept + running


def _is_experiment(subset: Mapping[str, Any], sides: Sides) -> bool:
    return set(mapping(subset.get("labels"))) == {POD_TEMPLATE_HASH} and sides.is_experiment(text(subset.get("name")))
