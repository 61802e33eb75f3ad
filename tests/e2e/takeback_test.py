"""What users notice of weights: they take effect, nobody is lost on the way, and a failed version has no users any more."""

from __future__ import annotations

import asyncio
from typing import Any, TypeAlias

import pytest
from sandbox_requests import requests_of
from sandbox_shop import answers, deploy, quickstart, users
from sandbox_terminal import Tool

from sandbox.cluster import Cluster

WAIT = "--timeout=60s"
Step: TypeAlias = dict[str, Any]


async def in_background(tool: Tool, *arguments: str) -> str:
    """Run a command while users go on."""
    return await asyncio.to_thread(tool, *arguments)


async def ship(rollouts: Tool, namespace: str, image: str) -> None:
    await in_background(rollouts, "set", "image", "shop", f"shop={image}", "-n", namespace)


def weight_writes(cluster: Cluster) -> int:
    """Return how often the controller has changed an Ingress so far."""
    return requests_of(cluster)["controller", "patch", "ingresses"]


async def test_a_weight_reaches_the_users(cluster: Cluster, kubectl: Tool, rollouts: Tool, namespace: str) -> None:
    steps: list[Step] = [{"setWeight": weight} if weight else {"pause": {}} for weight in (50, 0, 100, 0)]
    deploy(kubectl, namespace, quickstart(namespace, steps=steps, analysis=False))
    wait = ("wait", "-n", namespace, "rollout/shop", WAIT)
    async with users(cluster, namespace, rps=200) as load:
        assert set(await answers(load, 50)) == {"1"}
        await ship(rollouts, namespace, "shop:2")
        await in_background(kubectl, *wait, "--for=jsonpath={.status.currentStepIndex}=1")
        half = await answers(load, 600)
        assert half["2"] / 600 == pytest.approx(0.5, abs=0.12)
        await in_background(rollouts, "promote", "shop", "-n", namespace)
        await in_background(kubectl, *wait, "--for=jsonpath={.status.currentStepIndex}=3")
        await answers(load, 20)
        assert set(await answers(load, 200)) == {"2"}
        await in_background(rollouts, "abort", "shop", "-n", namespace)
        await in_background(kubectl, *wait, "--for=jsonpath={.status.phase}=Degraded")
        await answers(load, 20)
        assert set(await answers(load, 200)) == {"1"}
    assert load.snapshot().lost == 0, (load.snapshot().failures, load.snapshot().statuses)


@pytest.mark.usefixtures("with_prometheus")
async def test_after_a_failed_analysis_nobody_is_sent_to_the_new_version(
    cluster: Cluster, kubectl: Tool, rollouts: Tool, namespace: str
) -> None:
    deploy(kubectl, namespace, quickstart(namespace))
    async with users(cluster, namespace) as load:
        await answers(load, 20)
        await ship(rollouts, namespace, "shop:3-bad")
        await in_background(kubectl, "wait", "-n", namespace, "rollout/shop", WAIT, "--for=jsonpath={.status.phase}=Degraded")
        await answers(load, 20)
        assert set(await answers(load, 300)) == {"1"}
    found = load.snapshot()
    assert found.versions["3-bad"] > 0
    assert found.lost == 0, (found.failures, found.statuses)
    assert {version for (version, status) in found.by_version_status if status >= 500} == {"3-bad"}


async def test_no_request_is_lost_in_a_hundred_weight_changes(
    cluster: Cluster, kubectl: Tool, rollouts: Tool, namespace: str
) -> None:
    weights = [{"setWeight": weight} for weight in (20, 80) * 50]
    deploy(kubectl, namespace, quickstart(namespace, steps=[{"setCanaryScale": {"replicas": 2}}, *weights], analysis=False))
    before = weight_writes(cluster)
    async with users(cluster, namespace, rps=150) as load:
        await answers(load, 20)
        await ship(rollouts, namespace, "shop:2")
        promoted = "--for=jsonpath={.status.phase}=Healthy"
        await in_background(kubectl, "wait", "-n", namespace, "rollout/shop", "--for=jsonpath={.status.currentStepIndex}=101", WAIT)
        await in_background(kubectl, "wait", "-n", namespace, "rollout/shop", promoted, WAIT)
        await answers(load, 100)
    found = load.snapshot()
    assert (found.lost, set(found.statuses)) == (0, {200}), (found.failures, found.statuses)
    assert min(found.versions["1"], found.versions["2"]) > 50
    assert weight_writes(cluster) - before >= 100


@pytest.mark.slow
async def test_no_request_is_lost_when_the_controller_is_killed_in_the_middle(
    cluster: Cluster, kubectl: Tool, rollouts: Tool, namespace: str
) -> None:
    steps: list[Step] = [{"setWeight": 25}, {"pause": {"duration": "3s"}}, {"setWeight": 75}, {"pause": {"duration": "3s"}}]
    deploy(kubectl, namespace, quickstart(namespace, steps=steps, analysis=False))
    async with users(cluster, namespace) as load:
        await ship(rollouts, namespace, "shop:2")
        await in_background(kubectl, "wait", "-n", namespace, "rollout/shop", "--for=jsonpath={.status.currentStepIndex}=1", WAIT)
        await asyncio.to_thread(cluster.killed_and_back, "controller")
        await in_background(kubectl, "wait", "-n", namespace, "rollout/shop", "--for=condition=Healthy", WAIT)
        await in_background(kubectl, "wait", "-n", namespace, "rollout/shop", "--for=jsonpath={.status.currentStepIndex}=4", WAIT)
        await answers(load, 50)
    assert load.snapshot().lost == 0, (load.snapshot().failures, load.snapshot().statuses)
