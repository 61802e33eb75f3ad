"""A server that says "not found" of what is there, as one does while it starts, or a proxy before it: users notice nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from rollout_harness import CONTROLLER, Cluster, running, stop
from workloads_harness import LoopClock

from kube.client import Client
from kube.kinds import ROLLOUT, SERVICE, ObjectRef
from kube.transport import Response
from rollouts.engine.names import INSTANCE_ID, MANAGED_BY
from rollouts.manager import Manager, Options
from sandbox.apiserver.inprocess import InProcessTransport
from sandbox.apiserver.server import ApiServer
from tests.shops import HASH, ROUTINGS, routed_rollout

pytestmark = pytest.mark.looptime

STEPS: list[dict[str, Any]] = [{"setWeight": 25}, {"pause": {}}]


class Forgetful(InProcessTransport):
    """The way to a server that answers the next requests of one kind in the manner of one that does not know the path."""

    def __init__(self, server: ApiServer, *, method: str, ending: str, times: int) -> None:
        super().__init__(server, user=CONTROLLER)
        self.method, self.ending, self.left = method, ending, times

    async def request(self, method: str, path: str, **options: Any) -> Response:
        if self.left and method == self.method and path.endswith(self.ending):
            self.left -= 1
            return Response(404, {}, b"404 page not found")
        return await super().request(method, path, **options)


async def paused_with_a_canary(cluster: Cluster) -> None:
    objects, strategy = ROUTINGS["nginx"]
    await cluster.apply(objects)
    await cluster.put(yaml.safe_load(yaml.safe_dump(routed_rollout(STEPS, strategy, replicas=4))))
    await cluster.phase("Healthy")
    await cluster.set_image("shop:2")
    await cluster.phase("Paused")
    await cluster.settled()


async def restart(cluster: Cluster, transport: Forgetful, options: Options | None = None) -> None:
    await stop(cluster.task)
    await cluster.manager.close()
    clock = LoopClock()
    cluster.manager = Manager(client=Client(transport, clock=clock), clock=clock, options=options or Options())
    cluster.task = asyncio.create_task(cluster.manager.run())


async def selected(cluster: Cluster) -> Mapping[str, Any]:
    return {name: (await cluster.get(SERVICE, name))["spec"]["selector"] for name in ("shop", "shop-canary")}


@pytest.mark.parametrize(
    ("at_start", "later"),
    [pytest.param(1, 0, id="once, as it starts"), pytest.param(0, 3, id="three times, in mid-life")],
)
async def test_services_keep_their_versions_while_no_rollouts_are_listed(at_start: int, later: int) -> None:
    async with running() as cluster:
        await paused_with_a_canary(cluster)
        before = await selected(cluster)
        assert all(HASH in selector for selector in before.values())

        transport = Forgetful(cluster.server, method="GET", ending="/rollouts", times=at_start)
        await restart(cluster, transport)
        await cluster.settled(seconds=5)
        transport.left = later
        cluster.manager.informers[ROLLOUT].refresh()
        for _ in range(40):
            assert await selected(cluster) == before
            await cluster.settled(seconds=2)
        assert not transport.left
        assert (await cluster.status())["phase"] == "Paused"


async def test_an_update_goes_on_after_one_wrong_answer_to_a_status() -> None:
    async with running() as cluster:
        await paused_with_a_canary(cluster)
        transport = Forgetful(cluster.server, method="PATCH", ending="/rollouts/shop/status", times=0)
        await restart(cluster, transport)
        await cluster.settled()
        transport.left = 1
        await cluster.set_image("shop:3")
        await cluster.phase("Paused", seconds=60)
        assert not transport.left


async def test_a_service_of_another_controllers_rollout_keeps_its_version() -> None:
    async with running() as cluster:
        await paused_with_a_canary(cluster)
        before = await selected(cluster)
        await cluster.patch(ROLLOUT, "shop", {"metadata": {"labels": {INSTANCE_ID: "other"}}})
        await cluster.settled(seconds=30)
        assert await selected(cluster) == before
        await restart(cluster, Forgetful(cluster.server, method="", ending="", times=0))
        await cluster.settled(seconds=30)
        assert await selected(cluster) == before


async def test_services_lose_the_versions_once_the_server_says_that_the_rollout_is_gone() -> None:
    async with running() as cluster:
        await paused_with_a_canary(cluster)
        transport = Forgetful(cluster.server, method="GET", ending="/rollouts", times=0)
        await restart(cluster, transport)
        await cluster.settled()
        transport.left = 2
        await cluster.client.delete(ObjectRef(ROLLOUT, "default", "shop"))
        await cluster.settled()
        assert all(HASH in selector for selector in (await selected(cluster)).values()), "the server could not say"
        await cluster.settled(seconds=90)
        assert not any(HASH in selector for selector in (await selected(cluster)).values())
        assert MANAGED_BY not in (await cluster.get(SERVICE, "shop"))["metadata"].get("annotations", {})
