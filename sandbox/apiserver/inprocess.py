"""The server in the same process: `kube.transport.Transport` without sockets, in real or virtual time.

Owns the translation between the transport's types and the server's. Must not: add behaviour that HTTP does not have.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager

from kube.errors import Unreachable
from kube.transport import Response
from sandbox.apiserver.failures import Refusal
from sandbox.apiserver.faults import Dropped
from sandbox.apiserver.requests import Answer, Request, Streamed
from sandbox.apiserver.server import ApiServer, refused


class InProcessStream:
    """An answer that goes on; see `kube.transport.Stream`."""

    def __init__(self, answer: Answer | Streamed, *, idle_seconds: float) -> None:
        self.status = answer.status
        self.headers = _headers(answer)
        self._chunks = _once(answer.body) if isinstance(answer, Answer) else answer.chunks
        self._idle_seconds = idle_seconds

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield bytes as they come.

        Raises:
            Unreachable: a fault switch cut the connection, or nothing came for the idle time.
        """
        try:
            while True:
                async with asyncio.timeout(self._idle_seconds):
                    chunk = await anext(self._chunks, None)
                if chunk is None:
                    return
                yield chunk
        except TimeoutError:
            raise Unreachable(f"nothing came for {self._idle_seconds} s") from None
        except Dropped as dropped:
            raise Unreachable("the connection was cut", maybe_applied=dropped.applied) from None


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


class InProcessTransport:
    """Carries requests to an `ApiServer` by calling it.

    Args:
        server: the server.
        user: who asks, unless a request has a bearer token and the server knows tokens.
        user_agent: the default field manager is its part before the slash.
    """

    def __init__(self, server: ApiServer, *, user: str = "admin", user_agent: str = "rollouts/in-process") -> None:
        self._server = server
        self._user = user
        self._user_agent = user_agent
        self._closed = False

    def _request(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> Request:
        if self._closed:
            raise Unreachable("the transport is closed", maybe_applied=False)
        known = {name.lower(): value for name, value in headers.items()}
        known.setdefault("user-agent", self._user_agent)
        user = self._server.admit(path, known)[0] if "authorization" in known else self._user
        return Request(method=method, path=path, query=query, headers=known, body=body, user=user)

    async def _answer(self, request: Request, timeout_seconds: float) -> Answer | Streamed:
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._server.handle(request)
        except TimeoutError:
            raise Unreachable(f"no answer within {timeout_seconds} s") from None
        except Dropped as dropped:
            raise Unreachable("the connection was cut", maybe_applied=dropped.applied) from None

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
        """Send a request and return the whole answer.

        Raises:
            Unreachable: a fault switch cut the connection, or the answer took longer than `timeout_seconds`.
        """
        try:
            answer = await self._answer(self._request(method, path, query, headers, body or b""), timeout_seconds)
        except Refusal as refusal:
            answer = refused(refusal)
        if isinstance(answer, Streamed):
            data = b"".join([chunk async for chunk in answer.chunks])
            return Response(answer.status, _headers(answer), data)
        return Response(answer.status, _headers(answer), answer.body)

    @asynccontextmanager
    async def stream(
        self, path: str, *, query: Mapping[str, str] = {}, idle_seconds: float = 90.0
    ) -> AsyncIterator[InProcessStream]:
        """Open a GET whose answer goes on."""
        answer = await self._answer(self._request("GET", path, query, {}, b""), idle_seconds)
        if isinstance(answer, Answer):
            yield InProcessStream(answer, idle_seconds=idle_seconds)
            return
        try:
            yield InProcessStream(answer, idle_seconds=idle_seconds)
        finally:
            close = getattr(answer.chunks, "aclose", None)
            if close is not None:
                await close()

    async def close(self) -> None:
        """Refuse further requests."""
        self._closed = True


def _headers(answer: Answer | Streamed) -> dict[str, str]:
    return {"content-type": answer.content_type, **{name.lower(): value for name, value in answer.headers.items()}}
