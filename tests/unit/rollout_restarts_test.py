"""Restarts on request: every pod is replaced, and there is always one that serves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kube.kinds import POD, REPLICA_SET, ROLLOUT
from kube.objects import annotations_of, format_time, is_deleting, name_of
from kube.plan import Evict
from tests.model import World
from tests.shops import nginx_shop, routed_rollout

COST = "controller.kubernetes.io/pod-deletion-cost"


def plain_shop(replicas: int, steps: list[dict[str, Any]] | None = None, **spec: Any) -> World:
    """A Rollout without a router, deployed; pods take five seconds from now on."""
    world = World()
    world.put(routed_rollout(steps or [], {}, replicas=replicas, **spec))
    world.settle()
    world.ready_after = timedelta(seconds=5)
    return world


def restart(world: World) -> set[str]:
    """Ask for a restart a minute after everything; returns the names of the pods that are to go."""
    world.now += timedelta(minutes=1)
    world.edit(ROLLOUT, "shop", {"spec": {"restartAt": format_time(world.now)}})
    return {name_of(pod) for pod in world.all(POD)}


def ready(world: World, image: str) -> int:
    pods = [pod for pod in world.all(POD) if pod["spec"]["containers"][0]["image"] == image and not is_deleting(pod)]
    return sum(World._ready(pod) for pod in pods)


def play(world: World, images: list[str], *, seconds: int = 120) -> tuple[int, int]:
    """Let time pass; returns the fewest ready pods of any of the images, and the most pods, that there were."""
    fewest, most = [99], [0]

    def watch() -> None:
        fewest.append(min(ready(world, image) for image in images))
        most.append(len(world.all(POD)))

    world.after_write = watch
    for _ in range(seconds):
        world.settle(watch=watch)
        world.now += timedelta(seconds=1)
    return min(fewest), max(most)


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({}, id="as it is"),
        pytest.param({"minReadySeconds": 20}, id="available only after 20 s"),
        pytest.param({"paused": True}, id="paused"),
    ],
)
def test_a_single_pod_is_restarted_without_an_outage_and_with_one_pod_more(spec: dict[str, Any]) -> None:
    world = plain_shop(1)
    world.edit(ROLLOUT, "shop", {"spec": spec})
    before = restart(world)
    assert play(world, ["shop:1"]) == (1, 2)
    assert not before & {name_of(pod) for pod in world.all(POD)}
    assert len(world.all(POD)) == 1
    assert world.status()["restartedAt"] == world.rollout()["spec"]["restartAt"]
    assert world.sizes() == {"shop:1": 1}
    assert not any(isinstance(write, Evict) for write in world.log), "no disruption budget is asked"
    assert "rollouts/restart-surge" not in annotations_of(world.all(REPLICA_SET)[0])


def test_pods_that_were_evicted_a_moment_ago_are_missed_though_no_counter_tells_yet() -> None:
    world = plain_shop(10)
    restart(world)
    for _ in range(3):
        world.reconcile()  # nobody but us is at work: the ReplicaSet still counts ten
    assert sum(isinstance(write, Evict) for write in world.log) == 2, "25 % of ten, rounded down, may be unavailable"


def test_the_pod_more_is_told_and_explained() -> None:
    world = plain_shop(1)
    [old] = restart(world)
    world.settle()
    replica_set = name_of(world.all(REPLICA_SET)[0])
    assert f"ScalingReplicaSet: Scaled up ReplicaSet {replica_set} (revision 1) from 1 to 2" in world.events
    reasons = [reason.text for reason in world.plan().reasons]
    assert f"{old} serves alone: it goes once a young pod beside it is available" in reasons
    assert world.status()["message"] == "rollout is restarting"


def test_only_when_the_young_pod_serves_the_old_one_is_named_to_go_first_and_then_the_size_goes_back() -> None:
    world = plain_shop(1)
    [old] = restart(world)
    world.settle()
    assert world.sizes() == {"shop:1": 2}
    assert COST not in annotations_of(world.get(POD, old))
    world.now += timedelta(seconds=5)
    world.play_pods()
    world.reconcile()
    assert annotations_of(world.get(POD, old))[COST] == "-2147483648"
    assert world.sizes() == {"shop:1": 2}
    world.reconcile()
    assert world.sizes() == {"shop:1": 1}


def test_the_single_canary_pod_of_a_step_keeps_its_users_while_it_is_restarted() -> None:
    world = nginx_shop([{"setWeight": 50}, {"pause": {}}], replicas=1)
    world.ready_after = timedelta(seconds=5)
    world.set_image("shop:2")
    world.wait(30)
    assert world.weight() == 50
    before = restart(world)
    weights: list[int] = []
    world.after_write = lambda: weights.append(world.weight())
    for _ in range(60):
        world.settle(watch=lambda: weights.append(min(world.weight(), 50 * min(ready(world, "shop:2"), ready(world, "shop:1")))))
        world.now += timedelta(seconds=1)
    assert set(weights) == {50}
    assert not before & {name_of(pod) for pod in world.all(POD)}
    assert world.sizes() == {"shop:1": 1, "shop:2": 1}
    assert world.status()["phase"] == "Paused"


def test_of_two_pods_that_may_both_be_unavailable_one_serves_all_the_time() -> None:
    world = plain_shop(2)
    world.edit(ROLLOUT, "shop", {"spec": {"strategy": {"canary": {"maxUnavailable": 2}}}})
    before = restart(world)
    assert play(world, ["shop:1"]) == (1, 2)
    assert not before & {name_of(pod) for pod in world.all(POD)}


def test_a_dead_single_pod_is_replaced_at_once() -> None:
    world = plain_shop(1)
    [old] = restart(world)
    world.edit(POD, old, {"status": {"conditions": [{"type": "Ready", "status": "False"}]}})
    world.reconcile()
    assert [write.ref.name for write in world.log if isinstance(write, Evict)] == [old]


@pytest.mark.parametrize("replicas", [pytest.param(3, id="up"), pytest.param(0, id="to nothing")])
@pytest.mark.parametrize("seconds", [pytest.param(0, id="at once"), pytest.param(5, id="when the young pod serves")])
def test_scaling_in_mid_restart_ends_with_that_many_young_pods(replicas: int, seconds: int) -> None:
    world = plain_shop(1)
    before = restart(world)
    world.settle()
    world.now += timedelta(seconds=seconds)
    world.play_pods()
    world.reconcile()
    world.edit(ROLLOUT, "shop", {"spec": {"replicas": replicas}})
    play(world, ["shop:1"], seconds=200)
    pods = {name_of(pod) for pod in world.all(POD)}
    assert (len(pods), pods & before) == (replicas, set())
    assert world.status()["restartedAt"] == world.rollout()["spec"]["restartAt"]


@pytest.mark.parametrize("settled", [pytest.param(True, id="after the pods went"), pytest.param(False, id="before they went")])
def test_scaled_down_to_one_in_mid_restart_that_one_is_outlived(settled: bool) -> None:
    world = plain_shop(3)
    before = restart(world)
    world.edit(ROLLOUT, "shop", {"spec": {"replicas": 1}})
    world.reconcile()
    if settled:
        world.play_pods()
    fewest, _ = play(world, ["shop:1"], seconds=200)
    assert fewest >= 1
    pods = {name_of(pod) for pod in world.all(POD)}
    assert (len(pods), pods & before) == (1, set())


def test_a_new_version_in_mid_restart_is_shipped_and_no_pod_stays_over() -> None:
    world = plain_shop(1, [{"setWeight": 50}, {"pause": {}}])
    restart(world)
    world.settle()
    assert world.sizes() == {"shop:1": 2}
    world.set_image("shop:2")
    fewest, _ = play(world, ["shop:1"], seconds=60)
    assert fewest == 1
    assert world.sizes() == {"shop:1": 1, "shop:2": 1}
    assert world.status()["phase"] == "Paused"


def test_a_restart_taken_back_takes_its_pod_back() -> None:
    world = plain_shop(1)
    restart(world)
    world.settle()
    world.edit(ROLLOUT, "shop", {"spec": {"restartAt": None}})
    assert play(world, ["shop:1"], seconds=30)[0] == 1
    assert (len(world.all(POD)), world.sizes(), world.status()["phase"]) == (1, {"shop:1": 1}, "Healthy")


def test_a_second_restart_in_mid_restart_replaces_the_young_pod_too() -> None:
    world = plain_shop(1)
    restart(world)
    world.settle()
    world.now += timedelta(seconds=5)
    world.play_pods()
    before = restart(world)
    fewest, most = play(world, ["shop:1"], seconds=60)
    assert (fewest, most) == (1, 2)
    assert not before & {name_of(pod) for pod in world.all(POD)}


def test_killed_between_any_two_writes_a_restart_ends_the_same() -> None:
    world = plain_shop(1)
    before = restart(world)
    for _ in range(60):
        world.reconcile(killed_after=1)
        world.play_pods()
        assert ready(world, "shop:1") >= 1
        world.now += timedelta(seconds=1)
    world.settle()
    assert not before & {name_of(pod) for pod in world.all(POD)}
    assert (len(world.all(POD)), world.status()["phase"]) == (1, "Healthy")


@pytest.mark.parametrize("fraction", [".500Z", ".999999Z", ".5+00:00"])
def test_a_restart_asked_for_at_a_part_of_a_second_ends(fraction: str) -> None:
    world = plain_shop(2)
    before = {name_of(pod) for pod in world.all(POD)}
    world.now += timedelta(minutes=5)
    world.edit(ROLLOUT, "shop", {"spec": {"restartAt": f"{world.now:%Y-%m-%dT%H:%M:%S}{fraction}"}})
    world.wait(300)
    assert not before & {name_of(pod) for pod in world.all(POD)}
    assert world.status()["phase"] == "Healthy"
