"""A child process that never outlives us, is started again when it dies, and ends when asked.

Owns processes that the sandbox runs (Envoy, Prometheus). Must not: know what they do.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress

PR_SET_PDEATHSIG = 1
LINE_LIMIT = 1 << 20
PAUSES = (0.05, 0.2, 1.0, 5.0)
"""Seconds before each further start of a program that keeps ending; the last one for ever."""

log = logging.getLogger(__name__)


def die_with_parent() -> None:
    """Ask the kernel to kill this (child) process when its parent is gone, however that came about. Linux only."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def pauses_seconds() -> Iterator[float]:
    """Yield the waits before each further start."""
    yield from PAUSES
    while True:
        yield PAUSES[-1]


class Child:
    """One program kept running from `start` to `stop`."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        on_line: Callable[[bytes], None] | None = None,
        before_start: Callable[[], None] | None = None,
        on_start: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Run `command`; `on_line` gets its standard output by lines, `before_start` and `on_start` are called around each start.

        `on_start` waits until the program is up, and raises a `RuntimeError` when it does not come up.
        """
        self._command = tuple(command)
        self._on_line = on_line
        self._before_start = before_start
        self._on_start = on_start
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._starts = 0
        self._changed = asyncio.Condition()

    @property
    def pid(self) -> int | None:
        """The process id, while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start it, and keep it running.

        Raises:
            RuntimeError: what `on_start` raised: it does not come up.
        """
        await self._launch()
        self._keeper = asyncio.create_task(self._keep())

    async def started(self, times: int) -> None:
        """Wait until it was started so many times and said that it is up."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._starts >= times)

    def kill(self) -> None:
        """Kill it with SIGKILL; it is started again."""
        if self._process and self._process.returncode is None:
            self._process.kill()

    async def stop(self, grace_seconds: float = 3.0) -> None:
        """End it: SIGTERM, and SIGKILL after the grace."""
        if self._keeper:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(grace_seconds):
                await self._drain(process)
        except TimeoutError:
            process.kill()
            await self._drain(process)

    async def _launch(self) -> None:
        if self._before_start:
            self._before_start()
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_LIMIT,
            preexec_fn=die_with_parent,
        )
        if self._on_start:
            await self._on_start()
        async with self._changed:
            self._starts += 1
            self._changed.notify_all()

    async def _keep(self) -> None:
        pauses = pauses_seconds()
        while True:
            assert self._process is not None
            began = time.monotonic()
            await self._drain(self._process)
            if time.monotonic() - began > PAUSES[-1]:
                pauses = pauses_seconds()
            log.warning("%s ended with %s; starting it again", self._command[0], self._process.returncode)
            await asyncio.sleep(next(pauses))
            try:
                await self._launch()
            except (RuntimeError, OSError) as error:
                log.error("%s", error)

    async def _drain(self, process: asyncio.subprocess.Process) -> None:
        """Hand on its output until it ends."""
        assert process.stdout is not None
        async for line in process.stdout:
            if self._on_line:
                self._on_line(line)
        await process.wait()
