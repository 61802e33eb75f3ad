"""A cluster whose objects the gateway follows: an API server in this process, and helpers that wait for what is served."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from kube.client import Client
from kube.kinds import ENDPOINT_SLICE, NAMESPACE, POD, SERVICE, Kind, ObjectRef
from kube.objects import Object, key_of, version_of
from sandbox.apiserver.inprocess import InProcessTransport
from sandbox.apiserver.server import ApiServer
from sandbox.gateway.serving import Serving
from tests.gateway_objects import OWN, SERVICES, endpoints, pod, service

STABLE, CANARY = f"{OWN}.82.1", f"{OWN}.82.2"


async def new_client(*namespaces: str) -> Client:
    """A client of a new, empty API server."""
    found = Client(InProcessTransport(ApiServer(service_network=f"{SERVICES}.0.0/16")))
    for name in namespaces:
        await found.create(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return found


def definition(kind: Kind) -> Object:
    """A CustomResourceDefinition that takes any content."""
    names = {"plural": kind.plural, "kind": kind.name, "singular": kind.name.lower(), "listKind": f"{kind.name}List"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": kind.version, "served": True, "storage": True, "schema": schema}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{kind.group}"},
        "spec": {"group": kind.group, "names": names, "scope": "Namespaced", "versions": [version]},
    }


def stored(kind: Kind, obj: Object) -> dict[str, Any]:
    """An object as it is sent to the API server."""
    metadata = {key: value for key, value in obj["metadata"].items() if key != "creationTimestamp"}
    return {**obj, "apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata}


class Cluster:
    """An API server, its client, and the gateway that follows it."""

    def __init__(self, client: Client, running: Serving) -> None:
        self.client = client
        self.running = running

    async def create(self, kind: Kind, *objects: Object) -> None:
        """Create objects, and wait until they are served."""
        for obj in objects:
            found = await self.client.create(kind, stored(kind, obj))
        await self.running.agent.applied(ObjectRef(kind, *key_of(found)), version_of(found))

    async def patch(self, ref: ObjectRef, patch: Object) -> None:
        """Patch an object, and wait until the new state is served."""
        found = await self.client.patch(ref, patch)
        await self.running.agent.applied(ref, version_of(found))

    async def query(self, text: str, address: str = "http://prometheus.monitoring:9090") -> dict[str, float]:
        """Ask Prometheus by its name in the cluster; values by the first label's value."""
        url = f"{address}/api/v1/query"
        proxy = self.running.addresses.proxy
        async with aiohttp.ClientSession() as session, session.get(url, params={"query": text}, proxy=proxy) as answer:
            rows = (await answer.json())["data"]["result"]
        return {next(iter(row["metric"].values()), ""): float(row["value"][1]) for row in rows}

    async def until(self, text: str, wanted: dict[str, float], address: str = "http://prometheus.monitoring:9090") -> None:
        """Wait until Prometheus answers exactly this."""
        found: dict[str, float] = {}
        for _ in range(200):
            found = await self.query(text, address)
            if found == wanted:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"{text} is {found}, not {wanted}")


async def shop(cluster: Cluster) -> None:
    """A stable and a canary Service with a pod each, and a Service of both."""
    await cluster.create(SERVICE, service("web"), service("web-canary"), service("api"))
    await cluster.create(ENDPOINT_SLICE, endpoints("web", [STABLE]), endpoints("web-canary", [CANARY]))
    await cluster.create(ENDPOINT_SLICE, endpoints("api", [STABLE, CANARY]))
    await run_pod(cluster, pod(STABLE, version="1", rollouts_pod_template_hash="hash1"))
    await run_pod(cluster, pod(CANARY, version="2", rollouts_pod_template_hash="hash2"))


async def run_pod(cluster: Cluster, wanted: Object) -> None:
    """Create a pod and play the node agent: it runs at the address of its status."""
    spec = {"containers": [{"name": "app", "image": "shop", "ports": [{"containerPort": 8080}]}]}
    await cluster.create(POD, {**wanted, "spec": spec})
    ref = ObjectRef(POD, *key_of(wanted))
    found = await cluster.client.patch(ref, {"status": wanted["status"]}, subresource="status")
    await cluster.running.agent.applied(ref, version_of(found))
