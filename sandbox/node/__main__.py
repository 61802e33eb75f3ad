"""`python -m sandbox.node`: the node agent as a process, with the workload controllers if asked for.

Owns the command line and the signals. Must not: hold behaviour of the node.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path

from kube import config
from kube.client import Client
from kube.clock import SystemClock
from kube.errors import ApiError, InvalidConfig
from sandbox.node.agent import NodeAgent, Options
from sandbox.node.binding import NODE_NAME
from sandbox.node.context import Tempo
from sandbox.node.played import Behaviour
from sandbox.node.simulated import SimulatedNode
from sandbox.workloads.backoff import Backoff
from sandbox.workloads.controllers import WorkloadControllers
from sandbox.workloads.informers import Informers

logger = logging.getLogger(__name__)

PREFIX = "sandbox-node-"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.node", description="Runs pods as local processes, each on its own loopback address."
    )
    parser.add_argument("--kubeconfig", help="file with the connection to the API server (default: $KUBECONFIG)")
    parser.add_argument("--context", help="context of the kubeconfig")
    parser.add_argument("--node", default=NODE_NAME, help="name of the node (default: %(default)s)")
    parser.add_argument("--network", default="127.10.0.0/16", help="where pods get addresses from (default: %(default)s)")
    parser.add_argument("--directory", type=Path, help="where pods keep files (default: a temporary directory)")
    parser.add_argument(
        "--allow-image", action="append", default=[], help="pattern of images that run the HTTP echo; may be repeated"
    )
    parser.add_argument("--name-proxy", default="", help="URL of the proxy that resolves cluster names, for the containers")
    parser.add_argument("--log-certificate", type=Path, help="PEM file to serve logs over TLS with, as a real API server wants")
    parser.add_argument(
        "--played", type=float, metavar="SECONDS", help="run no processes: pods are said to be ready this long after they start"
    )
    parser.add_argument("--workloads", action="store_true", help="also run the workload controllers and the garbage collector")
    parser.add_argument("--backoff-scale", type=float, default=1.0, help="factor on restart and image back-offs (default: 1)")
    parser.add_argument("--log-level", default="warning", choices=("debug", "info", "warning", "error"))
    return parser.parse_args()


def _temporary_directory() -> Path:
    """Return a fresh directory; those of agents that were killed are removed."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        pid = path.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdigit() and not Path("/proc", pid).exists():
            shutil.rmtree(path, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))


async def _run(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    clock = SystemClock()
    connection = config.load(arguments.kubeconfig, arguments.context)
    client = Client(config.connect(connection), field_manager="sandbox-node", clock=clock)
    informers = Informers(client, clock)
    parts = [_node(arguments, client, clock, informers)]
    if arguments.workloads:
        parts.append(WorkloadControllers(client, clock, informers).run())
    informers.start()
    tasks = [asyncio.ensure_future(part) for part in parts]
    stopping = asyncio.create_task(stop.wait())
    try:
        await informers.synced()
        print(f"node {arguments.node} is running", flush=True)
        await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (*tasks, stopping):
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        await informers.stop()
        await client.close()
    for result in results:
        if isinstance(result, Exception):
            raise result


def _node(arguments: argparse.Namespace, client: Client, clock: SystemClock, informers: Informers) -> Awaitable[None]:
    """Return the run of the node that was asked for."""
    if arguments.played is not None:
        usual = Behaviour(ready_after=timedelta(seconds=arguments.played))
        return SimulatedNode(client, clock, informers, usual=usual, name=arguments.node).run()
    options = Options(
        directory=arguments.directory or _temporary_directory(),
        node=arguments.node,
        network=arguments.network,
        allowed_images=tuple(arguments.allow_image),
        name_proxy=arguments.name_proxy,
        log_certificate=arguments.log_certificate,
        tempo=Tempo(backoff=Backoff().scaled(arguments.backoff_scale)),
    )
    return NodeAgent(client, clock, informers, options).run()


def main() -> int:
    """Run until SIGTERM or SIGINT; return the exit code."""
    arguments = _arguments()
    logging.basicConfig(level=arguments.log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(_run(arguments))
    except (ApiError, InvalidConfig, OSError) as error:
        print(f"the node agent cannot run: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
