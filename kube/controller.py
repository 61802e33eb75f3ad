"""A controller: changes come in, keys go to workers, plans go to the executor.

Owns who works on what and when again. Must not: decide what should be (that is `reconcile`), or write (that is the executor).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random as randomness
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from kube import logs, spans
from kube.clock import Clock
from kube.effects import Effects, Perform
from kube.errors import ApiError
from kube.executor import Executor
from kube.expectations import PATIENCE_SECONDS
from kube.informer import Informer
from kube.kinds import Kind, ObjectRef
from kube.metrics import Histogram
from kube.objects import Key, Object, key_of, uid_of
from kube.pacing import Lane, lane
from kube.plan import Event, NotLeading, Observation, Plan, PlanOutdated
from kube.queue import Priority, WorkQueue

logger = logging.getLogger(__name__)

RESYNC_SECONDS = 900.0
OUTDATED_WAIT_SECONDS = 1.0
NOT_LEADING_SECONDS = 2.0
DRAIN_SECONDS = 10.0
"""How long writes that are on their way may take when the controller stops."""
MOST_HELPERS = 50
"""So many objects that somebody waits for are worked on beside those of the workers: each is a request under way, little else."""

DURATIONS = (0.01, 0.15, 0.25, 0.5, 1.0)
"""Bounds in seconds, as upstream's (spec/rollout.md 5.1)."""

Reconcile: TypeAlias = Callable[[Key, Sequence[Observation], datetime], Plan | None]


@dataclass(frozen=True, slots=True)
class Watch:
    """A kind whose changes matter, and to which root objects."""

    informer: Informer
    keys: Callable[[Object], Iterable[Key]]
    """Which root objects does a change of this object touch? Pure and quick."""
    is_urgent: Callable[[Object | None, Object], bool] = lambda _old, _new: False
    """Does the change from old (None: there was none) to new go before other work? Pure and quick."""


class Controller:
    """Keeps every object of one kind as planned. Informers are run by whoever made them."""

    def __init__(
        self,
        name: str,
        *,
        root: Kind,
        watches: Sequence[Watch],
        reconcile: Reconcile,
        perform: Perform,
        executor: Executor,
        clock: Clock,
        workers: int = 10,
        random: randomness.Random | None = None,
        resync_seconds: float = RESYNC_SECONDS,
    ) -> None:
        """Register with the informers; keys gather from now on, and wait for `run`.

        Args:
            name: what logs and metrics call this controller.
            root: the kind of object it looks after; one of `watches` must be for it.
            watches: the kinds whose changes matter.
            reconcile: gathers and plans, purely; None when there is nothing to plan for.
            perform: does an effect and returns its answer.
            executor: carries out plans.
            clock: for `now` and for waits.
            workers: how many objects are worked on at once; each object by one at most.
            random: so that replicas do not resync in step.
            resync_seconds: how often every object is looked at for no reason.

        Raises:
            ValueError: no watch is for the root kind.
        """
        roots = [watch.informer for watch in watches if watch.informer.kind == root]
        if not roots:
            raise ValueError(f"the controller {name} needs a watch of its root kind {root.name}")
        self.name = name
        self.queue: WorkQueue[Key] = WorkQueue(clock)
        self._root = root
        self._roots = roots[0]
        self._watches = tuple(watches)
        self._reconcile = spans.plans(reconcile, tracer=executor.tracer)
        self._look = spans.reconciles(
            self._reconcile_once, tracer=executor.tracer, controller=name, root=root, waited_seconds=self.queue.waited_seconds
        )
        self._executor = executor
        self._clock = clock
        self._workers = workers
        self._random = random or randomness.Random()
        self._resync_seconds = resync_seconds
        told = spans.effects(perform, tracer=executor.tracer, root=root)
        self._effects = Effects(told, clock=clock, answered=self._touch)
        self._helpers: set[asyncio.Task[None]] = set()
        self._runs = False
        self._uids: dict[Key, str] = {}
        self._numbers = itertools.count(1)
        self.reconciles = 0
        self.errors = 0
        self.conflicts = 0
        self.durations = Histogram(DURATIONS)
        """How long a look at one object took, its writes included."""
        self.first_writes = {urgent: Histogram() for urgent in (True, False)}
        """How long it took from a reason to look at an object until the first write that came of it was sent, by whether somebody
        waited for that."""
        for watch in watches:
            executor.expectations.follow(watch.informer)
            watch.informer.on_change(self._handler(watch))
        executor.expectations.on_met(root, lambda ref: self._touch((ref.namespace, ref.name)))

    async def run(self) -> None:
        """Work until cancelled; then workers finish the object they have in hand, and effects are cancelled."""
        for watch in self._watches:
            await watch.informer.synced()
        for key in self._roots.store.keys():  # noqa: SIM118
            self.queue.add(key, Priority.RESYNC)  # some may have been listed before this controller was made
        logger.info("%s: everything is listed; %d objects wait", self.name, len(self.queue))
        workers = [asyncio.create_task(self._work(), name=f"{self.name}-{number}") for number in range(self._workers)]
        resync = asyncio.create_task(self._resync(), name=f"{self.name}-resync")
        self._runs = True
        try:
            finished, _ = await asyncio.wait([*workers, resync], return_when=asyncio.FIRST_EXCEPTION)
            for task in finished:
                task.result()
        finally:
            self._runs = False
            self.queue.close()
            resync.cancel()
            workers.extend(self._helpers)
            _, stuck = await asyncio.wait(workers, timeout=DRAIN_SECONDS)
            for task in stuck:
                task.cancel()
            await asyncio.gather(resync, *workers, return_exceptions=True)
            await self._effects.close()

    def age_seconds(self) -> float:
        """Return the age of the oldest feed: what a probe should look at."""
        return max(watch.informer.age_seconds() for watch in self._watches)

    @property
    def root(self) -> Kind:
        """The kind it looks after."""
        return self._root

    @property
    def effects_running(self) -> int:
        """How many effects are under way."""
        return self._effects.running

    def _handler(self, watch: Watch) -> Callable[[Object | None, Object | None], None]:
        def changed(old: Object | None, new: Object | None) -> None:
            priority = self._priority(watch, old, new)
            for key in {key for obj in (old, new) if obj is not None for key in watch.keys(obj)}:
                self._touch(key, priority)

        return changed

    @staticmethod
    def _priority(watch: Watch, old: Object | None, new: Object | None) -> Priority:
        if not watch.informer.has_synced:
            return Priority.RESYNC
        return Priority.URGENT if new is not None and watch.is_urgent(old, new) else Priority.LIVE

    def _touch(self, key: Key, priority: Priority = Priority.LIVE) -> None:
        self.queue.add(key, priority)
        if self._runs and self.queue.is_short_of_workers() and len(self._helpers) < MOST_HELPERS:
            helper = asyncio.get_running_loop().create_task(self._help(), name=f"{self.name}-helper")
            self._helpers.add(helper)
            helper.add_done_callback(self._helpers.discard)

    async def _work(self) -> None:
        while (key := await self.queue.get()) is not None:
            await self._take(key)

    async def _help(self) -> None:
        """Work on what somebody waits for until no more of it waits for a worker."""
        while self.queue.is_short_of_workers() and (key := await self.queue.get()) is not None:
            await self._take(key)

    async def _take(self, key: Key) -> None:
        try:
            await self._one(key)
        finally:
            self.queue.done(key)

    async def _resync(self) -> None:
        while True:
            await self._clock.sleep(self._resync_seconds * self._random.uniform(0.9, 1.1))
            for key in self._roots.store.keys():  # noqa: SIM118
                self.queue.add(key, Priority.RESYNC)

    async def _one(self, key: Key) -> None:
        """Look at one object, and see to it that somebody looks again when that is needed."""
        ref = ObjectRef(self._root, *key)
        logs.subject.set(str(ref))
        logs.reconcile_id.set(f"{next(self._numbers):x}")
        root = self._roots.store.get(*key)
        if root is None or self._uids.get(key, uid_of(root)) != uid_of(root):
            self._forget(ref)
        if root is None:
            return
        self._uids[key] = uid_of(root)
        if self._executor.expectations.waits(ref):
            self.queue.add_after(key, PATIENCE_SECONDS + 0.1)  # the arrival itself comes sooner as a rule
            return
        self.reconciles += 1
        began = self._clock.monotonic()
        try:
            await self._look(key, root)
        except NotLeading:
            self.queue.add_after(key, NOT_LEADING_SECONDS)
        except PlanOutdated as outdated:
            self.conflicts += 1
            logger.debug("the plan is outdated: %s", outdated)
            self.queue.retry(key, longest_seconds=OUTDATED_WAIT_SECONDS)
        except Exception as error:
            self._report(ref, root, error)
            self.queue.retry(key)
        else:
            self.queue.forget(key)
        finally:
            self.durations.observe(self._clock.monotonic() - began)

    async def _reconcile_once(self, key: Key, root: Object) -> None:
        uid, asked_at = uid_of(root), self._clock.monotonic() - self.queue.waited_seconds(key)
        urgent = self.queue.is_awaited(key)
        lane.set(Lane.URGENT if urgent else Lane.ORDINARY)
        plan = self._reconcile(key, self._effects.observations(key, uid), self._clock.now())
        if plan is None:
            return
        outcome = await self._executor.execute(root, plan, kind=self._root, gives_way=lambda: self._gives_way(key))
        if outcome.wrote_at is not None:
            self.first_writes[urgent].observe(outcome.wrote_at - asked_at)
        if outcome.settled:
            self._effects.consume(key, plan.consumed)
        waits = [
            self._effects.start(key, uid, plan.effects),
            outcome.look_again_seconds,
            None if plan.look_again is None else plan.look_again.total_seconds(),
        ]
        soonest = min((wait for wait in waits if wait is not None), default=None)
        if soonest is not None:
            self.queue.add_after(key, soonest)

    def _gives_way(self, key: Key) -> bool:
        """The first writes of a plan are what somebody waits for; the rest may wait for the first writes of others."""
        self.queue.heard(key)
        lane.set(Lane.ORDINARY)
        return self.queue.is_urgent()

    def _forget(self, ref: ObjectRef) -> None:
        """The object is gone, or another one has its name by now."""
        key = (ref.namespace, ref.name)
        uid = self._uids.pop(key, "")
        self._effects.drop(key)
        self._executor.forget(ref, uid)
        self.queue.forget(key)

    def _report(self, ref: ObjectRef, root: Object, error: Exception) -> None:
        """Log a failure, with its trace unless the cluster is to blame, and tell the object's users."""
        self.errors += 1
        expected = isinstance(error, ApiError) or type(error).__module__.startswith("kube.")
        logger.error("the reconcile failed: %s", error, exc_info=None if expected else error)
        event = Event(about=ref, reason="ReconciliationError", message=str(error) or type(error).__name__, warning=True)
        self._executor.recorder.record(event, uid=uid_of(root))


def own_key(obj: Object) -> tuple[Key, ...]:
    """Map a root object to itself."""
    return (key_of(obj),)
