"""Versions that follow each other, come back or go: who has users and pods meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kube.kinds import REPLICA_SET, ROLLOUT, SERVICE
from kube.plan import Patch
from rollouts.rollout.snapshot import ReplicaSet
from tests.model import World
from tests.shops import nginx_shop

STEPS: list[dict[str, Any]] = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {}}]


def test_going_back_to_stable_with_a_third_version_up_keeps_everybody_served() -> None:
    world = nginx_shop(STEPS)
    for image in ("shop:2", "shop:3", "shop:1"):
        world.set_image(image)
        world.after_write = lambda: _nobody_is_sent_to_nothing(world)
        world.settle()
    assert (world.status()["phase"], world.weight(), world.selected("shop-canary")) == ("Healthy", 0, "shop:1")
    world.wait(31)
    assert world.sizes() == {"shop:1": 10, "shop:2": 0, "shop:3": 0}


def _nobody_is_sent_to_nothing(world: World) -> None:
    if weight := world.weight():
        image = world.selected("shop-canary")
        ready = [one for one in world.all(REPLICA_SET) if world._image(one) == image and ReplicaSet(one).available]
        assert ready, f"{weight} is sent to {image}, which has no available pod"


def test_going_back_to_a_small_stable_follows_its_pods() -> None:
    """With dynamicStableScale stable has pods for its share only: it gets everybody when it has all pods again."""
    world = nginx_shop([{"setWeight": 30}, {"setWeight": 80}, {"pause": {}}], dynamicStableScale=True)
    world.set_image("shop:2")
    world.settle()
    assert (world.weight(), world.sizes()) == (80, {"shop:1": 2, "shop:2": 8})
    world.ready_after = timedelta(seconds=5)
    world.set_image("shop:1")

    def watch() -> None:
        stable = next(ReplicaSet(one) for one in world.all(REPLICA_SET) if world._image(one) == "shop:1")
        share = 100 if world.selected("shop-canary") == "shop:1" else 100 - world.weight()
        assert stable.available * 10 >= share, f"{stable.available} stable pods for {share}%"

    world.settle(watch=watch)
    world.wait(30)
    watch()
    assert (world.status()["phase"], world.weight()) == ("Healthy", 0)
    assert world.sizes() == {"shop:1": 10, "shop:2": 0}


def test_dynamic_scale_keeps_the_least_pods_on_both_sides() -> None:
    world = nginx_shop([{"setWeight": 95}, {"pause": {}}], dynamicStableScale=True, minPodsPerReplicaSet=2)
    world.set_image("shop:2")
    world.settle()
    assert (world.weight(), world.sizes()) == (95, {"shop:1": 2, "shop:2": 10})


def test_a_version_in_its_scale_down_delay_keeps_it_when_the_next_is_shipped() -> None:
    world = nginx_shop(STEPS, scaleDownDelaySeconds=600)
    world.set_image("shop:2")
    world.settle()
    world.patch_status({"promoteFull": True})
    world.settle()
    world.set_image("shop:3")
    world.settle()
    assert world.sizes() == {"shop:1": 10, "shop:2": 10, "shop:3": 2}
    world.wait(601)
    assert world.sizes() == {"shop:1": 0, "shop:2": 10, "shop:3": 2}


def test_a_history_of_0_keeps_no_old_version() -> None:
    world = nginx_shop([{"setWeight": 50}])
    world.edit(ROLLOUT, "shop", {"spec": {"revisionHistoryLimit": 0}})
    world.set_image("shop:2")
    world.settle()
    world.wait(31)
    assert world.sizes() == {"shop:2": 10}


def test_three_versions_with_a_dynamic_stable_never_lack_pods() -> None:
    """V1, V2, V3 in mid-update with dynamicStableScale: stable has the pods for its share all the time."""
    world = nginx_shop([{"setWeight": 50}, {"pause": {}}, {"setWeight": 90}, {"pause": {}}], dynamicStableScale=True)
    world.ready_after = timedelta(seconds=5)

    def watch() -> None:
        stable = next(ReplicaSet(one) for one in world.all(REPLICA_SET) if world._image(one) == "shop:1")
        assert stable.available * 10 >= 100 - world.weight(), f"{stable.available} stable pods for {100 - world.weight()}%"

    world.after_write = watch
    for image in ("shop:2", "shop:3"):
        world.set_image(image)
        for _ in range(3):
            world.wait(20)
            watch()
        assert (world.weight(), world.sizes()["shop:1"], world.sizes()[image]) == (50, 5, 5)
    assert world.sizes()["shop:2"] == 0


def test_a_version_that_has_all_its_pods_at_once_does_not_inherit_users() -> None:
    """V1 is still in its scale-down delay when it is shipped again: users of V3 must not be taken for its own."""
    world = nginx_shop([{"setWeight": 100}, {"pause": {}}], scaleDownDelaySeconds=600)
    world.set_image("shop:2")
    world.settle()
    world.patch_status({"promoteFull": True})
    world.settle()
    world.set_image("shop:3")
    world.settle()
    assert (world.weight(), world.selected("shop-canary")) == (100, "shop:3")
    world.set_image("shop:1")
    world.settle()
    assert (world.weight(), world.selected("shop-canary"), world.status()["currentStepIndex"]) == (100, "shop:1", 1)
    assert world.sizes()["shop:3"] == 0


@pytest.mark.parametrize("replicas", [2, 10])
def test_scaling_up_in_a_full_promotion_that_is_paused_takes_stable_no_pod_that_it_needs(replicas: int) -> None:
    """The share that follows the pods goes down with more replicas: stable gets users back, so it gets its pods first."""
    world = nginx_shop([{"setWeight": 20}], replicas=1, dynamicStableScale=True)
    world.set_image("shop:2")
    world.reconcile()
    world.patch_status({"promoteFull": True})
    world.edit(ROLLOUT, "shop", {"spec": {"paused": True}})
    world.settle()
    assert world.weight() == 100
    world.edit(ROLLOUT, "shop", {"spec": {"replicas": replicas}})

    def watch() -> None:
        for service, share in (("shop-canary", world.weight()), ("shop", 100 - world.weight())):
            image = world.selected(service)
            found = next(ReplicaSet(one) for one in world.all(REPLICA_SET) if world._image(one) == image)
            assert found.side.sure or not share, f"{share}% for {image}, which is to have {found.wanted} pods"

    world.after_write = watch
    world.settle(watch=watch)
    world.edit(ROLLOUT, "shop", {"spec": {"paused": False}})
    world.settle(watch=watch)
    assert (world.status()["phase"], world.selected("shop"), world.sizes()["shop:2"]) == ("Healthy", "shop:2", replicas)


def test_scaling_up_at_the_end_of_a_full_promotion_sends_nobody_back_to_a_small_stable() -> None:
    world = nginx_shop([{"setWeight": 20}, {"pause": {}}], replicas=2, dynamicStableScale=True)
    world.set_image("shop:2")
    world.settle()
    world.patch_status({"promoteFull": True})
    for _ in range(20):
        if world.weight() == 100:
            break
        world.reconcile()
        world.play_pods()
    world.ready_after = timedelta(seconds=5)
    world.edit(ROLLOUT, "shop", {"spec": {"replicas": 10}})
    for _ in range(10):
        world.reconcile()
        world.play_pods()
        assert (world.weight() if world.selected("shop") == "shop:1" else 100) == 100
        world.now += timedelta(seconds=1)
    world.wait(60)
    assert (world.status()["phase"], world.selected("shop"), world.sizes()) == ("Healthy", "shop:2", {"shop:1": 0, "shop:2": 10})


@pytest.mark.parametrize("dynamic", [False, True])
def test_an_autoscaler_moves_no_users_to_and_fro(*, dynamic: bool) -> None:
    world = nginx_shop([{"setWeight": 50}, {"pause": {}}], dynamicStableScale=dynamic)
    world.set_image("shop:2")
    world.settle()
    weights: set[int] = set()
    for replicas in (4, 2, 8):
        world.after_write = lambda: weights.add(world.weight())
        world.edit(ROLLOUT, "shop", {"spec": {"replicas": replicas}})
        world.settle()
    assert weights <= {12, 50}, "only where pods are missing users go back for a moment, as far as that"
    assert (world.weight(), world.sizes()) == (50, {"shop:1": 4 if dynamic else 8, "shop:2": 4})


def test_a_promotion_whose_status_was_lost_is_not_taken_back() -> None:
    """Everything was written but the status: the stable Service must not go back to a version whose pods are going."""
    world = nginx_shop([{"setWeight": 50}], replicas=4, dynamicStableScale=True)
    world.set_image("shop:2")
    before = world.status()["stableRS"]
    while world.status()["stableRS"] == before:
        stored = world.status()
        world.reconcile()
        world.play_pods()
        world.now += timedelta(seconds=1)
    world.settle()
    world._store(ROLLOUT, {**world.rollout(), "status": stored})
    world.log.clear()
    world.reconcile()
    assert world.status()["stableRS"] != before
    assert not [write for write in world.log if isinstance(write, Patch) and write.ref.kind == SERVICE]
