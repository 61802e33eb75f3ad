"""What one update costs the API server and the controller: writes by kind, CPU seconds, first reaction; then many at once.

Run `python -m bench.update` from the root of the project. API server and played pods (ready 0.1 s after they are bound) run in this
process, the controller in its own, over HTTP on the loopback interface; all share the cores, so repeat on a calm machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

from kube.client import Client
from kube.clock import SystemClock
from kube.kinds import INGRESS, REPLICA_SET, ROLLOUT, SERVICE, ObjectRef
from sandbox.apiserver.http import kubeconfig, serving
from sandbox.apiserver.inprocess import InProcessTransport
from sandbox.apiserver.installing import install_all
from sandbox.apiserver.server import ApiServer
from sandbox.node.cluster import simulated_cluster

CONTROLLER = "controller"
WRITES = ("create", "update", "patch", "delete")
Steps: TypeAlias = Sequence[Mapping[str, Any]]
WEIGHTS: Steps = [{"setWeight": weight} for weight in (20, 40, 60, 80)]
PAUSE: Mapping[str, Any] = {"pause": {"duration": 1}}
WITH_PAUSES: Steps = [WEIGHTS[0], PAUSE, WEIGHTS[1], WEIGHTS[2], PAUSE, WEIGHTS[3]]
NGINX = {"stableService": "shop", "canaryService": "shop-canary", "trafficRouting": {"nginx": {"stableIngress": "web"}}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The API server, and the controller's process."""

    server: ApiServer
    client: Client
    pid: int

    def writes(self) -> Mapping[str, int]:
        """Return the controller's writes; events and leases are left out."""
        ours = [row for row in self.server.counts.rows() if row["user"] == CONTROLLER]
        counted = [row for row in ours if row["verb"] in WRITES and row["resource"] not in ("events", "leases")]
        return {f"{row['verb']} {row['resource']}": int(row["count"]) for row in counted}

    def cpu_seconds(self) -> float:
        """Return what the controller's process has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self) -> float:
        """Return the resident memory of the controller's process."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    async def status(self, name: str) -> Mapping[str, Any]:
        """Return the status of a Rollout."""
        return (await self.client.get(ROLLOUT, "default", name)).get("status") or {}

    async def healthy(self, name: str) -> None:
        """Wait until a Rollout has taken in its spec and is Healthy."""
        while True:
            found = await self.client.get(ROLLOUT, "default", name)
            status = found.get("status") or {}
            if status.get("phase") == "Healthy" and status.get("observedGeneration") == str(found["metadata"]["generation"]):
                return
            await asyncio.sleep(0.01)

    async def ship(self, name: str, image: str) -> None:
        """Change the image."""
        template = {"spec": {"containers": [{"name": "shop", "image": image}]}}
        await self.client.patch(ObjectRef(ROLLOUT, "default", name), {"spec": {"template": template}})


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    """Run everything while the block lasts."""
    clock = SystemClock()
    server = ApiServer(clock=clock, tokens={"secret": CONTROLLER})
    await install_all(server)
    client = Client(InProcessTransport(server, user="person"), clock=clock)
    async with serving(server) as url, simulated_cluster(client, clock, ready_after=timedelta(seconds=0.1)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "kubeconfig"
            path.write_text(kubeconfig(url, "secret"))
            command = (
                sys.executable,
                "-m",
                "rollouts.app",
                "--kubeconfig",
                str(path),
                "--healthzPort",
                "0",
                "--metricsPort",
                "0",
                "--loglevel",
                "warn",
            )
            process = await asyncio.create_subprocess_exec(*command)
            try:
                yield Stage(server=server, client=client, pid=process.pid)
            finally:
                process.terminate()
                await process.wait()
    await client.close()


def rollout(name: str, steps: Steps, *, canary: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a Rollout."""
    return {
        "apiVersion": ROLLOUT.api_version,
        "kind": ROLLOUT.name,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": 5,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "shop", "image": "shop:1"}]},
            },
            "strategy": {"canary": {"steps": steps, **(canary or {})}},
        },
    }


async def one_update(stage: Stage, title: str, steps: Steps, canary: Mapping[str, Any] | None = None) -> str:
    """Run one update and return its row."""
    await stage.client.create(ROLLOUT, rollout("shop", steps, canary=canary))
    await stage.healthy("shop")
    await stage.ship("shop", "shop:2")  # one before the measured one: everything is loaded then
    await stage.healthy("shop")
    await asyncio.sleep(1.5)
    stage.server.counts.clear()
    cpu, began = stage.cpu_seconds(), time.perf_counter()
    await stage.ship("shop", "shop:3")
    await stage.healthy("shop")
    seconds = time.perf_counter() - began
    await asyncio.sleep(1.5)
    writes = stage.writes()
    used = stage.cpu_seconds() - cpu
    await stage.client.delete(ObjectRef(ROLLOUT, "default", "shop"))
    parts = ", ".join(f"{count} {what}" for what, count in writes.items())
    return f"{title:34} {sum(writes.values()):6} writes {used:7.2f} CPU s {seconds:7.1f} s   ({parts})"


async def many_at_once(stage: Stage, count: int) -> list[str]:
    """Edit many Rollouts at once; return rows about reaction and end."""
    names = [f"many-{number}" for number in range(count)]
    for name in names:
        await stage.client.create(ROLLOUT, rollout(name, WEIGHTS))
    for name in names:
        await stage.healthy(name)
    await asyncio.sleep(2)
    stage.server.counts.clear()
    cpu, began = stage.cpu_seconds(), time.perf_counter()
    edited = {}
    for name in names:
        edited[name] = time.perf_counter()
        await stage.ship(name, "shop:2")
    reactions: dict[str, float] = {}
    while len(reactions) < count:
        sets = (await stage.client.list(REPLICA_SET, "default")).items
        images = {(one["metadata"]["ownerReferences"][0]["name"], _image(one)) for one in sets}
        now = time.perf_counter()
        for name in names:
            if name not in reactions and (name, "shop:2") in images:
                reactions[name] = now - edited[name]
        await asyncio.sleep(0.02)
    for name in names:
        await stage.healthy(name)
    seconds = time.perf_counter() - began
    ordered = sorted(reactions.values())
    used, writes = (stage.cpu_seconds() - cpu) / count, sum(stage.writes().values()) / count
    median, late = statistics.median(ordered), ordered[int(count * 0.95)]
    return [
        f"{f'{count} edited at once: all done':34} {seconds:6.1f} s   ({used:.2f} CPU s and {writes:.1f} writes each)",
        f"{'  reaction, median / p95':34} {median:6.2f} s / {late:.2f} s",
        f"{'  memory of the controller':34} {stage.memory_mib():6.0f} MiB",
    ]


def _image(replica_set: Mapping[str, Any]) -> str:
    return str(replica_set["spec"]["template"]["spec"]["containers"][0]["image"])


async def bench(count: int) -> None:
    """Print every row."""
    async with staged() as stage:
        await stage.client.create(SERVICE, _service("shop"))
        await stage.client.create(SERVICE, _service("shop-canary"))
        await stage.client.create(INGRESS, _ingress())
        print(await one_update(stage, "four weights, five replicas", WEIGHTS))
        print(await one_update(stage, "and two pauses", WITH_PAUSES))
        print(await one_update(stage, "four weights, by NGINX", WEIGHTS, NGINX))
        print(f"{'memory with one Rollout':34} {stage.memory_mib():6.0f} MiB")
        for row in await many_at_once(stage, count) if count else ():
            print(row)


def _service(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"app": "shop"}, "ports": [{"port": 80}]},
    }


def _ingress() -> dict[str, Any]:
    backend = {"service": {"name": "shop", "port": {"number": 80}}}
    rule = {"host": "shop.local", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"ingressClassName": "nginx", "rules": [rule]},
    }


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--many", type=int, default=200, help="Rollouts edited at once; 0 leaves that out")
    asyncio.run(bench(parser.parse_args().many))


if __name__ == "__main__":
    main()
