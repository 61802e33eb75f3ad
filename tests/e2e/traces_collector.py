"""A collector of traces on loopback: takes OTLP over HTTP, decodes it, and may refuse or keep others waiting.

It also gives a score to whoever measures it, so that a test needs no other server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

ERROR = 2
"""The code of an error in a span's status."""


@dataclass(frozen=True, slots=True)
class Told:
    """One span as it arrived."""

    trace: str
    number: bytes
    parent: bytes
    name: str
    kind: int
    error: bool
    attributes: dict[str, Any]


@dataclass
class Collector:
    """What was sent. `answer` is the status that senders get; 0 is none, ever."""

    answer: int = 200
    port: int = 0
    spans: list[Told] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    measured: list[dict[str, str]] = field(default_factory=list)
    """The headers of each measurement."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Take one batch."""
        body = await request.read()
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self.asked.set()
        if not self.answer:
            await asyncio.Event().wait()
        if self.answer == 200:
            self.bodies.append(body)
            self._decode(body)
        return web.Response(
            status=self.answer, body=ExportTraceServiceResponse().SerializeToString(), content_type="application/x-protobuf"
        )

    async def measure(self, request: web.Request) -> web.StreamResponse:
        """Give a good score."""
        self.measured.append({name.lower(): value for name, value in request.headers.items()})
        return web.json_response({"score": 1})

    def path(self, span: Told) -> tuple[str, ...]:
        """Return the names of a span and of those around it, the outermost first."""
        around = next((one for one in self.spans if one.number == span.parent and one.trace == span.trace), None)
        return (*(self.path(around) if around else ()), span.name)

    def paths(self) -> set[tuple[str, ...]]:
        return {self.path(span) for span in self.spans}

    def _decode(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append(dict(_values(resource.resource.attributes)))
            self.spans += [_told(span) for scope in resource.scope_spans for span in scope.spans]


def _told(span: Any) -> Told:
    return Told(
        trace=span.trace_id.hex(),
        number=span.span_id,
        parent=span.parent_span_id,
        name=span.name,
        kind=span.kind,
        error=span.status.code == ERROR,
        attributes=dict(_values(span.attributes)),
    )


def _values(attributes: Any) -> Iterator[tuple[str, Any]]:
    for one in attributes:
        yield one.key, getattr(one.value, one.value.WhichOneof("value"))


@asynccontextmanager
async def collector(*, answer: int = 200) -> AsyncIterator[Collector]:
    """Serve a collector on a free port; 0 as answer stands for none at all."""
    found = Collector(answer)
    app = web.Application()
    app.router.add_post("/v1/traces", found.take)
    app.router.add_get("/points", found.measure)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.port = runner.addresses[0][1]
    try:
        yield found
    finally:
        await runner.cleanup()
