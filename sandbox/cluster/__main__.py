"""`python -m sandbox.cluster`: the supervisor of a cluster as a process.

Owns the command line, the signals, and the order lock, claim, start, stop, clean up. Prints the record as one line of JSON
when everything is ready. Must not: hold behaviour of the parts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path

from kube.errors import ApiError, InvalidConfig
from sandbox.cluster.beginning import Beginning, begin
from sandbox.cluster.claims import NoNetworkLeft, claimed_networks
from sandbox.cluster.forked import preload
from sandbox.cluster.processes import Identity
from sandbox.cluster.setup import find_prometheus, places_of, require_linux, write_kubeconfigs
from sandbox.cluster.state import Record, SandboxError, StateFolder, default_state
from sandbox.cluster.supervisor import Supervisor
from sandbox.cluster.topology import NO_AUTHORITIES, ControlPlane, Options, Places, cluster_names


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.cluster", description="Runs a cluster on loopback.")
    parser.add_argument("--state", type=Path, default=default_state(), help="folder of the cluster")
    for name in ("api", "ingress", "proxy", "prometheus"):
        parser.add_argument(f"--{name}-port", type=int, default=0, help="0 lets the kernel choose (default)")
    parser.add_argument("--prometheus", help="the Prometheus binary, or `none`")
    parser.add_argument("--allow-image", action="append", default=[], help="image pattern that runs an HTTP echo; may be repeated")
    parser.add_argument("--played-pods", type=float, metavar="SECONDS", help="run no pods; say that they are ready after this long")
    parser.add_argument("--with-controller", action="store_true", help="run the product's controller too")
    parser.add_argument("--controller-argument", action="append", default=[], help="handed to the controller; may be repeated")
    parser.add_argument("--control-plane", choices=[one.value for one in ControlPlane], default=ControlPlane.EMBEDDED.value)
    parser.add_argument("--context", help="of the kubeconfig that leads to an existing cluster")
    parser.add_argument("--bare", action="store_true", help="a real control plane alone, with nothing in it")
    parser.add_argument("--audit-log", action="store_true", help="write requests down; a real control plane only")
    parser.add_argument("--attached", action="store_true", help="stop when standard input ends")
    return parser.parse_args()


def _options(arguments: argparse.Namespace) -> Options:
    return Options(
        control_plane=ControlPlane(arguments.control_plane),
        audit_log=arguments.audit_log,
        context=arguments.context,
        bare=arguments.bare,
        api_port=arguments.api_port,
        ingress_port=arguments.ingress_port,
        proxy_port=arguments.proxy_port,
        prometheus_port=arguments.prometheus_port,
        prometheus=arguments.prometheus,
        allow_images=tuple(arguments.allow_image),
        played_pods=arguments.played_pods,
        with_controller=arguments.with_controller,
        controller_arguments=tuple(arguments.controller_argument),
    )


async def _run(supervisor: Supervisor, beginning: Beginning, *, attached: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if attached:
        loop.add_reader(sys.stdin.fileno(), lambda: None if os.read(sys.stdin.fileno(), 4096) else stop.set())
    starting, stopping = asyncio.create_task(supervisor.start()), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            print(json.dumps(asdict(supervisor.record)), flush=True)
        await stopping
    finally:
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await supervisor.stop()
        await asyncio.to_thread(beginning.take_out)


def _supervisor(state: StateFolder, options: Options, places: Places) -> tuple[Supervisor, Beginning]:
    """Write the files that the parts read, and put the supervisor of the parts together."""
    prometheus = find_prometheus(options.prometheus) if options.answers else None
    beginning = begin(state, options, places, prometheus=prometheus)
    write_kubeconfigs(places, with_prometheus=prometheus is not None)
    record = _record(options, places, with_prometheus=prometheus is not None)
    supervisor = Supervisor(state, beginning.parts, record, prepare=beginning.prepare)
    if options.control_plane is ControlPlane.EMBEDDED:
        preload(NO_AUTHORITIES)
        supervisor.fork()
    return supervisor, beginning


def _record(options: Options, places: Places, *, with_prometheus: bool) -> Record:
    own = Identity.of(os.getpid())
    assert own is not None, "this process runs"
    answers = options.answers
    return Record(
        supervisor=own,
        ready=False,
        control_plane=options.control_plane.value,
        server=places.server,
        ingress=places.ingress if answers else "",
        name_proxy=places.name_proxy if answers else "",
        prometheus=places.prometheus if with_prometheus else "",
        environment=cluster_names(places) if answers else {},
    )


def main() -> None:
    """Run a cluster until SIGTERM or SIGINT; nothing is left after, but for logs when the start failed."""
    arguments = _arguments()
    state, options = StateFolder(arguments.state.absolute()), _options(arguments)
    try:
        require_linux()
        with state.locked(), claimed_networks() as networks:
            places = places_of(options, state.path, networks)
            failed = True
            try:
                supervisor, beginning = _supervisor(state, options, places)
                asyncio.run(_run(supervisor, beginning, attached=arguments.attached))
                failed = False
            finally:
                state.clear(keep_logs=failed)
    except (SandboxError, NoNetworkLeft, ApiError, InvalidConfig) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
