"""What Prometheus scrapes: one page with all pods' metrics under their labels, one with the proxy's.

Owns the scraping of pods. Must not: keep samples; every scrape asks the pods anew.

Prometheus itself takes up to five seconds to notice a new target, whatever kind of discovery is used. So it has one fixed
target, and this relay knows the pods. `up` is written for each of them, as if Prometheus had scraped them itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import aiohttp
from aiohttp import web

from sandbox.metrics.exposition import BadExposition, Exposed, braces, parse, relabelled
from sandbox.metrics.targets import Target

TEXT = "text/plain; version=0.0.4; charset=utf-8"
TOO_BIG = 8 << 20


class Relay:
    """An HTTP server on loopback with `/pods`, `/gateway` and `/healthz`."""

    def __init__(
        self,
        *,
        targets: Callable[[], Sequence[Target]],
        gateway: Callable[[], str],
        more: Mapping[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {},
        pod_timeout_seconds: float = 0.7,
    ) -> None:
        """Scrape `targets()` on each request for `/pods`; `/gateway` is whatever `gateway()` returns; `more` are further paths."""
        self._more = more
        self._targets = targets
        self._gateway = gateway
        self._timeout = aiohttp.ClientTimeout(total=pod_timeout_seconds)
        self._answered: set[str] = set()
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self, port: int = 0) -> None:
        """Listen on a loopback port (0: any); `port` tells which."""
        self._session = aiohttp.ClientSession(timeout=self._timeout, connector=aiohttp.TCPConnector(limit=64))
        app = web.Application()
        app.add_routes([web.get("/pods", self._pods), web.get("/gateway", self._own), web.get("/healthz", self._health)])
        app.add_routes([web.get(path, handler) for path, handler in self._more.items()])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner:
            await self._runner.cleanup()
        if self._session:
            await self._session.close()

    async def _pods(self, _: web.Request) -> web.Response:
        targets = self._targets()
        self._answered &= {target.uid for target in targets}
        found = await asyncio.gather(*(self._scrape(target) for target in targets))
        return web.Response(text=page(zip(targets, found, strict=True), known=self._answered), headers={"content-type": TEXT})

    async def _own(self, _: web.Request) -> web.Response:
        return web.Response(text=self._gateway(), headers={"content-type": TEXT})

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _scrape(self, target: Target) -> Exposed | None:
        """Return what a pod exposes; None when it does not answer, or not with metrics."""
        assert self._session is not None, "start() comes first"
        try:
            async with self._session.get(target.url, headers={"accept": "text/plain;version=0.0.4"}) as answer:
                if answer.status != 200:
                    return None
                body = await answer.content.read(TOO_BIG)
                exposed = parse(body.decode())
        except (aiohttp.ClientError, OSError, TimeoutError, UnicodeDecodeError, BadExposition):
            return None
        self._answered.add(target.uid)
        return exposed


def page(scraped: Iterable[tuple[Target, Exposed | None]], *, known: set[str]) -> str:
    """Write all pods' samples, each with its labels, and `up` for each pod.

    A pod that was not asked for by annotation and never showed metrics is left out altogether: it has none.
    """
    comments: dict[tuple[str, str], str] = {}
    lines: list[str] = ["# TYPE up gauge"]
    for target, exposed in scraped:
        if exposed is None and not target.asked_for and target.uid not in known:
            continue
        for labels in target.labels:
            lines.append(f"up{braces(labels)} {int(exposed is not None)}")
            if exposed is not None:
                lines.extend(relabelled(exposed, {key: value for key, value in labels.items() if value}))
        if exposed is not None:
            comments = {**exposed.comments, **comments}
    return "\n".join([*(comments[key] for key in sorted(comments) if key[0] != "up"), *lines, ""])
