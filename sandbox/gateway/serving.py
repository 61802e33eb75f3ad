"""Gateway, metrics relay and Prometheus together, for one cluster.

Owns what is started in which order, and that all of it ends. Must not: hold behaviour of any part.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from aiohttp import web

from kube.client import Client
from kube.kinds import ObjectRef
from sandbox.gateway.agent import KINDS, Agent
from sandbox.gateway.gateway import Gateway, NotServed, free_port, lowest_port
from sandbox.gateway.world import Settings, Socket, World
from sandbox.metrics.prometheus import BINARY_VARIABLE, Prometheus, cluster_objects, prometheus_path
from sandbox.metrics.relay import Relay
from sandbox.metrics.requests import Requests, Workload
from sandbox.metrics.targets import Target, targets_of, workload_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to serve. A port of 0 is any free one."""

    state: Path
    """Folder for Envoy's files, Prometheus' data, and `ready.json`, which says where everything is."""
    address: str = "127.0.0.1"
    ingress_port: int = 0
    proxy_port: int = 0
    prometheus_port: int = 0
    prometheus_binary: str | None = None
    with_prometheus: bool = True
    scrape_seconds: float = 1.0
    annotation_prefix: str = "nginx.ingress.kubernetes.io"
    ingress_classes: tuple[str, ...] = ("nginx",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where things are, as URLs; empty for what does not run."""

    ingress: str
    proxy: str
    prometheus: str
    metrics: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """The running parts."""

    agent: Agent
    gateway: Gateway
    relay: Relay
    prometheus: Prometheus | None
    addresses: Addresses
    following: asyncio.Task[None]

    async def until(self, stop: asyncio.Event) -> None:
        """Wait for `stop`; what ends the agent before that is raised."""
        waiting = asyncio.create_task(stop.wait())
        await asyncio.wait({waiting, self.following}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self.following.done():
            self.following.result()


class Workloads:
    """Which pods there are: targets for the relay, and whose address is whose, also shortly after a pod is gone."""

    def __init__(self) -> None:
        self._world = World()
        self._by_address: dict[str, Workload] = {}

    def follow(self, world: World) -> None:
        """Take in the present pods."""
        self._world = world
        for pod in world.pods:
            address = (pod.get("status") or {}).get("podIP")
            if address:
                self._by_address[str(address)] = workload_of(pod)

    def at(self, address: str) -> Workload | None:
        """Return whose pod has, or last had, an address."""
        return self._by_address.get(address)

    def targets(self) -> list[Target]:
        """Return what is to be scraped now."""
        return targets_of(self._world.pods, self._world.slices)


@asynccontextmanager
async def serving(client: Client, options: Options) -> AsyncIterator[Serving]:
    """Run everything, ready when entered; nothing is left running after.

    Raises:
        NotServed: Envoy is not there or does not start.
        NoPrometheus: a Prometheus that is there does not start. Without a binary one is missed, and that is logged.
    """
    workloads = Workloads()
    requests = Requests(workloads.at)
    settings = Settings(
        ingress=Socket(options.address, options.ingress_port or free_port(options.address)),
        proxy=Socket(options.address, options.proxy_port or free_port(options.address)),
        annotation_prefix=options.annotation_prefix,
        ingress_classes=options.ingress_classes,
        lowest_port=lowest_port(),
    )
    ready = options.state / "ready.json"
    ready.unlink(missing_ok=True)  # of one that was killed
    async with AsyncExitStack() as stack:
        gateway = Gateway(options.state / "envoy", settings, on_request=requests.record)
        agent = Agent(client, gateway)
        relay = Relay(targets=workloads.targets, gateway=requests.expose, more={"/applied": _applied(agent)})
        for part in (gateway, relay):
            stack.push_async_callback(part.stop)
        await relay.start()
        agent.on_world(workloads.follow)
        prometheus, _ = await asyncio.gather(_start_prometheus(options, relay, stack), gateway.start())
        following = asyncio.create_task(agent.run())
        stack.push_async_callback(_cancel, following)
        if prometheus:
            await agent.ensure(cluster_objects("127.0.0.1", prometheus.port))
        addresses = _addresses(settings, relay, prometheus)
        running = Serving(
            agent=agent, gateway=gateway, relay=relay, prometheus=prometheus, addresses=addresses, following=following
        )
        await running.until(agent.ready)
        with _Announced(ready, addresses):
            yield running


def _applied(agent: Agent) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return `GET /applied?kind=Ingress&namespace=NS&name=NAME&version=RESOURCEVERSION`: answers once that state is served.

    504 after `timeout` seconds (default 10): it was not seen, was replaced meanwhile, or Envoy does not take it.
    """
    kinds = {kind.name: kind for kind in KINDS}

    async def answer(request: web.Request) -> web.Response:
        asked = request.query
        seconds = asked.get("timeout", "10")
        if asked.get("kind") not in kinds or not asked.get("name") or not asked.get("version") or not seconds.isdecimal():
            return web.Response(
                status=400, text=f"give kind ({', '.join(kinds)}), namespace, name, version, timeout (whole seconds)\n"
            )
        ref = ObjectRef(kinds[asked["kind"]], asked.get("namespace", "default"), asked["name"])
        try:
            await agent.applied(ref, asked["version"], timeout_seconds=float(seconds))
        except (TimeoutError, NotServed) as error:
            return web.Response(status=504, text=f"{ref} at {asked['version']} is not served: {error or 'not seen in time'}\n")
        return web.Response(text="served\n")

    return answer


async def _start_prometheus(options: Options, relay: Relay, stack: AsyncExitStack) -> Prometheus | None:
    if not options.with_prometheus:
        return None
    binary = prometheus_path(options.prometheus_binary)
    if binary is None:
        log.warning("no Prometheus: install one (apt-get install prometheus), or name its binary in %s", BINARY_VARIABLE)
        return None
    port = options.prometheus_port or free_port()
    folder = options.state / "prometheus"
    found = Prometheus(binary, folder, port=port, relay_port=relay.port, interval_seconds=options.scrape_seconds)
    stack.push_async_callback(found.stop)
    await found.start()
    return found


def _addresses(settings: Settings, relay: Relay, prometheus: Prometheus | None) -> Addresses:
    return Addresses(
        ingress=f"http://{settings.ingress}",
        proxy=f"http://{settings.proxy}",
        prometheus=prometheus.address if prometheus else "",
        metrics=f"http://127.0.0.1:{relay.port}",
    )


class _Announced:
    """While entered, a file tells others where everything is; it appears whole or not at all."""

    def __init__(self, path: Path, addresses: Addresses) -> None:
        self._path = path
        self._content: Mapping[str, object] = {**asdict(addresses), "pid": os.getpid()}

    def __enter__(self) -> None:
        beside = self._path.with_suffix(".tmp")
        beside.write_text(json.dumps(self._content, indent=2) + "\n")
        os.replace(beside, self._path)

    def __exit__(self, *_: object) -> None:
        self._path.unlink(missing_ok=True)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
