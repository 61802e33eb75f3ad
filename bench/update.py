"""What one update costs the API server and the controller: writes by kind, CPU seconds; then many at once, and who waits how long.

Run `python -m bench.update` from the root of the project; `--control-plane real` asks a real API server. Pods are played (ready
0.1 s after they are bound).
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from bench.stage import Process, Stage, create_all, each, image_of, owner_of, rollout, shares, staged, told, writes_of
from kube.kinds import INGRESS, ROLLOUT, SERVICE, ObjectRef
from kube.objects import Object
from sandbox.cluster import ControlPlane

Steps: TypeAlias = Sequence[Mapping[str, Any]]
WEIGHTS: Steps = [{"setWeight": weight} for weight in (20, 40, 60, 80)]
PAUSE: Mapping[str, Any] = {"pause": {"duration": 1}}
WITH_PAUSES: Steps = [WEIGHTS[0], PAUSE, WEIGHTS[1], WEIGHTS[2], PAUSE, WEIGHTS[3]]
NGINX = {"stableService": "shop", "canaryService": "shop-canary", "trafficRouting": {"nginx": {"stableIngress": "web"}}}
SETTLED_SECONDS = 1.5
TOGETHER = 20
"""Edits under way at the same time."""


async def one_update(stage: Stage, process: Process, title: str, steps: Steps, canary: Mapping[str, Any] = {}) -> str:
    """Run one update and return its row."""
    await stage.client.create(ROLLOUT, rollout("shop", steps, canary=canary))
    await stage.healthy(["shop"], "shop:1")
    await stage.ship("shop", "shop:2")  # one before the measured one: everything is loaded then
    await stage.healthy(["shop"], "shop:2")
    await asyncio.sleep(SETTLED_SECONDS)
    stage.audit.take()
    cpu, began = process.cpu_seconds(), time.perf_counter()
    await stage.ship("shop", "shop:3")
    await stage.healthy(["shop"], "shop:3")
    seconds = time.perf_counter() - began
    await asyncio.sleep(SETTLED_SECONDS)
    writes = writes_of(stage.audit.take())
    used = process.cpu_seconds() - cpu
    await stage.client.delete(ObjectRef(ROLLOUT, "default", "shop"))
    await stage.until(lambda: stage.rollouts.store.get("default", "shop") is None)
    return f"{title:34} {writes.total():6} writes {used:7.2f} CPU s {seconds:7.1f} s   ({told(writes)})"


async def edited(stage: Stage, names: Sequence[str], image: str) -> list[float]:
    """Change the image of Rollouts, all at once; return the seconds from each answer to the new ReplicaSet, as a watch sees it."""
    answered: dict[str, float] = {}
    seen: dict[str, float] = {}

    def appeared(old: Object | None, new: Object | None) -> None:
        if old is None and new is not None and image_of(new) == image:
            seen.setdefault(owner_of(new), time.perf_counter())

    stage.sets.on_change(appeared)

    async def edit(name: str) -> None:
        await stage.ship(name, image)
        answered[name] = time.perf_counter()

    await each(names, edit, together=TOGETHER)
    await stage.until(lambda: seen.keys() >= set(names))
    return sorted(seen[name] - answered[name] for name in names)


async def many_at_once(stage: Stage, process: Process, count: int, replicas: int) -> None:
    """Edit many Rollouts at once; print rows about reaction and end."""
    names = [f"many-{number}" for number in range(count)]
    await create_all(stage.client, ROLLOUT, (rollout(name, WEIGHTS, replicas=replicas) for name in names))
    await stage.healthy(names, "shop:1")
    await asyncio.sleep(SETTLED_SECONDS)
    written = (await process.metrics())["rollouts_writes_total"]
    cpu, others, began = process.cpu_seconds(), stage.others(), time.perf_counter()
    before = await process.first_writes()
    reactions = await edited(stage, names, "shop:2")
    soon = await process.first_writes() - before
    last = time.perf_counter() - began
    await stage.healthy(names, "shop:2")
    seconds = time.perf_counter() - began
    used = process.cpu_seconds() - cpu
    spent = ", ".join(f"{name} {milliseconds / 1000:.1f}" for name, milliseconds in (stage.others() - others).most_common(5))
    writes = ((await process.metrics())["rollouts_writes_total"] - written) / count
    late = reactions[int(count * 0.95)]
    for what, value in (
        (f"{count} edited at once, {replicas} replicas", f"all done in {seconds:.1f} s ({used:.1f} CPU s; {spent})"),
        (
            "  reaction, median / p95",
            f"{statistics.median(reactions):.2f} s / {late:.2f} s; the last {last:.2f} s after the first edit",
        ),
        ("  of that, change heard to write sent", shares(soon)),
        ("  controller", f"{process.memory_mib():.0f} MiB, {used / count:.3f} CPU s and {writes:.1f} writes each"),
    ):
        print(f"{what:34} {value}", flush=True)


async def bench(control_plane: ControlPlane, count: int, replicas: Sequence[int], arguments: Sequence[str]) -> None:
    """Print every row."""
    async with staged(control_plane) as stage, stage.controller(*arguments) as process:
        await stage.client.create(SERVICE, service("shop"))
        await stage.client.create(SERVICE, service("shop-canary"))
        await stage.client.create(INGRESS, ingress())
        print(await one_update(stage, process, "four weights, five replicas", WEIGHTS), flush=True)
        print(await one_update(stage, process, "and two pauses", WITH_PAUSES), flush=True)
        print(await one_update(stage, process, "four weights, by NGINX", WEIGHTS, NGINX), flush=True)
        print(f"{'memory with one Rollout':34} {process.memory_mib():6.0f} MiB", flush=True)
    for size in replicas if count else ():
        async with staged(control_plane, audited=False) as stage, stage.controller(*arguments) as process:
            await many_at_once(stage, process, count, size)


def service(name: str) -> dict[str, Any]:
    """Return a Service of the pods of `shop`."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"app": "shop"}, "ports": [{"port": 80}]},
    }


def ingress() -> dict[str, Any]:
    """Return the Ingress `web` that sends everybody to the Service `shop`."""
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
    parser.add_argument("--control-plane", choices=[one.value for one in ControlPlane], default=ControlPlane.EMBEDDED.value)
    parser.add_argument("--many", type=int, default=200, help="Rollouts edited at once; 0 leaves that out")
    parser.add_argument("--replicas", type=int, nargs="*", default=[1, 5], help="of each of these")
    parser.add_argument("arguments", nargs="*", help="for the controller, after --")
    arguments = parser.parse_args()
    asyncio.run(bench(ControlPlane(arguments.control_plane), arguments.many, arguments.replicas, arguments.arguments))


if __name__ == "__main__":
    main()
