"""Follows one Rollout and its users: scenes from informers, samples from the load.

Owns the informers and the record of what happened. Must not: decide how the demo goes on, or print.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from kube.client import Client
from kube.clock import SystemClock
from kube.informer import Informer
from kube.kinds import ANALYSIS_RUN, POD, REPLICA_SET, ROLLOUT, Kind
from kube.objects import Object
from rollouts.demo.scene import Scene
from rollouts.demo.story import Happening, Sample, happenings
from sandbox.load.generator import LoadGenerator
from sandbox.load.result import GATEWAY_STATUSES, Snapshot

SAMPLE_SECONDS = 0.1


class Watching:
    """What has been seen so far; grows while `watching` runs."""

    def __init__(self, client: Client, namespace: str, name: str, *, on_happening: Callable[[Happening], None]) -> None:
        """Prepare to follow one Rollout; `on_happening` is told of everything as it comes."""
        kinds = (ROLLOUT, REPLICA_SET, POD, ANALYSIS_RUN)
        self.informers = {kind: Informer(client, kind, namespaces=(namespace,), clock=SystemClock()) for kind in kinds}
        self._key = (namespace, name)
        self._tell = on_happening
        self._changed = asyncio.Event()
        self.scene: Scene | None = None
        self.happenings: list[Happening] = []
        self.samples: list[Sample] = []
        for informer in self.informers.values():
            informer.on_change(lambda _old, _new: self._look())

    def happened(self, happening: Happening) -> None:
        """Note something, and tell it."""
        self.happenings.append(happening)
        self._tell(happening)

    async def until(self, condition: Callable[[Scene], bool], *, timeout_seconds: float) -> Scene:
        """Wait for a scene.

        Raises:
            TimeoutError: it does not come within the time.
        """
        async with asyncio.timeout(timeout_seconds):
            while self.scene is None or not condition(self.scene):
                self._changed.clear()
                await self._changed.wait()
        return self.scene

    def sample(self, load: LoadGenerator) -> Sample:
        """Take a sample of the traffic now."""
        sample = sample_of(load.snapshot(), now())
        self.samples.append(sample)
        return sample

    async def take_samples(self, load: LoadGenerator) -> None:
        """Take samples at a steady rate until cancelled."""
        while True:
            self.sample(load)
            await asyncio.sleep(SAMPLE_SECONDS)

    def _look(self) -> None:
        """Make a scene of every single change, so that nothing is missed that lasted only a moment."""
        rollout = self.informers[ROLLOUT].store.get(*self._key)
        if rollout is None:
            return
        before, self.scene = (
            self.scene,
            Scene(rollout=rollout, replica_sets=self._all(REPLICA_SET), pods=self._all(POD), runs=self._all(ANALYSIS_RUN)),
        )
        for one in happenings(before, self.scene, now()):
            self.happened(one)
        self._changed.set()

    def _all(self, kind: Kind) -> tuple[Object, ...]:
        return tuple(self.informers[kind].store.all())


def sample_of(found: Snapshot, at: datetime) -> Sample:
    """Return what had become of all requests; one that a gateway answered for want of an application is lost, and nothing else."""
    errors: Counter[str] = Counter()
    for (version, status), count in found.by_version_status.items():
        if status >= 500 and status not in GATEWAY_STATUSES:
            errors[version] += count
    return Sample(at=at, sent=found.sent, lost=found.lost, answers=dict(found.versions), errors=dict(errors))


@asynccontextmanager
async def watching(
    client: Client, namespace: str, name: str, *, on_happening: Callable[[Happening], None]
) -> AsyncIterator[Watching]:
    """Follow a Rollout while entered."""
    found = Watching(client, namespace, name, on_happening=on_happening)
    tasks = [asyncio.create_task(informer.run()) for informer in found.informers.values()]
    try:
        for informer in found.informers.values():
            await informer.synced()
        yield found
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)
