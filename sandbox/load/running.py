"""A load run that reports each second as it ends.

Owns the run from start to stop. Must not: print, or know where it was asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sandbox.load.generator import LoadGenerator
from sandbox.load.result import Second, Snapshot
from sandbox.load.wire import Target

REPORT_SECONDS = 0.25


async def run(
    target: Target, *, rps: float, stop: asyncio.Event, on_second: Callable[[Second], None], seconds: float | None = None
) -> Snapshot:
    """Send until `stop` is set or `seconds` are over; `on_second` gets each second once it is complete.

    Raises:
        Unusable: no request can be made for the target.
    """
    load = LoadGenerator(target, rps=rps)
    reporter = asyncio.create_task(_report(load, on_second))
    load.start()
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return await load.stop()
    finally:
        reporter.cancel()
        await asyncio.gather(reporter, return_exceptions=True)
    return await load.stop()


async def _report(load: LoadGenerator, on_second: Callable[[Second], None]) -> None:
    shown = 0
    while True:
        await asyncio.sleep(REPORT_SECONDS)
        for second in load.snapshot().seconds[:-1]:
            if second.epoch > shown:
                on_second(second)
                shown = second.epoch
