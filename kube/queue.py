"""Keys that wait for a worker: each at most once, and never with two workers at a time.

Owns coalescing, priorities, delays and per-key back-off. Must not: know what a key stands for.
"""

from __future__ import annotations

import asyncio
import enum
import heapq
from collections.abc import Mapping
from typing import Generic, TypeVar

from kube.clock import Clock
from kube.metrics import Histogram

FIRST_WAIT_SECONDS = 0.005
LONGEST_WAIT_SECONDS = 1000.0
SHORTEST_WAIT_SECONDS = 0.001
"""Whoever has to wait waits so long at least: a clock may read the same before and after less, and the wait would begin anew."""
_LONGEST_STREAK = 32
"""Work that others go before gets a turn after this many of theirs, so that a busy cluster cannot starve it."""

K = TypeVar("K")


class Priority(enum.IntEnum):
    """Who goes first."""

    URGENT = 0
    """Somebody changed what is wanted and waits for the first sign that it was heard, or users meet a bad version meanwhile."""
    LIVE = 1
    RESYNC = 2


class WorkQueue(Generic[K]):
    """Hands each key to one worker at a time; a key added while it is worked on is handed out again afterwards."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: Mapping[Priority, dict[K, float]] = {priority: {} for priority in Priority}
        self._passed_over = dict.fromkeys(Priority, 0)
        self._dirty_while_processing: dict[K, Priority] = {}
        self._processing: dict[K, float] = {}
        """How long each had waited."""
        self._awaited: set[K] = set()
        """Those that were urgent, and of which nobody has said yet that what was waited for is done; they stay urgent."""
        self._failures: dict[K, int] = {}
        self._due: dict[K, float] = {}
        self._timers: list[tuple[float, int, K]] = []
        self._timer: asyncio.Task[None] | None = None
        self._timer_at = float("inf")
        self._sequence = 0
        self._getters: list[asyncio.Future[None]] = []
        self.closed = False
        self.added = 0
        self.retries = 0
        self.waits = Histogram()
        """How long keys waited for a worker."""

    def add(self, key: K, priority: Priority = Priority.LIVE) -> None:
        """Ask for work on a key; asking again before it starts changes nothing but a lower priority."""
        if self.closed:
            return
        self.added += 1
        if key in self._processing:
            self._dirty_while_processing[key] = min(priority, self._dirty_while_processing.get(key, priority))
            return
        if key in self._awaited:
            priority = Priority.URGENT
        known = next((one for one in Priority if key in self._waiting[one]), None)
        if known is None or priority < known:
            since = None if known is None else self._waiting[known].pop(key)
            self._waiting[priority][key] = self._clock.monotonic() if since is None else since
        self._wake()

    def add_after(self, key: K, seconds: float) -> None:
        """Ask for work on a key later; of several such requests the earliest wins, and answers for all."""
        if seconds <= 0:
            self.add(key)
            return
        due = self._clock.monotonic() + max(seconds, SHORTEST_WAIT_SECONDS)
        if self.closed or self._due.get(key, float("inf")) <= due:
            return
        self._due[key] = due
        self._sequence += 1
        heapq.heappush(self._timers, (due, self._sequence, key))
        self._arm()

    def retry(self, key: K, *, longest_seconds: float = LONGEST_WAIT_SECONDS) -> float:
        """Ask for work after a failure, doubling the wait with each in a row; return the wait in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.retries += 1
        wait = min(FIRST_WAIT_SECONDS * 2.0 ** min(failures, 60), longest_seconds)
        self.add_after(key, wait)
        return wait

    def failures(self, key: K) -> int:
        """Return how often work on a key has failed in a row."""
        return self._failures.get(key, 0)

    def forget(self, key: K) -> None:
        """Work on this key succeeded: nobody waits for it any more, and the next failure waits as briefly as the first."""
        self._failures.pop(key, None)
        self._awaited.discard(key)

    async def get(self) -> K | None:
        """Return the next key to work on, to be given back with `done`; None once the queue is closed."""
        while not self.closed:
            if len(self):
                return self._take()
            getter = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except asyncio.CancelledError:
                self._pass_on(getter)
                raise
        return None

    def is_awaited(self, key: K) -> bool:
        """Tell whether somebody waits for what comes of a key that is worked on now."""
        return key in self._awaited

    def heard(self, key: K) -> None:
        """What somebody waited for is done; the rest of the work on this key is like any other."""
        self._awaited.discard(key)

    def done(self, key: K) -> None:
        """Give a key back; it is handed out again if it was added meanwhile."""
        self._processing.pop(key, None)
        priority = self._dirty_while_processing.pop(key, None)
        if priority is not None:
            self.add(key, priority)

    def close(self) -> None:
        """Hand out no more keys; workers finish the one they have."""
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._getters:
            self._wake()

    def __len__(self) -> int:
        """How many keys wait for a worker now."""
        return sum(map(len, self._waiting.values()))

    def is_short_of_workers(self) -> bool:
        """Tell whether a key that somebody waits for has no worker, and none is idle."""
        return bool(self._waiting[Priority.URGENT]) and not self._getters

    def is_urgent(self) -> bool:
        """Tell whether somebody waits: for work on a key to begin, or for the first that comes of it."""
        return bool(self._waiting[Priority.URGENT]) or not self._awaited.isdisjoint(self._processing)

    def waited_seconds(self, key: K) -> float:
        """Return how long a key that is worked on now had waited for its worker."""
        return self._processing.get(key, 0.0)

    @property
    def delayed(self) -> int:
        """How many keys wait for their time."""
        return len(self._due)

    def age_seconds(self) -> float:
        """Return how long the key that waits longest has been waiting."""
        oldest = min((next(iter(waiting.values())) for waiting in self._waiting.values() if waiting), default=None)
        return 0.0 if oldest is None else self._clock.monotonic() - oldest

    def _take(self) -> K:
        waiting = [priority for priority in Priority if self._waiting[priority]]
        turn = next((one for one in reversed(waiting) if self._passed_over[one] >= _LONGEST_STREAK), waiting[0])
        for priority in waiting:
            self._passed_over[priority] = 0 if priority is turn else self._passed_over[priority] + 1
        key = next(iter(self._waiting[turn]))
        waited = self._clock.monotonic() - self._waiting[turn].pop(key)
        self.waits.observe(waited)
        self._processing[key] = waited
        if turn is Priority.URGENT:
            self._awaited.add(key)
        return key

    def _wake(self) -> None:
        while self._getters:
            getter = self._getters.pop(0)
            if not getter.done():
                getter.set_result(None)
                return

    def _pass_on(self, getter: asyncio.Future[None]) -> None:
        """A worker that was woken and cancelled at once must not swallow the wake-up."""
        if getter in self._getters:
            self._getters.remove(getter)
        elif getter.done() and not getter.cancelled() and len(self):
            self._wake()

    def _arm(self) -> None:
        """Have a task wait for the earliest timer."""
        if not self._timers or self.closed or self._timers[0][0] >= self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = self._timers[0][0]
        self._timer = asyncio.get_running_loop().create_task(self._ring(self._timer_at))

    async def _ring(self, due: float) -> None:
        await self._clock.sleep(due - self._clock.monotonic())
        self._timer, self._timer_at = None, float("inf")
        now = self._clock.monotonic()
        while self._timers and self._timers[0][0] <= max(now, due):
            moment, _, key = heapq.heappop(self._timers)
            if self._due.get(key) == moment:  # else an earlier one answered for it
                del self._due[key]
                self.add(key)
        self._arm()
