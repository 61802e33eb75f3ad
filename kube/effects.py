"""Slow and outside work of one controller: started once per id, its answer kept until a plan has accounted for it, cancelled
when no plan asks for it any more.

Owns the running tasks and the answers. Must not: decide what is to be done, or hold up a worker.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

from kube.clock import Clock
from kube.objects import Key
from kube.plan import Effect, Observation

logger = logging.getLogger(__name__)

Perform: TypeAlias = Callable[[Key, Effect], Awaitable[Any]]
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0
MOST_ANSWERS = 1000
"""Answers kept for one object; more means that its plans never consume them, and the oldest are dropped."""


async def no_effects(key: Key, effect: Effect) -> NoReturn:
    """Refuse: for controllers whose plans ask for nothing outside the API server."""
    raise ValueError(f"{key[0]}/{key[1]}: no effect is known here, not even {effect.id}")


@dataclass(slots=True)
class _Work:
    """What goes on for one object."""

    uid: str
    running: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    answers: dict[str, Observation] = field(default_factory=dict)
    failures: dict[str, tuple[int, float]] = field(default_factory=dict)
    """By effect: how often it failed in a row, and when it may be tried again."""


class Effects:
    """The effects of one controller's objects."""

    def __init__(self, perform: Perform, *, clock: Clock, answered: Callable[[Key], None]) -> None:
        """Prepare.

        Args:
            perform: does the work and returns the answer; expected failures are answers, not exceptions.
            clock: for times and back-off.
            answered: told of the object whose plan should be made again.
        """
        self._perform = perform
        self._clock = clock
        self._answered = answered
        self._work: dict[Key, _Work] = {}
        self._closing = False

    def observations(self, key: Key, uid: str) -> Sequence[Observation]:
        """Return the answers for an object, oldest first; those of an earlier object of this name are dropped."""
        work = self._work.get(key)
        if work is not None and work.uid != uid:
            self.drop(key)
            return ()
        return tuple(work.answers.values()) if work else ()

    def start(self, key: Key, uid: str, effects: Iterable[Effect]) -> float | None:
        """Start what is neither under way nor answered, and cancel what a plan asked for earlier and this one does not.

        What is not asked for any more begins anew when it is asked for again: its earlier failures hold it up no longer.

        Returns the seconds until one that failed may be tried again.
        """
        effects = tuple(effects)
        self._cancel_others(key, {effect.id for effect in effects})
        waits = [wait for effect in effects if (wait := self._start(key, uid, effect)) is not None]
        return min(waits, default=None)

    def consume(self, key: Key, ids: Iterable[str]) -> None:
        """Forget answers that the status accounts for by now."""
        work = self._work.get(key)
        if work is None:
            return
        for effect_id in ids:
            work.answers.pop(effect_id, None)
        self._tidy(key, work)

    def drop(self, key: Key) -> None:
        """The object is gone: cancel its effects and forget its answers."""
        work = self._work.pop(key, None)
        for task in list(work.running.values()) if work else ():
            task.cancel()

    async def close(self) -> None:
        """Cancel everything and wait for it."""
        self._closing = True
        tasks = [task for work in self._work.values() for task in work.running.values()]
        for key in list(self._work):
            self.drop(key)
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def running(self) -> int:
        """How many effects are under way."""
        return sum(len(work.running) for work in self._work.values())

    def _start(self, key: Key, uid: str, effect: Effect) -> float | None:
        if self._closing:
            return None
        work = self._work.setdefault(key, _Work(uid))
        if effect.id in work.running or effect.id in work.answers:
            return None
        _, not_before = work.failures.get(effect.id, (0, 0.0))
        wait = not_before - self._clock.monotonic()
        if wait > 0:
            return wait
        work.running[effect.id] = asyncio.get_running_loop().create_task(self._run(key, work, effect))
        return None

    def _cancel_others(self, key: Key, wanted: Collection[str]) -> None:
        work = self._work.get(key)
        if work is None:
            return
        for effect_id in [one for one in work.running if one not in wanted]:
            work.running.pop(effect_id).cancel()
        for effect_id in [one for one in work.failures if one not in wanted]:
            del work.failures[effect_id]
        self._tidy(key, work)

    async def _run(self, key: Key, work: _Work, effect: Effect) -> None:
        try:
            answer = await self._perform(key, effect)
        except asyncio.CancelledError:
            self._ended(work, effect)
            self._tidy(key, work)
            raise
        except Exception:
            self._failed(key, work, effect)
        else:
            work.failures.pop(effect.id, None)
            work.answers[effect.id] = Observation(effect.id, answer, self._clock.now())
            if len(work.answers) > MOST_ANSWERS:
                oldest = next(iter(work.answers))
                del work.answers[oldest]
                logger.error("%s/%s: more than %d answers that no plan consumed; dropped %s", *key, MOST_ANSWERS, oldest)
        self._ended(work, effect)
        if self._work.get(key) is work:
            self._answered(key)

    @staticmethod
    def _ended(work: _Work, effect: Effect) -> None:
        """Forget the task that runs this, unless a later one has its place already."""
        if work.running.get(effect.id) is asyncio.current_task():
            del work.running[effect.id]

    def _failed(self, key: Key, work: _Work, effect: Effect) -> None:
        count = work.failures.get(effect.id, (0, 0.0))[0] + 1
        wait = min(FIRST_WAIT_SECONDS * 2.0 ** min(count - 1, 10), LONGEST_WAIT_SECONDS)
        work.failures[effect.id] = (count, self._clock.monotonic() + wait)
        logger.exception("%s/%s: the effect %s failed; it may be asked for again in %.0f s", *key, effect.id, wait)

    def _tidy(self, key: Key, work: _Work) -> None:
        if not (work.running or work.answers or work.failures) and self._work.get(key) is work:
            del self._work[key]
