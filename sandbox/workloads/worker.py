"""A queue and one loop, for work that must ask the server and so is no plan.

Owns retries and clean stops. Must not: know what the work is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from kube.clock import Clock
from kube.errors import ApiError, Conflict, NotFound
from kube.queue import WorkQueue

logger = logging.getLogger(__name__)

LONGEST_RETRY_SECONDS = 10.0
K = TypeVar("K")


class Worker(Generic[K]):
    """Calls `work` for each key that was added; it returns seconds until the next look, or None."""

    def __init__(self, name: str, work: Callable[[K], Awaitable[float | None]], *, clock: Clock, workers: int = 4) -> None:
        self.name = name
        self.queue: WorkQueue[K] = WorkQueue(clock)
        self._work = work
        self._workers = workers

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._workers):
                    group.create_task(self._loop())
        finally:
            self.queue.close()

    async def _loop(self) -> None:
        while (key := await self.queue.get()) is not None:
            try:
                await self._one(key)
            finally:
                self.queue.done(key)

    async def _one(self, key: K) -> None:
        try:
            after = await self._work(key)
        except (Conflict, NotFound) as error:
            logger.debug("%s %s: %s", self.name, key, error)
        except ApiError as error:
            logger.warning("%s %s: %s", self.name, key, error)
        except Exception:
            logger.exception("%s %s failed", self.name, key)
        else:
            self.queue.forget(key)
            if after is not None:
                self.queue.add_after(key, after)
            return
        self.queue.retry(key, longest_seconds=LONGEST_RETRY_SECONDS)
