"""Stand-ins for the other side of the wire: a transport that follows a script, and a clock that follows the loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from kube.kinds import Kind
from kube.transport import Response

WIDGET = Kind("shop.example", "v1", "Widget", "widgets")
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class LoopClock:
    """Time as the event loop has it: virtual under looptime. `jump_seconds` is what nobody saw pass."""

    def __init__(self) -> None:
        self.jump_seconds = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=asyncio.get_running_loop().time())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() + self.jump_seconds

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Coarse(LoopClock):
    """Wakes who waits a little early, as rounding may; who waits for less than that sees no time pass."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        assert len(self.waits) < 200, "it waits over and over, and no time passes"
        await asyncio.sleep(max(seconds - 0.001, 0))


class Steady:
    """A random source without chance."""

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2

    def random(self) -> float:
        return 0.5


@dataclass(frozen=True)
class Sent:
    """A request as the transport saw it."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


Answer = Response | Exception | Callable[[Sent], Response]


def ok(value: Any, status: int = 200, **headers: str) -> Response:
    return Response(status, {name.replace("_", "-"): text for name, text in headers.items()}, json.dumps(value).encode())


def refusal(
    code: int, reason: str = "", message: str = "no", *, details: Mapping[str, Any] | None = None, **headers: str
) -> Response:
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message}
    return ok({**status, "details": details or {}}, code, **headers)


def widget(name: str, version: str = "1", **fields: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "resourceVersion": version}
    return {"apiVersion": WIDGET.api_version, "kind": "Widget", "metadata": metadata, **fields}


def listing(*items: Mapping[str, Any], version: str = "10", token: str = "") -> Response:
    return ok({"kind": "WidgetList", "metadata": {"resourceVersion": version, "continue": token}, "items": list(items)})


def line(kind: str, obj: Mapping[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


def bookmark(version: str) -> bytes:
    return line("BOOKMARK", {"kind": "Widget", "metadata": {"resourceVersion": version}})


@dataclass
class ScriptedStream:
    """A stream that yields what it was given, then ends, breaks, or stays open."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    script: Iterable[bytes | Exception] = ()
    stays_open: bool = False

    async def chunks(self) -> AsyncIterator[bytes]:
        for part in self.script:
            await asyncio.sleep(0)
            if isinstance(part, Exception):
                raise part
            yield part
        if self.stays_open:
            await asyncio.Event().wait()


class ScriptedTransport:
    """Answers requests and streams in the order of its script; a stream after the last one stays silent."""

    def __init__(self, answers: Iterable[Answer] = (), streams: Iterable[ScriptedStream | Exception] = ()) -> None:
        self.answers = list(answers)
        self.streams = list(streams)
        self.sent: list[Sent] = []
        self.watched: list[Sent] = []

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] = {},
        headers: Mapping[str, str] = {},
        body: bytes | None = None,
        timeout_seconds: float = 30.0,
    ) -> Response:
        sent = Sent(method, path, query, headers, json.loads(body) if body else None)
        self.sent.append(sent)
        if not self.answers:
            raise AssertionError(f"nobody expected {method} {path}")
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Response) else answer(sent)

    @asynccontextmanager
    async def stream(
        self, path: str, *, query: Mapping[str, str] = {}, idle_seconds: float = 90.0
    ) -> AsyncIterator[ScriptedStream]:
        self.watched.append(Sent("GET", path, query, {}, None))
        stream = self.streams.pop(0) if self.streams else ScriptedStream(stays_open=True)
        if isinstance(stream, Exception):
            raise stream
        yield stream

    async def close(self) -> None:
        pass
