"""How long nobody works when a leader goes: stopped, and killed. Times of the lease are the defaults (15 s, tried every 2 s).

Run `python -m bench.failover` from the root of the project; `--control-plane real` asks a real API server. Two controllers stand
side by side; while the one that leads goes, a Rollout is edited, and the time is taken until its new ReplicaSet is there.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack

from bench.stage import Process, Stage, rollout, staged
from bench.update import edited
from kube.kinds import ROLLOUT
from sandbox.cluster import ControlPlane


async def until_it_leads(process: Process, *, leads: bool) -> None:
    """Wait until a controller tells that it leads, or that it waits with everything listed."""
    while True:
        now = await process.metrics()
        if now and now["leader_election_master_status"] == leads and now["rollouts_watch_lists_total"] >= 10:
            return
        await asyncio.sleep(0.05)


async def seconds_without(stage: Stage, image: str, end: Callable[[Process], None]) -> float:
    """Let the leader go and edit a Rollout; return the seconds until another one has acted on that."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(stage.controller())
        await until_it_leads(first, leads=True)
        second = await stack.enter_async_context(stage.controller())
        await until_it_leads(second, leads=False)
        await asyncio.sleep(3)
        end(first)
        began = time.perf_counter()
        await edited(stage, ["shop"], image)
        return time.perf_counter() - began


async def bench(control_plane: ControlPlane, rounds: int) -> None:
    """Print the rows."""
    async with staged(control_plane, audited=False) as stage:
        await stage.client.create(ROLLOUT, rollout("shop", [], replicas=1))
        for what, end in (("stopped", Process.stop), ("killed", Process.kill)):
            seconds = [await seconds_without(stage, f"shop:{what}-{number}", end) for number in range(rounds)]
            print(f"leader {what} -> the next one has acted: {', '.join(f'{one:.1f}' for one in sorted(seconds))} s", flush=True)


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--control-plane", choices=[one.value for one in ControlPlane], default=ControlPlane.EMBEDDED.value)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    asyncio.run(bench(ControlPlane(arguments.control_plane), arguments.rounds))


if __name__ == "__main__":
    main()
