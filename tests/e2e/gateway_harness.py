"""A gateway with small local applications behind it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from sandbox.gateway.gateway import Gateway, free_port, lowest_port
from sandbox.gateway.world import Settings, Socket

Answers = Counter[tuple[int, str]]


class App:
    """An HTTP application that answers with its name; `status` and `delay_seconds` may be changed while it runs."""

    def __init__(self, name: str, address: str, port: int = 8080) -> None:
        self.name, self.address, self.port = name, address, port
        self.status = 200
        self.delay_seconds = 0.0
        self.heads: list[str] = []
        self.connections = 0
        self.metrics = ""
        """What `/metrics` shows, if anything."""
        self._server: asyncio.Server | None = None
        self.asked = asyncio.Event()
        self._open: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, self.address, self.port, reuse_address=True)

    async def stop(self) -> None:
        """Close everything at once, as a killed process does."""
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.heads.append(head)
                self.asked.set()
                await asyncio.sleep(self.delay_seconds)
                is_metrics = bool(self.metrics) and head.startswith("GET /metrics")
                body = self.metrics.encode() if is_metrics else self.name.encode()
                writer.write(
                    f"HTTP/1.1 {self.status} X\r\ncontent-length: {len(body)}\r\nx-version: {self.name}\r\n\r\n".encode() + body
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def running_gateway(folder: Path, lines: list[bytes] | None = None) -> AsyncIterator[Gateway]:
    """Run a gateway on ports of the kernel's choice; skips where Services' port 80 may not be listened on."""
    if lowest_port() > 80:
        pytest.skip("this user may not listen on port 80")
    settings = Settings(ingress=Socket("127.0.0.1", free_port()), proxy=Socket("127.0.0.1", free_port()))
    gateway = Gateway(folder, settings, on_request=lines.append if lines is not None else None)
    try:
        await gateway.start()
        yield gateway
    finally:
        await gateway.stop()


@asynccontextmanager
async def running_apps(*apps: App) -> AsyncIterator[None]:
    """Run applications."""
    for app in apps:
        await app.start()
    try:
        yield
    finally:
        for app in apps:
            await app.stop()


async def ask(url: str, times: int = 1, *, host: str = "shop.test", proxy: str | None = None, **headers: str) -> Answers:
    """Count who answers; the header `x_canary` is sent as `x-canary`."""
    wanted = {key.replace("_", "-"): value for key, value in headers.items()}
    if proxy is None:
        wanted["host"] = host
    found: Answers = Counter()
    async with aiohttp.ClientSession(headers=wanted) as session:
        for _ in range(times):
            async with session.get(url, proxy=proxy) as answer:
                found[answer.status, await answer.text()] += 1
    return found


def names(answers: Iterable[tuple[int, str]]) -> set[str]:
    """Who answered."""
    return {text for _, text in answers}
