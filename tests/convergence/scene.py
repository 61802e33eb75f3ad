"""One history on an API server in process, in virtual time: people act, things go wrong, the rules are checked at every write.

Owns the order of what happens, and what an end is. Must not: decide what is right at a moment (rules.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from kube.kinds import ANALYSIS_RUN, CORE_EVENT, POD, REPLICA_SET
from kube.objects import annotations_of, labels_of, name_of
from rollouts.rollout.gather import KINDS
from sandbox.apiserver.server import ApiServer
from tests.convergence.histories import Act, History, SetClock, Trouble
from tests.convergence.lives import Lives
from tests.convergence.machinery import Machinery, image_of
from tests.convergence.people import People
from tests.convergence.rules import Rules
from tests.convergence.servers import in_virtual_time, new_server
from tests.shops import HASH, canary_weight, destinations

PATIENCE_SECONDS = 900.0
MOST_RECONCILES = 200
"""How often the controller may look at the Rollout to come to the end, once nothing goes wrong any more."""
ABORT_SECONDS = 1.0
"""How long, without faults, users may stay with a version that was given up."""
ONCE = ("NewReplicaSetCreated", "RolloutUpdated", "RolloutCompleted", "AnalysisRunSuccessful", "AnalysisRunFailed")


@dataclass
class Scene:
    """A server, its machinery, the lives of the controller, and people."""

    history: History
    server: ApiServer
    busy: bool
    """Whether the controller has others in need besides."""
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Let the first controller start."""
        shop = self.history.shop
        self.machinery = Machinery(self.server, ready_after=shop.ready_after, gone_after=shop.gone_after)
        self.rules = Rules(self.server, routed=shop.routed, dynamic=shop.dynamic)
        self.rules.counts_pods = not any(step.startswith("canary") for step in shop.steps)
        self.people = People(shop, self.server, self.machinery, self.rules)
        self.lives = Lives(self.server, self.busy)

    async def until(self, condition: Callable[[], bool], *, seconds: float = PATIENCE_SECONDS) -> bool:
        """Wait, in virtual time; tell whether it came to be so."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not condition():
            if loop.time() > end:
                return False
            if self.lives.process.task.done() and not self.lives.process.transport.dead:
                self.lives.process.task.result()
            await asyncio.sleep(0.25)
        return True

    def at_rest(self) -> bool:
        """Tell whether nothing will happen until somebody does something."""
        rollout, status = self.people.rollout, self.people.status
        if status.get("observedGeneration") != str(rollout["metadata"]["generation"]) or status.get("promoteFull"):
            return False
        if rollout["spec"].get("restartAt") != status.get("restartedAt") or not self._pods_are_there():
            return False
        phase = status.get("phase")
        if status.get("abort"):
            return phase == "Degraded" and (not self.history.shop.routed or canary_weight(self.people.all) == 0)
        if rollout["spec"].get("paused"):
            return bool(phase == "Paused")
        if phase == "Paused":
            step = (rollout["spec"]["strategy"]["canary"]["steps"] + [{}])[int(status.get("currentStepIndex") or 0)]
            return bool(status.get("pauseConditions")) and step.get("pause") == {}
        return bool(phase == "Healthy")

    def _pods_are_there(self) -> bool:
        sets = self.people.all(REPLICA_SET)
        for one in sets:
            size, status = int(one["spec"]["replicas"]), one.get("status") or {}
            if not size == int(status.get("readyReplicas", 0)) == int(status.get("replicas", 0)):
                return False
        return len(self.people.all(POD)) == sum(int(one["spec"]["replicas"]) for one in sets)

    async def close(self) -> None:
        """Stop everything."""
        await self.lives.close()
        await self.people.client.close()

    def outcome(self) -> dict[str, Any]:
        """Return what must be the same with and without faults."""
        status, sets = self.people.status, self.people.all(REPLICA_SET)
        image = {labels_of(one)[HASH]: image_of(one) for one in sets}
        users = destinations(self.people.all) if self.history.shop.routed else {}
        runs = self.people.all(ANALYSIS_RUN)
        return {
            "phase": status.get("phase"),
            "step": status.get("currentStepIndex"),
            "aborted": bool(status.get("abort")),
            "pauses": [one["reason"] for one in status.get("pauseConditions") or ()],
            "stable": image.get(status.get("stableRS", "")),
            "sizes": {image_of(one): one["spec"]["replicas"] for one in sets},
            "pods": sorted(image_of(pod) for pod in self.people.all(POD)),
            "users": {side: (share, image.get(version or "")) for side, (share, version) in users.items()},
            "runs": sorted(f"{_readable(name_of(run), image)} {(run.get('status') or {}).get('phase')}" for run in runs),
            "revision": annotations_of(self.people.rollout).get("rollout.argoproj.io/revision"),
            "restarted": bool(status.get("restartedAt")),
            "conditions": sorted((one["type"], one["status"], one["reason"]) for one in status.get("conditions") or ()),
        }

    def told(self) -> dict[str, int]:
        """Return how often each thing was told that happens once."""
        found: dict[str, int] = {}
        for event in self.people.all(CORE_EVENT):
            if event["reason"] in ONCE:
                text = f"{event['reason']}: {event['message']}"
                found[text] = found.get(text, 0) + int(event.get("count") or 1)
        return found


def _readable(name: str, image: Mapping[str, str]) -> str:
    for version, known in image.items():
        name = name.replace(version, known)
    return name


@dataclass(frozen=True)
class Ending:
    """How a history ended."""

    outcome: Mapping[str, Any]
    told: Mapping[str, int]
    failures: tuple[str, ...]
    reconciles: int
    """From the end of the troubles to the end."""


def play(history: History, troubles: Sequence[Trouble] = (), *, hasty: bool = False) -> Ending:
    """Run a history; equal arguments give equal endings."""
    ending: Ending = in_virtual_time(_play(new_server(), history, troubles, hasty=hasty))
    return ending


async def _play(server: ApiServer, history: History, troubles: Sequence[Trouble], *, hasty: bool) -> Ending:
    scene = Scene(history, server, busy=bool(troubles))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(scene.close)
        machinery = asyncio.create_task(scene.machinery.run(), name="machinery")
        stack.push_async_callback(_stop, machinery)
        scene.rules.follow()
        scene.people.measure()
        await scene.people.deploy()
        await scene.until(scene.at_rest)
        trouble = scene.lives.begin(troubles)
        await (_hasty(scene) if hasty else _patient(scene, calm=not troubles))
        await scene.lives.end(trouble)
        before = scene.lives.process.reconciles
        if hasty:
            await _calm_down(scene)
        if not await scene.until(scene.at_rest):
            scene.failures.append(f"not at rest: {scene.people.status}")
        await asyncio.sleep(60 + _too_far_ahead(troubles))
        reconciles = scene.lives.process.reconciles - before
        await _still(scene)
    found = [*scene.rules.broken, *scene.failures, *(f"a write that changed nothing: {one}" for one in scene.lives.ledger.idle)]
    return Ending(scene.outcome(), scene.told(), tuple(found), reconciles)


def _too_far_ahead(troubles: Sequence[Trouble]) -> float:
    """Return by how many seconds a deadline that was written by a wrong clock may be late by the right one."""
    return sum(max(0.0, one.by) for one in troubles if isinstance(one, SetClock))


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _patient(scene: Scene, *, calm: bool) -> None:
    for act in scene.history.acts:
        await scene.people.do(act)
        if act.what == "abort" and calm and scene.history.shop.routed and not scene.history.shop.dynamic:
            await _went_back(scene)
        await asyncio.sleep(0.5)
        if not await scene.until(scene.at_rest):
            scene.failures.append(f"not at rest after {act}: {scene.people.status}")


async def _went_back(scene: Scene) -> None:
    """An abort never waits for the canary."""
    if not await scene.until(lambda: canary_weight(scene.people.all) == 0, seconds=ABORT_SECONDS):
        share = canary_weight(scene.people.all)
        scene.failures.append(f"{share} of 100 are still with the canary {ABORT_SECONDS} s after the abort")


async def _hasty(scene: Scene) -> None:
    for act in scene.history.acts:
        await asyncio.sleep(act.after)
        await scene.people.do(act)


async def _calm_down(scene: Scene) -> None:
    """Want the last version for everybody, and say so until it is."""
    scene.people.all_good = True
    scene.machinery.mend(set(scene.machinery.broken))
    for _ in range(12):
        await scene.people.do(Act("unpause"))
        if scene.people.status.get("abort"):
            await scene.people.do(Act("retry"))
        await scene.until(lambda: scene.at_rest() or bool(scene.people.status.get("abort")), seconds=200)
        if scene.people.status.get("phase") == "Healthy" and scene.at_rest():
            return
        if scene.people.status.get("pauseConditions"):
            await scene.people.do(Act("promote"))
        await asyncio.sleep(1)


async def _still(scene: Scene) -> None:
    """At rest, nobody writes anything."""
    before = scene.server.storage.revision
    await asyncio.sleep(120)
    if scene.server.storage.revision != before:
        names = [
            f"{kind.name} {name_of(one)}"
            for kind in KINDS
            for one in scene.people.all(kind)
            if int(one["metadata"]["resourceVersion"]) > before
        ]
        scene.failures.append(f"written while nothing changed: {names}")
