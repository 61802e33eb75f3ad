"""What a node says when somebody wants to enter a container: pods here are local processes without a terminal.

Owns the refusals at the places where a real API server asks a node. The embedded API server refuses by itself, before it asks.
Must not: run anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

POLL_SECONDS = 0.1
INSTEAD = "Read `kubectl logs`, or talk to the pod's address (`kubectl get pods -o wide`) from this machine"


def routes(goes_on: Callable[[str, str, str], bool]) -> list[web.RouteDef]:
    """Return the handlers; `goes_on` tells whether a container (namespace, pod, name) runs."""

    async def attach(request: web.Request) -> web.Response:
        """Refuse at once who wants to type; others when all is said: `kubectl run --attach` then prints the log."""
        names = [request.match_info[name] for name in ("namespace", "pod", "container")]
        talks = any(request.query.get(name) in ("1", "true") for name in ("input", "stdin", "tty"))
        while True:
            if talks or not goes_on(names[0], names[1], names[2]):
                return _refused("attach")
            await asyncio.sleep(POLL_SECONDS)

    async def execute(_: web.Request) -> web.Response:
        return _refused("exec")

    async def forward(_: web.Request) -> web.Response:
        return _refused("port-forward")

    container = "{namespace}/{pod}/{container}"
    return [
        web.route("*", f"/attach/{container}", attach),
        web.route("*", f"/exec/{container}", execute),
        web.route("*", "/portForward/{namespace}/{pod}", forward),
    ]


def _refused(command: str) -> web.Response:
    return web.Response(status=400, text=f"the sandbox's pods are local processes: {command} is not served. {INSTEAD}")
