"""A loopback HTTP server for tests that answers as scripted and remembers what it was asked."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Script = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Server:
    """A loopback server; `script` answers, `seen` has what came in."""

    port: int = 0
    scheme: str = "http"
    seen: list[tuple[str, str, dict[str, str], str]] = field(default_factory=list)
    peers: set[Any] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def headers(self, name: str) -> list[str | None]:
        return [headers.get(name.lower()) for _, _, headers, _ in self.seen]


@asynccontextmanager
async def serving(script: Script, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(scheme="https" if tls else "http")
    connections: set[asyncio.BaseTransport] = set()

    async def handle(request: web.Request) -> web.StreamResponse:
        headers = {key.lower(): value for key, value in request.headers.items()}
        server.seen.append((request.method, request.path_qs, headers, await request.text()))
        if request.transport:
            connections.add(request.transport)
            server.peers.add(request.transport.get_extra_info("peername"))
        return await script(request)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        await runner.cleanup()
        for connection in connections:  # those that nobody reads from any more cannot be closed in an orderly way
            if isinstance(connection, asyncio.WriteTransport):
                connection.abort()
        await asyncio.sleep(0)


def answers(*responses: Callable[[], web.StreamResponse]) -> Script:
    """Answer in turn; the last answer is repeated."""
    left = list(responses)

    async def script(_: web.Request) -> web.StreamResponse:
        return (left.pop(0) if len(left) > 1 else left[0])()

    return script


def a_status(status: int, text: str = "", **headers: str) -> Callable[[], web.Response]:
    return lambda: web.Response(status=status, text=text, headers=headers)
