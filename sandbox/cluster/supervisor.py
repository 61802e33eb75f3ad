"""Keeps the processes of a cluster running, from its start to its end.

Owns starting, watching, restarting and stopping, and the record of all that. Must not: know what a part does.

Each part is a process group of its own whose output goes to a file. A part that ends is started again. When the supervisor
itself is killed, the kernel ends its children with it, and they theirs.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from sandbox.cluster.forked import Forked, fork
from sandbox.cluster.processes import Identity, die_with_parent
from sandbox.cluster.readiness import is_ready
from sandbox.cluster.state import PartRecord, Record, SandboxError, StateFolder
from sandbox.cluster.topology import Part, Stage

POLL_SECONDS = 0.02
START_SECONDS = 60.0
PREPARED_SECONDS = 30.0
"""How long what is being brought into the cluster is waited for when everything stops."""
PAUSES_SECONDS = (0.05, 0.2, 1.0, 5.0)
"""Waits before each further start of a part that keeps ending; the last one for ever."""
LOG_LINES = 8
BACKLOG = 512


@dataclass(slots=True)
class _Running:
    part: Part
    process: asyncio.subprocess.Process | Forked
    identity: Identity
    ready: bool = False
    restarts: int = 0
    keeper: asyncio.Task[None] | None = field(default=None, repr=False)


class Supervisor:
    """Runs the parts of one cluster. Use it once, from one task of the main thread."""

    def __init__(self, state: StateFolder, parts: tuple[Part, ...], record: Record, *, prepare: Callable[[], None]) -> None:
        """Prepare; nothing runs yet.

        Args:
            state: the folder, held by the caller.
            parts: what to run.
            record: the addresses; what runs is filled in here.
            prepare: called on a thread once the API answers, before the product starts.
        """
        self._state = state
        self._parts = parts
        self._record = record
        self._prepare = prepare
        self._preparing: asyncio.Future[None] | None = None
        self._running: dict[str, _Running] = {}
        self._sockets: dict[str, socket.socket] = {}
        self._forked: dict[str, Forked] = {}
        self._complete = False

    @property
    def record(self) -> Record:
        """What runs now."""
        parts = tuple(
            PartRecord(name=one.part.name, process=one.identity, address=one.part.address, ready=one.ready, restarts=one.restarts)
            for part in self._parts
            if (one := self._running.get(part.name))
        )
        return replace(self._record, parts=parts, ready=self._complete)

    def fork(self) -> None:
        """Begin those parts that wait for nobody as copies of this process; call it before there is an event loop.

        Raises:
            SandboxError: a port is in use by now.
        """
        self._sockets = {part.name: _listening(part) for part in self._parts if part.listen_port}
        for part in self._parts:
            if part.stage is not Stage.PRODUCT:
                fds = self._fds(part)
                command = (*part.command, *(f"--listen-fd={fd}" for fd in fds))
                log = self._fresh_log(part)
                self._forked[part.name] = fork(command, log=log, environment=part.environment, keep=fds)

    async def start(self) -> None:
        """Start everything else in its order; returns when all is ready.

        Raises:
            SandboxError: a part ended or did not get ready in time; the text has the end of its log.
            ApiError: the API refuses what `prepare` does.
        """
        await _all([self._start_api_and_product(), *self._starting(Stage.CLUSTER)])
        self._complete = True
        self._write()

    def _starting(self, stage: Stage) -> list[Awaitable[None]]:
        return [self._start(part) for part in self._parts if part.stage is stage]

    async def _start_api_and_product(self) -> None:
        await _all(self._starting(Stage.STORE))
        await _all(self._starting(Stage.API))
        self._preparing = asyncio.ensure_future(asyncio.to_thread(self._prepare))
        await asyncio.shield(self._preparing)
        await _all(self._starting(Stage.PRODUCT))

    async def stop(self) -> None:
        """Stop everything; nothing runs after, not even what was still being brought into the cluster."""
        for one in self._running.values():
            if one.keeper:
                one.keeper.cancel()
        for stages in ({Stage.PRODUCT, Stage.CLUSTER}, {Stage.API}, {Stage.STORE}):
            await asyncio.gather(*(_stop(one) for one in self._running.values() if one.part.stage in stages))
        for listening in self._sockets.values():
            listening.close()
        if self._preparing is not None:
            await asyncio.wait({self._preparing}, timeout=PREPARED_SECONDS)  # a thread cannot be cancelled
            if self._preparing.done() and not self._preparing.cancelled():
                self._preparing.exception()  # told by `start`, if anybody still waits for that

    async def _start(self, part: Part) -> None:
        forked = self._forked.pop(part.name, None)
        running = _known(part, forked) if forked else await self._launch(part)
        self._running[part.name] = running
        self._write()
        await self._get_ready(running)
        running.keeper = asyncio.create_task(self._keep(running), name=f"keep-{part.name}")

    async def _launch(self, part: Part) -> _Running:
        fds = self._fds(part)
        with self._fresh_log(part).open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *part.command,
                *(f"--listen-fd={fd}" for fd in fds),
                pass_fds=fds,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **part.environment},
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        return _known(part, process)

    def _fds(self, part: Part) -> list[int]:
        return [self._sockets[part.name].fileno()] if part.listen_port else []

    def _fresh_log(self, part: Part) -> Path:
        """Return where the output of a part that is about to start goes; what said that it is ready is taken back."""
        if part.ready.file:
            part.ready.file.unlink(missing_ok=True)
        return self._state.fresh_log(part.name)

    async def _get_ready(self, running: _Running) -> None:
        name, log = running.part.name, self._state.log(running.part.name)
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await asyncio.to_thread(is_ready, running.part.ready, log):
                    if running.process.returncode is not None:
                        raise SandboxError(f"{name} ended at once ({running.process.returncode}):{_end_of(log.read_text())}")
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise SandboxError(f"{name} does not get ready within {START_SECONDS:.0f} s; see {log}") from None
        running.ready = True
        self._write()

    async def _keep(self, running: _Running) -> None:
        """Start a part again whenever it ends."""
        for pause in _pauses():
            await running.process.wait()
            running.ready = False
            running.restarts += 1
            self._write()
            await asyncio.sleep(pause)
            again = await self._launch(running.part)
            running.process, running.identity = again.process, again.identity
            self._write()
            while running.process.returncode is None and not running.ready:
                with suppress(SandboxError):  # on a busy machine it may take longer than the first start may
                    await self._get_ready(running)

    def _write(self) -> None:
        self._state.write(self.record)


def _known(part: Part, process: asyncio.subprocess.Process | Forked) -> _Running:
    return _Running(part, process, Identity.of(process.pid) or Identity(process.pid, 0))


def _listening(part: Part) -> socket.socket:
    """Return the socket that a part will serve.

    Raises:
        SandboxError: the port is in use by now.
    """
    try:
        return socket.create_server(("127.0.0.1", part.listen_port), backlog=BACKLOG)
    except OSError as error:
        raise SandboxError(f"port {part.listen_port} of 127.0.0.1 cannot be used: {error.strerror}") from None


async def _all(starting: list[Awaitable[None]]) -> None:
    """Await all; when one fails, the first failure is raised after the others were cancelled."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in starting:
                group.create_task(_awaited(one))
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def _awaited(one: Awaitable[None]) -> None:
    await one


async def _stop(running: _Running) -> None:
    """SIGTERM, SIGKILL after the grace, and whatever of its group is left."""
    process = running.process
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(running.part.grace_seconds):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _pauses() -> Iterator[float]:
    yield from PAUSES_SECONDS
    while True:
        yield PAUSES_SECONDS[-1]


def _end_of(log: str) -> str:
    return "".join(f"\n  {line}" for line in log.splitlines()[-LOG_LINES:]) or " without a word"
