"""The lives of the controller: one process after the other, each killed or deposed as the troubles say.

Owns which process works. Must not: know what a Rollout is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sandbox.apiserver.faults import Fault
from sandbox.apiserver.server import ApiServer
from tests.convergence.histories import Deposed, Kill, SetClock, Trouble
from tests.convergence.process import Ledger, Process, SteppedClock, start

LONGEST_SECONDS = 90.0
"""After this a process that writes too little for its trouble is spared it: it is killed or deposed all the same."""


@dataclass
class Lives:
    """Every process that ever worked on a server."""

    server: ApiServer
    busy: bool = False
    """Whether other Rollouts seem to be in need, so that plans are left that may be."""
    ledger: Ledger = field(default_factory=Ledger)
    clock: SteppedClock = field(init=False)
    process: Process = field(init=False)
    """The one that works now, or is about to be replaced."""
    _count: int = 0
    _standby: Process | None = None
    _burials: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start the first one."""
        self.clock = SteppedClock(self.server.core.clock)
        self.process = self._start()

    def _start(self) -> Process:
        self._count += 1
        return start(self.server, self.clock, self.ledger, seed=self._count, busy=self.busy)

    def begin(self, troubles: Sequence[Trouble]) -> asyncio.Task[None]:
        """Let things go wrong from now on."""
        faults = [one for one in troubles if isinstance(one, Fault)]
        self.server.faults.set(*faults)
        self.ledger.watches_lack_events = any(one.action == "lose-events" for one in faults)
        return asyncio.create_task(self._disturb([one for one in troubles if not isinstance(one, Fault)]), name="trouble")

    async def _disturb(self, troubles: Sequence[Kill | Deposed | SetClock]) -> None:
        for one in troubles:
            match one:
                case SetClock():
                    await asyncio.sleep(one.at)
                    self.clock.stepped += timedelta(seconds=one.by)
                case Kill():
                    await self._met(one.writes, deadly=True)
                    self._bury(self.process)
                    await asyncio.sleep(one.down)
                    self.process = self._start()
                case Deposed():
                    await self._depose(one)

    async def _met(self, writes: int, *, deadly: bool) -> None:
        """Wait until the process has met its fate."""
        transport = self.process.transport
        transport.left, transport.deadly = writes, deadly
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                await transport.met.wait()
        except TimeoutError:
            transport.left = None
            transport.leads = deadly
        transport.met.clear()

    def _bury(self, process: Process) -> None:
        process.transport.kill()
        self._burials.append(asyncio.create_task(process.stop()))

    async def _depose(self, trouble: Deposed) -> None:
        """Let another one lead for a while; the first goes on reading, and leads again afterwards."""
        await self._met(trouble.writes, deadly=False)
        deposed, self.process = self.process, self._start()
        self._standby = deposed
        await asyncio.sleep(trouble.seconds)
        self._bury(self.process)
        deposed.transport.leads = True
        self.process, self._standby = deposed, None

    async def end(self, task: asyncio.Task[None]) -> None:
        """Nothing goes wrong any more; whoever is there works on."""
        self.server.faults.clear()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self.clock.stepped = timedelta(0)
        transport = self.process.transport
        transport.left, transport.leads = None, True
        if transport.dead:
            self._bury(self.process)
            self.process = self._start()

    async def close(self) -> None:
        """Stop every process."""
        if self._standby is not None:
            self._bury(self._standby)
        await asyncio.gather(*self._burials, self.process.stop())
