"""The fence: what writes does not leave the process once the lease may be lost, however far it got."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from kube.errors import Fenced
from kube.http import HttpTransport


@asynccontextmanager
async def api_server(heard: list[str]) -> AsyncIterator[str]:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        heard.append(f"{request.method} {(await request.read()).decode()}".strip())
        return web.json_response({})

    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Fence:
    """Open for so many questions, then closed."""

    def __init__(self, answers: int) -> None:
        self._answers: Iterator[bool] = iter([True] * answers)

    def __call__(self) -> bool:
        return next(self._answers, False)


async def patch_twice(transport: HttpTransport) -> None:
    for body in (b"one", b"two"):
        await transport.request("PATCH", "/x", body=body)


@pytest.mark.parametrize(
    ("answers", "heard"),
    [
        pytest.param(0, [], id="closed from the beginning"),
        pytest.param(1, [], id="closed while the request was on its way to the socket"),
        pytest.param(2, ["PATCH one"], id="closed after the first"),
    ],
)
async def test_no_write_is_heard_after_the_fence_was_closed(answers: int, heard: list[str]) -> None:
    arrived: list[str] = []
    async with api_server(arrived) as url:
        transport = HttpTransport(url, fence=Fence(answers))
        with pytest.raises(Fenced, match="PATCH /x was not sent: the lease may be lost"):
            await patch_twice(transport)
        await transport.close()
    assert arrived == heard


async def test_reading_and_watching_go_on_behind_a_closed_fence() -> None:
    arrived: list[str] = []
    async with api_server(arrived) as url:
        transport = HttpTransport(url, fence=Fence(0))
        await transport.request("GET", "/x")
        async with transport.stream("/x") as stream:
            assert stream.status == 200
        await transport.close()
    assert arrived == ["GET", "GET"]


async def test_a_connection_that_was_open_before_carries_no_write_either() -> None:
    """The second write finds a connection in the pool, and the fence is closed between its check and the socket."""
    arrived: list[str] = []
    async with api_server(arrived) as url:
        transport = HttpTransport(url, fence=Fence(3))
        await transport.request("PATCH", "/x", body=b"one")
        with pytest.raises(Fenced):
            await transport.request("PATCH", "/x", body=b"two")
        await transport.close()
    assert arrived == ["PATCH one"]
