"""Everything is killed, over and over, while updates go on under load: who is not being served by what dies notices nothing.

Four updates are made, or as many as `SOAK_UPDATES` says; `SOAK_SEED` chooses another order of deaths.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from sandbox_shop import answers, deploy, quickstart, users
from sandbox_terminal import Tool, descendants, eventually

from sandbox.cluster import Cluster, ControlPlane, Options, SandboxError, sandbox_cluster
from sandbox.cluster.processes import Identity
from sandbox.cluster.setup import find_prometheus
from sandbox.load.result import Snapshot

UPDATES = int(os.environ.get("SOAK_UPDATES", "4"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
pytestmark = [pytest.mark.long, pytest.mark.timeout(600 + 60 * UPDATES)]
STEPS: list[dict[str, Any]] = [
    {"setWeight": 20},
    {"pause": {"duration": "4s"}},
    {"setWeight": 60},
    {"pause": {"duration": "4s"}},
]
BEHIND = ("controller", "apiserver", "etcd", "controller-manager")
"""Parts of the sandbox that nobody is served by; the last two on a real control plane alone."""
IN_THE_WAY = ("gateway", "envoy", "pod")
"""Users are served by these: what is in flight there when they die is lost, and what comes before they are back."""
BACK_SECONDS = 3
"""For how long after such a death, and after the successor is there, a user may go without an answer."""
PATIENCE_SECONDS = 240.0
"""How long anything may take on a machine that is busy with other things; idle, all of it takes seconds."""
TOLERANT = {"failureLimit": 1000, "inconclusiveLimit": 1000, "consecutiveErrorLimit": 1000}
"""Dead pods and a dead Prometheus are no verdict about the new version."""


def programs(cluster: Cluster, name: str) -> list[Identity]:
    """Return the processes of the sandbox that run a program."""
    found = []
    for one in descendants(cluster.record.supervisor.pid):
        try:
            words = Path(f"/proc/{one.pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it has just ended
        if Path(words[0].decode()).name.startswith(name):
            found.append(one)
    return found


@dataclass
class Deaths:
    """Kills one thing at a time, waits until it is back, and remembers when."""

    cluster: Cluster
    kubectl: Tool
    namespace: str
    chance: random.Random
    victims: tuple[str, ...]
    log: list[tuple[str, float, float]] = field(default_factory=list)
    """What died, when, and when its successor was there, in seconds of the wall clock."""

    def one(self) -> None:
        """Kill whatever has died least often; of several, any."""
        counts = {name: sum(what == name for what, _, _ in self.log) for name in self.victims}
        name = self.chance.choice([one for one in self.victims if counts[one] == min(counts.values())])
        began = time.time()
        if name in (*BEHIND, "gateway"):
            self._part(name)
        elif name == "pod":
            self._pod()
        else:
            self._program(name)
        self.log.append((name, began, time.time()))

    def _part(self, name: str) -> None:
        try:
            self.cluster.killed_and_back(name, timeout_seconds=PATIENCE_SECONDS)
        except SandboxError:
            print(self.log, self.cluster.state.log(name).read_text()[-20_000:])  # shown where the test fails
            raise

    def _program(self, name: str) -> None:
        [found] = programs(self.cluster, name)
        found.send(signal.SIGKILL)
        eventually(
            lambda: [one for one in programs(self.cluster, name) if one.pid != found.pid],
            what=f"another {name}",
            timeout_seconds=PATIENCE_SECONDS,
        )

    def _pod(self) -> None:
        """Kill the process of the pod that has run longest; the node agent starts it again, and waits longer each time."""
        node = self.cluster.record.part("node").process.pid
        below = sorted((one for one in descendants(node) if one.pid != node), key=lambda one: one.started)
        below[1].send(signal.SIGKILL)  # older than it is the one that starts them all
        eventually(self._all_ready, what="every pod is ready again", timeout_seconds=PATIENCE_SECONDS)

    def _all_ready(self) -> bool:
        sets = yaml.safe_load(self.kubectl("get", "replicasets", "-n", self.namespace, "-o", "yaml"))["items"]
        return all((one["status"].get("readyReplicas") or 0) == one["spec"]["replicas"] for one in sets)

    def excused(self) -> set[int]:
        """Return the seconds in which a request may have been in flight to something that was killed."""
        return {
            second
            for what, began, back in self.log
            if what in IN_THE_WAY
            for second in range(int(began), int(back) + BACK_SECONDS + 1)
        }


@pytest.fixture(scope="module")
def soaked(control_plane: ControlPlane) -> Iterator[Cluster]:
    """A sandbox of its own: what is killed here is nobody else's."""
    with sandbox_cluster(Options(control_plane=control_plane, with_controller=True)) as found:
        yield found


@pytest.fixture
def environment(soaked: Cluster) -> Mapping[str, str]:
    return soaked.environment


def tolerant(manifests: str) -> str:
    """Return the manifests with an analysis that goes on for the whole update, whatever it sees."""
    documents = list(yaml.safe_load_all(manifests))
    for one in documents:
        if one["kind"] == "AnalysisTemplate":
            one["spec"]["metrics"][0] |= TOLERANT
    return yaml.safe_dump_all(documents)


@asynccontextmanager
async def dying(deaths: Deaths) -> AsyncIterator[None]:
    """Let one thing after the other die until the block is left; the last one is back then."""
    ended = asyncio.Event()

    async def die() -> None:
        while not ended.is_set():
            await asyncio.to_thread(deaths.one)

    task = asyncio.create_task(die())
    try:
        yield
    finally:
        ended.set()
        await task


async def updated(rollouts: Tool, kubectl: Tool, namespace: str, image: str) -> None:
    """Ship a version, and wait until everybody has it."""
    await retried(lambda: rollouts.run("set", "image", "shop", f"shop={image}", "-n", namespace).returncode == 0)
    path = "{.status.phase}/{.status.currentStepIndex}/{.spec.template.spec.containers[0].image}/{.status.observedGeneration}"

    def there() -> bool:
        wanted = f"Healthy/{len(STEPS)}/{image}/"
        found = kubectl.run("get", "rollout", "shop", "-n", namespace, "-o", f"jsonpath={path} {{.metadata.generation}}").stdout
        seen, _, generation = found.removeprefix(wanted).partition(" ")
        return found.startswith(wanted) and bool(generation) and seen == generation

    await retried(there)


async def retried(look: Callable[[], bool]) -> None:
    """Wait until something works, while the API server may be dead."""
    await asyncio.to_thread(eventually, look, what="the update goes on", timeout_seconds=PATIENCE_SECONDS)


def lost_without_excuse(found: Snapshot, deaths: Deaths) -> list[str]:
    """Return the seconds in which users got no answer although nothing that serves them had died."""
    excused = deaths.excused()
    return [
        f"{one.epoch}: {one.lost} lost ({dict(one.failures)})" for one in found.seconds if one.lost and one.epoch not in excused
    ]


async def test_updates_under_load_end_right_whatever_is_killed_meanwhile(
    soaked: Cluster, kubectl: Tool, rollouts: Tool, namespace: str
) -> None:
    """Control plane, controller, Prometheus, gateway, Envoy and pods die all the time; every update reaches everybody."""
    measured = find_prometheus(None) is not None
    behind = [part.name for part in soaked.record.parts if part.name in BEHIND]
    victims = (*behind, "gateway", "envoy", "pod", *(("prometheus",) if measured else ()))
    deaths = Deaths(soaked, kubectl, namespace, random.Random(SEED), victims)
    deploy(kubectl, namespace, tolerant(quickstart(namespace, steps=STEPS, analysis=measured)))
    async with users(soaked, namespace) as load:
        await answers(load, 50)
        for number in range(UPDATES):
            async with dying(deaths):
                await updated(rollouts, kubectl, namespace, f"shop:{2 - number % 2}")
        last = await answers(load, 100)
    assert set(last) == {str(2 - (UPDATES - 1) % 2)}
    assert set(victims) == {what for what, _, _ in deaths.log}, "everything has died at least once"
    assert lost_without_excuse(load.snapshot(), deaths) == []
    sets = yaml.safe_load(kubectl("get", "replicasets", "-n", namespace, "-o", "yaml"))["items"]
    assert len(sets) == 2
    print(
        f"{len(deaths.log)} deaths in {UPDATES} updates; {load.snapshot().lost} of {load.snapshot().sent} requests were in flight"
    )
