"""The agent's end of the launcher: start programs, signal them, wait for their end.

Owns the launcher process and the protocol with it. Must not: know pods, or signal a process by number (it may be another by now).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.node.errors import CannotStart

STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A program to start: `web` is forked from the warm launcher, `exec` runs `argv`."""

    program: str
    environment: Mapping[str, str]
    directory: Path
    log: Path
    argv: Sequence[str] = ()


class Process:
    """A program that was started."""

    def __init__(self, name: str, launcher: Processes) -> None:
        self.name = name
        self.pid = 0
        self._launcher = launcher
        self._exit: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._started: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def wait(self) -> int:
        """Return the exit code; below zero is the signal that ended it."""
        return await asyncio.shield(self._exit)

    async def started(self) -> None:
        """Wait until it runs.

        Raises:
            CannotStart: it does not, and why.
        """
        self.pid = await asyncio.shield(self._started)

    @property
    def running(self) -> bool:
        """Whether its end was not heard of."""
        return not self._exit.done()

    def signal(self, number: int) -> None:
        """Signal the program and whatever it started."""
        if self.running:
            self._launcher.send({"order": "signal", "name": self.name, "number": number})

    async def stop(self, *, grace_seconds: float) -> int:
        """Ask it to end, insist after the grace period; return the exit code."""
        if grace_seconds > 0:
            self.signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_seconds):
                    return await self.wait()
        self.signal(signal.SIGKILL)
        return await self.wait()

    def tell(self, event: Mapping[str, Any]) -> None:
        """Take in what the launcher says about it."""
        match event["event"]:
            case "started" if not self._started.done():
                self._started.set_result(int(event["pid"]))
            case "failed":
                self.fail(CannotStart(str(event["error"])))
            case "exited" if not self._exit.done():
                self._exit.set_result(int(event["code"]))

    def fail(self, error: CannotStart) -> None:
        """Count it as ended: it never began, or nobody can tell any more."""
        if not self._started.done():
            self._started.set_exception(error)
            self._started.exception()
        if not self._exit.done():
            self._exit.set_result(-signal.SIGKILL)


class Processes:
    """The launcher and its programs; use as an asynchronous context manager."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._processes: dict[str, Process] = {}
        self._serial = 0

    async def __aenter__(self) -> Processes:
        ours, theirs = socket.socketpair()
        with theirs:
            arguments = [sys.executable, "-m", "sandbox.node.launcher", str(theirs.fileno())]
            self._child = subprocess.Popen(arguments, pass_fds=[theirs.fileno()], start_new_session=True)  # noqa: ASYNC220
        ours.setblocking(False)
        reader, self._writer = await asyncio.open_connection(sock=ours)
        self._reading = asyncio.create_task(self._read(reader), name="launcher")
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close the socket: the launcher kills everything and ends."""
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
        if self._child is not None:
            child = self._child
            try:
                await asyncio.to_thread(child.wait, STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                await asyncio.to_thread(child.wait)
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def start(self, order: Order) -> Process:
        """Start a program.

        Raises:
            CannotStart: the launcher could not, or is gone.
        """
        self._serial += 1
        process = Process(str(self._serial), self)
        self._processes[process.name] = process
        body = {
            "order": "start",
            "name": process.name,
            "program": order.program,
            "argv": list(order.argv),
            "environment": dict(order.environment),
            "directory": str(order.directory),
            "log": str(order.log),
        }
        self.send(body)
        try:
            await process.started()
        except asyncio.CancelledError:
            process.signal(signal.SIGKILL)  # orders are obeyed in turn, so it is started by then
            raise
        return process

    def send(self, message: Mapping[str, Any]) -> None:
        """Send the launcher an order.

        Raises:
            CannotStart: it is gone.
        """
        if self._writer is None or self._writer.is_closing():
            raise CannotStart("the launcher of the node agent is gone; restart the agent")
        self._writer.write(json.dumps(message).encode() + b"\n")

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                event = json.loads(line)
                process = self._processes.get(event["name"])
                if process is not None:
                    process.tell(event)
                    if not process.running:
                        del self._processes[process.name]
        for process in self._processes.values():
            process.fail(CannotStart("the launcher of the node agent is gone; restart the agent"))
        self._processes.clear()
