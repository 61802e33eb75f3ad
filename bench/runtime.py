"""What the runtime costs: watch intake, reconciles with a status write, memory of a store.

Run `python -m bench.runtime` from the root of the project (`--help` tells the options). The server is a process of its own on
the loopback interface and shares the cores, so repeat on a calm machine; the best of the rounds is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import multiprocessing
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

from aiohttp import web

from kube.client import Client
from kube.clock import SystemClock
from kube.config import Connection, connect
from kube.controller import Controller, Watch, own_key
from kube.executor import Executor
from kube.expectations import Expectations
from kube.informer import Informer
from kube.kinds import ROLLOUT
from kube.objects import Key
from kube.plan import Effect, Event, Observation, Plan

OBJECTS = 1000


def rollout(number: int, version: int) -> dict[str, Any]:
    """Return an object of about 4 KB of JSON, managed fields included."""
    labels = {f"label-{index}": f"value-{index}-{number}" for index in range(8)}
    container = {
        "name": "app",
        "image": f"registry.example/shop/app-{number}:1.2.{version}",
        "env": [{"name": f"VARIABLE_{index}", "value": f"some value {index} of {number}"} for index in range(42)],
        "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
    }
    condition = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable", "message": "it progresses", "n": 1}
    return {
        "apiVersion": ROLLOUT.api_version,
        "kind": ROLLOUT.name,
        "metadata": {
            "name": f"app-{number}",
            "namespace": "shop",
            "uid": f"uid-{number}",
            "resourceVersion": str(version),
            "labels": labels,
            "managedFields": [{"manager": "kubectl", "fieldsV1": {f"f:{name}": {} for name in labels}}],
        },
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            "strategy": {"canary": {"steps": [{"setWeight": weight} for weight in range(10, 100, 10)]}},
        },
        "status": {"phase": "Healthy", "conditions": [condition] * 3},
    }


def line(kind: str, obj: dict[str, Any]) -> bytes:
    """Return one watch event."""
    return json.dumps({"type": kind, "object": obj}, separators=(",", ":")).encode() + b"\n"


class Server:
    """Lists objects, streams a wave of events, and takes status patches, whose result it echoes to the watch."""

    def __init__(self, events: int) -> None:
        self._version = OBJECTS + 1
        self._objects = [rollout(number, number + 1) for number in range(OBJECTS)]
        self._wave = b"".join(line("MODIFIED", rollout(number % OBJECTS, OBJECTS + 2 + number)) for number in range(events))
        self._echo: asyncio.Queue[bytes] = asyncio.Queue()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer the few requests that the benchmark makes."""
        if request.method == "PATCH":
            return await self._patch(request)
        if "watch" in request.query:
            return await self._stream(request)
        metadata = {"resourceVersion": str(self._version)}
        return web.json_response({"kind": "RolloutList", "metadata": metadata, "items": self._objects})

    async def _patch(self, request: web.BaseRequest) -> web.StreamResponse:
        number = int(request.path.split("/")[-2].removeprefix("app-"))
        patch = json.loads(await request.read())
        self._version += 1
        obj = self._objects[number]
        obj["status"] = {**obj["status"], **patch["status"]}
        obj["metadata"]["resourceVersion"] = str(self._version)
        body = json.dumps(obj, separators=(",", ":")).encode()
        self._echo.put_nowait(b'{"type":"MODIFIED","object":' + body + b"}\n")
        return web.Response(body=body, content_type="application/json")

    async def _stream(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for start in range(0, len(self._wave), 65536):
            await response.write(self._wave[start : start + 65536])
        while True:
            chunk = await self._echo.get()
            while not self._echo.empty():
                chunk += self._echo.get_nowait()
            await response.write(chunk)


async def _serve(events: int, pipe: Pipe) -> None:
    server = Server(events)
    runner = web.ServerRunner(web.Server(server.handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    pipe.send(runner.addresses[0][1])
    await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
    sys.stdout.flush()


def serve(events: int, pipe: Pipe) -> None:
    """Serve until told to end: the body of the other process."""
    asyncio.run(_serve(events, pipe))


class Served:
    """The server's process, for the length of a `with`."""

    def __init__(self, events: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(events, theirs), daemon=True)

    def __enter__(self) -> str:
        self._process.start()
        return f"http://127.0.0.1:{self._ours.recv()}"

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    name: str
    value: float
    goal: str
    met: bool


class Silent:
    """Takes events and forgets them."""

    def record(self, event: Event, *, uid: str = "") -> None:
        """Forget it."""


async def intake(url: str, events: int) -> float:
    """Return the watch events per second that reach the store and a handler."""
    client = Client(connect(Connection(server=url)))
    informer = Informer(client, ROLLOUT, indices={"image": lambda obj: [obj["metadata"]["labels"]["label-0"]]})
    done = asyncio.Event()
    first: list[float] = []

    def changed(old: Any, new: Any) -> None:
        if old is not None and not first:
            first.append(time.perf_counter())
        if int(new["metadata"]["resourceVersion"]) == OBJECTS + 1 + events:
            done.set()

    informer.on_change(changed)
    task = asyncio.create_task(informer.run())
    await done.wait()
    elapsed = time.perf_counter() - first[0]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await client.close()
    return events / elapsed


async def reconciles(url: str, rounds: int, workers: int) -> float:
    """Return the reconciles per second that write a status and see its echo before the next one of that object."""
    client, clock = Client(connect(Connection(server=url))), SystemClock()
    informer = Informer(client, ROLLOUT)
    done = asyncio.Event()
    written = [0]

    def reconcile(key: Key, observations: Sequence[Observation], now: datetime) -> Plan | None:
        root = informer.store.get(*key)
        if root is None:
            return None
        count = int(root["status"].get("count", 0))
        if count >= rounds:
            return Plan(status=root["status"])
        written[0] += 1
        if written[0] == rounds * OBJECTS:
            done.set()
        return Plan(status={**root["status"], "count": count + 1})

    async def perform(key: Key, effect: Effect) -> None:
        return None

    executor = Executor(client, recorder=Silent(), expectations=Expectations(clock), clock=clock)
    controller = Controller(
        "bench",
        root=ROLLOUT,
        watches=[Watch(informer, own_key)],
        reconcile=reconcile,
        perform=perform,
        executor=executor,
        clock=clock,
        workers=workers,
    )
    feed = asyncio.create_task(informer.run())
    await informer.synced()
    start = time.perf_counter()
    work = asyncio.create_task(controller.run())
    await done.wait()
    elapsed = time.perf_counter() - start
    for task in (work, feed):
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await client.close()
    return rounds * OBJECTS / elapsed


async def memory(url: str) -> float:
    """Return the megabytes by which the process grows for 1,000 objects."""
    client = Client(connect(Connection(server=url)))
    await client.read("/")
    gc.collect()
    before = _resident_bytes()
    informer = Informer(client, ROLLOUT)
    task = asyncio.create_task(informer.run())
    await informer.synced()
    gc.collect()
    grown = _resident_bytes() - before
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await client.close()
    return grown / 1e6 / (len(informer.store) / 1000)


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000, help="size of the wave of watch events")
    parser.add_argument("--status-rounds", type=int, default=4, help="status writes per object")
    parser.add_argument("--workers", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured; the best counts")
    options = parser.parse_args()
    with Served(0) as url:
        megabytes = asyncio.run(memory(url))
    taken = []
    done = []
    for _ in range(options.rounds):
        with Served(options.events) as url:
            taken.append(asyncio.run(intake(url, options.events)))
        with Served(0) as url:
            done.append(asyncio.run(reconciles(url, options.status_rounds, options.workers)))
    size = len(json.dumps(rollout(1, 1), separators=(",", ":")))
    figures = (
        Figure(f"watch events/s, objects of {size / 1000:.1f} KB", max(taken), "> 10,000", max(taken) > 10_000),
        Figure("reconciles with a status write per second", max(done), "> 2,000", max(done) > 2_000),
        Figure("MB per 1,000 objects", megabytes, "< 30", megabytes < 30),
    )
    print(f"{'figure':<45}{'measured':>12}{'goal':>10}")
    for figure in figures:
        print(f"{figure.name:<45}{figure.value:>12,.0f}{figure.goal:>10}{'' if figure.met else '   missed'}")


if __name__ == "__main__":
    main()
