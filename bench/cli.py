"""How long a person waits for `rollouts get rollout`, Python's start included.

Run `python -m bench.cli` from the root of the project. An API server with one Rollout of ten pods runs in a process of its own.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from bench.stage import rollout
from kube.client import Client
from kube.clock import SystemClock
from kube.kinds import ROLLOUT
from sandbox.apiserver.http import kubeconfig, serving
from sandbox.apiserver.inprocess import InProcessTransport
from sandbox.apiserver.installing import install_all
from sandbox.apiserver.server import ApiServer
from sandbox.node.cluster import simulated_cluster

ROUNDS = 15


async def bench() -> None:
    """Print the figures."""
    clock = SystemClock()
    server = ApiServer(clock=clock, tokens={"secret": "person"})
    await install_all(server)
    client = Client(InProcessTransport(server, user="admin"), clock=clock)
    async with serving(server) as url, simulated_cluster(client, clock, ready_after=timedelta(0)):
        await client.create(ROLLOUT, rollout("shop", [{"setWeight": 20}]))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "kubeconfig"
            path.write_text(kubeconfig(url, "secret"))
            for words in (["version"], ["get", "rollout", "shop"], ["list", "rollouts"], ["explain", "shop"]):
                seconds = [await asyncio.to_thread(_timed, path, words) for _ in range(ROUNDS)]
                print(f"rollouts {' '.join(words):20} median {statistics.median(seconds):.3f} s, slowest {max(seconds):.3f} s")
    await client.close()


def _timed(path: Path, words: list[str]) -> float:
    began = time.perf_counter()
    command = [str(Path(sys.executable).with_name("rollouts")), "--kubeconfig", str(path), *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


if __name__ == "__main__":
    asyncio.run(bench())
