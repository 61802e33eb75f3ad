"""Users at a steady rate: requests are sent when they are due, however long earlier ones take.

Owns the pace and the connections. Must not: retry.
"""

from __future__ import annotations

import asyncio
import time
from types import TracebackType

from sandbox.load.result import Failure, Snapshot, Tally
from sandbox.load.wire import Connection, Target

TICK_SECONDS = 0.01


class LoadGenerator:
    """Sends `rps` requests per second to a target, from `start` to `stop`, over connections that are kept open.

    As many connections are used as there are requests under way at once, up to `connections`; a request that is due when
    all of them are busy is counted as the failure `overload`.
    """

    def __init__(self, target: Target, *, rps: float, connections: int = 256, timeout_seconds: float = 10.0) -> None:
        """Prepare; nothing is sent yet.

        Raises:
            Unusable: no request can be made for the target.
            ValueError: the rate is not above zero.
        """
        if rps <= 0:
            raise ValueError("rps must be above 0")
        self._rps = rps
        self._target = target
        self._most = connections
        self._timeout_seconds = timeout_seconds
        self._idle: list[Connection] = [Connection(target, timeout_seconds=timeout_seconds)]
        self._made = 1
        self._tally = Tally()
        self._under_way: set[asyncio.Task[None]] = set()
        self._pacing: asyncio.Task[None] | None = None
        self._progress = asyncio.Event()

    async def __aenter__(self) -> LoadGenerator:
        """Start."""
        self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop."""
        await self.stop()

    def start(self) -> None:
        """Begin to send."""
        self._pacing = asyncio.create_task(self._pace())

    async def stop(self) -> Snapshot:
        """Send no more, wait for what is under way, close, and return everything."""
        if self._pacing:
            self._pacing.cancel()
            await asyncio.gather(self._pacing, return_exceptions=True)
        while self._under_way:
            await asyncio.gather(*self._under_way)
        for connection in self._idle:
            await connection.closed()
        return self.snapshot()

    def snapshot(self) -> Snapshot:
        """Return everything so far."""
        return self._tally.snapshot()

    @property
    def answered(self) -> int:
        """How many requests were answered so far."""
        return self._tally.answered

    async def progress(self) -> None:
        """Wait until one more request has come to its end."""
        self._progress.clear()
        await self._progress.wait()

    async def _pace(self) -> None:
        """Send what is due by now every hundredth of a second; what a stall of ours held back is sent late, not dropped."""
        loop = asyncio.get_running_loop()
        began, sent = loop.time(), 0
        while True:
            due = int((loop.time() - began) * self._rps) + 1
            for _ in range(due - sent):
                self._send()
            sent = due
            await asyncio.sleep(min(TICK_SECONDS, 1 / self._rps))

    def _send(self) -> None:
        connection = self._connection()
        if connection is None:
            self._tally.add(Failure.OVERLOAD, epoch=int(time.time()), latency_seconds=0.0)
            return
        task = asyncio.create_task(self._ask(connection))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def _connection(self) -> Connection | None:
        if self._idle:
            return self._idle.pop()
        if self._made >= self._most:
            return None
        self._made += 1
        return Connection(self._target, timeout_seconds=self._timeout_seconds)

    async def _ask(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        before = loop.time()
        try:
            outcome = await connection.ask()
            self._tally.add(outcome, epoch=int(time.time()), latency_seconds=loop.time() - before)
        finally:
            self._progress.set()
            self._idle.append(connection)
