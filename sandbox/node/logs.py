"""Serves containers' output where the API server looks for it: `/containerLogs/NAMESPACE/POD/CONTAINER`.

Owns reading log files. Must not: write them; programs do.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from aiohttp import web

from sandbox.node import commands
from sandbox.node.log_lines import BadQuery, LineReader, Wanted

FOLLOW_SECONDS = 0.1
CHUNK = 1 << 16

Living: TypeAlias = Callable[[], bool]
"""Tells whether a container's present run goes on."""
Find: TypeAlias = Callable[[str, str, str], "tuple[Path, Living] | str"]
"""Takes namespace, pod and container; returns the directory of its runs and whether one goes on, or why there is none."""


@asynccontextmanager
async def log_server(address: str, find: Find, *, certificate: Path | None = None) -> AsyncIterator[int]:
    """Serve logs while the block lasts, over TLS when there is a `certificate` (PEM, with its key); gives the port."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if certificate else None
    if tls is not None and certificate is not None:
        tls.load_cert_chain(certificate)

    async def handle(request: web.Request) -> web.StreamResponse:
        return await _serve(request, find)

    application = web.Application()
    application.router.add_get("/containerLogs/{namespace}/{pod}/{container}", handle)
    application.router.add_get("/healthz", _healthy)
    application.add_routes(commands.routes(lambda *names: not isinstance(found := find(*names), str) and found[1]()))
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, address, 0, ssl_context=tls)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def _healthy(request: web.Request) -> web.Response:
    return web.Response(text="ok\n")


async def _serve(request: web.Request, find: Find) -> web.StreamResponse:
    query = request.query
    try:
        wanted = Wanted.of(query, datetime.now(UTC))
    except BadQuery as error:
        return web.Response(status=400, text=str(error))
    found = find(*(request.match_info[name] for name in ("namespace", "pod", "container")))
    if isinstance(found, str):
        return web.Response(status=400, text=found)
    directory, living = found
    previous, follows = query.get("previous") == "true", query.get("follow") == "true"
    runs = await asyncio.to_thread(_runs, directory)
    while follows and not runs and living():
        await asyncio.sleep(FOLLOW_SECONDS)
        runs = await asyncio.to_thread(_runs, directory)
    if previous and len(runs) < 2:
        container, pod = request.match_info["container"], request.match_info["pod"]
        return web.Response(status=400, text=f'previous terminated container "{container}" in pod "{pod}" not found')
    if not runs:
        return web.Response(text="")
    path = runs[-2] if previous else runs[-1]
    return await _send(request, path, LineReader(wanted), living=living if follows and not previous else None)


async def _send(request: web.Request, path: Path, reader: LineReader, *, living: Living | None) -> web.StreamResponse:
    data = await asyncio.to_thread(path.read_bytes)
    response = web.StreamResponse(headers={"Content-Type": "text/plain; charset=utf-8"})
    await response.prepare(request)
    await response.write(reader.first(data))
    if living is not None:
        await _follow(response, path, len(data), reader=reader, living=living)
    await response.write_eof()
    return response


async def _follow(response: web.StreamResponse, path: Path, position: int, *, reader: LineReader, living: Living) -> None:
    """Send what is added until the run is over."""
    while True:
        alive = living()
        data = await asyncio.to_thread(_from, path, position)
        if data:
            position += len(data)
            await response.write(reader.more(data))
        elif not alive or await asyncio.to_thread(_is_superseded, path):
            return
        else:
            await asyncio.sleep(FOLLOW_SECONDS)


def _from(path: Path, position: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(position)
            return file.read(CHUNK)
    except FileNotFoundError:
        return b""


def _is_superseded(path: Path) -> bool:
    """Tell whether a newer run has begun, or the files are gone with the pod."""
    runs = _runs(path.parent)
    return not runs or runs[-1] != path


def _runs(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.log"), key=lambda path: int(path.stem)) if directory.is_dir() else []
