"""Which ReplicaSets a Rollout takes for its own: after a move from another controller, a name clash, or a deletion by hand."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from kube.kinds import INGRESS, REPLICA_SET, ROLLOUT
from kube.objects import labels_of, name_of
from kube.plan import Patch
from rollouts.engine.names import REVISION
from rollouts.engine.templates import hash_of
from rollouts.rollout.draft import Draft, Order
from rollouts.rollout.gather import gather
from tests.model import World
from tests.shops import nginx_shop

HASH = "rollouts-pod-template-hash"
STEPS: list[dict[str, Any]] = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {}}]


def at_60_percent() -> World:
    world = nginx_shop(STEPS)
    world.set_image("shop:2")
    world.settle()
    world.patch_status({"pauseConditions": None})
    world.settle()
    assert (world.weight(), world.status()["currentStepIndex"]) == (60, 3)
    return world


def of_image(world: World, image: str) -> dict[str, Any]:
    return next(one for one in world.all(REPLICA_SET) if one["spec"]["template"]["spec"]["containers"][0]["image"] == image)


def test_taking_over_in_mid_update_keeps_step_weight_and_pods() -> None:
    """Another controller hashes steps in another way; the status it wrote for this very spec says that they are not new."""
    world = at_60_percent()
    world.patch_status({"currentStepHash": "f64cdc9d"})
    world.log.clear()
    world.settle()
    assert (world.weight(), world.status()["currentStepIndex"], world.status()["phase"]) == (60, 3, "Paused")
    assert world.log == ["status"]
    assert world.status()["currentStepHash"] == hash_of(STEPS)


def test_a_server_that_fills_in_unknown_defaults_restarts_no_pod() -> None:
    world = at_60_percent()
    for one in world.all(REPLICA_SET):
        pod = {"spec": {"template": {"spec": {"fieldOfTheFuture": "by default"}}}}
        world.edit(REPLICA_SET, name_of(one), pod)
    world.log.clear()
    world.settle()
    assert (world.weight(), len(world.all(REPLICA_SET)), world.log) == (60, 2, [])


def test_new_steps_are_noticed_even_when_a_reference_was_missing_meanwhile() -> None:
    world = at_60_percent()
    ingress = world.get(INGRESS, "web")
    world.stores[INGRESS].remove(("default", "web"))
    world.edit(ROLLOUT, "shop", {"spec": {"strategy": {"canary": {"steps": [{"setWeight": 10}, {"pause": {}}]}}}})
    world.settle()
    assert world.status()["message"].startswith("InvalidSpec")
    world.put(ingress)
    world.settle()
    assert (world.weight(), world.status()["currentStepIndex"]) == (10, 1)


@pytest.mark.parametrize(
    "owner",
    [
        pytest.param({"kind": "Rollout", "name": "shop", "uid": "of an earlier life"}, id="a deleted Rollout of this name"),
        pytest.param({"kind": "Deployment", "name": "shop", "uid": "other"}, id="something else"),
    ],
)
def test_a_name_that_is_taken_is_avoided(owner: dict[str, str]) -> None:
    world = nginx_shop(STEPS)
    template = copy.deepcopy(world.rollout()["spec"]["template"])
    template["spec"]["containers"][0]["image"] = "shop:2"
    name = f"shop-{hash_of(template)}"
    foreign = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name, "labels": {HASH: hash_of(template)}, "ownerReferences": [{**owner, "controller": True}]},
        "spec": {"replicas": 0, "selector": {}, "template": template},
    }
    world.put(foreign)
    world.set_image("shop:2")
    world.settle()
    ours = next(one for one in world.all(REPLICA_SET) if labels_of(one)[HASH] == world.status()["currentPodHash"])
    assert name_of(ours) != name
    assert world.status()["collisionCount"] == 1
    assert (world.weight(), ours["spec"]["replicas"]) == (20, 2)


def test_a_stable_version_deleted_by_hand_leaves_users_with_the_new_one() -> None:
    world = at_60_percent()
    stable = of_image(world, "shop:1")
    world.stores[REPLICA_SET].remove(("default", name_of(stable)))
    world.play_pods()
    world.reconcile()
    assert world.weight() == 100, "the only version with pods serves everybody"
    world.settle()
    assert (world.status()["phase"], world.weight(), world.selected("shop")) == ("Healthy", 0, "shop:2")
    assert world.sizes() == {"shop:2": 10}


def test_a_new_version_deleted_by_hand_is_made_again_and_its_users_go_back_meanwhile() -> None:
    world = at_60_percent()
    new = of_image(world, "shop:2")
    world.stores[REPLICA_SET].remove(("default", name_of(new)))
    world.log.clear()
    world.reconcile()
    assert world.weight() == 0
    world.settle()
    again = of_image(world, "shop:2")
    assert name_of(again) == name_of(new)
    assert (world.weight(), again["spec"]["replicas"], world.status()["currentStepIndex"]) == (60, 6, 3)
    assert again["metadata"]["annotations"]["rollout.argoproj.io/revision"] == "2"


def test_the_stable_version_of_an_idle_rollout_is_made_again() -> None:
    world = nginx_shop(STEPS)
    world.stores[REPLICA_SET].remove(("default", name_of(of_image(world, "shop:1"))))
    world.settle()
    assert (world.status()["phase"], world.sizes()) == ("Healthy", {"shop:1": 10})


def test_replicas_left_out_are_written_as_1_for_autoscalers() -> None:
    world = nginx_shop(STEPS, deployed=False)
    world.edit(ROLLOUT, "shop", {"spec": {"replicas": None}})
    world.settle()
    assert world.rollout()["spec"]["replicas"] == 1
    assert world.status()["phase"] == "Healthy"


def test_changed_min_ready_seconds_reach_the_running_version() -> None:
    world = nginx_shop(STEPS)
    world.edit(ROLLOUT, "shop", {"spec": {"minReadySeconds": 7}})
    world.settle()
    assert of_image(world, "shop:1")["spec"]["minReadySeconds"] == 7


def test_role_metadata_that_overrides_a_label_of_the_template_makes_no_second_version() -> None:
    world = nginx_shop(
        STEPS, deployed=False, stableMetadata={"labels": {"role": "stable"}}, canaryMetadata={"labels": {"role": "canary"}}
    )
    template = copy.deepcopy(world.rollout()["spec"]["template"])
    template["metadata"]["labels"]["role"] = "web"
    world.edit(ROLLOUT, "shop", {"spec": {"template": template}})
    world.settle()
    world.edit(ROLLOUT, "shop", {"spec": {"progressDeadlineSeconds": 300}})
    world.settle()
    assert len(world.all(REPLICA_SET)) == 1


def test_an_orphan_that_is_numbered_too_is_adopted_only_as_it_was_read() -> None:
    """The patch replaces all owners: another controller may have taken it meanwhile."""
    world = at_60_percent()
    orphan = of_image(world, "shop:2")
    world.edit(REPLICA_SET, name_of(orphan), {"metadata": {"ownerReferences": None, "annotations": {REVISION: None}}})
    version = of_image(world, "shop:2")["metadata"]["resourceVersion"]
    world.log.clear()
    world.reconcile()
    [adoption] = [one for one in world.log if isinstance(one, Patch) and "ownerReferences" in one.patch.get("metadata", {})]
    assert adoption.version == version
    assert adoption.patch["metadata"]["annotations"] == {REVISION: "2"}


def test_a_shrink_stays_behind_the_traffic_whatever_else_is_wanted_of_the_replica_set() -> None:
    world = at_60_percent()
    snapshot = gather(world.stores, ("default", "shop"))
    assert snapshot is not None
    draft = Draft.of(snapshot, world.now)
    one = snapshot.replica_sets[0]
    draft.patch_replica_set(Order.REVISION, one, {"metadata": {"annotations": {REVISION: "9"}}})
    draft.patch_replica_set(Order.SHRINK, one, {"spec": {"replicas": 0}})
    stages = [(stage.name, write) for stage in draft.plan().stages for write in stage.writes]
    assert [(name, write.patch) for name, write in stages if isinstance(write, Patch)] == [
        (Order.REVISION.value, {"metadata": {"annotations": {REVISION: "9"}}}),
        (Order.SHRINK.value, {"spec": {"replicas": 0}}),
    ]


@pytest.mark.parametrize("text", ["9" * 5000, "one", "-1", "²"], ids=["5,000 digits", "a word", "negative", "no decimal"])
def test_a_revision_number_that_somebody_broke_is_given_anew(text: str) -> None:
    world = at_60_percent()
    for one in (*world.all(REPLICA_SET), world.rollout()):
        world.edit(
            ROLLOUT if one["kind"] == "Rollout" else REPLICA_SET, name_of(one), {"metadata": {"annotations": {REVISION: text}}}
        )
    world.settle()
    assert world.rollout()["metadata"]["annotations"][REVISION] == "1"
    assert (world.weight(), world.status()["phase"], len(world.all(REPLICA_SET))) == (60, "Paused", 2)


def progress(world: World) -> str:
    """The reason of the condition Progressing."""
    return next(str(one["reason"]) for one in world.status()["conditions"] if one["type"] == "Progressing")


@pytest.mark.parametrize(("shipped", "is_created"), [("shop:3", True), ("shop:1", False)])
@pytest.mark.parametrize("written", [0, 1])
def test_a_new_replica_set_is_told_from_one_of_an_earlier_update(written: int, shipped: str, is_created: bool) -> None:
    """Also by a controller that goes on where another one was killed right after its first write."""
    world = at_60_percent()
    world.patch_status({"promoteFull": True})
    world.settle()
    world.set_image(shipped)
    if written:
        world.reconcile(killed_after=written)
    world.reconcile()
    assert (progress(world) == "NewReplicaSetCreated") is is_created
