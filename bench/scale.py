"""A thousand Rollouts: what they cost in memory, processor time and requests, and how soon one of them is heard.

Run `python -m bench.scale` from the root of the project; `--control-plane real` asks a real API server. Each Rollout has three
ReplicaSets (or `--revisions`), made by the controller itself. Then the controller is started afresh and measured: the first list,
idling, updates at once, updates one after the other, many finished AnalysisRuns. Pods are played.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from bench.stage import Process, Requests, Stage, create_all, rollout, shares, staged, told
from bench.update import edited
from kube.kinds import ANALYSIS_RUN, ROLLOUT
from kube.objects import Object
from sandbox.cluster import ControlPlane

IDLE_SECONDS = 60.0
REVISIONS = ("shop:1", "shop:2", "shop:3")
BATCH = 50
HOUR = 3600.0
T = TypeVar("T")


def row(what: str, value: str, note: str = "") -> None:
    """Print a row at once: the next one may take minutes."""
    print(f"{what:44} {value:>16}   {note}".rstrip(), flush=True)


def batches(names: Sequence[T], size: int = BATCH) -> Iterator[Sequence[T]]:
    """Yield what there is, some at a time."""
    for start in range(0, len(names), size):
        yield names[start : start + size]


async def populated(stage: Stage, names: Sequence[str], images: Sequence[str]) -> None:
    """Make Rollouts of one replica with a revision for each image."""
    began = time.perf_counter()
    async with stage.controller():
        for batch in batches(names):
            await create_all(stage.client, ROLLOUT, (rollout(name, [], replicas=1) for name in batch))
            await stage.healthy(batch, images[0])
        for image in images[1:]:
            for batch in batches(names):
                await shipped(stage, batch, image)
    sets = sum(1 for _ in stage.sets.store.keys())  # noqa: SIM118
    row(f"(made {len(names)} Rollouts, {sets} ReplicaSets", f"{time.perf_counter() - began:.0f} s)")


async def shipped(stage: Stage, names: Iterable[str], image: str) -> None:
    """Update Rollouts and wait until they are healthy."""
    wanted = list(names)
    await asyncio.gather(*(stage.ship(name, image) for name in wanted))
    await stage.healthy(wanted, image)


async def idle(stage: Stage, process: Process, what: str) -> None:
    """Tell what an idle controller uses and asks for."""
    await asyncio.sleep(5)
    stage.audit.take()
    cpu = process.cpu_seconds()
    await asyncio.sleep(IDLE_SECONDS)
    used = (process.cpu_seconds() - cpu) / IDLE_SECONDS
    row(f"idle, {what}: processor", f"{used:.2%} of a core")
    asked = stage.audit.take()
    leases: Requests = asked.__class__({key: count for key, count in asked.items() if key[1] == "leases"})
    others = asked - leases
    row("  requests an hour, the Lease's", f"{leases.total() * HOUR / IDLE_SECONDS:.0f}")
    row("  requests an hour, others", f"{others.total() * HOUR / IDLE_SECONDS:.0f}", told(others))


async def measured(stage: Stage, process: Process, names: Sequence[str], began: float) -> None:
    """Print the rows about a controller that was just started."""
    told_by_itself = await process.rest(looks=len(names))
    row("start until all are looked at", f"{time.perf_counter() - began:.1f} s", "Python's start included")
    row("  processor time of that", f"{process.cpu_seconds():.1f} s")
    row("  memory then", f"{process.memory_mib():.0f} MiB")
    row("  read of the API server", f"{told_by_itself.get('rollouts_api_read_bytes_total', 0) / 2**20:.1f} MiB")
    await idle(stage, process, f"{len(names)} Rollouts")
    row("  memory", f"{process.memory_mib():.0f} MiB")
    before = await process.first_writes()
    reactions = await edited(stage, names[:100], "shop:at-once")
    soon = await process.first_writes() - before
    await stage.healthy(names[:100], "shop:at-once")
    median, late = reactions[len(reactions) // 2], reactions[int(len(reactions) * 0.99)]
    row(
        "100 edited at once: edit to first write", f"{median * 1000:.0f} / {late * 1000:.0f} ms", "median / p99, as a watch sees it"
    )
    row("  of that, change heard to write sent", "", shares(soon))
    row("  memory", f"{process.memory_mib():.0f} MiB")
    began = time.perf_counter()
    for batch in batches(names[100:300], 10):
        await shipped(stage, batch, "shop:rolling")
    seconds = time.perf_counter() - began
    row("200 rolling updates, ten at a time", f"{seconds:.1f} s")
    row("  memory", f"{process.memory_mib():.0f} MiB")


def finished_run(number: int) -> Object:
    """Return an AnalysisRun that somebody made and that is over."""
    measurement = {"phase": "Successful", "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:01Z", "value": "1"}
    result: dict[str, Any] = {
        "name": "rate",
        "phase": "Successful",
        "successful": 10,
        "count": 10,
        "measurements": [measurement] * 10,
    }
    metric = {"name": "rate", "provider": {"web": {"url": "http://127.0.0.1:9/rate"}}, "successCondition": "result == 1"}
    return {
        "apiVersion": ANALYSIS_RUN.api_version,
        "kind": ANALYSIS_RUN.name,
        "metadata": {"name": f"run-{number}", "namespace": "default"},
        "spec": {"metrics": [metric]},
        "status": {"phase": "Successful", "startedAt": "2026-01-01T00:00:00Z", "metricResults": [result]},
    }


async def with_runs(stage: Stage, count: int) -> None:
    """Print the rows about a controller that meets many finished AnalysisRuns."""
    await create_all(stage.client, ANALYSIS_RUN, (finished_run(number) for number in range(count)))
    began = time.perf_counter()
    async with stage.controller() as process:
        await process.rest(looks=count)
        row(f"start with {count} finished AnalysisRuns", f"{time.perf_counter() - began:.1f} s", f"{process.memory_mib():.0f} MiB")
        await idle(stage, process, f"{count} finished AnalysisRuns")


async def bench(control_plane: ControlPlane, count: int, runs: int, images: Sequence[str]) -> None:
    """Print every row."""
    async with staged(control_plane) as stage:
        names = [f"shop-{number}" for number in range(count)]
        await populated(stage, names, images)
        began = time.perf_counter()
        async with stage.controller() as process:
            await measured(stage, process, names, began)
        if runs:
            await with_runs(stage, runs)


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--control-plane", choices=[one.value for one in ControlPlane], default=ControlPlane.EMBEDDED.value)
    parser.add_argument("--rollouts", type=int, default=1000)
    parser.add_argument(
        "--revisions", type=int, choices=range(1, len(REVISIONS) + 1), default=len(REVISIONS), help="of each Rollout"
    )
    parser.add_argument("--runs", type=int, default=10_000, help="finished AnalysisRuns; 0 leaves them out")
    arguments = parser.parse_args()
    asyncio.run(bench(ControlPlane(arguments.control_plane), arguments.rollouts, arguments.runs, REVISIONS[: arguments.revisions]))


if __name__ == "__main__":
    main()
