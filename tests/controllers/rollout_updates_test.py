"""Rollouts on an API server with played pods: whole updates, their cost in writes, and what happens when something breaks."""

from __future__ import annotations

import pytest
from rollout_harness import running

from kube.kinds import ROLLOUT, ObjectRef

pytestmark = pytest.mark.looptime


def shop(steps: str, *, replicas: int = 5, extra: str = "") -> str:
    return f"""
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {{name: shop}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: shop}}}}
  template:
    metadata: {{labels: {{app: shop}}}}
    spec: {{containers: [{{name: shop, image: "shop:1"}}]}}
  strategy: {{canary: {{{extra} steps: {steps}}}}}
"""


FOUR_WEIGHTS = "[{setWeight: 20}, {setWeight: 40}, {setWeight: 60}, {setWeight: 80}]"


async def test_an_update_runs_to_its_end() -> None:
    async with running(ready_after=1) as cluster:
        await cluster.apply(shop("[{setWeight: 40}, {pause: {}}, {setWeight: 60}]"))
        await cluster.phase("Healthy")
        await cluster.set_image("shop:2")
        await cluster.phase("Paused")
        assert await cluster.sizes() == {"shop:1": 3, "shop:2": 2}
        await cluster.patch_status({"pauseConditions": None})
        await cluster.phase("Healthy")
        assert await cluster.sizes() == {"shop:1": 0, "shop:2": 5}
        reasons = await cluster.reasons()
        assert {"RolloutUpdated", "NewReplicaSetCreated", "ScalingReplicaSet", "RolloutPaused", "RolloutCompleted"} <= set(reasons)


@pytest.mark.parametrize(
    ("steps", "most"),
    [
        pytest.param(FOUR_WEIGHTS, 20, id="four weights"),
        pytest.param(
            "[{setWeight: 20}, {pause: {duration: 1}}, {setWeight: 40}, {setWeight: 60}, {pause: {duration: 1}}, {setWeight: 80}]",
            24,
            id="four weights and two pauses",
        ),
    ],
)
async def test_an_update_costs_few_writes(steps: str, most: int) -> None:
    async with running(ready_after=0.1, gone_after=0.1) as cluster:
        await cluster.apply(shop(steps))
        await cluster.phase("Healthy")
        await cluster.settled()
        cluster.server.counts.clear()
        await cluster.set_image("shop:2")
        await cluster.phase("Healthy")
        await cluster.settled()
        writes = cluster.writes()
        assert sum(writes.values()) <= most, writes


async def test_an_idle_controller_writes_nothing() -> None:
    async with running() as cluster:
        await cluster.apply(shop(FOUR_WEIGHTS))
        await cluster.phase("Healthy")
        await cluster.settled(seconds=10)
        cluster.server.counts.clear()
        await cluster.settled(seconds=3600)
        assert cluster.writes() == {}


async def test_a_killed_controller_goes_on_where_it_was() -> None:
    async with running(ready_after=1) as cluster:
        await cluster.apply(shop("[{setWeight: 20}, {pause: {duration: 10}}, {setWeight: 60}, {pause: {duration: 10}}]"))
        await cluster.phase("Healthy")
        await cluster.set_image("shop:2")
        for _ in range(20):
            await cluster.settled(seconds=1)
            await cluster.restart_controller()
        await cluster.phase("Healthy")
        assert await cluster.sizes() == {"shop:1": 0, "shop:2": 5}


async def test_an_autoscaler_may_drive_the_scale_subresource_in_mid_update() -> None:
    async with running() as cluster:
        await cluster.apply(shop("[{setWeight: 40}, {pause: {}}]"))
        await cluster.phase("Healthy")
        await cluster.set_image("shop:2")
        await cluster.phase("Paused")
        await cluster.patch(ROLLOUT, "shop", {"spec": {"replicas": 10}}, subresource="scale")
        await cluster.settled()
        assert await cluster.sizes() == {"shop:1": 6, "shop:2": 4}


async def test_an_invalid_spec_says_so_once_and_recovers() -> None:
    async with running() as cluster:
        await cluster.apply(shop("[{setWeight: 120}]"))
        await cluster.phase("Degraded")
        assert "steps[0].setWeight" in (await cluster.status())["message"]
        cluster.server.counts.clear()
        await cluster.settled(seconds=60)
        assert cluster.writes() == {}
        await cluster.patch(ROLLOUT, "shop", {"spec": {"strategy": {"canary": {"steps": [{"setWeight": 20}]}}}})
        await cluster.phase("Healthy")


async def test_a_hundred_rollouts_at_once_all_end_well() -> None:
    async with running(ready_after=1) as cluster:
        for number in range(100):
            await cluster.apply(
                shop("[{setWeight: 50}]", replicas=2)
                .replace("name: shop}", f"name: shop-{number}}}")
                .replace("app: shop", f"app: shop-{number}")
            )
        for number in range(100):
            await cluster.phase("Healthy", f"shop-{number}")
        for number in range(100):
            await cluster.set_image("shop:2", f"shop-{number}")
        for number in range(100):
            await cluster.phase("Healthy", f"shop-{number}")


async def test_nothing_is_remembered_of_rollouts_that_are_gone() -> None:
    async with running() as cluster:
        await cluster.apply(shop("[{setWeight: 40}]"))
        await cluster.phase("Healthy")
        assert len(cluster.manager._readings) == 1
        await cluster.client.delete(ObjectRef(ROLLOUT, "default", "shop"))
        await cluster.settled()
        assert len(cluster.manager._readings) == 0
