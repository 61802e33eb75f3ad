"""The controllers on a cluster in one process: API server, played pods, virtual time, every request counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import yaml
from workloads_harness import LoopClock

from kube.client import Client
from kube.kinds import ANALYSIS_RUN, CORE_EVENT, REPLICA_SET, ROLLOUT, Kind, ObjectRef
from kube.objects import Object, name_of
from kube.transport import Response
from rollouts.manager import Manager, Options
from rollouts.rollout.gather import KINDS
from sandbox.apiserver.inprocess import InProcessTransport
from sandbox.apiserver.installing import install_all
from sandbox.apiserver.server import ApiServer
from sandbox.node.cluster import SimulatedCluster, simulated_cluster

CONTROLLER = "controller"
BOOKKEEPING = ("events", "leases")


@dataclass
class Cluster:
    """What a test sees and does; everything happens in namespace `default`."""

    client: Client
    server: ApiServer
    simulated: SimulatedCluster
    manager: Manager
    task: asyncio.Task[None]

    @property
    def pods(self) -> Any:
        """What to say about pods by image, such as `cluster.pods.never_ready("shop:2")`."""
        return self.simulated.pods

    async def apply(self, text: str) -> None:
        """Create the objects of a YAML text, or patch those that are there."""
        for body in yaml.safe_load_all(text):
            if body:
                await self.put(body)

    async def put(self, body: Mapping[str, Any]) -> None:
        """Create an object."""
        kind = next(one for one in KINDS if one.name == body["kind"])
        if kind.namespaced:
            body = {**body, "metadata": {"namespace": "default", **body["metadata"]}}
        await self.client.create(kind, body)

    async def get(self, kind: Kind, name: str) -> Object:
        return await self.client.get(kind, "default" if kind.namespaced else "", name)

    async def all(self, kind: Kind) -> list[Object]:
        return (await self.client.list(kind, "default" if kind.namespaced else "")).items

    async def patch(self, kind: Kind, name: str, patch: Any, **options: Any) -> Object:
        return await self.client.patch(ObjectRef(kind, "default" if kind.namespaced else "", name), patch, **options)

    async def set_image(self, image: str, name: str = "shop") -> None:
        template = {"spec": {"containers": [{"name": "shop", "image": image}]}}
        await self.patch(ROLLOUT, name, {"spec": {"template": template}})

    async def patch_status(self, patch: Mapping[str, Any], name: str = "shop") -> None:
        await self.patch(ROLLOUT, name, {"status": patch}, subresource="status")

    async def status(self, name: str = "shop") -> Mapping[str, Any]:
        return (await self.get(ROLLOUT, name)).get("status") or {}

    async def sizes(self) -> dict[str, int]:
        """Return `spec.replicas` by image."""
        return {
            one["spec"]["template"]["spec"]["containers"][0]["image"]: one["spec"]["replicas"]
            for one in await self.all(REPLICA_SET)
        }

    async def reasons(self) -> list[str]:
        """Return the reasons of all events, repetitions once."""
        return [
            one["reason"] for one in sorted(await self.all(CORE_EVENT), key=lambda one: int(one["metadata"]["resourceVersion"]))
        ]

    async def finish_run(self, phase: str, message: str = "") -> str:
        """Give the only unfinished AnalysisRun a verdict from outside."""
        [run] = [
            one
            for one in await self.all(ANALYSIS_RUN)
            if (one.get("status") or {}).get("phase") in (None, "", "Pending", "Running")
        ]
        await self.patch(ANALYSIS_RUN, name_of(run), {"status": {"phase": phase, "message": message}})
        return name_of(run)

    async def until(self, condition: Callable[[Mapping[str, Any]], bool], name: str = "shop", *, seconds: float = 900.0) -> None:
        """Wait, in virtual time, until a Rollout's status is as wanted."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not condition(status := await self.status(name)):
            assert loop.time() < end, f"not so within {seconds} s; the status is {status}"
            assert not self.task.done(), self.task
            await asyncio.sleep(0.05)

    async def phase(self, phase: str, name: str = "shop", *, seconds: float = 900.0) -> None:
        """Wait until the Rollout has this phase and its latest spec was seen."""
        generation = str((await self.get(ROLLOUT, name))["metadata"]["generation"])
        await self.until(
            lambda status: status.get("phase") == phase and status.get("observedGeneration") == generation, name, seconds=seconds
        )

    async def settled(self, *, seconds: float = 3.0) -> None:
        """Let virtual time pass, enough for what needs no waiting."""
        await asyncio.sleep(seconds)

    def writes(self) -> dict[str, int]:
        """Return the controller's writes by verb and resource; events and leases are not counted."""
        verbs = ("create", "update", "patch", "delete")
        return {
            f"{row['verb']} {row['resource']}": int(row["count"])
            for row in self.server.counts.rows()
            if row["user"] == CONTROLLER and row["verb"] in verbs and row["resource"] not in BOOKKEEPING
        }

    async def restart_controller(self, *, writes: int | None = None) -> Mortal:
        """Kill the controller where it stands and start another one, which may be mortal too."""
        await stop(self.task)
        await self.manager.close()
        self.manager, self.task, transport = start_controller(self.server, writes=writes)
        return transport


class Mortal(InProcessTransport):
    """The way of a process to the server that is killed with its n-th write: it was sent, nobody reads the answer."""

    def __init__(self, server: ApiServer, *, writes: int | None) -> None:
        super().__init__(server, user=CONTROLLER)
        self.left = writes
        self.died = asyncio.Event()

    async def request(self, method: str, path: str, **options: Any) -> Response:
        if self.died.is_set():
            await asyncio.Event().wait()
        counts = self.left is not None and method != "GET" and not path.endswith("/events")
        if counts and self.left is not None:
            self.left -= 1
            if self.left <= 0:
                self.died.set()
        answer = await super().request(method, path, **options)
        if self.died.is_set():
            await asyncio.Event().wait()
        return answer


def start_controller(
    server: ApiServer, *, writes: int | None = None, options: Options | None = None
) -> tuple[Manager, asyncio.Task[None], Mortal]:
    clock, transport = LoopClock(), Mortal(server, writes=writes)
    manager = Manager(client=Client(transport, clock=clock), clock=clock, options=options or Options())
    return manager, asyncio.create_task(manager.run(), name="manager"), transport


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def running(*, ready_after: float = 0.0, gone_after: float = 0.0) -> AsyncIterator[Cluster]:
    """Run everything; pods take `ready_after` seconds to get ready."""
    clock = LoopClock()
    server = ApiServer(clock=clock, seed=1)
    client = Client(InProcessTransport(server, user="person"), clock=clock)
    await install_all(server)
    ready, gone = timedelta(seconds=ready_after), timedelta(seconds=gone_after)
    async with simulated_cluster(client, clock, ready_after=ready, gone_after=gone) as simulated:
        manager, task, _ = start_controller(server)
        cluster = Cluster(client, server, simulated, manager, task)
        try:
            yield cluster
        finally:
            await stop(cluster.task)
            await cluster.manager.close()
    await client.close()
