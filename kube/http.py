"""The transport over a socket, on aiohttp: pooled connections, TLS, credentials.

Owns the session and its limits. Must not: know a verb or a kind; follow redirects (they would carry the credentials along).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

import aiohttp
from yarl import URL

from kube.errors import Fenced, Unreachable
from kube.fence import fenced_sockets
from kube.transport import Response

CONNECT_SECONDS = 10.0
READ_BUFFER_BYTES = 2**18
USER_AGENT = "rollouts"
REQUESTS, WRITES, STREAMS = "requests", "writes", "streams"
"""Each has connections of its own; those of writes only where there is a fence."""
READS = frozenset({"GET", "HEAD"})


class Credentials(Protocol):
    """Headers that say who asks."""

    def headers(self, *, renew: bool = False) -> Mapping[str, str]:
        """Return the headers; `renew` after the server refused the last ones. May block: called on a thread when `slow`."""
        ...

    @property
    def slow(self) -> bool:
        """Whether `headers` may read files or run a program now."""
        ...


class HttpStream:
    """A GET answer that goes on."""

    def __init__(self, response: aiohttp.ClientResponse, idle_seconds: float) -> None:
        self._response = response
        self._idle_seconds = idle_seconds

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case."""
        return _headers(self._response)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield bytes as they arrive."""
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except TimeoutError as error:
            raise Unreachable(f"nothing came for {self._idle_seconds:.0f} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"the stream broke: {_text(error)}") from error


class HttpTransport:
    """Requests to one server; opens its session with the first one."""

    def __init__(
        self,
        server: str,
        *,
        credentials: Credentials | None = None,
        tls: ssl.SSLContext | None = None,
        tls_server_name: str | None = None,
        proxy: str | None = None,
        connections: int = 100,
        fence: Callable[[], bool] | None = None,
    ) -> None:
        """Prepare for a server.

        Args:
            server: scheme, host, port and perhaps a path prefix.
            credentials: who asks; nobody when absent.
            tls: trust and client certificate; the system's trust when absent.
            tls_server_name: the name in the server's certificate, when it is not that of `server`.
            proxy: URL of an HTTP proxy.
            connections: how many requests run at once; more wait. Streams have their own connections.
            fence: asked as the last thing before any byte of a request that writes leaves the process; False stops it.
        """
        self._server = server.rstrip("/")
        self._credentials = credentials
        self._tls = tls
        self._tls_server_name = tls_server_name
        self._proxy = proxy
        self._connections = connections
        self._fence = fence
        self._sessions: dict[str, aiohttp.ClientSession] = {}
        self.closed = False

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
        """Send a request; once more with renewed credentials when the server knows the first ones no longer.

        Raises:
            Unreachable: no answer.
            Fenced: it writes, and the fence is closed.
        """
        purpose = REQUESTS if self._fence is None or method in READS else WRITES
        limits = aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=CONNECT_SECONDS)
        for renew in (False, True):
            known = await self._identity(renew=renew)
            self._pass(purpose, f"{method} {path}")
            try:
                async with self._session(purpose).request(
                    method,
                    self._url(path, query),
                    data=body,
                    headers={**headers, **known},
                    timeout=limits,
                    proxy=self._proxy,
                    server_hostname=self._tls_server_name,
                    allow_redirects=False,
                ) as answer:
                    response = Response(answer.status, _headers(answer), await answer.read())
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                self._pass(purpose, f"{method} {path}")
                raise _unreachable(f"{method} {path}", error) from error
            if response.status != 401 or self._credentials is None:
                break
        return response

    @asynccontextmanager
    async def stream(self, path: str, *, query: Mapping[str, str] = {}, idle_seconds: float = 90.0) -> AsyncIterator[HttpStream]:
        """Open a GET whose answer goes on; `idle_seconds` without a byte break it."""
        limits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=idle_seconds)
        known = {**await self._identity(), "accept": "application/json"}
        try:
            answer = await self._session(STREAMS).get(
                self._url(path, query),
                headers=known,
                timeout=limits,
                proxy=self._proxy,
                server_hostname=self._tls_server_name,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _unreachable(f"GET {path}", error) from error
        try:
            if answer.status == 401:
                await self._identity(renew=True)  # for the next one; here, since who asked leaves with an error
            yield HttpStream(answer, idle_seconds)
        finally:
            answer.close()

    async def close(self) -> None:
        """Close every connection; the transport can not be used again."""
        self.closed = True
        sessions, self._sessions = list(self._sessions.values()), {}
        for session in sessions:
            await session.close()

    async def _identity(self, *, renew: bool = False) -> Mapping[str, str]:
        if self._credentials is None:
            return {}
        if renew or self._credentials.slow:
            return await asyncio.to_thread(self._credentials.headers, renew=renew)
        return self._credentials.headers()

    def _pass(self, purpose: str, request: str) -> None:
        if purpose == WRITES and self._fence is not None and not self._fence():
            raise Fenced(request)

    def _session(self, purpose: str) -> aiohttp.ClientSession:
        if self.closed:
            raise RuntimeError("the transport is closed")
        if purpose not in self._sessions:
            connector = aiohttp.TCPConnector(
                limit=0 if purpose == STREAMS else self._connections,
                ssl=self._tls if self._tls is not None else True,
                keepalive_timeout=30,
                socket_factory=fenced_sockets(self._fence) if purpose == WRITES and self._fence else None,
            )
            self._sessions[purpose] = aiohttp.ClientSession(
                connector=connector,
                headers={"user-agent": USER_AGENT},
                read_bufsize=READ_BUFFER_BYTES,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._sessions[purpose]

    def _url(self, path: str, query: Mapping[str, str]) -> URL:
        url = URL(self._server + path)
        return url.with_query(query) if query else url


def _headers(answer: aiohttp.ClientResponse) -> Mapping[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


def _unreachable(request: str, error: Exception) -> Unreachable:
    before_sending = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    return Unreachable(f"{request}: {_text(error)}", maybe_applied=not before_sending)


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
