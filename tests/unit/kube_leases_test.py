"""Leader election: one at a time, soon again after an end, never after the lease may be lost."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any

import pytest
from kube_cluster import Cluster, cluster
from kube_fakes import Coarse, LoopClock

from kube.client import Client
from kube.kinds import LEASE, ObjectRef
from kube.leases import LEASE_NAME, OURS, Elector, HeldByStranger, Times
from sandbox.apiserver.faults import Fault
from sandbox.apiserver.inprocess import InProcessTransport

pytestmark = pytest.mark.looptime
REF = ObjectRef(LEASE, "default", LEASE_NAME)


class Replica:
    """One contender, which notes when it leads."""

    def __init__(
        self,
        scene: Cluster,
        name: str,
        *,
        take_over: bool = False,
        clock: LoopClock | None = None,
        times: Times | None = None,
    ) -> None:
        client = Client(InProcessTransport(scene.server, user=name), clock=scene.clock)
        self.clock = clock or LoopClock()
        self.elector = Elector(
            client, namespace="default", identity=OURS + name, clock=self.clock, take_over=take_over, times=times
        )
        self.led: list[float] = []
        self.stopped: list[float] = []
        self.refused = ""
        self.task = scene.run(self._run())

    async def _run(self) -> None:
        try:
            await self.elector.run(self.lead)
        except HeldByStranger as error:
            self.refused = str(error)

    async def lead(self) -> None:
        self.led.append(self.clock.monotonic())
        try:
            await asyncio.Event().wait()
        finally:
            self.stopped.append(self.clock.monotonic())

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def leader_and_standby(scene: Cluster) -> tuple[Replica, Replica]:
    """Two replicas, of which the first leads."""
    first = Replica(scene, "one")
    await asyncio.sleep(1)
    return first, Replica(scene, "two")


async def lease(scene: Cluster) -> Any:
    return (await scene.user.get(LEASE, "default", LEASE_NAME))["spec"]


async def test_the_first_replica_leads_and_the_second_waits() -> None:
    async with cluster() as scene:
        first, second = await leader_and_standby(scene)
        await asyncio.sleep(120)
        assert (len(first.led), second.led) == (1, [])
        assert (first.elector.guard(), second.elector.guard()) == (True, False)
        assert second.elector.leader == "rollouts/one"


async def test_the_lease_looks_as_kubernetes_writes_it() -> None:
    async with cluster() as scene:
        Replica(scene, "one")
        await asyncio.sleep(5)
        spec = await lease(scene)
        assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("rollouts/one", 15, 0)
        for name in ("renewTime", "acquireTime"):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", spec[name])


async def test_a_leader_that_stops_gives_the_lease_back_and_the_next_takes_it_within_seconds() -> None:
    async with cluster() as scene:
        first, second = Replica(scene, "one"), None
        await asyncio.sleep(1)
        second = Replica(scene, "two")
        await asyncio.sleep(10)
        await first.stop()
        stopped = scene.clock.monotonic()
        await asyncio.sleep(5)
        assert second.led[0] - stopped < 4
        assert (await lease(scene))["leaseTransitions"] == 1


async def test_a_leader_that_dies_is_replaced_after_a_lease() -> None:
    async with cluster() as scene:
        first, second = await leader_and_standby(scene)
        await asyncio.sleep(30)
        scene.server.faults.set(Fault(action="drop-before", user="one"))
        died = scene.clock.monotonic()
        await asyncio.sleep(40)
        assert 10 < second.led[0] - died < 25
        assert first.stopped[0] < second.led[0]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(action="drop-before", user="one"), id="the network is gone"),
        pytest.param(Fault(action="error", user="one"), id="the server is in trouble"),
        pytest.param(Fault(action="delay", user="one", seconds=3600), id="the server is silent"),
    ],
)
async def test_who_cannot_renew_may_not_write_before_anybody_else_may(fault: Fault) -> None:
    async with cluster() as scene:
        first = Replica(scene, "one")
        await asyncio.sleep(5)
        scene.server.faults.set(fault)
        await asyncio.sleep(10.1)
        assert not first.elector.guard()
        await asyncio.sleep(5)
        assert first.task.done()
        assert len(first.stopped) == 1


async def test_who_cannot_renew_ends_also_where_waits_end_a_little_early() -> None:
    """Waiting for the rest of a rounding may let no time pass, over and over."""
    async with cluster() as scene:
        clock = Coarse()
        first = Replica(scene, "one", clock=clock)
        await asyncio.sleep(5)
        scene.server.faults.set(Fault(action="drop-before", user="one"))
        await asyncio.wait([first.task], timeout=11)
        assert first.task.done()
        assert first.task.exception() is None
        assert min(clock.waits) > 0.01


async def test_who_finds_the_lease_deleted_waits_for_whoever_held_it() -> None:
    """The holder cannot be reached, and may write until its own time is over."""
    async with cluster() as scene:
        first, second = await leader_and_standby(scene)
        await asyncio.sleep(5)
        scene.server.faults.set(Fault(action="drop-before", user="one"))
        await scene.user.delete(REF)
        await asyncio.sleep(40)
        assert first.stopped[0] < second.led[0]


async def test_a_leader_whose_lease_was_deleted_makes_it_again_and_goes_on() -> None:
    async with cluster() as scene:
        first, second = await leader_and_standby(scene)
        await asyncio.sleep(5)
        await scene.user.delete(REF)
        await asyncio.sleep(60)
        assert (first.stopped, second.led) == ([], [])
        assert (await lease(scene))["holderIdentity"] == "rollouts/one"


async def test_who_is_stopped_before_it_hears_that_the_lease_is_its_own_gives_it_back() -> None:
    async with cluster() as scene:
        scene.server.faults.set(Fault(action="lose-answer", verb="create", user="one"))
        first = Replica(scene, "one")
        await asyncio.sleep(0.1)
        assert (await lease(scene))["holderIdentity"] == "rollouts/one"
        await first.stop()
        assert (first.led, (await lease(scene))["holderIdentity"]) == ([], "")


async def test_a_lease_that_was_touched_as_it_was_given_back_is_given_back_all_the_same() -> None:
    async with cluster() as scene:
        first = Replica(scene, "one")
        await asyncio.sleep(1)
        scene.server.faults.set(Fault(action="conflict", verb="patch", user="one", times=1))
        await first.stop()
        assert (await lease(scene))["holderIdentity"] == ""


async def test_nobody_takes_a_lease_before_its_holder_has_stopped_whatever_the_fractions_of_a_second() -> None:
    async with cluster() as scene:
        Replica(scene, "one", times=Times(lease=2.4, renew=2.3, retry=1))
        await asyncio.sleep(1)
        assert (await lease(scene))["leaseDurationSeconds"] == 3


async def test_a_lost_lease_is_told_with_the_reason_and_never_as_held_by_the_loser(caplog: pytest.LogCaptureFixture) -> None:
    async with cluster() as scene:
        first = Replica(scene, "one")
        await asyncio.sleep(5)
        scene.server.faults.set(Fault(action="drop-before", user="one"))
        await asyncio.wait([first.task])
        told = [record.getMessage() for record in caplog.records if "has lost the lease" in record.getMessage()]
        assert told == [
            f"rollouts/one has lost the lease {REF}: it could not be renewed for 10 s, so that another replica may take it"
        ]


async def test_a_process_that_was_frozen_past_the_deadline_may_not_write_when_it_wakes() -> None:
    """Nothing has run that could have noticed: the guard asks the clock itself."""
    async with cluster() as scene:
        first = Replica(scene, "one")
        await asyncio.sleep(5)
        assert first.elector.guard()
        first.clock.jump_seconds = 11
        assert not first.elector.guard()


async def test_a_short_failure_does_not_cost_the_lease() -> None:
    async with cluster() as scene:
        first = Replica(scene, "one")
        await asyncio.sleep(5)
        scene.server.faults.set(Fault(action="error", user="one"))
        await asyncio.sleep(5)
        scene.server.faults.clear()
        await asyncio.sleep(60)
        assert (len(first.led), first.stopped, first.elector.guard()) == (1, [], True)


async def test_who_finds_another_holder_stops_at_once() -> None:
    async with cluster() as scene:
        first = Replica(scene, "one")
        await asyncio.sleep(5)
        await scene.user.patch(REF, {"spec": {"holderIdentity": "usurper"}})
        await asyncio.sleep(3)
        assert first.task.done()
        assert not first.elector.guard()
        assert (await lease(scene))["holderIdentity"] == "usurper"


async def test_the_wall_clock_of_the_holder_means_nothing() -> None:
    async with cluster() as scene:
        spec = {"holderIdentity": "other", "leaseDurationSeconds": 15, "renewTime": "2001-01-01T00:00:00.000000Z"}
        await scene.user.create(LEASE, {"metadata": {"name": LEASE_NAME, "namespace": "default"}, "spec": spec})
        first = Replica(scene, "one")
        await asyncio.sleep(14)
        assert first.led == []
        await asyncio.sleep(10)
        assert len(first.led) == 1


async def test_what_leads_and_fails_ends_the_election_with_its_error() -> None:
    async with cluster() as scene:
        elector = Elector(scene.client, namespace="default", identity=f"{OURS}one", clock=scene.clock)

        async def lead() -> None:
            raise RuntimeError("cannot lead")

        with pytest.raises(RuntimeError, match="cannot lead"):
            await elector.run(lead)
        assert (await lease(scene))["holderIdentity"] == ""


async def test_never_do_two_lead_while_the_network_comes_and_goes() -> None:
    async with cluster() as scene:
        replicas = [Replica(scene, name) for name in ("one", "two", "three")]
        scene.server.faults.set(
            *(Fault(action="error", user=name, skip=7, times=4 + 3 * n) for n, name in enumerate(("one", "two")))
        )
        for _ in range(2000):
            await asyncio.sleep(0.1)
            assert sum(replica.elector.guard() for replica in replicas) <= 1
        assert sum(len(replica.led) for replica in replicas) >= 1


@pytest.mark.parametrize("times", [(10, 10, 2), (15, 2, 2), (15, 10, 0)])
def test_durations_that_could_let_two_lead_are_refused(times: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="lease duration > renew deadline"):
        Times(lease=times[0], renew=times[1], retry=times[2])


@dataclass
class Upstream:
    """Another controller's election: holds the lease and renews it while it is alive."""

    scene: Cluster
    alive: bool = True
    lost_at: float = 0.0

    async def run(self) -> None:
        spec: dict[str, Any] = {"holderIdentity": "argo-rollouts-7d9f_0d1e", "leaseDurationSeconds": 15, "leaseTransitions": 3}
        await self.scene.user.create(LEASE, {"metadata": {"name": LEASE_NAME, "namespace": "default"}, "spec": spec})
        while self.alive:
            await asyncio.sleep(2)
            if (await lease(self.scene))["holderIdentity"] != spec["holderIdentity"]:
                self.lost_at = self.scene.clock.monotonic()
                return
            await self.scene.user.patch(
                REF, {"spec": {"renewTime": f"2026-01-01T00:00:{asyncio.get_running_loop().time():09.6f}Z"}}
            )


async def test_beside_a_live_controller_that_is_not_ours_a_replica_refuses_within_seconds_and_says_what_to_do() -> None:
    async with cluster() as scene:
        upstream = Upstream(scene)
        scene.run(upstream.run())
        await asyncio.sleep(1)
        first = Replica(scene, "one")
        await asyncio.wait_for(first.task, 5)
        assert re.search(r"argo-rollouts-7d9f_0d1e.*--replicas=0.*--take-over", first.refused)
        assert (first.led, upstream.lost_at) == ([], 0)


async def test_a_controller_that_is_not_ours_and_long_dead_is_followed_without_being_told() -> None:
    async with cluster() as scene:
        upstream = Upstream(scene)
        scene.run(upstream.run())
        await asyncio.sleep(5)
        upstream.alive = False
        await asyncio.sleep(3)
        first = Replica(scene, "one")
        await asyncio.sleep(20)
        assert len(first.led) == 1
        assert (await lease(scene))["leaseTransitions"] == 4


async def test_when_told_a_replica_takes_the_lease_at_once_and_works_only_when_the_other_must_have_stopped() -> None:
    async with cluster() as scene:
        upstream = Upstream(scene)
        scene.run(upstream.run())
        await asyncio.sleep(5)
        began = scene.clock.monotonic()
        first = Replica(scene, "one", take_over=True)
        await asyncio.sleep(60)
        assert upstream.lost_at - began < 3
        assert first.led[0] - began == pytest.approx(15, abs=0.5)
        assert first.elector.guard()


async def test_when_told_to_take_over_a_replica_still_waits_for_its_own_kind() -> None:
    async with cluster() as scene:
        Replica(scene, "one")
        await asyncio.sleep(1)
        second = Replica(scene, "two", take_over=True)
        await asyncio.sleep(60)
        assert second.led == []


async def test_a_waiting_replica_takes_a_released_lease_within_the_retry_period() -> None:
    async with cluster() as scene:
        for number in range(10):
            first = Replica(scene, "one")
            await asyncio.sleep(1)
            second = Replica(scene, "two")
            await asyncio.sleep(10 + number / 7)
            await first.stop()
            stopped = scene.clock.monotonic()
            await asyncio.sleep(5)
            assert second.led[0] - stopped < 2
            await second.stop()


async def test_a_waiting_replica_takes_the_lease_of_a_dead_one_within_two_seconds_of_its_end() -> None:
    async with cluster() as scene:
        for number in range(10):
            first = Replica(scene, "one")
            await asyncio.sleep(1)
            second = Replica(scene, "two")
            await asyncio.sleep(10 + number / 7)
            scene.server.faults.set(Fault(action="drop-before", user="one"))
            died = scene.clock.monotonic()
            await asyncio.sleep(30)
            assert second.led[0] - died < 15 + 2
            scene.server.faults.clear()
            await second.stop()
            await first.stop()


async def test_a_leader_that_nobody_disturbs_sends_one_request_in_each_retry_period() -> None:
    async with cluster() as scene:
        Replica(scene, "one")
        await asyncio.sleep(10)
        scene.server.counts.clear()
        await asyncio.sleep(200)
        assert 90 <= scene.server.counts.total(user="one") <= 112


async def test_a_lease_that_somebody_annotated_or_deleted_is_kept() -> None:
    async with cluster() as scene:
        first = Replica(scene, "one")
        await asyncio.sleep(5)
        await scene.user.patch(REF, {"metadata": {"annotations": {"note": "mine"}}})
        await asyncio.sleep(5)
        await scene.user.delete(REF)
        await asyncio.sleep(30)
        assert (len(first.led), first.stopped, first.elector.guard()) == (1, [], True)
        assert (await lease(scene))["holderIdentity"] == "rollouts/one"


async def test_a_leader_that_was_frozen_past_the_deadline_does_not_even_renew() -> None:
    async with cluster() as scene:
        first = Replica(scene, "one")
        await asyncio.sleep(5)
        first.clock.jump_seconds = 11
        scene.server.counts.clear()
        await asyncio.wait([first.task])
        assert scene.server.counts.writes(user="one") == 0


def test_an_identity_that_could_be_another_controllers_is_refused() -> None:
    with pytest.raises(ValueError, match="begins with 'rollouts/'"):
        Elector(None, namespace="default", identity="pod_1234", clock=LoopClock())  # type: ignore[arg-type]
