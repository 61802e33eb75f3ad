"""What tests can say about played pods."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from workloads_harness import Cluster, replica_set, running_cluster

from kube.kinds import NODE, POD, REPLICA_SET
from kube.objects import name_of

pytestmark = pytest.mark.looptime


async def only_pod(cluster: Cluster) -> Any:
    return (await cluster.all(POD))[0]


def readiness(pod: Any) -> str:
    return next((one["status"] for one in pod["status"].get("conditions") or () if one["type"] == "Ready"), "Unknown")


def waiting(pod: Any) -> str:
    return str(pod["status"]["containerStatuses"][0]["state"].get("waiting", {}).get("reason"))


async def test_pods_get_ready_after_the_delay_that_was_asked_for() -> None:
    async with running_cluster(ready_after=timedelta(seconds=30)) as cluster:
        await cluster.apply(replica_set(replicas=1))
        await asyncio.sleep(20)
        early = readiness(await only_pod(cluster))
        await asyncio.sleep(20)

        assert (early, readiness(await only_pod(cluster))) == ("False", "True")


async def test_what_is_said_later_changes_pods_that_are_there() -> None:
    async with running_cluster() as cluster:
        await cluster.apply(replica_set(replicas=1))
        await cluster.settled()
        cluster.pods_say.never_ready("shop:1")
        await cluster.settled()
        broken = readiness(await only_pod(cluster))
        cluster.pods_say.usual("shop:1")
        await cluster.settled()

        assert (broken, readiness(await only_pod(cluster))) == ("False", "True")


async def test_a_crashing_image_is_restarted_with_growing_back_off() -> None:
    async with running_cluster() as cluster:
        cluster.pods_say.crash("shop:1", after=timedelta(seconds=1))
        await cluster.apply(replica_set(replicas=1))
        await asyncio.sleep(60)
        pod = await only_pod(cluster)

        status = pod["status"]["containerStatuses"][0]
        assert waiting(pod) == "CrashLoopBackOff"
        assert status["restartCount"] == 3
        assert status["lastState"]["terminated"]["exitCode"] == 1
        assert pod["status"]["phase"] == "Running"


async def test_a_missing_image_is_told_as_a_kubelet_tells_it() -> None:
    async with running_cluster() as cluster:
        cluster.pods_say.missing_image("shop:1", "no such tag")
        await cluster.apply(replica_set(replicas=1))
        await asyncio.sleep(0.5)
        first = waiting(await only_pod(cluster))
        await asyncio.sleep(5)
        pod = await only_pod(cluster)

        assert (first, waiting(pod)) == ("ErrImagePull", "ImagePullBackOff")
        assert pod["status"]["phase"] == "Pending"


async def test_a_flapping_pod_comes_and_goes() -> None:
    async with running_cluster() as cluster:
        cluster.pods_say.flap("shop:1", every=timedelta(seconds=10))
        await cluster.apply(replica_set(replicas=1))
        seen: list[Any] = []
        for _ in range(4):
            await asyncio.sleep(5 if not seen else 10)
            seen.append(readiness(await only_pod(cluster)))

        assert seen == ["True", "False", "True", "False"]


async def test_one_pod_can_be_told_apart_from_its_siblings() -> None:
    async with running_cluster() as cluster:
        await cluster.apply(replica_set(replicas=3))
        await cluster.settled()
        chosen = name_of(await only_pod(cluster))
        cluster.pods_say.never_ready(f"default/{chosen}")
        await cluster.settled()

        assert {name_of(pod): readiness(pod) for pod in await cluster.all(POD)}[chosen] == "False"
        assert (await cluster.get(REPLICA_SET, "web"))["status"]["readyReplicas"] == 2


async def test_a_readiness_gate_is_waited_for() -> None:
    async with running_cluster() as cluster:
        await cluster.apply(
            "{apiVersion: v1, kind: Pod, metadata: {name: p}, "
            "spec: {readinessGates: [{conditionType: a/b}], containers: [{name: a, image: x}]}}"
        )
        await cluster.settled()
        pod = await cluster.get(POD, "p")
        closed = readiness(pod)
        conditions = [*pod["status"]["conditions"], {"type": "a/b", "status": "True"}]
        await cluster.patch(POD, "p", {"status": {"conditions": conditions}}, subresource="status")
        await cluster.settled()

        assert (closed, readiness(await cluster.get(POD, "p"))) == ("False", "True")


async def test_a_frozen_node_does_nothing_until_it_thaws() -> None:
    async with running_cluster() as cluster:
        await cluster.settled()
        cluster.simulated.node.frozen = True
        await cluster.apply(replica_set(replicas=1))
        await cluster.settled()
        frozen = (await only_pod(cluster))["spec"].get("nodeName")
        cluster.simulated.node.thaw()
        await cluster.settled()

        assert frozen is None
        assert readiness(await only_pod(cluster)) == "True"


async def test_the_node_is_there_and_ready() -> None:
    async with running_cluster() as cluster:
        node = await cluster.get(NODE, "sandbox")

        assert [one["status"] for one in node["status"]["conditions"] if one["type"] == "Ready"] == ["True"]


async def test_a_settled_cluster_is_left_alone() -> None:
    """Nothing is written, and so nothing woken, as long as nothing happens."""
    async with running_cluster() as cluster:
        await cluster.apply(replica_set(replicas=5))
        await cluster.settled(seconds=10)
        before = cluster.server.counts.writes()
        await cluster.settled(seconds=300)

        assert cluster.server.counts.writes() == before
