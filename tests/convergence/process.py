"""A controller process that can be killed with any of its writes, lose the lease before any of them, and be started again.

Owns the life of processes on one server, and what is known of their requests. Must not: know what a Rollout is.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from kube.client import Client
from kube.clock import Clock
from kube.errors import Fenced, Unreachable
from kube.transport import Response
from rollouts.manager import Manager, Options
from sandbox.apiserver.inprocess import InProcessTransport
from sandbox.apiserver.server import ApiServer

CONTROLLER = "controller"
BOOKKEEPING = ("/events", "/leases")
NO_RESYNC = 1e9
"""Nothing may rest on the resync, which is there for the unforeseen."""


@dataclass
class SteppedClock:
    """The controller's clocks: the wall clock may be set, the monotonic one goes on."""

    clock: Clock
    stepped: timedelta = timedelta(0)

    def now(self) -> datetime:
        return self.clock.now() + self.stepped

    def monotonic(self) -> float:
        return self.clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self.clock.sleep(seconds)


@dataclass
class Ledger:
    """What is known of the writes of all processes that ever lived."""

    lost: set[tuple[str, str, bytes]] = field(default_factory=set)
    """Writes whose answers nobody read: sending them again is right."""
    idle: list[str] = field(default_factory=list)
    """Writes that changed nothing."""
    watches_lack_events: bool = False
    """Whether a process may not have heard yet what the one that led before it has written."""
    _last: dict[tuple[str, str, bytes], Mortal] = field(default_factory=dict)

    def is_known_to(self, process: Mortal, write: tuple[str, str, bytes]) -> bool:
        """Tell whether a process can know that a write, which is made again, was made."""
        by = self._last.get(write, process)
        self._last[write] = process
        return write not in self.lost and (by is process or not self.watches_lack_events)


class Mortal(InProcessTransport):
    """The way of one process to the server."""

    def __init__(self, server: ApiServer, ledger: Ledger) -> None:
        super().__init__(server, user=CONTROLLER)
        self._storage = server.storage
        self._ledger = ledger
        self.left: int | None = None
        """After so many writes `met` is set; None for never."""
        self.deadly = True
        self.met = asyncio.Event()
        self.dead = False
        self.leads = True

    def kill(self) -> None:
        """Let no request come back, and none leave."""
        self.dead = True

    def guard(self) -> bool:
        """Tell whether the process may write."""
        return self.leads

    async def request(self, method: str, path: str, **options: object) -> Response:
        if self.dead:
            await asyncio.Event().wait()
        if method == "GET":
            answer = await super().request(method, path, **options)  # type: ignore[arg-type]
        else:
            answer = await self._write(method, path, **options)
        if self.dead:
            await asyncio.Event().wait()
        return answer

    async def _write(self, method: str, path: str, **options: object) -> Response:
        if self.left is not None and not path.endswith(BOOKKEEPING):
            self.left -= 1
            if self.left <= 0:
                self.left = None
                self.dead, self.leads = self.deadly, self.deadly and self.leads
                self.met.set()
        if not self.leads:
            raise Fenced(f"{method} {path}")
        body = options.get("body")
        write = (method, path, body if isinstance(body, bytes) else b"")
        before = self._storage.revision
        try:
            answer = await super().request(method, path, **options)  # type: ignore[arg-type]
        except Unreachable:
            self._ledger.lost.add(write)
            raise
        if method == "PATCH" and answer.status == 200 and not self.dead:
            self._look(write, before, answer)
        if self.dead:
            self._ledger.lost.add(write)
        return answer

    def _look(self, write: tuple[str, str, bytes], before: int, answer: Response) -> None:
        found = answer.body.rpartition(b'"resourceVersion":"')[2].partition(b'"')[0]
        if self._ledger.is_known_to(self, write) and found.isdigit() and int(found) <= before:
            self._ledger.idle.append(f"{write[0]} {write[1]} {write[2][:300].decode()}")


@dataclass
class Process:
    """One life of the controller."""

    manager: Manager
    transport: Mortal
    task: asyncio.Task[None]

    async def stop(self) -> None:
        """End it without a last word."""
        self.transport.kill()
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.manager.close()

    @property
    def reconciles(self) -> int:
        """How often it looked at Rollouts."""
        return self.manager.controllers[0].reconciles


def start(server: ApiServer, clock: Clock, ledger: Ledger, *, seed: int, busy: bool = False) -> Process:
    """Start a process; equal seeds give equal lives. A busy one gives way in every other plan that may, as if others waited."""
    transport, chance = Mortal(server, ledger), random.Random(seed)
    client = Client(transport, clock=clock, random=chance)
    options = Options(resync_seconds=NO_RESYNC)
    manager = Manager(client=client, clock=clock, options=options, guard=transport.guard, random=chance)
    if busy:
        manager.controllers[0].queue.is_urgent = lambda: chance.random() < 0.5  # type: ignore[method-assign]
    return Process(manager, transport, asyncio.create_task(manager.run(), name="manager"))
