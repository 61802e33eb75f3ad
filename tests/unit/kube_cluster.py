"""A controller under test beside an API server in the same process, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kube_fakes import WIDGET, LoopClock, Steady

from kube.client import Client
from kube.controller import Controller, Watch, own_key
from kube.errors import Unreachable
from kube.executor import Executor
from kube.expectations import Expectations
from kube.informer import Informer
from kube.kinds import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, Kind, ObjectRef
from kube.objects import Key, Object, controller_of, namespace_of
from kube.owners import owner_reference
from kube.pacing import Pace
from kube.plan import Create, Effect, Event, Observation, Plan
from kube.spans import TracedTransport
from kube.tracing import Tracer
from kube.transport import Transport
from sandbox.apiserver.inprocess import InProcessTransport
from sandbox.apiserver.server import ApiServer

GADGET = Kind("shop.example", "v1", "Gadget", "gadgets")
"""Like a Widget, without a status subresource."""


def definition(kind: Kind, *, status: bool) -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version: dict[str, Any] = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    if status:
        version["subresources"] = {"status": {}}
    names = {"kind": kind.name, "plural": kind.plural, "singular": kind.name.lower()}
    spec = {"group": kind.group, "scope": "Namespaced", "names": names, "versions": [version]}
    return {"metadata": {"name": f"{kind.plural}.{kind.group}"}, "spec": spec}


@dataclass
class Recorded:
    events: list[Event] = field(default_factory=list)

    def record(self, event: Event, *, uid: str = "") -> None:
        self.events.append(event)


async def nothing_to_do(key: Key, effect: Effect) -> Any:
    return None


@dataclass
class Cluster:
    server: ApiServer
    client: Client
    """The controller's."""
    user: Client
    clock: LoopClock
    recorded: Recorded
    widgets: Informer
    maps: Informer
    executor: Executor
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    leading: bool = True

    async def widget(self, name: str = "a", *, kind: Kind = WIDGET, **fields: Any) -> Object:
        return await self.user.create(kind, {"metadata": {"name": name, "namespace": "default"}, **fields})

    async def get(self, name: str = "a", kind: Kind = WIDGET) -> Any:
        return await self.user.get(kind, "default", name)

    def control(
        self,
        reconcile: Callable[[Key, Sequence[Observation], datetime], Plan | None],
        *,
        perform: Callable[[Key, Effect], Awaitable[Any]] = nothing_to_do,
        root: Informer | None = None,
        **options: Any,
    ) -> Controller:
        """Start a controller of widgets that looks after config maps."""
        root = root or self.widgets
        controller = Controller(
            "widgets",
            root=root.kind,
            watches=[Watch(root, own_key), Watch(self.maps, owners)],
            reconcile=reconcile,
            perform=perform,
            executor=self.executor,
            clock=self.clock,
            random=Steady(),  # type: ignore[arg-type]
            **options,
        )
        self.run(controller.run())
        return controller

    def run(self, work: Any) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self.tasks.append(task)
        return task

    def informer(self, kind: Kind) -> Informer:
        informer = Informer(self.client, kind, clock=self.clock, random=Steady())  # type: ignore[arg-type]
        self.run(informer.run())
        return informer

    def writes(self, verb: str = "PATCH", part: str = "") -> int:
        return sum(1 for method, path in self.requests if method == verb and part in path)


class ReadAhead:
    """A stream that is read as soon as it has something, as a kernel does for a socket."""

    def __init__(self, stream: Any) -> None:
        self.status, self.headers = stream.status, stream.headers
        self._arrived: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._read(stream))

    async def _read(self, stream: Any) -> None:
        end: Exception | None = None
        try:
            async for chunk in stream.chunks():
                self._arrived.put_nowait(chunk)
        except Unreachable as error:
            end = error
        self._arrived.put_nowait(end)

    async def chunks(self) -> AsyncIterator[bytes]:
        while (chunk := await self._arrived.get()) is not None:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


class Counted(InProcessTransport):
    """Notes each request of the controller."""

    @asynccontextmanager
    async def stream(self, path: str, **options: Any) -> AsyncIterator[Any]:
        async with super().stream(path, **options) as stream:
            ahead = ReadAhead(stream)
            try:
                yield ahead
            finally:
                await ahead.close()

    def __init__(self, server: ApiServer, requests: list[tuple[str, str]]) -> None:
        super().__init__(server, user="controller")
        self._requests = requests

    async def request(self, method: str, path: str, **options: Any) -> Any:
        self._requests.append((method, path))
        return await super().request(method, path, **options)


def owners(obj: Object) -> list[Key]:
    owner = controller_of(obj)
    return [(namespace_of(obj), str(owner["name"]))] if owner and owner["kind"] in ("Widget", "Gadget") else []


def child(root: Object, name: str = "child", data: Mapping[str, str] | None = None) -> Create:
    metadata = {"name": name, "namespace": "default", "ownerReferences": [owner_reference(root)]}
    return Create(kind=CONFIG_MAP, body={"metadata": metadata, "data": dict(data or {})})


def ref(name: str = "a", kind: Kind = WIDGET) -> ObjectRef:
    return ObjectRef(kind, "default", name)


@asynccontextmanager
async def cluster(*, tracer: Tracer | None = None, per_second: float = 0) -> AsyncIterator[Cluster]:
    clock = LoopClock()
    server = ApiServer(clock=clock, seed=1)
    user = Client(InProcessTransport(server), clock=clock)
    for kind, status in ((WIDGET, True), (GADGET, False)):
        await user.create(CUSTOM_RESOURCE_DEFINITION, definition(kind, status=status))
    await asyncio.sleep(0.1)
    requests: list[tuple[str, str]] = []
    transport: Transport = Counted(server, requests)
    if tracer is not None:
        transport = TracedTransport(transport, tracer=tracer, server="https://user:sesame@cluster.example/token/sesame")
    pace = Pace(clock, per_second=per_second, burst=10)
    client = Client(transport, clock=clock, pace=pace, random=Steady())  # type: ignore[arg-type]
    recorded = Recorded()
    widgets, maps = (Informer(client, kind, clock=clock, random=Steady()) for kind in (WIDGET, CONFIG_MAP))  # type: ignore[arg-type]
    made: list[Cluster] = []
    executor = Executor(
        client,
        recorder=recorded,
        expectations=Expectations(clock),
        clock=clock,
        guard=lambda: all(one.leading for one in made),
        tracer=tracer,
    )
    scene = Cluster(server, client, user, clock, recorded, widgets, maps, executor, requests=requests)
    made.append(scene)
    for informer in (widgets, maps):
        scene.run(informer.run())
    try:
        yield scene
    finally:
        for task in scene.tasks:
            task.cancel()
        results = await asyncio.gather(*scene.tasks, return_exceptions=True)
        assert [one for one in results if isinstance(one, Exception)] == []
