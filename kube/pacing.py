"""A ceiling on requests per second, for people who want one: the API server's own flow control is enough as a rule.

Owns who waits how long. Must not: know what a request is.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from contextvars import ContextVar
from enum import IntEnum

from kube.clock import Clock

NOW_SECONDS = 1e-6
"""Less than this is no wait: a sum of fractions never gets to its moment exactly."""


class Lane(IntEnum):
    """Who goes first where requests have to wait. Within a lane they go in the order in which they came."""

    URGENT = 0
    """What somebody waits for: new specs, commands, verdicts."""
    ORDINARY = 1
    LAST = 2
    """What is only told, such as events."""


lane: ContextVar[Lane] = ContextVar("lane", default=Lane.ORDINARY)
"""The lane of what the present task asks for."""


class Pace:
    """Lets a burst through at once, and then so many a second."""

    def __init__(self, clock: Clock, *, per_second: float, burst: int) -> None:
        """Prepare.

        Args:
            clock: real or virtual time.
            per_second: how many turns a second; 0 is as many as wanted.
            burst: how many may come at once after a rest.
        """
        self._clock = clock
        self._seconds_each = 1 / per_second if per_second > 0 else 0.0
        self._credit_seconds = max(burst - 1, 0) * self._seconds_each
        self._next = clock.monotonic() - self._credit_seconds
        self._numbers = itertools.count()
        self._waiting: list[tuple[Lane, int, asyncio.Future[None]]] = []
        self._calling: asyncio.Task[None] | None = None

    async def turn(self) -> None:
        """Return when it is the caller's turn."""
        if not self._seconds_each:
            return
        if not self._waiting and self._left_seconds() <= NOW_SECONDS:
            self._take()
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (lane.get(), next(self._numbers), mine))
        if self._calling is None or self._calling.done():
            self._calling = asyncio.create_task(self._call(), name="pace")
        await mine

    async def _call(self) -> None:
        """Call who waits, one after the other, until nobody does."""
        while self._someone_waits():
            if (wait := self._left_seconds()) > NOW_SECONDS:
                await self._clock.sleep(wait)
                continue  # somebody more urgent may have come, or the only one may have gone
            _, _, first = heapq.heappop(self._waiting)
            self._take()
            first.set_result(None)

    def _someone_waits(self) -> bool:
        """Tell so, and forget those who have gone."""
        while self._waiting and self._waiting[0][2].done():
            heapq.heappop(self._waiting)
        return bool(self._waiting)

    def _left_seconds(self) -> float:
        """Return the time until the next turn may begin; below zero by what was saved up, at most a burst."""
        return max(self._next - self._clock.monotonic(), -self._credit_seconds)

    def _take(self) -> None:
        self._next = self._clock.monotonic() + self._left_seconds() + self._seconds_each
