"""A routed update with an analysis while the API fails in every way it can: the end is the same, and users never notice.

Each test lets one kind of fault hold during the whole update and watches, all the time, that nobody is sent to pods that are not
there. When the faults stop, the cluster must be what it is after an update without any, with nothing made twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import yaml
from rollout_harness import CONTROLLER, Cluster, running

from kube.kinds import ANALYSIS_RUN, DESTINATION_RULE, INGRESS, POD, REPLICA_SET, ROLLOUT, SERVICE, VIRTUAL_SERVICE, Kind
from kube.objects import Object, labels_of, name_of
from sandbox.apiserver.faults import Fault
from tests.convergence.rules import Rules
from tests.shops import HASH, ROUTINGS, SLOW_TEMPLATE, canary_weight, destinations, routed_rollout

pytestmark = pytest.mark.looptime

STEPS: list[dict[str, Any]] = [
    {"setWeight": 25},
    {"analysis": {"templates": [{"templateName": "slow"}]}},
    {"setWeight": 75},
    {"pause": {"duration": 5}},
]


SHOPS = [
    pytest.param(router, dynamic, id=f"{router}{', dynamic stable scale' if dynamic else ''}")
    for router in ROUTINGS
    for dynamic in (False, True)
]


async def deploy(cluster: Cluster, router: str = "nginx", *, dynamic: bool = False) -> None:
    """Have the first version run, with everything that the update will need."""
    objects, strategy = ROUTINGS[router]
    canary = {**strategy, "dynamicStableScale": True} if dynamic else strategy
    await cluster.apply(f"{objects}---{SLOW_TEMPLATE}")
    await cluster.put(yaml.safe_load(yaml.safe_dump(routed_rollout(STEPS, canary, replicas=4))))
    await cluster.phase("Healthy")
    await cluster.settled()


async def routing(cluster: Cluster) -> Callable[[Kind], list[Object]]:
    """Return what decides where users go, as it is now."""
    kinds = (INGRESS, VIRTUAL_SERVICE, DESTINATION_RULE, SERVICE)
    objects = {kind: await cluster.all(kind) for kind in kinds}
    return lambda kind: objects[kind]


@asynccontextmanager
async def watched(cluster: Cluster, *, dynamic: bool) -> AsyncIterator[None]:
    """Watch over the users at every write, and be the one who measures: every run gets its good verdict after two seconds."""
    rules = Rules(cluster.server, routed=True, dynamic=dynamic)
    rules.follow()

    async def measure() -> None:
        while True:
            await asyncio.sleep(2)
            for run in await cluster.all(ANALYSIS_RUN):
                if (run.get("status") or {}).get("phase") in (None, "", "Pending", "Running"):
                    await cluster.patch(ANALYSIS_RUN, name_of(run), {"status": {"phase": "Successful"}})

    measuring = asyncio.create_task(measure())
    try:
        yield
    finally:
        measuring.cancel()
        [result] = await asyncio.gather(measuring, return_exceptions=True)
    if isinstance(result, Exception):
        raise result
    assert rules.broken == []


async def outcome(cluster: Cluster) -> dict[str, Any]:
    """Return what must be the same with and without faults."""
    status = await cluster.status()
    image_of = {
        labels_of(one)[HASH]: one["spec"]["template"]["spec"]["containers"][0]["image"] for one in await cluster.all(REPLICA_SET)
    }
    ends = destinations(await routing(cluster))
    return {
        "phase": status["phase"],
        "step": status["currentStepIndex"],
        "stable": image_of[status["stableRS"]],
        "sizes": await cluster.sizes(),
        "pods": sorted(pod["spec"]["containers"][0]["image"] for pod in await cluster.all(POD)),
        "replica sets": len(await cluster.all(REPLICA_SET)),
        "runs": [name_of(run).replace(status["currentPodHash"], "HASH") for run in await cluster.all(ANALYSIS_RUN)],
        "users": {side: (share, image_of[version or ""]) for side, (share, version) in ends.items()},
        "revision": (await cluster.get(ROLLOUT, "shop"))["metadata"]["annotations"]["rollout.argoproj.io/revision"],
    }


GOOD: dict[str, Any] = {
    "phase": "Healthy",
    "step": 4,
    "stable": "shop:2",
    "sizes": {"shop:1": 0, "shop:2": 4},
    "pods": ["shop:2"] * 4,
    "replica sets": 2,
    "runs": ["shop-HASH-2-1"],
    "users": {"stable": (100, "shop:2"), "canary": (0, "shop:2")},
    "revision": "2",
}


def every(count: int, action: str, **fault: Any) -> list[Fault]:
    """Return switches that act on every `count`-th write of the controller, twenty times."""
    return [Fault(action=action, verb="write", user=CONTROLLER, skip=at * count - 1, times=1, **fault) for at in range(1, 21)]


FAULTS: dict[str, list[Fault]] = {
    "no fault": [],
    "every second write conflicts": every(2, "conflict"),
    "every third write conflicts": every(3, "conflict"),
    "too many requests, retry after 3 s": every(3, "too-many-requests", seconds=3),
    "the server fails": every(3, "error"),
    "every second write is done but its answer lost": every(2, "lose-answer"),
    "every third write is lost on its way": every(3, "drop-before"),
    "writes take their time": [Fault(action="delay", verb="write", user=CONTROLLER, seconds=1.5)],
    "reads lag behind": [Fault(action="stale", verb="list", user=CONTROLLER, versions=20)],
    "watches break in mid-line": [Fault(action="drop-line", user=CONTROLLER, skip=at * 7, times=1) for at in range(20)],
    "lines come in two parts": [Fault(action="split-line", user=CONTROLLER)],
    "events come late": [Fault(action="delay-events", user=CONTROLLER, seconds=2)],
    "events come twice": [Fault(action="duplicate-events", user=CONTROLLER)],
    "events are lost, then the watch ends with 410": [
        Fault(action="lose-events", user=CONTROLLER, skip=at * 9, times=1) for at in range(20)
    ],
    "errors within watches": [Fault(action="error-event", user=CONTROLLER, skip=at * 9, times=1) for at in range(20)],
    "lost answers, stale lists and late events": [
        *every(4, "lose-answer"),
        Fault(action="stale", verb="list", user=CONTROLLER, versions=10),
        Fault(action="delay-events", user=CONTROLLER, seconds=0.5),
    ],
}


SHORT = ("every second write conflicts", "every second write is done but its answer lost", "every third write is lost on its way")
"""What is tried with every router."""
CASES = [
    pytest.param(faults, *shop.values, id=f"{name}; {shop.id}", marks=() if shop is SHOPS[0] else pytest.mark.slow)
    for shop in SHOPS
    for name, faults in FAULTS.items()
    if shop is SHOPS[0] or name in SHORT
]


@pytest.mark.parametrize(("faults", "router", "dynamic"), CASES)
async def test_whatever_the_api_does_the_update_ends_the_same(faults: list[Fault], router: str, dynamic: bool) -> None:
    async with running(ready_after=2, gone_after=1) as cluster:
        await deploy(cluster, router, dynamic=dynamic)
        cluster.server.faults.set(*faults)
        async with watched(cluster, dynamic=dynamic):
            await cluster.set_image("shop:2")
            await asyncio.sleep(60)
            cluster.server.faults.clear()
            await cluster.phase("Healthy")
            await cluster.settled(seconds=45)
        assert await outcome(cluster) == GOOD


GIVEN_UP: dict[str, Any] = {
    **GOOD,
    "phase": "Degraded",
    "step": 0,
    "stable": "shop:1",
    "sizes": {"shop:1": 4, "shop:2": 0},
    "pods": ["shop:1"] * 4,
    "users": {"stable": (100, "shop:1"), "canary": (0, "shop:1")},
}


@pytest.mark.parametrize("name", SHORT)
@pytest.mark.parametrize(("router", "dynamic"), [SHOPS[0], SHOPS[-1]])
async def test_whatever_the_api_does_an_abort_takes_everybody_back(name: str, router: str, dynamic: bool) -> None:
    async with running(ready_after=2, gone_after=1) as cluster:
        await deploy(cluster, router, dynamic=dynamic)
        async with watched(cluster, dynamic=dynamic):
            await cluster.set_image("shop:2")
            await cluster.until(lambda status: status["currentStepIndex"] == 3)
            assert canary_weight(await routing(cluster)) == 75
            cluster.server.faults.set(*FAULTS[name])
            await cluster.patch_status({"abort": True})
            await asyncio.sleep(60)
            cluster.server.faults.clear()
            await cluster.phase("Degraded")
            await cluster.settled(seconds=45)
        assert await outcome(cluster) == GIVEN_UP


@pytest.mark.slow
@pytest.mark.parametrize(("router", "dynamic"), SHOPS)
async def test_killed_after_any_of_its_writes_another_controller_ends_the_update_the_same(router: str, dynamic: bool) -> None:
    """The process dies with its k-th write, for every k from the first to the last write of the update."""
    writes = 0
    while True:
        writes += 1
        async with running(ready_after=2, gone_after=1) as cluster:
            await deploy(cluster, router, dynamic=dynamic)
            transport = await cluster.restart_controller(writes=writes)
            await cluster.settled()
            async with watched(cluster, dynamic=dynamic):
                await cluster.set_image("shop:2")
                ends = asyncio.create_task(transport.died.wait())
                await asyncio.wait([ends], timeout=90)
                ends.cancel()
                await cluster.settled(seconds=1)
                await cluster.restart_controller()
                await cluster.phase("Healthy")
                await cluster.settled(seconds=45)
            assert await outcome(cluster) == GOOD, f"killed after write {writes}"
            if not transport.died.is_set():
                break
    assert writes > 10, "the update takes more writes than that"
