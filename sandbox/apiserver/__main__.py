"""`python -m sandbox.apiserver`: the API server as a process.

Owns the command line and the signals. Must not: hold behaviour of the server.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import socket
from pathlib import Path

from sandbox.apiserver.http import kubeconfig, serving
from sandbox.apiserver.installing import install_all
from sandbox.apiserver.journal import Journal
from sandbox.apiserver.server import ApiServer


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.apiserver", description="A Kubernetes API server in memory, on loopback."
    )
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 lets the kernel choose (default)")
    parser.add_argument("--listen-fd", type=int, help="an inherited socket that listens already, instead of --port")
    parser.add_argument(
        "--token", action="append", default=[], help="TOKEN or TOKEN=USER; may be repeated; without one, everybody is admin"
    )
    parser.add_argument(
        "--bare", action="store_true", help="serve the built-in kinds only; without it, ours and those of traffic routers too"
    )
    parser.add_argument("--kubeconfig", type=Path, help="file to write a kubeconfig for the first token to")
    parser.add_argument("--data", type=Path, help="file that keeps the objects over a restart")
    parser.add_argument("--service-network", default="127.96.0.0/16", help="where Services get their addresses; a /16 of loopback")
    return parser.parse_args()


async def _run(arguments: argparse.Namespace) -> None:
    tokens = {token: user or "admin" for token, _, user in (text.partition("=") for text in arguments.token)}
    server = ApiServer(tokens=tokens or None, service_network=arguments.service_network)
    journal = Journal(arguments.data, server) if arguments.data else None
    if not arguments.bare:
        await install_all(server)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    listening = None if arguments.listen_fd is None else socket.socket(fileno=arguments.listen_fd)
    try:
        async with serving(server, port=arguments.port, listening=listening) as url:
            if arguments.kubeconfig:
                arguments.kubeconfig.write_text(kubeconfig(url, next(iter(tokens), "")))
            print(url, flush=True)
            await stop.wait()
    finally:
        if journal is not None:
            journal.close()


def main() -> None:
    """Serve until SIGTERM or SIGINT; the first line printed is the URL."""
    asyncio.run(_run(_arguments()))


if __name__ == "__main__":
    main()
