"""Istio through the whole controller: two Services, several VirtualServices, TLS and TCP routes, header and mirror routes."""

from __future__ import annotations

from typing import Any

import pytest
from rollout_harness import CONTROLLER, Cluster, running

from kube.kinds import DESTINATION_RULE, REPLICA_SET, ROLLOUT, SERVICE, VIRTUAL_SERVICE, ObjectRef
from kube.objects import annotations_of, labels_of
from sandbox.apiserver.faults import Fault
from tests.shops import MESH, SERVICES, routed_rollout

pytestmark = pytest.mark.looptime

HASH = "rollouts-pod-template-hash"
VIRTUAL_SERVICES = """
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [shop]
  http:
  - name: primary
    route:
    - {destination: {host: shop}, weight: 100}
    - {destination: {host: shop-canary}, weight: 0}
  - name: others
    route: [{destination: {host: files}}]
---
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: sockets}
spec:
  hosts: [shop.example]
  tls:
  - match: [{port: 443, sniHosts: [shop.example]}]
    route:
    - {destination: {host: shop}, weight: 100}
    - {destination: {host: shop-canary}, weight: 0}
  tcp:
  - match: [{port: 3306}]
    route:
    - {destination: {host: shop}, weight: 100}
    - {destination: {host: shop-canary}, weight: 0}
"""
HOST_SPLIT: dict[str, Any] = {
    "stableService": "shop",
    "canaryService": "shop-canary",
    "trafficRouting": {
        "istio": {
            "virtualServices": [
                {"name": "web", "routes": ["primary"]},
                {"name": "sockets", "tlsRoutes": [{"port": 443, "sniHosts": ["shop.example"]}], "tcpRoutes": [{"port": 3306}]},
            ]
        }
    },
}


async def shares(cluster: Cluster) -> dict[str, tuple[int, int]]:
    """Return the weights of stable and canary in every steered route."""
    found: dict[str, tuple[int, int]] = {}
    for name, protocol in (("web", "http"), ("sockets", "tls"), ("sockets", "tcp")):
        [stable, canary] = (await cluster.get(VIRTUAL_SERVICE, name))["spec"][protocol][0]["route"]
        found[protocol] = (stable.get("weight", 0), canary.get("weight", 0))
    return found


def everywhere(canary: int) -> dict[str, tuple[int, int]]:
    return dict.fromkeys(("http", "tls", "tcp"), (100 - canary, canary))


async def deploy(cluster: Cluster, steps: list[dict[str, Any]], canary: dict[str, Any], objects: str) -> None:
    await cluster.apply(objects)
    await cluster.put(routed_rollout(steps, canary, replicas=4))
    await cluster.phase("Healthy")
    await cluster.settled()


async def resume(cluster: Cluster) -> None:
    await cluster.patch_status({"pauseConditions": None})
    await cluster.settled(seconds=10)


async def image_behind(cluster: Cluster, service: str) -> str:
    pod_hash = (await cluster.get(SERVICE, service))["spec"]["selector"][HASH]
    found = {labels_of(one)[HASH]: one for one in await cluster.all(REPLICA_SET)}
    return str(found[pod_hash]["spec"]["template"]["spec"]["containers"][0]["image"])


async def test_two_services_and_routes_of_every_protocol_move_together() -> None:
    async with running(ready_after=1) as cluster:
        await deploy(
            cluster,
            [{"setWeight": 25}, {"pause": {}}, {"setWeight": 75}, {"pause": {}}],
            HOST_SPLIT,
            SERVICES + "---" + VIRTUAL_SERVICES,
        )
        await cluster.set_image("shop:2")
        await cluster.phase("Paused")
        assert await shares(cluster) == everywhere(25)
        assert (await image_behind(cluster, "shop"), await image_behind(cluster, "shop-canary")) == ("shop:1", "shop:2")
        await resume(cluster)
        assert await shares(cluster) == everywhere(75)
        await resume(cluster)
        await cluster.phase("Healthy")
        await cluster.settled()
        assert await shares(cluster) == everywhere(0)
        assert (await image_behind(cluster, "shop"), await image_behind(cluster, "shop-canary")) == ("shop:2", "shop:2")
        [_, others] = (await cluster.get(VIRTUAL_SERVICE, "web"))["spec"]["http"]
        assert others == {"name": "others", "route": [{"destination": {"host": "files"}}]}, "foreign routes stay as they are"


async def test_the_stable_service_moves_before_the_weight_goes_back() -> None:
    """At promotion the Service of the stable version selects the new pods first; only then the canary's weight falls to 0."""
    async with running(ready_after=1) as cluster:
        await deploy(cluster, [{"setWeight": 50}, {"pause": {}}], HOST_SPLIT, SERVICES + "---" + VIRTUAL_SERVICES)
        await cluster.set_image("shop:2")
        await cluster.phase("Paused")
        cluster.server.faults.set(Fault(action="error", verb="write", resource="services", user=CONTROLLER, times=5))
        await cluster.patch_status({"pauseConditions": None})
        behind = set()
        for _ in range(400):
            if (await shares(cluster))["http"] == (100, 0):
                break
            if (await cluster.status()).get("currentStepIndex") == 2:
                behind.add((await image_behind(cluster, "shop"), (await shares(cluster))["http"]))
            await cluster.settled(seconds=0.05)
        assert await image_behind(cluster, "shop") == "shop:2"
        assert ("shop:1", (100, 0)) not in behind


async def test_one_virtual_service_that_is_edited_in_mid_step_is_put_right() -> None:
    async with running(ready_after=1) as cluster:
        await deploy(cluster, [{"setWeight": 25}, {"pause": {}}], HOST_SPLIT, SERVICES + "---" + VIRTUAL_SERVICES)
        await cluster.set_image("shop:2")
        await cluster.phase("Paused")
        route = (await cluster.get(VIRTUAL_SERVICE, "web"))["spec"]["http"]
        for weight, destination in zip((10, 90), route[0]["route"], strict=True):
            destination["weight"] = weight
        await cluster.patch(VIRTUAL_SERVICE, "web", {"spec": {"http": route}})
        await cluster.settled()
        assert await shares(cluster) == everywhere(25)
        assert await cluster.sizes() == {"shop:1": 4, "shop:2": 1}


ROUTES: dict[str, Any] = {
    "trafficRouting": {
        "managedRoutes": [{"name": "testers"}, {"name": "copies"}],
        "istio": {
            "virtualService": {"name": "shop", "routes": ["primary"]},
            "destinationRule": {"name": "shop", "stableSubsetName": "stable", "canarySubsetName": "canary"},
        },
    }
}
WITH_ROUTES: list[dict[str, Any]] = [
    {"setCanaryScale": {"replicas": 1}},
    {"setHeaderRoute": {"name": "testers", "match": [{"headerName": "x-tester", "headerValue": {"exact": "yes"}}]}},
    {"setMirrorRoute": {"name": "copies", "match": [{"method": {"exact": "GET"}}], "percentage": 20}},
    {"pause": {}},
    {"setMirrorRoute": {"name": "copies"}},
    {"pause": {}},
]


async def routes(cluster: Cluster) -> list[str]:
    return [one["name"] for one in (await cluster.get(VIRTUAL_SERVICE, "shop"))["spec"]["http"]]


@pytest.mark.parametrize("end", ["promote", "abort"])
async def test_header_and_mirror_routes_are_set_removed_by_steps_and_gone_in_the_end(end: str) -> None:
    async with running(ready_after=1) as cluster:
        await deploy(cluster, WITH_ROUTES, ROUTES, MESH)
        await cluster.set_image("shop:2")
        await cluster.phase("Paused")
        assert await routes(cluster) == ["testers", "copies", "primary"]
        [testers, copies, _] = (await cluster.get(VIRTUAL_SERVICE, "shop"))["spec"]["http"]
        assert [one["destination"]["subset"] for one in testers["route"]] == ["canary"]
        assert copies["mirrorPercentage"] == {"value": 20}
        await resume(cluster)
        assert await routes(cluster) == ["testers", "primary"]
        await cluster.patch_status({"abort": True} if end == "abort" else {"pauseConditions": None})
        await cluster.phase("Degraded" if end == "abort" else "Healthy")
        await cluster.settled(seconds=40)
        assert await routes(cluster) == ["primary"]
        assert await cluster.sizes() == ({"shop:1": 4, "shop:2": 0} if end == "abort" else {"shop:1": 0, "shop:2": 4})


async def test_a_rollout_deleted_in_mid_update_leaves_no_mark_behind() -> None:
    async with running(ready_after=1) as cluster:
        await deploy(cluster, [{"setWeight": 25}, {"pause": {}}], {**ROUTES, "stableService": "shop"}, MESH)
        await cluster.set_image("shop:2")
        await cluster.phase("Paused")
        assert HASH in (await cluster.get(SERVICE, "shop"))["spec"]["selector"]
        await cluster.client.delete(ObjectRef(ROLLOUT, "default", "shop"))
        await cluster.settled(seconds=10)
        service, rule = await cluster.get(SERVICE, "shop"), await cluster.get(DESTINATION_RULE, "shop")
        assert service["spec"]["selector"] == {"app": "shop"}
        assert [subset["labels"] for subset in rule["spec"]["subsets"]] == [{"app": "shop"}, {"app": "shop"}]
        marks = [key for obj in (service, rule) for key in annotations_of(obj) if "managed-by-rollouts" in key]
        assert marks == []
        assert await cluster.all(REPLICA_SET) == []
