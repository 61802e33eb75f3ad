"""What `rollouts sandbox load` and `traffic` do: send, print second by second, show who answers.

Owns the terminal's side of a load. Must not: be imported before somebody asks: starting a sandbox waits for that.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import click

from sandbox.cluster.processes import Identity
from sandbox.cluster.state import SandboxError, StateFolder
from sandbox.cluster.traffic import read_shown, show, shown_of, target_of, traffic_text
from sandbox.load.generator import LoadGenerator
from sandbox.load.result import Snapshot
from sandbox.load.view import second_line, summary
from sandbox.load.wire import Target

REPORT_SECONDS = 0.25


def send(folder: StateFolder, name: str, *, namespace: str, path: str, rps: float, seconds: float | None) -> bool:
    """Send traffic to something in the cluster until the time is over or a signal comes; tell whether no request was lost.

    Raises:
        SandboxError: no sandbox runs here, or there is nothing of this name.
        Unusable: no request can be made for the name.
    """
    target = target_of(folder, name, namespace=namespace, path=path)
    found = asyncio.run(_send(target, folder.path / "load", name, rps=rps, seconds=seconds))
    click.echo(summary(found))
    return not found.lost


def watch(folder: StateFolder, *, once: bool) -> None:
    """Print who answers the running loads: live in a terminal, once elsewhere or if so asked.

    Raises:
        SandboxError: no sandbox runs here, or no load.
    """
    folder.running()
    loads = read_shown(folder.path / "load")
    if not loads:
        raise SandboxError("no load runs; start one with `rollouts sandbox load NAME`")
    if once or not sys.stdout.isatty():
        click.echo(traffic_text(loads))
        return
    _live(folder)


async def _send(target: Target, folder: Path, name: str, *, rps: float, seconds: float | None) -> Snapshot:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    generator = LoadGenerator(target, rps=rps)
    async with generator, asyncio.TaskGroup() as group:
        reporter = group.create_task(_report(generator, folder, name, rps))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await stop.wait()
        reporter.cancel()
    return generator.snapshot()


async def _report(generator: LoadGenerator, folder: Path, name: str, rps: float) -> None:
    """Print a line for each second, and write the figures down for `rollouts sandbox traffic`."""
    sender = Identity.of(os.getpid())
    assert sender is not None, "this process runs"
    printed = 0
    try:
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            found = generator.snapshot()
            show(folder, shown_of(name, sender, rps=rps, snapshot=found))
            for second in found.seconds[:-1]:
                if second.epoch > printed:
                    click.echo(second_line(second))
                    printed = second.epoch
    finally:
        (folder / f"{sender.pid}.json").unlink(missing_ok=True)


def _live(folder: StateFolder) -> None:
    from rich.live import Live
    from rich.text import Text

    with contextlib.suppress(KeyboardInterrupt), Live(refresh_per_second=8) as live:
        while loads := read_shown(folder.path / "load"):
            live.update(Text(traffic_text(loads)))
            time.sleep(REPORT_SECONDS)
