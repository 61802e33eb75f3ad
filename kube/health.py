"""What probes ask: does the process live, is it ready, and what it counts; answered from a thread of its own.

Owns how late the event loop is, and the server of `/healthz`, `/readyz` and `/metrics`. The thread answers when the loop no longer
does: that is when the answer matters. Must not: know what is being managed.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kube.clock import Clock
from kube.errors import InvalidConfig

if TYPE_CHECKING:
    from aiohttp import web

logger = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
BEATS = 60
WEDGED_SECONDS = 15.0
"""A loop that is this late is taken for stuck. The first list of thousands of objects takes a second or two."""
METRICS_SECONDS = 5.0
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Pulse:
    """How late the event loop is. `run` beats on the loop; the rest may be asked from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due = float("inf")
        self._late: deque[float] = deque(maxlen=BEATS)

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            self._due = self._clock.monotonic() + BEAT_SECONDS
            await self._clock.sleep(BEAT_SECONDS)
            self._late.append(self.late_seconds())

    def late_seconds(self) -> float:
        """Return how long the next beat is overdue."""
        return max(self._clock.monotonic() - self._due, 0.0)

    def worst_seconds(self) -> float:
        """Return the longest delay of the last minute."""
        return max((*tuple(self._late), self.late_seconds()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the process is."""

    wedged: tuple[str, ...] = ()
    """Why it should be started anew; nothing when it lives."""
    unready: tuple[str, ...] = ()
    """Why it could not do its work now; nothing when it is ready."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What else a person wants to know: JSON."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; port 0 is any free one."""

    host: str
    port: int
    flag: str = ""
    """What a person changes to listen elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """What is told."""

    health: Callable[[], Health]
    """Called on the thread of the server: it only reads, and quickly."""
    metrics: Callable[[], str]
    """Called on the event loop that made the server."""


@asynccontextmanager
async def served(pages: Pages, addresses: Sequence[Address]) -> AsyncIterator[list[int]]:
    """Serve the pages at each address as long as the context lasts; yields the ports.

    Raises:
        InvalidConfig: an address cannot be listened at.
    """
    if not addresses:
        yield []
        return
    server = _Server(pages, tuple(addresses), asyncio.get_running_loop())
    thread = threading.Thread(target=server.run, name="health", daemon=True)
    thread.start()
    try:
        yield await asyncio.wrap_future(server.started)
    finally:
        server.stop()
        await asyncio.to_thread(thread.join, METRICS_SECONDS)


class _Server:
    """The pages on a loop of their own."""

    def __init__(self, pages: Pages, addresses: tuple[Address, ...], loop: asyncio.AbstractEventLoop) -> None:
        self._pages = pages
        self._addresses = addresses
        self._loop = loop
        self._stop: Callable[[], object] = lambda: None
        self.started: Future[list[int]] = Future()

    def run(self) -> None:
        asyncio.run(self._serve())

    def stop(self) -> None:
        self._stop()

    async def _serve(self) -> None:
        from aiohttp import web

        stopped, own = asyncio.Event(), asyncio.get_running_loop()
        app = web.Application()
        app.add_routes([web.get(path, page) for path, page in self._routes().items()])
        runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            for address in self._addresses:
                await _listen(web.TCPSite(runner, address.host, address.port), address)
        except Exception as error:  # whatever it is, somebody waits for it
            self.started.set_exception(error)
        else:
            self._stop = lambda: own.call_soon_threadsafe(stopped.set)
            self.started.set_result([address[1] for address in runner.addresses])
            await stopped.wait()
        finally:
            await runner.cleanup()

    def _routes(self) -> Mapping[str, Any]:
        return {"/healthz": self._healthz, "/livez": self._healthz, "/readyz": self._readyz, "/metrics": self._metrics}

    async def _healthz(self, _request: web.Request) -> web.Response:
        health = self._pages.health()
        return _page(health, health.wedged)

    async def _readyz(self, _request: web.Request) -> web.Response:
        health = self._pages.health()
        return _page(health, (*health.wedged, *health.unready))

    async def _metrics(self, _request: web.Request) -> web.Response:
        from aiohttp import web

        async def gather() -> str:
            return self._pages.metrics()

        asked = asyncio.run_coroutine_threadsafe(gather(), self._loop)
        try:
            text = await asyncio.wait_for(asyncio.wrap_future(asked), METRICS_SECONDS)
        except TimeoutError:
            return web.Response(status=503, text=f"the event loop has not answered for {METRICS_SECONDS:.0f} s\n")
        return web.Response(body=text.encode(), headers={"Content-Type": METRICS_TYPE})


async def _listen(site: web.TCPSite, address: Address) -> None:
    try:
        await site.start()
    except OSError as error:
        advice = f"; choose another with {address.flag}" if address.flag else ""
        raise InvalidConfig(f"port {address.port} of {address.host} cannot be used: {error.strerror}{advice}") from None


def _page(health: Health, problems: Sequence[str]) -> web.Response:
    from aiohttp import web

    body = {"status": "failing" if problems else "ok", **health.facts}
    if problems:
        body["problems"] = list(problems)
    return web.json_response(body, status=503 if problems else 200)
