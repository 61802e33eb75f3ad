"""The shell: kopf starts and stops the manager, and leaves the cluster alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from kube.config import Connection
from kube.shell import operate

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # kopf's own deprecations are not ours to mend
]


@asynccontextmanager
async def api_server(requests: asyncio.Queue[str]) -> AsyncIterator[str]:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        requests.put_nowait(f"{request.method} {request.path}")
        if request.path == "/version":
            return web.json_response({"major": "1", "minor": "33", "gitVersion": "v1.33.0"})
        return web.json_response({"kind": "APIGroupList", "groups": [], "versions": ["v1"], "resources": []})

    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Manager:
    def __init__(self, failure: Exception | None = None) -> None:
        self.story: list[str] = []
        self._failure = failure

    async def manage(self) -> None:
        self.story.append("started")
        try:
            if self._failure:
                raise self._failure
            await asyncio.Event().wait()
        finally:
            self.story.append("cleaned up")


async def test_the_manager_runs_and_cleans_up_while_the_cluster_is_only_read() -> None:
    manager, requests = Manager(), asyncio.Queue[str]()
    ready, stop = asyncio.Event(), asyncio.Event()
    async with api_server(requests) as url:
        task = asyncio.create_task(operate(manager.manage, connection=Connection(server=url, token="t"), ready=ready, stop=stop))
        async with asyncio.timeout(20):
            await ready.wait()
            heard = [await requests.get()]
            stop.set()
            await task
    assert manager.story == ["started", "cleaned up"]
    heard += [requests.get_nowait() for _ in range(requests.qsize())]
    assert [request for request in heard if not request.startswith("GET")] == []


async def test_a_manager_that_fails_ends_the_process_with_its_error() -> None:
    async with api_server(asyncio.Queue()) as url:
        with pytest.raises(RuntimeError, match="lease lost"):
            async with asyncio.timeout(20):
                await operate(Manager(RuntimeError("lease lost")).manage, connection=Connection(server=url))
