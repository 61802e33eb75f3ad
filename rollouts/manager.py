"""Puts the controllers together over one client: informers, recorder, executor, and what each controller watches.

Owns which kinds are watched how. Must not: read flags or a kubeconfig (app.py), or decide anything about an object.
"""

from __future__ import annotations

import asyncio
import random as randomness
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from analysis.opening import OpenedLater
from analysis.providers import served
from analysis.run.controller import analysis_controller
from kube.client import Client
from kube.clock import Clock
from kube.controller import Controller
from kube.events import EventRecorder
from kube.executor import Executor
from kube.expectations import Expectations
from kube.informer import Informer
from kube.kinds import ANALYSIS_RUN, EXPERIMENT, POD, Kind
from kube.store import Index
from kube.tracing import Tracer, Untraced
from rollouts.engine.names import INSTANCE_ID
from rollouts.experiment.refusal import experiment_controller
from rollouts.rollout.controller import Machinery, release_controller, rollout_controller
from rollouts.rollout.gather import KINDS, SELECTORS, Stores, indices, slim_pod
from rollouts.rollout.reading import Readings
from rollouts.rollout.release import KINDS as RELEASED

DIVIDED = (ANALYSIS_RUN, EXPERIMENT)
"""The kinds of which a controller sees its own only. Rollouts it must see all: a Service that a foreign one manages is not free."""
TRANSFORMS: Mapping[Kind, Callable[[Any], Any]] = {POD: slim_pod}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person may choose about the controllers. Empty namespaces stand for all."""

    namespaces: Sequence[str] = ("",)
    rollout_workers: int = 10
    analysis_workers: int = 30
    resync_seconds: float = 900.0
    prometheus_address: str = ""
    only_analysis: bool = False
    instance_id: str = ""
    """Whose objects these controllers look after, by label (spec/rollout.md 5.4); empty: those of nobody."""


@dataclass(slots=True)
class Manager:
    """Every controller of one process. `run` works until cancelled; informers may be warm before."""

    client: Client
    clock: Clock
    options: Options = field(default_factory=Options)
    guard: Callable[[], bool] = lambda: True
    random: randomness.Random = field(default_factory=randomness.Random)
    """For waits that are not in step with other replicas."""
    tracer: Tracer = field(default_factory=Untraced)
    """Told of what the controllers do. Requests are told by the transport of the client."""
    informers: dict[Kind, Informer] = field(init=False)
    controllers: tuple[Controller, ...] = field(init=False)
    executor: Executor = field(init=False)
    recorder: EventRecorder = field(init=False)
    _readings: Readings = field(init=False, default_factory=Readings)
    _transport: OpenedLater = field(init=False, default_factory=OpenedLater)

    def __post_init__(self) -> None:
        """Build informers and controllers; nothing is asked of the server yet."""
        kinds = (ANALYSIS_RUN,) if self.options.only_analysis else (*KINDS, EXPERIMENT)
        known = indices(self._readings)
        self.informers = {kind: self._informer(kind, known.get(kind, {})) for kind in kinds}
        self.recorder = EventRecorder(self.client, clock=self.clock)
        expectations = Expectations(self.clock)
        self.executor = Executor(
            self.client,
            recorder=self.recorder,
            expectations=expectations,
            clock=self.clock,
            guard=self.guard,
            tracer=self.tracer,
        )
        self.controllers = tuple(self._controllers())

    async def run_informers(self) -> None:
        """Keep the stores up to date until cancelled; also on a standby, so that it can take over at once."""
        async with asyncio.TaskGroup() as group:
            for informer in self.informers.values():
                group.create_task(informer.run(), name=f"informer-{informer.kind.plural}")

    async def run_controllers(self) -> None:
        """Work until cancelled, then send the events that wait."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.recorder.flush)
            async with asyncio.TaskGroup() as group:
                group.create_task(self.recorder.run(), name="events")
                for controller in self.controllers:
                    group.create_task(controller.run(), name=controller.name)

    async def run(self) -> None:
        """Run informers and controllers until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.run_informers())
            group.create_task(self.run_controllers())

    async def close(self) -> None:
        """Close the connections that measurements used."""
        await self._transport.close()

    def sync_age_seconds(self) -> float:
        """Return for how long the slowest feed was not heard."""
        return max(informer.age_seconds() for informer in self.informers.values())

    def has_synced(self) -> bool:
        """Tell whether every kind was listed once."""
        return all(informer.has_synced for informer in self.informers.values())

    def stores_of_all(self) -> Stores | None:
        """Return what is known of the cluster; None unless that is all there is of every kind."""
        if self.options.only_analysis or any(self.options.namespaces):
            return None
        return Stores({kind: informer.store for kind, informer in self.informers.items()}, self._readings)

    def _informer(self, kind: Kind, by: Mapping[str, Index]) -> Informer:
        return Informer(
            self.client,
            kind,
            namespaces=self.options.namespaces,
            label_selector=self._instance() if kind in DIVIDED else SELECTORS.get(kind, ""),
            transform=TRANSFORMS.get(kind),
            indices=by,
            clock=self.clock,
            random=self.random,
        )

    def _instance(self) -> str:
        return f"{INSTANCE_ID}={self.options.instance_id}" if self.options.instance_id else f"!{INSTANCE_ID}"

    def _controllers(self) -> list[Controller]:
        options = self.options
        analysis = analysis_controller(
            runs=self.informers[ANALYSIS_RUN],
            secrets=self.client,
            transport=self._transport,
            providers=served(prometheus_address=options.prometheus_address),
            executor=self.executor,
            clock=self.clock,
            workers=options.analysis_workers,
        )
        if options.only_analysis:
            return [analysis]
        machinery = Machinery(
            informers=self.informers,
            readings=self._readings,
            executor=self.executor,
            clock=self.clock,
            instance_id=options.instance_id,
        )
        rollout = rollout_controller(machinery, workers=options.rollout_workers, resync_seconds=options.resync_seconds)
        experiment = experiment_controller(experiments=self.informers[EXPERIMENT], executor=self.executor, clock=self.clock)
        return [rollout, analysis, experiment, *(release_controller(kind, machinery) for kind in RELEASED)]
