"""Serves containers' output where the API server looks for it: `/containerLogs/NAMESPACE/POD/CONTAINER`.

Owns reading log files. Must not: write them; programs do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

from aiohttp import web

FOLLOW_SECONDS = 0.1
CHUNK = 1 << 16
_UNSUPPORTED = ("sinceSeconds", "sinceTime", "timestamps")

Living: TypeAlias = Callable[[], bool]
"""Tells whether a container's present run goes on."""
Find: TypeAlias = Callable[[str, str, str], "tuple[Path, Living] | str"]
"""Takes namespace, pod and container; returns the directory of its runs and whether one goes on, or why there is none."""


@asynccontextmanager
async def log_server(address: str, find: Find) -> AsyncIterator[int]:
    """Serve logs while the block lasts; gives the port."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await _serve(request, find)

    application = web.Application()
    application.router.add_get("/containerLogs/{namespace}/{pod}/{container}", handle)
    application.router.add_get("/healthz", _healthy)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, address, 0)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def _healthy(request: web.Request) -> web.Response:
    return web.Response(text="ok\n")


async def _serve(request: web.Request, find: Find) -> web.StreamResponse:
    query = request.query
    for name in _UNSUPPORTED:
        if query.get(name) not in (None, "", "false"):
            return web.Response(status=400, text=f"the sandbox keeps output without times: {name} is not served; use tailLines")
    found = find(*(request.match_info[name] for name in ("namespace", "pod", "container")))
    if isinstance(found, str):
        return web.Response(status=400, text=found)
    directory, living = found
    runs = await asyncio.to_thread(_runs, directory)
    previous = query.get("previous") == "true"
    if previous and len(runs) < 2:
        container, pod = request.match_info["container"], request.match_info["pod"]
        return web.Response(status=400, text=f'previous terminated container "{container}" in pod "{pod}" not found')
    if not runs:
        return web.Response(text="")
    path = runs[-2] if previous else runs[-1]
    follows = query.get("follow") == "true" and not previous
    return await _send(request, path, living=living if follows else None)


async def _send(request: web.Request, path: Path, *, living: Living | None) -> web.StreamResponse:
    tail, limit = (request.query.get(name, "") for name in ("tailLines", "limitBytes"))
    if (tail and not tail.isdigit()) or (limit and not limit.isdigit()):
        return web.Response(status=400, text="tailLines and limitBytes must be whole numbers")
    data = await asyncio.to_thread(path.read_bytes)
    shown = last_lines(data, int(tail)) if tail else data
    response = web.StreamResponse(headers={"Content-Type": "text/plain; charset=utf-8"})
    await response.prepare(request)
    await response.write(shown[: int(limit)] if limit else shown)
    if living is not None:
        await _follow(response, path, len(data), living)
    await response.write_eof()
    return response


async def _follow(response: web.StreamResponse, path: Path, position: int, living: Living) -> None:
    """Send what is added until the run is over."""
    while True:
        alive = living()
        data = await asyncio.to_thread(_from, path, position)
        if data:
            position += len(data)
            await response.write(data)
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


def last_lines(data: bytes, count: int) -> bytes:
    r"""Return the last lines of some output.

    >>> last_lines(b"a\nb\nc\n", 2)
    b'b\nc\n'
    """
    if count <= 0:
        return b""
    return b"".join(data.splitlines(keepends=True)[-count:])


def _runs(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.log"), key=lambda path: int(path.stem)) if directory.is_dir() else []
