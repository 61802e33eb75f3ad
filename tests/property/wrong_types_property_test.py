"""Any value in any place of what people write: the controller says what is wrong, or goes on; it never raises.

The API server's schemas catch most of this, but definitions of other versions, of Istio's kinds above all, may let anything pass.
Not so Services, whose types every API server knows, and the status, which only controllers write.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import InvalidAnalysis
from analysis.providers import served
from analysis.run.validation import resolve
from kube.kinds import ANALYSIS_TEMPLATE, DESTINATION_RULE, INGRESS, ROLLOUT, SERVICE, VIRTUAL_SERVICE, Kind
from kube.objects import Object
from rollouts.cli.linting import lint
from rollouts.cli.manifests import Document
from rollouts.rollout.explain import explain
from rollouts.rollout.gather import gather
from tests.model import World, merge
from tests.shops import ROUTINGS, canary_weight, shop_behind

HUGE = 10**30
SCALARS: list[Any] = [None, "", "x", "-1", "50%", 0, -1, 7, HUGE, 0.5, True, "y" * 9000]
WRONG = st.sampled_from([*SCALARS, [], [None], ["x"], [[]], [{}], {}, {"x": None}, {"name": "x"}])
TEMPLATE: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "AnalysisTemplate",
    "metadata": {"name": "rate"},
    "spec": {
        "args": [{"name": "app", "value": "shop"}, {"name": "key", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
        "metrics": [
            {
                "name": "rate",
                "interval": "10s",
                "count": 3,
                "failureLimit": 1,
                "successCondition": "result[0] >= 0.9",
                "provider": {"prometheus": {"address": "http://p", "query": "up{app='{{args.app}}'}", "headers": []}},
            },
            {"name": "web", "provider": {"web": {"url": "http://w", "headers": [{"key": "a", "value": "b"}], "jsonPath": "{$.x}"}}},
        ],
        "dryRun": [{"metricName": "web"}],
        "measurementRetention": [{"metricName": "rate", "limit": 3}],
        "templates": [],
    },
}
STEPS: list[dict[str, Any]] = [
    {"setWeight": 20},
    {"analysis": {"templates": [{"templateName": "rate"}], "args": [{"name": "app", "value": "x"}]}},
    {"setCanaryScale": {"replicas": 2}},
    {"pause": {"duration": "1h"}},
]
MORE: dict[str, Any] = {
    "maxSurge": "25%",
    "maxUnavailable": 0,
    "analysis": {"startingStep": 1, "templates": [{"templateName": "rate"}]},
    "canaryMetadata": {"labels": {"role": "canary"}},
    "replicaProgressThreshold": {"type": "Percent", "value": 90},
}
SPEC: dict[str, Any] = {"minReadySeconds": 1, "rollbackWindow": {"revisions": 1}, "restartAt": "2026-01-01T00:00:00Z"}
KINDS = (ROLLOUT, ANALYSIS_TEMPLATE, SERVICE, INGRESS, VIRTUAL_SERVICE, DESTINATION_RULE)


def half_way(router: str) -> World:
    """Return a shop in mid-update: some users are on the new version, an analysis runs."""
    world = shop_behind(router, [{"pause": {}}])
    world.put(TEMPLATE)
    world.edit(ROLLOUT, "shop", {"spec": {**SPEC, "strategy": {"canary": {**MORE, "steps": STEPS}}}})
    world.set_image("shop:2")
    world.settle()
    assert canary_weight(world.all) == 20
    return world


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of everything inside a value."""
    inside: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inside:
        yield (*path, key)
        yield from places(child, (*path, key))


def altered(obj: Object, path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Return an object with another value in one place."""
    changed = copy.deepcopy(dict(obj))
    node: Any = changed
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return changed


@pytest.mark.parametrize("router", ROUTINGS)
def test_nothing_that_people_can_write_makes_a_plan_fail(router: str) -> None:
    world = half_way(router)
    known = [(kind, obj) for kind in KINDS for obj in world.all(kind)]
    targets = [(kind, obj, path) for kind, obj in known for path in places({"spec": obj["spec"]}) if kind != SERVICE]

    @settings(max_examples=250, deadline=None)
    @given(st.sampled_from(targets), WRONG)
    def holds(target: tuple[Kind, dict[str, Any], tuple[Any, ...]], value: Any) -> None:
        kind, obj, path = target
        changed = altered(obj, path, copy.deepcopy(value))
        changed["metadata"] = {**obj["metadata"], "generation": obj["metadata"].get("generation", 1) + 1}
        try:
            world.stores[kind].put(changed)
            world.plan()
            snapshot = gather(world.stores, ("default", "shop"))
            assert snapshot is not None
            assert explain(snapshot, world.now)
        finally:
            world.stores[kind].put(obj)

    holds()


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([("spec",), *places(TEMPLATE["spec"], ("spec",))]), WRONG)
def test_an_analysis_of_any_shape_is_read_or_refused(path: tuple[Any, ...], value: Any) -> None:
    changed = altered(TEMPLATE, path, copy.deepcopy(value))
    with contextlib.suppress(InvalidAnalysis):
        assert resolve(changed["spec"], served=served())


@pytest.mark.parametrize("router", ROUTINGS)
def test_lint_has_an_answer_to_everything(router: str) -> None:
    world = half_way(router)
    manifests = [merge(obj, {"status": None}) for kind in KINDS for obj in world.all(kind)]
    targets = [(at, path) for at, obj in enumerate(manifests) for path in places(obj)]

    @settings(max_examples=200, deadline=None)
    @given(st.sampled_from(targets), WRONG)
    def holds(target: tuple[int, tuple[Any, ...]], value: Any) -> None:
        at, path = target
        files = [altered(one, path, copy.deepcopy(value)) if at == position else one for position, one in enumerate(manifests)]
        report = lint([Document(one, "shop.yaml") for one in files])
        assert all(str(one).startswith("shop.yaml: ") for one in (*report.problems, *report.notes))

    holds()
