"""How fast a weight reaches users, and how fast a failed version loses them: `python -m bench.traffic`.

Starts a sandbox of its own and prints milliseconds. Must not: judge them.
"""

from __future__ import annotations

import asyncio
import signal
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from kube.client import Client
from kube.config import connect, load
from kube.kinds import INGRESS, ROLLOUT, ObjectRef
from kube.requests import JSON_PATCH
from rollouts.demo.applying import apply
from rollouts.demo.scene import outcome_of
from rollouts.demo.story import Happening, What
from rollouts.demo.watching import Watching, watching
from sandbox.cluster import Cluster, Options, sandbox_cluster
from sandbox.cluster.traffic import target_of
from sandbox.load.generator import LoadGenerator
from sandbox.load.wire import Connection, Target

EXAMPLE = Path(__file__).parents[1] / "examples" / "quickstart-nginx"
SHOP = ObjectRef(ROLLOUT, "default", "shop")
WEIGHT = "nginx.ingress.kubernetes.io/canary-weight"
FLIPS = 30
RPS = 200.0
BAD = "3-bad"


async def weight_milliseconds(client: Client, target: Target) -> list[float]:
    """Flip the weight between 0 and 100; return the times from each write's answer to the first answer of the other version.

    The controller must not be at work: it would set the weight right again.
    """
    canary = ObjectRef(INGRESS, "default", "shop-shop-canary")
    connection = Connection(target, timeout_seconds=5)
    times = []
    try:
        for flip in range(FLIPS):
            wanted = flip % 2 == 0
            await client.patch(canary, {"metadata": {"annotations": {WEIGHT: "100" if wanted else "0"}}})
            written = time.perf_counter()
            while await _is_new(connection) is not wanted:
                pass
            times.append(1000 * (time.perf_counter() - written))
    finally:
        await connection.closed()
    return times


async def _is_new(connection: Connection) -> bool:
    answer = await connection.ask()
    if isinstance(answer, str):
        raise RuntimeError(f"a request was lost: {answer}")
    return answer.who()[0] == "2"


async def take_back_milliseconds(client: Client, seen: Watching, target: Target) -> float:
    """Ship a bad version; return the time from the sight of the measurement that decided to its last answer to a user."""
    last_answer = 0.0
    async with LoadGenerator(target, rps=RPS) as users:
        shipping = asyncio.create_task(ship(client, seen, f"shop:{BAD}"))
        count = 0
        while not shipping.done():
            await users.progress()
            now = users.snapshot().versions.get(BAD, 0)
            if now > count:
                count, last_answer = now, time.time()
        await shipping
    decided = [one.at.timestamp() for one in seen.happenings if one.what is What.MEASUREMENT and one.phase == "Failed"][-1]
    return 1000 * (last_answer - decided)


async def ship(client: Client, seen: Watching, image: str) -> None:
    """Ship an image and wait for the end."""
    patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]
    await client.patch(SHOP, patch, content_type=JSON_PATCH)
    await seen.until(lambda scene: outcome_of(scene, image) is not None, timeout_seconds=90)


async def pause_at_first_weight(client: Client, seen: Watching, image: str) -> None:
    """Ship an image and hold it at its first weight."""
    await client.patch(SHOP, {"spec": {"strategy": {"canary": {"steps": [{"setWeight": 1}, {"pause": {}}], "analysis": None}}}})
    patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]
    await client.patch(SHOP, patch, content_type=JSON_PATCH)
    await seen.until(lambda scene: scene.step == 1 and scene.phase == "Paused", timeout_seconds=30)


async def main(cluster: Cluster) -> None:
    """Measure and print."""
    client = Client(connect(load(str(cluster.kubeconfig))))
    nothing: Callable[[Happening], None] = lambda _happening: None  # noqa: E731
    try:
        async with watching(client, "default", "shop", on_happening=nothing) as seen:
            await apply(client, EXAMPLE, namespace="default")
            await seen.until(lambda scene: scene.phase == "Healthy", timeout_seconds=30)
            target = await asyncio.to_thread(target_of, cluster.state, "shop", namespace="default")
            took = await take_back_milliseconds(client, seen, target)
            print(f"failing measurement seen -> last answer of the bad version: {took:.0f} ms", flush=True)
            await ship(client, seen, "shop:1")
            await pause_at_first_weight(client, seen, "shop:2")
            cluster.record.part("controller").process.send(signal.SIGSTOP)
            times = await weight_milliseconds(client, target)
            text = f"median {statistics.median(times):.1f}, longest {max(times):.1f} ms"
            print(f"weight written -> first answer by it: {text} ({len(times)} changes)")
    finally:
        await client.close()


if __name__ == "__main__":
    with sandbox_cluster(Options(with_controller=True)) as found:
        asyncio.run(main(found))
