"""The server over HTTP, on aiohttp.

Owns the translation between sockets and the server's types. Must not: decide anything.
"""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

from aiohttp import web

from sandbox.apiserver.failures import Refusal
from sandbox.apiserver.faults import Dropped
from sandbox.apiserver.requests import Answer, Request, Streamed
from sandbox.apiserver.server import ApiServer, refused

_OPEN_PATHS = frozenset({"/healthz", "/livez", "/readyz", "/version"})
_MAX_BODY_BYTES = 64 * 1024 * 1024


class _Front:
    def __init__(self, server: ApiServer) -> None:
        self._server = server

    async def serve(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            user, path = (
                ("system:anonymous", request.path) if request.path in _OPEN_PATHS else self._server.admit(request.path, headers)
            )
            asked = Request(
                method=request.method,
                path=path,
                query=dict(request.query),
                headers=headers,
                body=await request.read(),
                user=user,
            )
            answer = await self._server.handle(asked)
        except Refusal as refusal:
            answer = refused(refusal)
        except Dropped:
            return _cut(request)
        if isinstance(answer, Answer):
            return web.Response(
                status=answer.status, body=answer.body, headers={"Content-Type": answer.content_type, **answer.headers}
            )
        return await _stream(request, answer)


def _cut(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def _stream(request: web.Request, answer: Streamed) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type, **answer.headers})
    await response.prepare(request)
    try:
        async for chunk in answer.chunks:
            await response.write(chunk)
        await response.write_eof()
    except Dropped:
        if request.transport is not None:
            request.transport.abort()
    except ConnectionError:
        pass  # the client has gone, which is how a watch usually ends
    finally:
        close = getattr(answer.chunks, "aclose", None)
        if close is not None:
            await close()
    return response


def application(server: ApiServer) -> web.Application:
    """Return the aiohttp application of a server."""
    app = web.Application(client_max_size=_MAX_BODY_BYTES)
    app.router.add_route("*", "/{path:.*}", _Front(server).serve)
    return app


@asynccontextmanager
async def serving(
    server: ApiServer, *, host: str = "127.0.0.1", port: int = 0, listening: socket.socket | None = None
) -> AsyncIterator[str]:
    """Serve on a loopback socket and yield the base URL; port 0 lets the kernel choose; `listening` is used instead if given."""
    runner = web.AppRunner(application(server), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.SockSite(runner, listening) if listening is not None else web.TCPSite(runner, host, port)
        await site.start()
        bound = runner.addresses[0]
        yield f"http://{bound[0]}:{bound[1]}"
    finally:
        await runner.cleanup()


def kubeconfig(url: str, token: str = "") -> str:
    """Return a kubeconfig for a server; the token is in the address, since clients send none of their own without TLS."""
    server = url.replace("://", f"://admin:{quote(token, safe='')}@", 1) if token else url
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "sandbox", "cluster": {"server": server}}],
        "users": [{"name": "admin", "user": {"token": token} if token else {}}],
        "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "admin", "namespace": "default"}}],
        "current-context": "sandbox",
    }
    return json.dumps(config, indent=2) + "\n"
