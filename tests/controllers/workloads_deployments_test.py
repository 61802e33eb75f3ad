"""Deployments on the sandbox's API server, with played pods, in virtual time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from workloads_harness import Cluster, running_cluster

from kube.kinds import DEPLOYMENT, POD, REPLICA_SET
from kube.objects import labels_of

pytestmark = pytest.mark.looptime


def deployment(*, replicas: int = 4, image: str = "shop:1", extra: str = "", strategy: str = "{}") -> str:
    return f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: {replicas}
  {extra}
  strategy: {strategy}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: app, image: "{image}"}}]}}
"""


async def ship(cluster: Cluster, image: str) -> None:
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": image}]}}}}
    await cluster.patch(DEPLOYMENT, "web", patch)


async def images(cluster: Cluster) -> list[str]:
    return sorted(pod["spec"]["containers"][0]["image"] for pod in await cluster.all(POD))


async def condition(cluster: Cluster, type_: str) -> dict[str, Any]:
    status = (await cluster.get(DEPLOYMENT, "web"))["status"]
    return next(one for one in status["conditions"] if one["type"] == type_)


async def test_a_new_deployment_becomes_available_at_revision_one() -> None:
    async with running_cluster() as cluster:
        await cluster.apply(deployment())
        await cluster.settled()

        found = await cluster.get(DEPLOYMENT, "web")
        status = found["status"]
        assert found["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
        assert (status["replicas"], status["updatedReplicas"], status["availableReplicas"]) == (4, 4, 4)
        assert status["observedGeneration"] == found["metadata"]["generation"]
        assert (await condition(cluster, "Available"))["status"] == "True"
        assert (await condition(cluster, "Progressing"))["reason"] == "NewReplicaSetAvailable"


async def test_a_rolling_update_keeps_within_its_limits_and_ends_with_new_pods_only() -> None:
    async with running_cluster(ready_after=timedelta(seconds=3)) as cluster:
        await cluster.apply(deployment(strategy="{rollingUpdate: {maxSurge: 1, maxUnavailable: 1}}"))
        await cluster.settled(seconds=20)
        await ship(cluster, "shop:2")
        most, least = 0, 99
        for _ in range(400):
            await asyncio.sleep(0.1)
            status = [pod for pod in await cluster.all(POD) if "deletionTimestamp" not in pod["metadata"]]
            ready = sum(
                any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"])
                for pod in status
                if "conditions" in pod["status"]
            )
            most, least = max(most, len(status)), min(least, ready)

        assert await images(cluster) == ["shop:2"] * 4
        assert (most, least) == (5, 3)
        assert (await cluster.get(DEPLOYMENT, "web"))["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"


async def test_a_version_that_never_gets_ready_stops_the_update_and_passes_its_deadline() -> None:
    async with running_cluster() as cluster:
        await cluster.apply(deployment(extra="progressDeadlineSeconds: 60"))
        await cluster.settled()
        cluster.pods_say.never_ready("shop:3")
        await ship(cluster, "shop:3")
        await asyncio.sleep(90)

        progressing = await condition(cluster, "Progressing")
        assert (progressing["status"], progressing["reason"]) == ("False", "ProgressDeadlineExceeded")
        assert (await condition(cluster, "Available"))["status"] == "True"
        assert (await images(cluster)).count("shop:1") == 3


async def test_going_back_uses_the_old_replica_set_under_a_new_revision() -> None:
    async with running_cluster() as cluster:
        await cluster.apply(deployment())
        await cluster.settled()
        await ship(cluster, "shop:2")
        await cluster.settled(seconds=10)
        await ship(cluster, "shop:1")
        await cluster.settled(seconds=10)

        sets = {
            one["spec"]["template"]["spec"]["containers"][0]["image"]: one["metadata"]["annotations"][
                "deployment.kubernetes.io/revision"
            ]
            for one in await cluster.all(REPLICA_SET)
        }
        assert sets == {"shop:1": "3", "shop:2": "2"}
        assert await images(cluster) == ["shop:1"] * 4


async def test_recreate_lets_the_old_pods_go_before_new_ones_come() -> None:
    async with running_cluster(gone_after=timedelta(seconds=5)) as cluster:
        await cluster.apply(deployment(strategy="{type: Recreate}"))
        await cluster.settled()
        await ship(cluster, "shop:2")
        seen = []
        for _ in range(200):
            await asyncio.sleep(0.1)
            seen.append(set(await images(cluster)))

        assert {"shop:1", "shop:2"} not in seen
        assert seen[-1] == {"shop:2"}


async def test_a_paused_deployment_is_scaled_but_not_updated() -> None:
    async with running_cluster() as cluster:
        await cluster.apply(deployment(replicas=2))
        await cluster.settled()
        await cluster.patch(DEPLOYMENT, "web", {"spec": {"paused": True}})
        await ship(cluster, "shop:2")
        await cluster.scale(DEPLOYMENT, "web", 3)
        await cluster.settled(seconds=10)

        assert await images(cluster) == ["shop:1"] * 3
        assert (await condition(cluster, "Progressing"))["reason"] == "DeploymentPaused"


async def test_old_replica_sets_beyond_the_limit_are_deleted() -> None:
    async with running_cluster() as cluster:
        await cluster.apply(deployment(replicas=1, extra="revisionHistoryLimit: 1"))
        for version in range(2, 5):
            await cluster.settled(seconds=10)
            await ship(cluster, f"shop:{version}")
        await cluster.settled(seconds=10)

        revisions = sorted(
            one["metadata"]["annotations"]["deployment.kubernetes.io/revision"] for one in await cluster.all(REPLICA_SET)
        )
        assert revisions == ["3", "4"]


async def test_pods_carry_the_hash_of_their_replica_set() -> None:
    async with running_cluster() as cluster:
        await cluster.apply(deployment(replicas=1))
        await cluster.settled()

        only = (await cluster.all(REPLICA_SET))[0]
        digest = labels_of(only)["pod-template-hash"]
        assert labels_of((await cluster.all(POD))[0])["pod-template-hash"] == digest
        assert only["spec"]["selector"]["matchLabels"]["pod-template-hash"] == digest
