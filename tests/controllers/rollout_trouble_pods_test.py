"""Pods that cannot be pulled, crash or never get ready, and versions that follow each other quickly, on a whole cluster."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from rollout_harness import Cluster, running

from kube.kinds import CORE_EVENT, INGRESS, POD, REPLICA_SET, ROLLOUT, SERVICE
from kube.objects import labels_of, name_of
from tests.shops import INGRESS_YAML, NGINX, SERVICES, routed_rollout

pytestmark = pytest.mark.looptime

STEPS: list[dict[str, Any]] = [{"setWeight": 25}, {"pause": {"duration": 20}}, {"setWeight": 75}, {"pause": {"duration": 20}}]


async def deploy(cluster: Cluster, **spec: Any) -> None:
    await cluster.apply(SERVICES + "---" + INGRESS_YAML)
    await cluster.put(routed_rollout(STEPS, NGINX, replicas=4, **spec))
    await cluster.phase("Healthy")
    await cluster.settled()


async def weight(cluster: Cluster) -> int:
    [canary] = [one for one in await cluster.all(INGRESS) if name_of(one).endswith("-canary")]
    return int(canary["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"])


BAD_PODS: dict[str, Callable[[Any], None]] = {
    "their image cannot be pulled": lambda pods: pods.missing_image("shop:2"),
    "they crash at once": lambda pods: pods.crash("shop:2"),
    "they crash after a while": lambda pods: pods.crash("shop:2", after=timedelta(seconds=5)),
    "they never get ready": lambda pods: pods.never_ready("shop:2"),
}


@pytest.mark.parametrize("say", [pytest.param(say, id=name) for name, say in BAD_PODS.items()])
async def test_a_version_whose_pods_do_not_run_gets_nobody_and_is_given_up_at_its_deadline(say: Callable[[Any], None]) -> None:
    async with running(ready_after=1) as cluster:
        await deploy(cluster, progressDeadlineSeconds=60, progressDeadlineAbort=True)
        say(cluster.pods)
        await cluster.set_image("shop:2")
        for _ in range(50):
            await cluster.settled(seconds=1)
            assert await weight(cluster) == 0
        await cluster.phase("Degraded", seconds=60)
        assert (await cluster.status())["message"].startswith("RolloutAborted: Rollout aborted update to revision 2: ReplicaSet")
        await cluster.settled(seconds=40)
        assert await cluster.sizes() == {"shop:1": 4, "shop:2": 0}


async def test_a_version_that_crashes_in_mid_step_loses_its_users_at_once() -> None:
    async with running(ready_after=1) as cluster:
        await deploy(cluster)
        await cluster.set_image("shop:2")
        await cluster.phase("Paused")
        assert await weight(cluster) == 25
        cluster.pods.never_ready("shop:2")
        await cluster.settled(seconds=1)
        assert await weight(cluster) == 0
        cluster.pods.usual("shop:2")
        await cluster.phase("Healthy")
        assert await cluster.sizes() == {"shop:1": 4, "shop:2": 4}


async def test_a_third_version_in_mid_update_takes_the_seconds_place() -> None:
    async with running(ready_after=2, gone_after=1) as cluster:
        await deploy(cluster)
        await cluster.set_image("shop:2")
        await cluster.until(lambda status: status["currentStepIndex"] == 3)
        assert await weight(cluster) == 75
        await cluster.set_image("shop:3")
        served: set[str] = set()
        for _ in range(200):
            if await weight(cluster):
                served |= await ready_behind(cluster, "shop-canary")
            assert await ready_behind(cluster, "shop") == {"shop:1"}
            await cluster.settled(seconds=0.1)
        assert "shop:3" in served
        await cluster.phase("Healthy")
        await cluster.settled(seconds=40)
        assert await cluster.sizes() == {"shop:1": 0, "shop:2": 0, "shop:3": 4}


async def ready_behind(cluster: Cluster, service: str) -> set[str]:
    """Return the images of the ready pods that a Service selects; there is always one."""
    selector = (await cluster.get(SERVICE, service))["spec"]["selector"].items()
    found = set()
    for pod in await cluster.all(POD):
        conditions = {one["type"]: one["status"] for one in (pod.get("status") or {}).get("conditions") or ()}
        if selector <= labels_of(pod).items() and conditions.get("Ready") == "True":
            found.add(pod["spec"]["containers"][0]["image"])
    assert found, f"Service {service} selects no ready pod"
    return found


async def test_pods_are_available_only_after_their_min_ready_seconds() -> None:
    async with running(ready_after=1) as cluster:
        await deploy(cluster, minReadySeconds=30)
        await cluster.set_image("shop:2")
        await cluster.settled(seconds=25)
        assert await weight(cluster) == 0
        await cluster.settled(seconds=10)
        assert await weight(cluster) == 25


async def test_a_deadline_goes_on_over_a_restart_of_the_controller() -> None:
    async with running(ready_after=1) as cluster:
        await deploy(cluster, progressDeadlineSeconds=60)
        cluster.pods.never_ready("shop:2")
        await cluster.set_image("shop:2")
        for _ in range(5):
            await cluster.settled(seconds=11)
            await cluster.restart_controller()
        assert (await cluster.status())["phase"] == "Progressing"
        await cluster.settled(seconds=10)
        assert (await cluster.status())["message"].startswith("ProgressDeadlineExceeded")


async def test_an_update_tells_each_thing_once() -> None:
    """Events are what notifications and people go by: each is told once, in its order."""
    async with running(ready_after=1) as cluster:
        await deploy(cluster)
        before = {name_of(one) for one in await cluster.all(CORE_EVENT)}
        await cluster.set_image("shop:2")
        await cluster.phase("Paused")
        await cluster.phase("Healthy")
        await cluster.settled(seconds=40)
        events = [one for one in await cluster.all(CORE_EVENT) if name_of(one) not in before]
        told = [(one["reason"], one["message"]) for one in events if one["involvedObject"]["kind"] == "Rollout"]
        again = {
            one["reason"]: one["count"] for one in events if one.get("count", 1) > 1 and one["involvedObject"]["kind"] == "Rollout"
        }
        assert again == {"RolloutPaused": 2}, "there are two pauses"
        assert len(told) == len(set(told))
        new = (await cluster.status())["currentPodHash"]
        [old] = [name_of(one) for one in await cluster.all(REPLICA_SET) if new not in name_of(one)]
        assert {
            ("RolloutUpdated", "Rollout updated to revision 2"),
            ("NewReplicaSetCreated", f"Created ReplicaSet shop-{new} (revision 2)"),
            ("RolloutNotCompleted", f"Rollout not completed, started update to revision 2 ({new})"),
            ("ScalingReplicaSet", f"Scaled up ReplicaSet shop-{new} (revision 2) from 1 to 3"),
            ("TrafficWeightUpdated", "Traffic weight updated from 0 to 25"),
            ("RolloutStepCompleted", "Rollout step 1/4 completed (setWeight: 25)"),
            ("RolloutPaused", "Rollout is paused (CanaryPauseStep)"),
            ("TrafficWeightUpdated", "Traffic weight updated from 25 to 75"),
            ("RolloutCompleted", f"Rollout completed update to revision 2 ({new}): Completed all 4 canary steps"),
            ("ScalingReplicaSet", f"Scaled down ReplicaSet {old} (revision 1) from 4 to 0"),
        } <= set(told)


async def test_a_service_that_is_missing_is_told_and_waited_for() -> None:
    async with running(ready_after=1) as cluster:
        await cluster.apply(INGRESS_YAML)
        await cluster.put(routed_rollout(STEPS, NGINX, replicas=1))
        await cluster.phase("Degraded")
        await cluster.settled(seconds=120)
        warnings = [one for one in await cluster.all(CORE_EVENT) if one["reason"] == "InvalidSpec"]
        assert [(one["type"], one.get("count", 1)) for one in warnings] == [("Warning", 1)]
        assert 'service "shop' in warnings[0]["message"]
        assert await cluster.all(REPLICA_SET) == []
        await cluster.apply(SERVICES)
        await cluster.phase("Healthy")
        assert not [one for one in (await cluster.status())["conditions"] if one["type"] == "InvalidSpec"]
        assert (await cluster.get(ROLLOUT, "shop"))["spec"]["replicas"] == 1
