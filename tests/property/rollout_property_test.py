"""Random histories of a routed Rollout: whatever people and pods do, nobody is sent to pods that are not there.

A history is a list of things that happen, on a cluster of plain data. After every single write the rules are checked; when all
is over, the Rollout must come to the end that a calm history would have come to.
"""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from kube.kinds import POD, REPLICA_SET, ROLLOUT
from kube.objects import format_time
from kube.plan import Plan
from rollouts.rollout.snapshot import ReplicaSet
from tests.model import World
from tests.shops import ROUTINGS, destinations, shop_behind

IMAGES = ("shop:1", "shop:2", "shop:3", "shop:4")
WEIGHTS = st.lists(st.sampled_from((0, 5, 20, 50, 80, 100)), min_size=1, max_size=3)


class Histories(RuleBasedStateMachine):
    """What may happen to a Rollout; the controller may plan between any two events, or not for a while."""

    world: World

    @initialize(
        router=st.sampled_from(sorted(ROUTINGS)),
        weights=WEIGHTS,
        dynamic=st.booleans(),
        replicas=st.sampled_from((1, 3, 10)),
        slow=st.booleans(),
    )
    def deploy(self, router: str, weights: list[int], *, dynamic: bool, replicas: int, slow: bool) -> None:
        steps = [step for weight in weights for step in ({"setWeight": weight}, {"pause": {"duration": 30}})]
        self.world = shop_behind(router, steps, replicas=replicas, dynamicStableScale=dynamic)
        self.world.settle()
        self.world.after_write = self.nobody_is_sent_to_nothing
        self.world.ready_after = timedelta(seconds=5 if slow else 0)

    @rule(image=st.sampled_from(IMAGES))
    def ship(self, image: str) -> None:
        self.world.set_image(image)

    @rule()
    def plan_once(self) -> None:
        self.world.reconcile()

    @rule(writes=st.integers(0, 4))
    def plan_and_be_killed(self, writes: int) -> None:
        self.world.reconcile(killed_after=writes)

    @rule()
    def pods_follow(self) -> None:
        self.world.play_pods()

    @rule()
    def settle(self) -> None:
        self.world.settle(watch=self.nobody_is_sent_to_nothing)

    @rule(seconds=st.sampled_from((1, 10, 40)))
    def time_passes(self, seconds: int) -> None:
        self.world.now += timedelta(seconds=seconds)

    @rule()
    def abort(self) -> None:
        self.world.patch_status({"abort": True})

    @rule()
    def retry(self) -> None:
        self.world.patch_status({"abort": False})

    @rule()
    def resume(self) -> None:
        self.world.patch_status({"pauseConditions": None})

    @rule()
    def promote_full(self) -> None:
        if self.world.status().get("stableRS") != self.world.status().get("currentPodHash"):
            self.world.patch_status({"promoteFull": True})

    @rule(replicas=st.sampled_from((1, 2, 5, 10)))
    def scale(self, replicas: int) -> None:
        self.world.edit(ROLLOUT, "shop", {"spec": {"replicas": replicas}})

    @rule(paused=st.booleans())
    def pause(self, *, paused: bool) -> None:
        self.world.edit(ROLLOUT, "shop", {"spec": {"paused": paused}})

    @rule()
    def restart(self) -> None:
        self.world.now += timedelta(seconds=1)
        self.world.edit(ROLLOUT, "shop", {"spec": {"restartAt": format_time(self.world.now)}})

    @invariant()
    def nobody_is_sent_to_nothing(self) -> None:
        """Whoever has weight has available pods behind the Service it stands for."""
        for side, (share, version) in destinations(self.world.all).items():
            if share and (side == "canary" or self.world.status().get("stableRS")):
                assert self._available(version), f"{share} of 100 are sent to {side}, which has no available pods"

    def _available(self, version: str | None) -> int:
        sets = [ReplicaSet(one) for one in self.world.all(REPLICA_SET)]
        return sum(one.available for one in sets if version in (None, one.hash))

    def teardown(self) -> None:
        """When everything calms down the wanted version is everybody's, and nothing is left to do."""
        world = self.world
        world.edit(ROLLOUT, "shop", {"spec": {"paused": False}})
        world.patch_status({"abort": False})
        for _ in range(12):
            world.settle(watch=self.nobody_is_sent_to_nothing)
            if world.status().get("pauseConditions"):
                world.patch_status({"pauseConditions": None})
            world.wait(45)
        rollout = world.rollout()
        image = rollout["spec"]["template"]["spec"]["containers"][0]["image"]
        replicas = rollout["spec"]["replicas"]
        assert world.status()["phase"] == "Healthy", world.status()
        assert {one: count for one, count in world.sizes().items() if count} == {image: replicas}
        assert destinations(world.all)["stable"] == (100, world.status()["stableRS"])
        assert len(world.all(POD)) == replicas
        assert world.status().get("restartedAt") == rollout["spec"].get("restartAt")
        assert nothing_to_do(world.plan(), world)


def nothing_to_do(plan: Plan, world: World) -> bool:
    return not plan.stages and dict(plan.status or {}) == world.status()


def test_random_histories_never_send_users_to_nothing_and_end_well() -> None:
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=150,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
