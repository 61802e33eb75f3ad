"""A cluster for tests of workload controllers: API server in process, played pods, virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml

from kube.client import Client
from kube.kinds import DEPLOYMENT, ENDPOINT_SLICE, JOB, NAMESPACE, POD, REPLICA_SET, SERVICE, Kind, ObjectRef
from kube.objects import Object
from sandbox.apiserver.inprocess import InProcessTransport
from sandbox.apiserver.server import ApiServer
from sandbox.node.cluster import SimulatedCluster, simulated_cluster

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KINDS = {kind.name: kind for kind in (DEPLOYMENT, ENDPOINT_SLICE, JOB, NAMESPACE, POD, REPLICA_SET, SERVICE)}


class LoopClock:
    """Time as the event loop has it: virtual under looptime."""

    def now(self) -> datetime:
        return START + timedelta(seconds=asyncio.get_running_loop().time())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0.0))


@dataclass(frozen=True)
class Cluster:
    """What a test sees and does."""

    client: Client
    server: ApiServer
    simulated: SimulatedCluster

    @property
    def pods_say(self) -> Any:
        return self.simulated.pods

    async def apply(self, text: str) -> None:
        """Create the objects of a YAML text in namespace `default`."""
        for body in yaml.safe_load_all(text):
            kind = KINDS[body["kind"]]
            if kind.namespaced:
                body["metadata"].setdefault("namespace", "default")
            await self.client.create(kind, body)

    async def get(self, kind: Kind, name: str) -> Object:
        return await self.client.get(kind, "default" if kind.namespaced else "", name)

    async def all(self, kind: Kind, selector: str = "") -> list[Object]:
        return (await self.client.list(kind, "default", label_selector=selector)).items

    async def patch(self, kind: Kind, name: str, patch: Any, **options: Any) -> Object:
        return await self.client.patch(ObjectRef(kind, "default" if kind.namespaced else "", name), patch, **options)

    async def delete(self, kind: Kind, name: str, **options: Any) -> None:
        await self.client.delete(ObjectRef(kind, "default" if kind.namespaced else "", name), **options)

    async def scale(self, kind: Kind, name: str, replicas: int) -> None:
        await self.patch(kind, name, {"spec": {"replicas": replicas}})

    async def settled(self, *, seconds: float = 2.0) -> None:
        """Let this much virtual time pass, enough for whatever needs no waiting."""
        await asyncio.sleep(seconds)

    async def until(self, condition: Callable[[], Any], *, seconds: float = 600.0) -> None:
        """Wait, in virtual time, until an awaitable condition holds."""
        end = asyncio.get_running_loop().time() + seconds
        while not await condition():
            assert asyncio.get_running_loop().time() < end, f"not so within {seconds} s"
            await asyncio.sleep(0.1)


@asynccontextmanager
async def running_cluster(**options: Any) -> AsyncIterator[Cluster]:
    """Run API server, controllers and simulated node."""
    clock = LoopClock()
    server = ApiServer(clock=clock, seed=1)
    client = Client(InProcessTransport(server), clock=clock)
    async with simulated_cluster(client, clock, **options) as simulated:
        yield Cluster(client, server, simulated)
    await client.close()


def replica_set(name: str = "web", *, replicas: int = 3, image: str = "shop:1", extra: str = "") -> str:
    return f"""
apiVersion: apps/v1
kind: ReplicaSet
metadata: {{name: {name}}}
spec:
  replicas: {replicas}
  {extra}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: app, image: "{image}", ports: [{{name: http, containerPort: 8080}}]}}]}}
"""
