"""Runs the workload controllers: changes become keys, keys become plans, plans become writes.

Owns the queue, the waiting for our own writes to come back, and the retries. Must not: know what any controller decides.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from kube.client import Client
from kube.clock import Clock
from kube.errors import AlreadyExists, ApiError, Conflict, NotFound
from kube.kinds import Kind
from kube.objects import Key, Object
from kube.plan import Plan
from sandbox.workloads.informers import Informers
from sandbox.workloads.writing import Echoes, Writer

logger = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 0.05
LONGEST_RETRY_SECONDS = 30.0

Item: TypeAlias = tuple[int, Key]
"""Which concern, which object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """One controller: what it watches and what it wants.

    Attributes:
        name: for the log.
        root: the kind it is about.
        watches: kinds, each with a function that names the root objects which a change of an object touches.
        plan: what to do about a root object now; None when there is nothing to say about it.
        act: instead of a plan's writes, work that must ask the server; returns seconds until the next look, or None.
    """

    name: str
    root: Kind
    watches: Sequence[tuple[Kind, Callable[[Object], Iterable[Key]]]]
    plan: Callable[[Key, datetime], Plan | None] | None = None
    act: Callable[[Key], Awaitable[float | None]] | None = None


class Loop:
    """Runs concerns over shared informers until cancelled."""

    def __init__(
        self, client: Client, clock: Clock, informers: Informers, *, concerns: Sequence[Concern], workers: int = 8
    ) -> None:
        self._clock = clock
        self._concerns = tuple(concerns)
        self._workers = workers
        self._queue: asyncio.Queue[Item] = asyncio.Queue()
        self._waiting: set[Item] = set()
        self._busy: set[Item] = set()
        self._again: set[Item] = set()
        self._failures: dict[Item, int] = {}
        self._timers: dict[Item, tuple[float, asyncio.Task[None]]] = {}
        self._echoes = Echoes(clock, self._add)
        self._writer = Writer(client, self._echoes)
        for number, concern in enumerate(self._concerns):
            for kind, keys in concern.watches:
                informers.of(kind).on_change(self._handler(number, keys))
        for kind in {kind for concern in self._concerns for kind, _ in concern.watches}:
            self._echoes.listen(informers.of(kind))

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._workers):
                    group.create_task(self._work())
        finally:
            timers = [task for _, task in self._timers.values()]
            for task in timers:
                task.cancel()
            await asyncio.gather(*timers, return_exceptions=True)
            await self._echoes.close()

    @property
    def idle(self) -> bool:
        """Whether nothing is queued or under way; timers may still be running."""
        return not self._waiting and not self._busy and not self._echoes.awaited

    def _handler(self, number: int, keys: Callable[[Object], Iterable[Key]]) -> Callable[[Object | None, Object | None], None]:
        def changed(old: Object | None, new: Object | None) -> None:
            for obj in (old, new):
                if obj is not None:
                    for key in keys(obj):
                        self._add((number, key))

        return changed

    def _add(self, item: Item) -> None:
        """Queue an item once; one that is worked on is worked on again afterwards."""
        if item in self._busy:
            self._again.add(item)
        elif item not in self._waiting and not self._echoes.holds(item):
            self._waiting.add(item)
            self._queue.put_nowait(item)

    def _add_after(self, item: Item, seconds: float) -> None:
        due = self._clock.monotonic() + seconds
        known = self._timers.get(item)
        if known is not None:
            if known[0] <= due:
                return
            known[1].cancel()
        self._timers[item] = due, asyncio.create_task(self._ring(item, seconds))

    async def _ring(self, item: Item, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._timers.pop(item, None)
        self._add(item)

    async def _work(self) -> None:
        while True:
            item = await self._queue.get()
            self._waiting.discard(item)
            self._busy.add(item)
            try:
                await self._handle(item)
            finally:
                self._busy.discard(item)
                if item in self._again:
                    self._again.discard(item)
                    self._add(item)

    async def _handle(self, item: Item) -> None:
        number, key = item
        concern = self._concerns[number]
        try:
            after = await self._reconcile(concern, item)
        except (AlreadyExists, Conflict, NotFound) as error:
            logger.debug("%s %s: %s", concern.name, "/".join(key), error)
            self._retry(item)
        except ApiError as error:
            logger.warning("%s %s: %s", concern.name, "/".join(key), error)
            self._retry(item)
        except Exception:
            logger.exception("%s %s failed", concern.name, "/".join(key))
            self._retry(item)
        else:
            self._failures.pop(item, None)
            if after is not None:
                self._add_after(item, after)

    async def _reconcile(self, concern: Concern, item: Item) -> float | None:
        if concern.act is not None:
            return await concern.act(item[1])
        plan = concern.plan(item[1], self._clock.now()) if concern.plan is not None else None
        if plan is None:
            return None
        await self._writer.execute(item, concern.root, plan)
        return plan.look_again.total_seconds() if plan.look_again is not None else None

    def _retry(self, item: Item) -> None:
        failures = self._failures[item] = self._failures.get(item, 0) + 1
        self._add_after(item, min(FIRST_RETRY_SECONDS * 2 ** min(failures - 1, 16), LONGEST_RETRY_SECONDS))
