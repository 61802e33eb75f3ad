"""`rollouts controller`: reads the flags, connects, and runs the controllers until it is told to stop.

Owns the flags (spec/rollout.md 5.4) and the order of starting and stopping. Must not: know what any controller decides.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass

import click

from kube.client import Client
from kube.clock import SystemClock
from kube.config import connect, load
from kube.errors import InvalidConfig
from kube.logs import set_up
from rollouts.manager import Manager, Options

logger = logging.getLogger("rollouts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What was asked for on the command line."""

    kubeconfig: str | None
    context: str | None
    namespaces: tuple[str, ...]
    options: Options


async def serve(flags: Flags) -> None:
    """Run the controllers until SIGTERM or SIGINT.

    Raises:
        InvalidConfig: no cluster is known.
    """
    client = Client(connect(load(flags.kubeconfig, flags.context)))
    manager = Manager(client=client, clock=SystemClock(), options=flags.options)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    work = asyncio.create_task(manager.run(), name="manager")
    waiting = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait([work, waiting], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (work, waiting):
            task.cancel()
        results = await asyncio.gather(work, waiting, return_exceptions=True)
        await manager.close()
        await client.close()
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
            raise result


@click.command("controller", help="Run the controller of Rollouts and AnalysisRuns.")
@click.option("--kubeconfig", help="Path of a kubeconfig; without one, KUBECONFIG, ~/.kube/config or the pod's own account.")
@click.option("--context", help="Context of the kubeconfig.")
@click.option("-n", "--namespace", "namespaces", multiple=True, help="Look after this namespace only; may be given several times.")
@click.option("--namespaced", is_flag=True, help="Look after the namespace of the context only.")
@click.option("--rollout-threads", default=10, show_default=True, help="Rollouts worked on at once.")
@click.option("--analysis-threads", default=30, show_default=True, help="AnalysisRuns worked on, and measurements taken, at once.")
@click.option("--rollout-resync", default=900, show_default=True, help="Seconds after which everything is looked at for no reason.")
@click.option("--controllers", type=click.Choice(["analysis"]), help="Run only this controller.")
@click.option("--loglevel", default="info", show_default=True, help="debug, info, warn or error.")
@click.option("--logformat", default="text", show_default=True, type=click.Choice(["text", "json"]))
def command(
    *,
    kubeconfig: str | None,
    context: str | None,
    namespaces: tuple[str, ...],
    namespaced: bool,
    rollout_threads: int,
    analysis_threads: int,
    rollout_resync: int,
    controllers: str | None,
    loglevel: str,
    logformat: str,
) -> None:
    """Run the controller until it is told to stop."""
    set_up(level=loglevel, style=logformat)
    try:
        if namespaced and not namespaces:
            namespaces = (load(kubeconfig, context).namespace,)
        options = Options(
            namespaces=namespaces or ("",),
            rollout_workers=rollout_threads,
            analysis_workers=analysis_threads,
            resync_seconds=float(rollout_resync),
            prometheus_address=os.environ.get("ARGO_ROLLOUTS_PROMETHEUS_ADDRESS", ""),
            only_analysis=controllers == "analysis",
        )
        asyncio.run(serve(Flags(kubeconfig=kubeconfig, context=context, namespaces=namespaces, options=options)))
    except InvalidConfig as error:
        raise click.ClickException(str(error)) from None


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command with these arguments, or those of the process."""
    command(args=list(arguments) if arguments is not None else None, prog_name="rollouts controller")


if __name__ == "__main__":
    main()
