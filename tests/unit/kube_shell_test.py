"""The shell: kopf starts and stops the manager, tells how it is, and leaves the cluster alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from kube.config import Connection
from kube.shell import operate

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # kopf's own deprecations are not ours to mend
]


@asynccontextmanager
async def api_server(requests: list[str]) -> AsyncIterator[str]:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        requests.append(f"{request.method} {request.path}")
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


async def free_port() -> int:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


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


async def test_the_manager_runs_is_probed_and_cleans_up_while_the_cluster_is_only_read() -> None:
    manager, requests = Manager(), list[str]()
    ready, stop = asyncio.Event(), asyncio.Event()
    liveness = f"http://127.0.0.1:{await free_port()}/healthz"

    async def ask() -> Any:
        """The endpoint opens shortly after the manager has started; the test's time limit ends the wait."""
        async with aiohttp.ClientSession() as session:
            while True:
                try:
                    async with session.get(liveness) as answer:
                        return await answer.json()
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.01)

    async with api_server(requests) as url:
        running = operate(
            manager.manage,
            connection=Connection(server=url, token="t"),
            probes={"informers": lambda: {"Rollout": 1.5}},
            liveness=liveness,
            ready=ready,
            stop=stop,
        )
        task = asyncio.create_task(running)
        async with asyncio.timeout(20):
            await ready.wait()
            told = await ask()
            stop.set()
            await task
    assert told == {"informers": {"Rollout": 1.5}}
    assert manager.story == ["started", "cleaned up"]
    assert [request for request in requests if not request.startswith("GET")] == []


async def test_a_manager_that_fails_ends_the_process_with_its_error() -> None:
    async with api_server([]) as url:
        with pytest.raises(RuntimeError, match="lease lost"):
            async with asyncio.timeout(20):
                await operate(Manager(RuntimeError("lease lost")).manage, connection=Connection(server=url))
