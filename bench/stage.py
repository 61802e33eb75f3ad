"""What the benches of the whole controller share: a sandbox with played pods, the controller as a process, and what both count.

API server, node and controller are processes of their own and share the machine's cores with the bench, so repeat on a calm one.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from kube.client import Client
from kube.clock import SystemClock
from kube.config import connect, load
from kube.informer import Informer
from kube.kinds import REPLICA_SET, ROLLOUT, Kind, ObjectRef
from kube.objects import Object, controller_of
from sandbox.cluster import Cluster, ControlPlane, Options, sandbox_cluster
from sandbox.cluster.requests import CONTROLLER, RequestLog
from sandbox.cluster.setup import choose_ports

READY_AFTER_SECONDS = 0.1
WRITES = ("create", "update", "patch", "delete")
UNCOUNTED = ("events", "leases")
"""What the goals leave out of a controller's writes."""
_SAMPLE = re.compile(r"^(\w+)(?:\{.*\})? (\S+)$", re.MULTILINE)
_FIRST_WRITE = re.compile(
    r'^rollouts_first_write_seconds_bucket\{controller="rollout",urgent="true",le="(\S+)"\} (\d+)$', re.MULTILINE
)

T = TypeVar("T")
Requests: TypeAlias = Counter[tuple[str, str]]
"""How often each verb was asked of each resource."""


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Process:
    """The controller, seen from outside."""

    process: asyncio.subprocess.Process
    port: int

    def cpu_seconds(self) -> float:
        """Return what it has used."""
        return cpu_seconds(self.process.pid)

    def stop(self) -> None:
        """Ask it to end."""
        self.process.terminate()

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()

    def memory_mib(self) -> float:
        """Return its resident memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    async def metrics(self) -> Mapping[str, float]:
        """Return what it tells of itself, summed over labels; nothing while it does not listen yet."""
        sums: Counter[str] = Counter()
        for name, value in _SAMPLE.findall(await self._told()):
            sums[name] += float(value)  # type: ignore[assignment]
        return sums

    async def first_writes(self) -> Counter[float]:
        """Return how many looks at Rollouts that somebody waited for have led to their first write within so many seconds."""
        return Counter({float(bound): int(count) for bound, count in _FIRST_WRITE.findall(await self._told())})

    async def _told(self) -> str:
        url = f"http://127.0.0.1:{self.port}/metrics"

        def fetch() -> str:
            with suppress(OSError), urllib.request.urlopen(url, timeout=10) as answer:
                return str(answer.read().decode())
            return ""

        return await asyncio.to_thread(fetch)

    async def rest(self, *, looks: int) -> Mapping[str, float]:
        """Wait until it has looked at this many objects and none waits; return its metrics."""
        while True:
            now = await self.metrics()
            if now.get("rollouts_reconciles_total", 0) >= looks and now.get("workqueue_depth", 1) == 0:
                return now
            await asyncio.sleep(0.05)


def shares(counts: Mapping[float, int]) -> str:
    """Write a histogram's counts as shares of all of them, up to the bound that holds everything."""
    most = max(counts.values(), default=0)
    if not most:
        return "none"
    shown = [bound for bound in sorted(counts) if counts[bound]]
    last = next(bound for bound in shown if counts[bound] == most)
    return ", ".join(f"{counts[bound] / most:.1%} within {bound:g} s" for bound in shown if bound <= last)


@dataclass(slots=True)
class Audit:
    """The requests of the controller, as the API server counts them."""

    log: RequestLog

    def take(self) -> Requests:
        """Return what was asked since the last call."""
        return Counter({(verb, what): count for (user, verb, what), count in self.log.take().items() if user == CONTROLLER})


@dataclass(slots=True)
class Stage:
    """A cluster, what a person sees of it, and the controller."""

    cluster: Cluster
    client: Client
    rollouts: Informer
    sets: Informer
    audit: Audit
    _waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = field(default_factory=list)
    _looking: bool = False

    @asynccontextmanager
    async def controller(self, *arguments: str) -> AsyncIterator[Process]:
        """Run the controller, as people do, while the block lasts."""
        [port] = choose_ports([0])
        pages = ("--healthzPort", str(port), "--metricsPort", str(port), "--metrics-address", "127.0.0.1")
        kubeconfig = str(self.cluster.state.path / f"{CONTROLLER}.kubeconfig")
        command = (sys.executable, "-m", "rollouts.app", "--kubeconfig", kubeconfig, "--loglevel", "warn")
        listening = (*pages, "--healthz-address", "127.0.0.1", *arguments)
        process = await asyncio.create_subprocess_exec(*command, *listening)
        try:
            yield Process(process, port)
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()

    def others(self) -> Counter[str]:
        """Return the processor time of everything but the controller, in milliseconds: it shares the cores."""
        parts = {part.name: cpu_seconds(part.process.pid) for part in self.cluster.record.parts}
        return Counter({name: round(1000 * used) for name, used in (parts | {"bench": cpu_seconds(os.getpid())}).items()})

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the informers show that something is the case."""
        if not condition():
            future = asyncio.get_running_loop().create_future()
            self._waiting.append((condition, future))
            await future

    async def ship(self, name: str, image: str) -> None:
        """Change the image of a Rollout."""
        template = {"spec": {"containers": [{"name": "shop", "image": image}]}}
        await self.client.patch(ObjectRef(ROLLOUT, "default", name), {"spec": {"template": template}})

    def is_healthy(self, name: str, image: str) -> bool:
        """Tell whether a Rollout runs an image alone, as far as the watch says."""
        found = self.rollouts.store.get("default", name)
        status = (found or {}).get("status") or {}
        if found is None or status.get("phase") != "Healthy" or image_of(found) != image:
            return False
        return str(status.get("observedGeneration")) == str(found["metadata"]["generation"])

    async def healthy(self, names: Iterable[str], image: str) -> None:
        """Wait until Rollouts run an image alone."""
        left = set(names)

        def done() -> bool:
            left.difference_update([name for name in left if self.is_healthy(name, image)])
            return not left

        await self.until(done)

    def changed(self, _old: Object | None, _new: Object | None) -> None:
        """Look whether what somebody waits for has come; once per turn of the loop, however many events it brings."""
        if self._waiting and not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_later(0.01, self._look)

    def _look(self) -> None:
        self._looking = False
        waiting, self._waiting = self._waiting, []
        for condition, future in waiting:
            if future.done():
                continue
            if condition():
                future.set_result(None)
            else:
                self._waiting.append((condition, future))


@asynccontextmanager
async def staged(control_plane: ControlPlane, *, audited: bool = True) -> AsyncIterator[Stage]:
    """Run a cluster while the block lasts; a real API server that writes no audit log is faster, but counts for all users."""
    audit_log = audited and control_plane is ControlPlane.REAL
    options = Options(control_plane=control_plane, audit_log=audit_log, played_pods=READY_AFTER_SECONDS)
    with sandbox_cluster(options) as cluster:
        clock = SystemClock()
        client = Client(connect(load(str(cluster.kubeconfig))), clock=clock)
        informers = {kind: Informer(client, kind, clock=clock) for kind in (ROLLOUT, REPLICA_SET)}
        stage = Stage(cluster, client, informers[ROLLOUT], informers[REPLICA_SET], Audit(RequestLog(cluster)))
        for informer in informers.values():
            informer.on_change(stage.changed)
        tasks = [asyncio.create_task(informer.run()) for informer in informers.values()]
        try:
            for informer in informers.values():
                await informer.synced()
            yield stage
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await client.close()


async def each(items: Iterable[T], do: Callable[[T], Awaitable[object]], *, together: int = 20) -> None:
    """Do something with each item, some at a time, as tools do that apply many manifests."""
    waiting = iter(items)

    async def work() -> None:
        for item in waiting:
            await do(item)

    await asyncio.gather(*(work() for _ in range(together)))


async def create_all(client: Client, kind: Kind, bodies: Iterable[Object]) -> None:
    """Create many objects."""
    await each(bodies, lambda body: client.create(kind, body))


def rollout(name: str, steps: Iterable[Mapping[str, Any]], *, replicas: int = 5, canary: Mapping[str, Any] = {}) -> dict[str, Any]:
    """Return a Rollout of the image `shop:1`."""
    return {
        "apiVersion": ROLLOUT.api_version,
        "kind": ROLLOUT.name,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "shop", "image": "shop:1"}]},
            },
            "strategy": {"canary": {"steps": list(steps), **canary}},
        },
    }


def image_of(obj: Object) -> str:
    """Return the image that a Rollout or a ReplicaSet runs."""
    return str(obj["spec"]["template"]["spec"]["containers"][0]["image"])


def owner_of(obj: Object) -> str:
    """Return the name of the controlling owner, or nothing."""
    return str((controller_of(obj) or {}).get("name") or "")


def writes_of(requests: Requests) -> Requests:
    """Return the writes that count."""
    counted = {(verb, what): count for (verb, what), count in requests.items() if what.partition("/")[0] not in UNCOUNTED}
    return Counter({(verb, what): count for (verb, what), count in counted.items() if verb in WRITES})


def told(requests: Requests) -> str:
    """Return requests as text."""
    return ", ".join(f"{count} {verb} {what}" for (verb, what), count in sorted(requests.items()))
