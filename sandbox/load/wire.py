"""One HTTP/1.1 connection that sends each request once and tells exactly how it ended.

Owns bytes on a connection. Must not: retry, pool, or decide what counts as lost. General clients repeat a request on a
connection that was closed under it, which would hide the very loss that is to be seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from sandbox.load.result import Answer, Failure

HEAD_LIMIT = 1 << 16
BODY_LIMIT = 1 << 24


class Unusable(ValueError):
    """A target that no request can be made for; says why."""


class How(StrEnum):
    """How the end of a body is known."""

    LENGTH = "length"
    CHUNKS = "chunks"
    CLOSE = "close"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where requests go: a URL, perhaps under another Host, perhaps by way of an HTTP proxy."""

    url: str
    host: str = ""
    proxy: str = ""
    method: str = "GET"
    headers: Mapping[str, str] | None = None

    def request(self) -> bytes:
        """Return the request as it is sent; the same every time.

        Raises:
            Unusable: the URL is not plain HTTP, or a header would break the request.
        """
        parts = urlsplit(self.url)
        if parts.scheme != "http" or not parts.hostname:
            raise Unusable(f"{self.url!r}: load needs an http:// URL with a host")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        goal = f"http://{parts.netloc}{path}" if self.proxy else path
        headers = {"host": self.host or parts.netloc, "user-agent": "rollouts-load", "accept": "*/*", **(self.headers or {})}
        lines = [f"{self.method} {goal} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        if any("\r" in line or "\n" in line for line in lines) or any(char in goal for char in " \t"):
            raise Unusable("a line break or space in the URL or in a header")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def place(self) -> tuple[str, int]:
        """Return the address to connect to.

        Raises:
            Unusable: there is none.
        """
        parts = urlsplit(self.proxy or self.url)
        if not parts.hostname:
            raise Unusable(f"{self.proxy or self.url!r} names no host")
        return parts.hostname, parts.port or 80


class Connection:
    """A connection to a target's place, opened when first used and again after it was closed."""

    def __init__(self, target: Target, *, timeout_seconds: float) -> None:
        self._request = target.request()
        self._place = target.place()
        self._is_head = target.method == "HEAD"
        self._timeout_seconds = timeout_seconds
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self) -> Answer | Failure:
        """Send the request once; the whole answer, or how it failed."""
        sent = False
        try:
            async with asyncio.timeout(self._timeout_seconds):
                if self._streams and self._streams[0].at_eof():
                    self.close()  # the other side said so before we sent anything: no user would have seen it
                reader, writer = self._streams or await self._open()
                writer.write(self._request)
                sent = True
                answer, keep = await self._read(reader)
        except TimeoutError:
            failure = Failure.TIMEOUT
        except (asyncio.IncompleteReadError, ConnectionError):
            failure = Failure.RESET if sent else Failure.CONNECT
        except OSError:
            failure = Failure.CONNECT
        except (ValueError, asyncio.LimitOverrunError, IndexError):
            failure = Failure.MALFORMED
        else:
            if not keep:
                self.close()
            return answer
        self.close()
        return failure

    def close(self) -> None:
        """Close the connection if it is open."""
        if self._streams:
            self._streams[1].close()
            self._streams = None

    async def closed(self) -> None:
        """Close, and wait until it is."""
        streams, self._streams = self._streams, None
        if streams:
            streams[1].close()
            with suppress(ConnectionError):
                await streams[1].wait_closed()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._streams = await asyncio.open_connection(*self._place, limit=HEAD_LIMIT)
        return self._streams

    async def _read(self, reader: asyncio.StreamReader) -> tuple[Answer, bool]:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        status = int(first.split(" ", 2)[1])
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        how = self._how(status, headers)
        body = await _body(reader, how, int(headers.get("content-length") or 0))
        keep = how is not How.CLOSE and headers.get("connection", "").lower() != "close" and not first.startswith("HTTP/1.0")
        return Answer(status=status, headers=headers, body=body), keep

    def _how(self, status: int, headers: Mapping[str, str]) -> How:
        if self._is_head or status in (204, 304):
            return How.NONE
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return How.CHUNKS
        return How.LENGTH if "content-length" in headers else How.CLOSE


async def _body(reader: asyncio.StreamReader, how: How, length: int) -> bytes:
    match how:
        case How.NONE:
            return b""
        case How.LENGTH:
            return await reader.readexactly(length)
        case How.CLOSE:
            return await reader.read(BODY_LIMIT)
    found = bytearray()
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        found += (await reader.readexactly(size + 2))[:-2]
    while (await reader.readuntil(b"\r\n")) != b"\r\n":
        pass
    return bytes(found)
