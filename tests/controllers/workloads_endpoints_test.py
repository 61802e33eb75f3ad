"""Endpoints, garbage collection and namespace deletion on the sandbox's API server, in virtual time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from workloads_harness import Cluster, replica_set, running_cluster

from kube.errors import NotFound
from kube.kinds import ENDPOINT_SLICE, ENDPOINTS, NAMESPACE, POD, REPLICA_SET, SERVICE
from kube.objects import name_of

pytestmark = pytest.mark.looptime

SHOP = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: web, port: 80, targetPort: http}]
"""


async def slices(cluster: Cluster) -> list[dict[str, Any]]:
    return [one for piece in await cluster.all(ENDPOINT_SLICE) for one in piece["endpoints"]]


async def test_ready_pods_are_endpoints_at_the_port_their_container_names() -> None:
    async with running_cluster() as cluster:
        await cluster.apply(SHOP)
        await cluster.apply(replica_set(replicas=2))
        await cluster.settled()

        addresses = sorted(pod["status"]["podIP"] for pod in await cluster.all(POD))
        pieces = await cluster.all(ENDPOINT_SLICE)
        subset = (await cluster.get(ENDPOINTS, "web"))["subsets"][0]
        assert len(pieces) == 1
        assert pieces[0]["metadata"]["labels"]["kubernetes.io/service-name"] == "web"
        assert pieces[0]["ports"] == [{"name": "web", "port": 8080, "protocol": "TCP"}]
        assert sorted(one["addresses"][0] for one in pieces[0]["endpoints"]) == addresses
        assert sorted(one["ip"] for one in subset["addresses"]) == addresses


async def test_a_pod_that_is_not_ready_is_listed_as_such() -> None:
    async with running_cluster() as cluster:
        cluster.pods_say.never_ready("shop:1")
        await cluster.apply(SHOP)
        await cluster.apply(replica_set(replicas=1))
        await cluster.settled()

        assert [one["conditions"] for one in await slices(cluster)] == [{"ready": False, "serving": False, "terminating": False}]
        assert "addresses" not in (await cluster.get(ENDPOINTS, "web"))["subsets"][0]


async def test_a_pod_on_its_way_out_still_serves_but_gets_no_new_requests() -> None:
    async with running_cluster(gone_after=timedelta(seconds=20)) as cluster:
        await cluster.apply(SHOP)
        await cluster.apply(replica_set(replicas=1))
        await cluster.settled()
        await cluster.scale(REPLICA_SET, "web", 0)
        await cluster.settled()
        going = [one["conditions"] for one in await slices(cluster)]
        await asyncio.sleep(30)

        assert going == [{"ready": False, "serving": True, "terminating": True}]
        assert await slices(cluster) == []


async def test_changing_the_selector_moves_the_endpoints() -> None:
    async with running_cluster() as cluster:
        await cluster.apply(SHOP)
        await cluster.apply(replica_set("web", replicas=1))
        await cluster.apply(replica_set("canary", replicas=1))
        await cluster.settled()
        await cluster.patch(SERVICE, "web", {"spec": {"selector": {"app": "canary"}}})
        await cluster.settled()

        assert [one["targetRef"]["name"].split("-")[0] for one in await slices(cluster)] == ["canary"]


async def test_deleting_an_owner_collects_what_it_owned() -> None:
    async with running_cluster() as cluster:
        await cluster.apply(SHOP)
        await cluster.apply(replica_set())
        await cluster.settled()
        await cluster.delete(REPLICA_SET, "web")
        await cluster.delete(SERVICE, "web")
        await cluster.settled(seconds=5)

        assert await cluster.all(POD) == []
        assert await cluster.all(ENDPOINT_SLICE) == []
        with pytest.raises(NotFound):
            await cluster.get(ENDPOINTS, "web")


async def test_foreground_deletion_keeps_the_owner_until_its_pods_are_gone() -> None:
    async with running_cluster(gone_after=timedelta(seconds=10)) as cluster:
        await cluster.apply(replica_set())
        await cluster.settled()
        await cluster.delete(REPLICA_SET, "web", propagation="Foreground")
        await asyncio.sleep(5)
        during = (await cluster.get(REPLICA_SET, "web"))["metadata"]
        await asyncio.sleep(15)

        assert during["deletionTimestamp"]
        assert await cluster.all(POD) == []
        with pytest.raises(NotFound):
            await cluster.get(REPLICA_SET, "web")


async def test_orphan_deletion_leaves_the_pods_without_owner() -> None:
    async with running_cluster() as cluster:
        await cluster.apply(replica_set())
        await cluster.settled()
        await cluster.delete(REPLICA_SET, "web", propagation="Orphan")
        await cluster.settled(seconds=5)

        pods = await cluster.all(POD)
        assert len(pods) == 3
        assert all("ownerReferences" not in pod["metadata"] for pod in pods)


async def test_a_new_replica_set_takes_over_orphaned_pods_without_replacing_them() -> None:
    async with running_cluster() as cluster:
        await cluster.apply(replica_set())
        await cluster.settled()
        before = {name_of(pod) for pod in await cluster.all(POD)}
        await cluster.delete(REPLICA_SET, "web", propagation="Orphan")
        await cluster.settled(seconds=5)
        await cluster.apply(replica_set())
        await cluster.settled(seconds=5)

        assert {name_of(pod) for pod in await cluster.all(POD)} == before


async def test_a_deleted_namespace_takes_everything_in_it_along() -> None:
    async with running_cluster() as cluster:
        await cluster.apply("{apiVersion: v1, kind: Namespace, metadata: {name: team}}")
        await cluster.apply(SHOP.replace("name: web}", "name: web, namespace: team}"))
        await cluster.apply(replica_set().replace("{name: web}\nspec", "{name: web, namespace: team}\nspec"))
        await cluster.settled()
        assert len((await cluster.client.list(POD, "team")).items) == 3
        await cluster.delete(NAMESPACE, "team")
        await cluster.settled(seconds=10)

        with pytest.raises(NotFound):
            await cluster.get(NAMESPACE, "team")
        assert (await cluster.client.list(POD, "team")).items == []
