"""How a controller is, as its probes and its metrics tell it, on an API server in the same process."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from kube_cluster import cluster
from kube_fakes import LoopClock

from kube.client import Client
from kube.health import Pulse
from kube.leases import Elector
from rollouts.manager import Manager
from rollouts.vitals import Vitals
from sandbox.apiserver.faults import Fault
from sandbox.apiserver.inprocess import InProcessTransport
from sandbox.apiserver.server import ApiServer

pytestmark = pytest.mark.looptime


class Scene:
    """One replica and its API server."""

    def __init__(self, server: ApiServer, clock: LoopClock) -> None:
        self.server = server
        client = Client(InProcessTransport(server, user="one"), clock=clock)
        self.manager = Manager(client=client, clock=clock)
        self.clock = LoopClock()
        self.elector = Elector(client, namespace="default", identity="rollouts/one", clock=clock)
        self.vitals = Vitals(manager=self.manager, pulse=Pulse(self.clock), elector=self.elector)
        self.tasks = [asyncio.create_task(self.vitals.pulse.run())]

    def start(self, *, leading: bool = True) -> None:
        self.tasks.append(asyncio.create_task(self.manager.run_informers()))
        if leading:
            self.tasks.append(asyncio.create_task(self.elector.run(self.manager.run_controllers)))


@asynccontextmanager
async def replica() -> AsyncIterator[Scene]:
    async with cluster() as found:
        scene = Scene(found.server, found.clock)
        try:
            yield scene
        finally:
            for task in scene.tasks:
                task.cancel()
            await asyncio.gather(*scene.tasks, return_exceptions=True)
            await scene.manager.close()


async def test_a_replica_is_ready_when_everything_is_listed_whether_it_leads_or_not() -> None:
    async with replica() as scene:
        assert scene.vitals.health().unready == ("not everything is listed yet",)
        scene.start(leading=False)
        await asyncio.sleep(5)
        health = scene.vitals.health()
        assert (health.wedged, health.unready, health.facts["role"], health.facts["synced"]) == ((), (), "standby", True)


async def test_a_leader_tells_that_it_is_one() -> None:
    async with replica() as scene:
        scene.start()
        await asyncio.sleep(5)
        assert (scene.vitals.health().facts["role"], scene.vitals.health().facts["leader"]) == ("leader", "rollouts/one")
        metrics = scene.vitals.metrics().splitlines()
        assert 'leader_election_master_status{name="argo-rollouts-controller-lock"} 1' in metrics
        assert "rollouts_lease_left_seconds" in scene.vitals.metrics()


async def test_a_server_that_is_not_heard_makes_a_replica_unready_and_is_no_reason_to_start_anew() -> None:
    async with replica() as scene:
        scene.start(leading=False)
        await asyncio.sleep(5)
        scene.server.faults.set(Fault(action="drop-before", user="one"))
        await asyncio.sleep(900)
        health = scene.vitals.health()
        assert health.wedged == ()
        assert health.unready[0].startswith("the API server was not heard for ")


async def test_a_stuck_event_loop_is_a_reason_to_start_anew() -> None:
    async with replica() as scene:
        scene.start(leading=False)
        await asyncio.sleep(5)
        scene.clock.jump_seconds = 20
        (wedged,) = scene.vitals.health().wedged
        assert re.fullmatch(r"the event loop is (19|20) s late", wedged)


async def test_an_empty_cluster_has_a_bounded_number_of_series_none_of_them_twice() -> None:
    async with replica() as scene:
        scene.start()
        await asyncio.sleep(5)
        lines = [line for line in scene.vitals.metrics().splitlines() if not line.startswith("#")]
        names = {line.partition("{")[0].partition(" ")[0] for line in lines}
        assert {
            "workqueue_depth",
            "rollout_reconcile_count",
            "rollouts_watch_age_seconds",
            "rollouts_event_loop_late_seconds",
        } <= names
        assert len(lines) == len({line.rpartition(" ")[0] for line in lines}), "a series is told twice"
        assert len(lines) < 700
