"""Plays the script on a running sandbox: manifests, traffic, one version after the other.

Owns the order of things. Must not: start processes, count, or print.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from analysis.run.verdicts import why
from kube.client import Client
from kube.config import connect, load
from kube.kinds import ROLLOUT, ObjectRef
from kube.requests import JSON_PATCH
from rollouts.demo.applying import apply
from rollouts.demo.scene import Scene, outcome_of
from rollouts.demo.script import Act, Outcome, Script
from rollouts.demo.story import Happening, Sample, What
from rollouts.demo.summary import Performance, Summary, summarise
from rollouts.demo.watching import Watching, now, watching
from sandbox.cluster import Cluster
from sandbox.cluster.traffic import target_of
from sandbox.load.generator import LoadGenerator
from sandbox.load.wire import Target

REDRAW_SECONDS = 0.2
FIRST_DEPLOY_SECONDS = 30.0
OPENING_RPS = 10.0
AFTERWARDS_SECONDS = 1.0
"""For so long traffic is watched after an act has ended: nobody may come back to a version that was taken back."""


class Show(Protocol):
    """Where people see what happens."""

    def tell(self, happening: Happening) -> None:
        """Tell one thing that happened."""
        ...

    def draw(self, scene: Scene | None, samples: list[Sample]) -> None:
        """Draw everything as it is now."""
        ...


async def play(router: str, script: Script, *, cluster: Cluster, examples: Path, show: Show) -> Summary:
    """Play the whole script and return the figures.

    Raises:
        CannotApply: the manifests cannot be brought in.
        TimeoutError: the first version does not come up.
    """
    began = time.monotonic()
    client = Client(connect(load(str(cluster.kubeconfig))), field_manager="rollouts-demo")
    try:
        async with watching(client, script.namespace, script.rollout, on_happening=show.tell) as seen:
            with _drawing(seen, show):
                await _set_up(client, script, examples, seen)
                target = await asyncio.to_thread(target_of, cluster.state, script.users_ask_for, namespace=script.namespace)
                await _open(target, script)
                seen.happened(_act_text(f"{script.first_image} runs; {script.rps:g} users a second come in"))
                generator = LoadGenerator(target, rps=script.rps)
                async with _users(generator, seen):
                    await _answers(generator, round(script.rps))
                    played = [await _act(client, script, act, seen=seen, generator=generator) for act in script.acts]
                last = seen.sample(generator)
    finally:
        await client.close()
    return summarise(router, script, played, seconds=time.monotonic() - began, last=last)


async def _set_up(client: Client, script: Script, examples: Path, seen: Watching) -> None:
    applied = await apply(client, examples / script.folder, namespace=script.namespace)
    seen.happened(_act_text(f"applied examples/{script.folder}: {', '.join(applied)}"))
    await seen.until(lambda scene: scene.phase == "Healthy", timeout_seconds=FIRST_DEPLOY_SECONDS)


async def _open(target: Target, script: Script) -> None:
    """Wait until the first version answers: on a cold machine its pods are ready before the gateway knows them."""
    async with asyncio.timeout(FIRST_DEPLOY_SECONDS), LoadGenerator(target, rps=OPENING_RPS) as knocking:
        while not knocking.snapshot().versions.get(script.first_version):
            await knocking.progress()


async def _act(client: Client, script: Script, act: Act, *, seen: Watching, generator: LoadGenerator) -> Performance:
    began, first_sample, first_happening = now(), len(seen.samples), len(seen.happenings)
    seen.sample(generator)
    seen.happened(_act_text(f"ships {act.image}, {act.title}", at=began))
    image = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": act.image}]
    await client.patch(ObjectRef(ROLLOUT, script.namespace, script.rollout), image, content_type=JSON_PATCH)
    try:
        scene = await seen.until(lambda scene: outcome_of(scene, act.image) is not None, timeout_seconds=script.act_seconds)
        outcome = outcome_of(scene, act.image) or Outcome.NEITHER
    except TimeoutError:
        assert seen.scene is not None
        scene, outcome = seen.scene, Outcome.NEITHER
    ended = now()
    await _answers(generator, round(script.rps * AFTERWARDS_SECONDS))
    seen.sample(generator)
    reasons = [why(run) for run in scene.own_runs()] if outcome is not Outcome.PROMOTED else []
    reason = next((one for one in reasons if one), "" if outcome is Outcome.PROMOTED else scene.message)
    text = f"{act.image} was {outcome}" + (f": {reason}" if reason else "")
    seen.happened(_act_text(text, at=ended))
    return Performance(
        act=act,
        outcome=outcome,
        began=began,
        ended=ended,
        happenings=tuple(seen.happenings[first_happening:]),
        samples=tuple(seen.samples[first_sample:]),
        why=reason,
    )


def _act_text(text: str, *, at: datetime | None = None) -> Happening:
    return Happening(at=at or now(), what=What.ACT, text=text)


async def _answers(generator: LoadGenerator, count: int) -> None:
    """Wait until so many more requests have come to their end."""
    wanted = generator.snapshot().sent + count
    while generator.snapshot().sent < wanted:
        await generator.progress()


@asynccontextmanager
async def _users(generator: LoadGenerator, seen: Watching) -> AsyncIterator[None]:
    """Let users come, and count what becomes of their requests."""
    async with generator:
        sampling = asyncio.create_task(seen.take_samples(generator))
        try:
            yield
        finally:
            sampling.cancel()
            await asyncio.gather(sampling, return_exceptions=True)


class _drawing:
    """While entered, the show is redrawn at a steady rate."""

    def __init__(self, seen: Watching, show: Show) -> None:
        self._seen = seen
        self._show = show

    def __enter__(self) -> None:
        self._task = asyncio.create_task(self._draw())

    def __exit__(self, *_: object) -> None:
        self._task.cancel()
        self._show.draw(self._seen.scene, self._seen.samples)

    async def _draw(self) -> None:
        while True:
            self._show.draw(self._seen.scene, self._seen.samples)
            await asyncio.sleep(REDRAW_SECONDS)
