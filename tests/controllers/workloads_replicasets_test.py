"""ReplicaSets on the sandbox's API server, with played pods, in virtual time."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from workloads_harness import replica_set, running_cluster

from kube.kinds import POD, REPLICA_SET
from kube.objects import name_of, uid_of

pytestmark = pytest.mark.looptime


async def test_a_replica_set_gets_its_pods_and_says_so() -> None:
    async with running_cluster() as cluster:
        await cluster.apply(replica_set(replicas=3))
        await cluster.settled()

        pods = await cluster.all(POD)
        status = (await cluster.get(REPLICA_SET, "web"))["status"]
        assert len(pods) == 3
        assert len({pod["status"]["podIP"] for pod in pods}) == 3
        assert status == {
            "replicas": 3,
            "fullyLabeledReplicas": 3,
            "readyReplicas": 3,
            "availableReplicas": 3,
            "observedGeneration": 1,
        }


async def test_a_deleted_pod_is_replaced_under_another_name() -> None:
    async with running_cluster() as cluster:
        await cluster.apply(replica_set(replicas=2))
        await cluster.settled()
        victim = name_of((await cluster.all(POD))[0])
        await cluster.delete(POD, victim)
        await cluster.settled()

        names = [name_of(pod) for pod in await cluster.all(POD)]
        assert len(names) == 2
        assert victim not in names


async def test_scaling_down_spares_the_ready_pods() -> None:
    async with running_cluster() as cluster:
        await cluster.apply(replica_set(replicas=2))
        await cluster.settled()
        ready = {name_of(pod) for pod in await cluster.all(POD)}
        cluster.pods_say.never_ready("shop:1")
        for name in ready:
            cluster.pods_say.ready(f"default/{name}")
        await cluster.scale(REPLICA_SET, "web", 4)
        await cluster.settled()
        await cluster.scale(REPLICA_SET, "web", 2)
        await cluster.settled()

        assert {name_of(pod) for pod in await cluster.all(POD)} == ready


async def test_available_comes_min_ready_seconds_after_ready() -> None:
    async with running_cluster() as cluster:
        await cluster.apply(replica_set(replicas=1, extra="minReadySeconds: 30"))
        await asyncio.sleep(20)
        early = (await cluster.get(REPLICA_SET, "web"))["status"]
        await asyncio.sleep(20)
        late = (await cluster.get(REPLICA_SET, "web"))["status"]

        assert early["readyReplicas"] == 1
        assert "availableReplicas" not in early
        assert late["availableReplicas"] == 1


async def test_an_orphan_that_matches_is_adopted_and_counts() -> None:
    async with running_cluster() as cluster:
        await cluster.apply(
            "{apiVersion: v1, kind: Pod, metadata: {name: stray, labels: {app: web}}, spec: {containers: [{name: a, image: x}]}}"
        )
        await cluster.apply(replica_set(replicas=2))
        await cluster.settled()

        pods = await cluster.all(POD)
        owner = uid_of(await cluster.get(REPLICA_SET, "web"))
        assert len(pods) == 2
        assert {pod["metadata"]["ownerReferences"][0]["uid"] for pod in pods} == {owner}


async def test_a_pod_whose_label_was_changed_is_released_and_replaced() -> None:
    async with running_cluster() as cluster:
        await cluster.apply(replica_set(replicas=1))
        await cluster.settled()
        name = name_of((await cluster.all(POD))[0])
        await cluster.patch(POD, name, {"metadata": {"labels": {"app": "quarantine"}}})
        await cluster.settled()

        assert "ownerReferences" not in (await cluster.get(POD, name))["metadata"]
        assert len(await cluster.all(POD, "app=web")) == 1


@pytest.mark.parametrize("replicas", [200])
async def test_no_pod_too_many_is_ever_created(replicas: int) -> None:
    async with running_cluster(ready_after=timedelta(seconds=5)) as cluster:
        await cluster.apply(replica_set(replicas=replicas))
        await cluster.settled(seconds=30)

        assert len(await cluster.all(POD)) == replicas
        created = cluster.server.counts.total(verb="create", resource="pods")
        assert created == replicas
