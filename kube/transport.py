"""Where bytes go: the contract between the client and whatever carries its requests.

Owns the types of a request's answer. Must not: know a verb, a kind or a library; `kube/http.py` is the socket.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""


class Stream(Protocol):
    """An answer that goes on."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield bytes as they arrive, cut anywhere; ends when the server ends.

        Raises:
            Unreachable: the connection broke, or nothing came for `idle_seconds`.
        """
        ...


class Transport(Protocol):
    """Carries requests to one API server."""

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
        """Send a request and return the whole answer, whatever its status.

        Raises:
            Unreachable: no answer; `maybe_applied` tells whether the server can have acted.
        """
        ...

    def stream(
        self, path: str, *, query: Mapping[str, str] = {}, idle_seconds: float = 90.0
    ) -> AbstractAsyncContextManager[Stream]:
        """Open a GET whose answer goes on, without a total time limit."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...
