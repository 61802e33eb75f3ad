"""Labels and annotations of a role (`stableMetadata`, `canaryMetadata`): on pods while the role lasts, and off again."""

from __future__ import annotations

from typing import Any

import pytest

from kube.kinds import POD, REPLICA_SET, ROLLOUT
from kube.objects import annotations_of, name_of
from rollouts.engine.names import COVERED_METADATA
from tests.model import World
from tests.shops import nginx_shop

STEPS: list[dict[str, Any]] = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {}}]


def test_an_old_version_bears_no_role_and_an_aborted_one_keeps_its_own() -> None:
    metadata: dict[str, Any] = {"canaryMetadata": {"labels": {"role": "canary"}}, "stableMetadata": {"labels": {"role": "stable"}}}
    world = nginx_shop(STEPS, **metadata)
    world.set_image("shop:2")
    world.settle()
    world.patch_status({"abort": True})
    world.settle()
    assert _roles(world) == {"shop:1": {"stable"}, "shop:2": {"canary"}}
    world.patch_status({"promoteFull": True})
    world.settle()
    assert _roles(world) == {"shop:1": {None}, "shop:2": {"stable"}}


def test_a_pod_born_between_the_marks_gets_its_role_too() -> None:
    world = nginx_shop(STEPS, canaryMetadata={"labels": {"role": "canary"}}, stableMetadata={"labels": {"role": "stable"}})
    pod = world.all(POD)[0]
    world.edit(POD, name_of(pod), {"metadata": {"labels": {"role": None}}})
    world.settle()
    assert _roles(world) == {"shop:1": {"stable"}}


@pytest.mark.parametrize("part", ["labels", "annotations"])
@pytest.mark.parametrize("noted", [pytest.param(True, id="ours"), pytest.param(False, id="marked by another controller")])
def test_what_a_role_covers_of_the_template_comes_back_with_its_end_and_nothing_is_shipped_again(part: str, *, noted: bool) -> None:
    world = nginx_shop(STEPS, deployed=False, canaryMetadata={part: {"tier": "canary"}})
    world.edit(ROLLOUT, "shop", {"spec": {"template": {"metadata": {part: {"tier": "web"}}}}})
    world.settle()
    world.set_image("shop:2")
    world.settle()
    assert _tiers(world, part) == {"shop:1": {"web"}, "shop:2": {"canary"}}
    if not noted:
        for one in world.all(REPLICA_SET):
            world.edit(REPLICA_SET, name_of(one), {"metadata": {"annotations": {COVERED_METADATA: None}}})
    world.patch_status({"promoteFull": True})
    world.settle()
    world.wait(60)
    assert _tiers(world, part) == {"shop:2": {"web"}}
    assert COVERED_METADATA not in annotations_of(world.all(REPLICA_SET)[-1])

    world.edit(ROLLOUT, "shop", {"spec": {"replicas": 12}})
    world.settle()
    assert world.status()["phase"] == "Healthy"
    assert world.sizes() == {"shop:1": 0, "shop:2": 12}


def test_another_value_under_the_one_of_a_role_is_a_new_version() -> None:
    world = nginx_shop(STEPS, deployed=False, stableMetadata={"labels": {"tier": "stable"}})
    world.edit(ROLLOUT, "shop", {"spec": {"template": {"metadata": {"labels": {"tier": "web"}}}}})
    world.settle()
    world.edit(ROLLOUT, "shop", {"spec": {"template": {"metadata": {"labels": {"tier": "api"}}}}})
    world.settle()
    assert (world.status()["phase"], len(world.all(REPLICA_SET))) == ("Paused", 2)


def _tiers(world: World, part: str) -> dict[str, set[str | None]]:
    tiers: dict[str, set[str | None]] = {}
    for pod in world.all(POD):
        tiers.setdefault(pod["spec"]["containers"][0]["image"], set()).add(pod["metadata"].get(part, {}).get("tier"))
    return tiers


def _roles(world: World) -> dict[str, set[str | None]]:
    roles: dict[str, set[str | None]] = {}
    for pod in world.all(POD):
        roles.setdefault(pod["spec"]["containers"][0]["image"], set()).add(pod["metadata"]["labels"].get("role"))
    return roles
