"""Two replicas hand over at any write of an update: it ends the same, and nothing was made or told twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import yaml
from rollout_harness import Cluster, running, stop
from workloads_harness import LoopClock

from kube.client import Client
from kube.kinds import ANALYSIS_RUN, CORE_EVENT, REPLICA_SET
from kube.leases import Elector
from kube.objects import name_of
from kube.transport import Response
from rollouts.manager import Manager
from sandbox.apiserver.faults import Fault
from sandbox.apiserver.inprocess import InProcessTransport
from sandbox.apiserver.server import ApiServer
from tests.shops import ROUTINGS, SLOW_TEMPLATE, routed_rollout

pytestmark = pytest.mark.looptime

STEPS: list[dict[str, Any]] = [
    {"setWeight": 25},
    {"analysis": {"templates": [{"templateName": "slow"}]}},
    {"setWeight": 75},
    {"pause": {"duration": 5}},
]


class Line(InProcessTransport):
    """A replica's way to the server. It counts writes, and can go dead: the last one gets no answer, and nothing more is sent."""

    def __init__(self, server: ApiServer, user: str) -> None:
        super().__init__(server, user=user)
        self.writes = 0
        self.ends_with = -1
        self.reached = asyncio.Event()
        self.dies = False

    async def request(self, method: str, path: str, **options: Any) -> Response:
        if self.dies and self.reached.is_set():
            await asyncio.Event().wait()
        if method != "GET":
            self.writes += 1
        answer = await super().request(method, path, **options)
        if method != "GET" and self.writes == self.ends_with:
            self.reached.set()
            if self.dies:
                await asyncio.Event().wait()
        return answer


class Replica:
    """One replica with an election of its own, as a process has it."""

    def __init__(self, server: ApiServer, user: str) -> None:
        clock = LoopClock()
        self.line = Line(server, user)
        self.elector = Elector(
            Client(InProcessTransport(server, user=user), clock=clock),
            namespace="default",
            identity=f"rollouts/{user}",
            clock=clock,
        )
        self.manager = Manager(client=Client(self.line, clock=clock), clock=clock, guard=self.elector.guard)
        self._led = asyncio.Event()
        self.informers = asyncio.create_task(self.manager.run_informers())
        self.work = asyncio.create_task(self.elector.run(self._lead))

    async def leads(self) -> None:
        """Wait until it does."""
        await self._led.wait()

    async def _lead(self) -> None:
        self._led.set()
        await self.manager.run_controllers()

    async def end(self) -> None:
        """End as a process does that was told to: work first."""
        await stop(self.work)
        await stop(self.informers)
        await self.manager.close()


@asynccontextmanager
async def two_replicas() -> AsyncIterator[tuple[Cluster, Replica, Replica]]:
    """A shop in its first version, a leader, and a standby whose watches are a little late."""
    async with running(ready_after=2, gone_after=1) as cluster:
        objects, strategy = ROUTINGS["nginx"]
        await cluster.apply(f"{objects}---{SLOW_TEMPLATE}")
        await cluster.put(yaml.safe_load(yaml.safe_dump(routed_rollout(STEPS, strategy, replicas=4))))
        await cluster.phase("Healthy")
        await cluster.settled()
        await stop(cluster.task)
        cluster.task = asyncio.create_task(verdicts(cluster))
        first = Replica(cluster.server, "one")
        await first.leads()
        second = Replica(cluster.server, "two")
        await cluster.settled()
        cluster.server.faults.set(Fault(action="delay-events", user="two", seconds=0.02))
        try:
            yield cluster, first, second
        finally:
            await first.end()
            await second.end()


async def verdicts(cluster: Cluster) -> None:
    """Be the one who measures: every run gets its good verdict soon."""
    while True:
        await asyncio.sleep(2)
        for run in await cluster.all(ANALYSIS_RUN):
            if (run.get("status") or {}).get("phase") in (None, "", "Pending", "Running"):
                await cluster.patch(ANALYSIS_RUN, name_of(run), {"status": {"phase": "Successful"}})


async def done_twice(cluster: Cluster) -> list[str]:
    """Return what was told more than once about the Rollout, and what there is too much of."""
    told: Counter[str] = Counter()
    for event in await cluster.all(CORE_EVENT):
        if event["involvedObject"]["kind"] == "Rollout":
            told[f"{event['reason']}: {event['message']}"] += event.get("count") or 1
    twice = [text for text, count in told.items() if count > 1]
    found = [
        name_of(one)
        for kind, most in ((ANALYSIS_RUN, 1), (REPLICA_SET, 2))
        if len(await cluster.all(kind)) > most
        for one in await cluster.all(kind)
    ]
    return [*twice, *found]


async def updated(cluster: Cluster) -> None:
    await cluster.phase("Healthy")
    await cluster.settled(seconds=45)
    assert await cluster.sizes() == {"shop:1": 0, "shop:2": 4}


@pytest.mark.parametrize(
    "every", [pytest.param(9, id="a few"), pytest.param(1, id="each", marks=[pytest.mark.long, pytest.mark.timeout(600)])]
)
@pytest.mark.parametrize("dies", [pytest.param(False, id="stopped"), pytest.param(True, id="killed")])
async def test_an_update_that_is_handed_over_at_any_write_ends_with_nothing_done_twice(dies: bool, every: int) -> None:
    """After the k-th write of the leader: it is stopped, or dies with it, and the standby goes on."""
    for number in range(1, 100, every):
        async with two_replicas() as (cluster, first, second):
            first.line.dies, first.line.ends_with = dies, first.line.writes + number
            await cluster.set_image("shop:2")
            reached = asyncio.create_task(first.line.reached.wait())
            await asyncio.wait([reached], timeout=90)
            reached.cancel()
            if dies:
                first.work.cancel()
                first.elector.guard = lambda: False  # type: ignore[method-assign]
            await first.end()
            await second.leads()
            await updated(cluster)
            assert await done_twice(cluster) == [], f"handed over at write {number}"
            if not first.line.reached.is_set():
                assert number > 10, "the update takes more writes than that"
                return
    raise AssertionError("the update never ends")
