"""Scenarios that hurt users of other controllers: each is played on a cluster, and all the time somebody watches the pods.

The watch is strict: whoever gets a share of the users has available pods for that share, rounded up, at every moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import yaml
from rollout_harness import CONTROLLER, Cluster, running

from kube.kinds import DESTINATION_RULE, INGRESS, POD, REPLICA_SET, ROLLOUT, SERVICE, VIRTUAL_SERVICE, Kind
from kube.objects import Object, format_time, labels_of, name_of
from sandbox.apiserver.faults import Fault
from tests.shops import HASH, POD_DISRUPTION_BUDGET, ROUTINGS, canary_weight, destinations, routed_rollout

pytestmark = pytest.mark.looptime

REPLICAS = 4
ROUTERS = pytest.mark.parametrize("router", [pytest.param(name, id=name) for name in ROUTINGS])
DYNAMIC = pytest.mark.parametrize("dynamic", [pytest.param(False, id="whole stable"), pytest.param(True, id="dynamic stable")])


async def deploy(cluster: Cluster, router: str, steps: list[dict[str, Any]], *, dynamic: bool = False, **spec: Any) -> None:
    objects, strategy = ROUTINGS[router]
    canary = {**strategy, "dynamicStableScale": True} if dynamic else strategy
    await cluster.apply(objects)
    await cluster.put(yaml.safe_load(yaml.safe_dump(routed_rollout(steps, canary, **{"replicas": REPLICAS, **spec}))))
    await cluster.phase("Healthy")
    await cluster.settled()


async def routing(cluster: Cluster) -> Callable[[Kind], list[Object]]:
    objects = {kind: await cluster.all(kind) for kind in (INGRESS, VIRTUAL_SERVICE, DESTINATION_RULE, SERVICE)}
    return lambda kind: objects[kind]


async def weight(cluster: Cluster) -> int:
    return canary_weight(await routing(cluster))


async def check_capacity(cluster: Cluster, replicas: int) -> None:
    pods = [pod for pod in await cluster.all(POD) if not pod["metadata"].get("deletionTimestamp")]
    for side, (share, version) in destinations(await routing(cluster)).items():
        ready = [pod for pod in pods if is_ready(pod) and version in (None, labels_of(pod).get(HASH))]
        assert len(ready) * 100 >= share * replicas, f"{share} of 100 are sent to {side}, which has {len(ready)} pods"


def is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


@asynccontextmanager
async def enough_pods(cluster: Cluster, replicas: int = REPLICAS) -> AsyncIterator[None]:
    """Watch, ten times a second, that nobody is sent to fewer pods than the share needs."""

    async def watch() -> None:
        while True:
            await check_capacity(cluster, replicas)
            await asyncio.sleep(0.1)

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        [result] = await asyncio.gather(task, return_exceptions=True)
        if isinstance(result, Exception):
            raise result


@ROUTERS
@DYNAMIC
async def test_a_third_version_in_mid_update_never_leaves_stable_short_of_pods(router: str, dynamic: bool) -> None:
    async with running(ready_after=2, gone_after=1) as cluster:
        await deploy(cluster, router, [{"setWeight": 50}, {"pause": {}}, {"setWeight": 75}, {"pause": {}}], dynamic=dynamic)
        async with enough_pods(cluster):
            for image in ("shop:2", "shop:3"):
                await cluster.set_image(image)
                await cluster.phase("Paused")
                await cluster.patch_status({"pauseConditions": None})
                await cluster.until(lambda status: status.get("currentStepIndex") == 3)
                assert await weight(cluster) == 75
            await cluster.patch_status({"pauseConditions": None})
            await cluster.phase("Healthy")
            await cluster.settled(seconds=40)
        assert await cluster.sizes() == {"shop:1": 0, "shop:2": 0, "shop:3": REPLICAS}


@ROUTERS
@DYNAMIC
async def test_an_abort_at_full_weight_takes_users_back_as_fast_as_stable_has_pods(router: str, dynamic: bool) -> None:
    async with running(ready_after=2, gone_after=1) as cluster:
        await deploy(cluster, router, [{"setWeight": 50}, {"setWeight": 100}, {"pause": {}}], dynamic=dynamic)
        await cluster.set_image("shop:2")
        await cluster.phase("Paused")
        assert await weight(cluster) == 100
        await cluster.settled()
        assert await cluster.sizes() == {"shop:1": 0 if dynamic else REPLICAS, "shop:2": REPLICAS}
        async with enough_pods(cluster):
            await cluster.patch_status({"abort": True})
            await cluster.phase("Degraded")
            await cluster.settled(seconds=45)
        assert await weight(cluster) == 0
        assert await cluster.sizes() == {"shop:1": REPLICAS, "shop:2": 0}


@ROUTERS
@DYNAMIC
@pytest.mark.parametrize("writes", [1, 2])
async def test_a_controller_killed_between_weight_and_pods_is_followed_by_one_that_goes_on(
    router: str, dynamic: bool, writes: int
) -> None:
    async with running(ready_after=2, gone_after=1) as cluster:
        await deploy(cluster, router, [{"setWeight": 25}, {"pause": {}}, {"setWeight": 75}, {"pause": {}}], dynamic=dynamic)
        await cluster.set_image("shop:2")
        await cluster.phase("Paused")
        await cluster.settled()
        async with enough_pods(cluster):
            await cluster.patch_status({"pauseConditions": None})
            transport = await cluster.restart_controller(writes=writes)
            await asyncio.wait_for(transport.died.wait(), 60)
            await cluster.settled(seconds=20)
            await cluster.restart_controller()
            await cluster.until(lambda status: status.get("currentStepIndex") == 3 and status.get("phase") == "Paused")
            await cluster.settled()
        assert await weight(cluster) == 75
        assert await cluster.sizes() == {"shop:1": 1 if dynamic else REPLICAS, "shop:2": 3}


@ROUTERS
@DYNAMIC
@pytest.mark.parametrize("by_spec", [pytest.param(False, id="in a pause step"), pytest.param(True, id="by spec.paused")])
async def test_an_autoscaler_is_heeded_while_the_update_is_paused(router: str, dynamic: bool, by_spec: bool) -> None:
    async with running(ready_after=2, gone_after=1) as cluster:
        await deploy(cluster, router, [{"setWeight": 50}, {"pause": {}}], dynamic=dynamic)
        await cluster.set_image("shop:2")
        await cluster.phase("Paused")
        await cluster.settled()
        if by_spec:
            await cluster.patch(ROLLOUT, "shop", {"spec": {"paused": True}})
            await cluster.settled()
        for replicas, fewer in ((10, REPLICAS), (2, 2)):
            async with enough_pods(cluster, fewer):
                await cluster.patch(ROLLOUT, "shop", {"spec": {"replicas": replicas}}, subresource="scale")
                await cluster.settled(seconds=20)
            await check_capacity(cluster, replicas)
            half = replicas // 2
            assert await cluster.sizes() == {"shop:1": half if dynamic else replicas, "shop:2": half}
            assert (await weight(cluster), (await cluster.status())["phase"]) == (50, "Paused")


@ROUTERS
async def test_a_weight_that_somebody_else_syncs_back_in_mid_step_is_put_right(router: str) -> None:
    async with running(ready_after=2, gone_after=1) as cluster:
        await deploy(cluster, router, [{"setWeight": 50}, {"pause": {}}])
        kind = INGRESS if router == "nginx" else VIRTUAL_SERVICE
        await cluster.set_image("shop:2")
        await cluster.phase("Paused")
        for name in [name_of(one) for one in await cluster.all(kind) if name_of(one) != "web"]:
            await cluster.patch(kind, name, _of_git(await cluster.get(kind, name)))
        assert await weight(cluster) == 0
        await cluster.settled()
        assert (await weight(cluster), (await cluster.status())["currentStepIndex"]) == (50, 1)
        assert await cluster.sizes() == {"shop:1": REPLICAS, "shop:2": 2}


def _of_git(obj: Object) -> dict[str, Any]:
    """Return the patch of a GitOps tool that knows of no canary."""
    if "http" not in obj["spec"]:
        return {"metadata": {"annotations": {"nginx.ingress.kubernetes.io/canary-weight": "0"}}}
    [route] = obj["spec"]["http"]
    weights = [{**destination, "weight": share} for destination, share in zip(route["route"], (100, 0), strict=True)]
    return {"spec": {"http": [{**route, "route": weights}]}}


@ROUTERS
@DYNAMIC
async def test_every_write_conflicts_at_its_first_attempt_and_the_update_ends_well(router: str, dynamic: bool) -> None:
    async with running(ready_after=2, gone_after=1) as cluster:
        await deploy(cluster, router, [{"setWeight": 25}, {"setWeight": 75}], dynamic=dynamic)
        at_every_other = [Fault(action="conflict", verb="write", user=CONTROLLER, skip=2 * at, times=1) for at in range(100)]
        cluster.server.faults.set(*at_every_other)
        async with enough_pods(cluster):
            await cluster.set_image("shop:2")
            await cluster.phase("Healthy")
            await cluster.settled(seconds=40)
        assert await cluster.sizes() == {"shop:1": 0, "shop:2": REPLICAS}
        assert len(await cluster.all(REPLICA_SET)) == 2


async def test_a_service_that_another_rollout_manages_is_left_alone() -> None:
    async with running() as cluster:
        await deploy(cluster, "nginx", [])
        before = (await cluster.get(SERVICE, "shop"))["metadata"]["resourceVersion"]
        thief = {**routed_rollout([], ROUTINGS["nginx"][1]), "metadata": {"name": "thief"}}
        thief["spec"]["selector"] = {"matchLabels": {"app": "thief"}}
        thief["spec"]["template"]["metadata"]["labels"] = {"app": "thief"}
        await cluster.put(thief)
        await cluster.phase("Degraded", "thief")
        await cluster.settled(seconds=60)
        assert 'managed by another Rollout ("shop")' in (await cluster.status("thief"))["message"]
        assert (await cluster.get(SERVICE, "shop"))["metadata"]["resourceVersion"] == before
        assert (await cluster.status())["phase"] == "Healthy"


BUDGET = """
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: shop, namespace: default}
spec: {minAvailable: 1, selector: {matchLabels: {app: shop}}}
"""


@ROUTERS
async def test_a_single_pod_under_a_disruption_budget_is_restarted_without_an_outage(router: str) -> None:
    async with running(ready_after=2, gone_after=1) as cluster:
        await deploy(cluster, router, [], replicas=1)
        await cluster.client.create(POD_DISRUPTION_BUDGET, yaml.safe_load(BUDGET))
        await cluster.settled(seconds=10)
        before = {name_of(pod) for pod in await cluster.all(POD)}
        asked = format_time(cluster.manager.clock.now())
        async with enough_pods(cluster, 1):
            await cluster.patch(ROLLOUT, "shop", {"spec": {"restartAt": asked}})
            await cluster.until(lambda status: status.get("restartedAt") == asked)
            await cluster.phase("Healthy")
            await cluster.settled(seconds=10)
        after = {name_of(pod) for pod in await cluster.all(POD)}
        assert (len(after), before & after, await cluster.sizes()) == (1, set(), {"shop:1": 1})
