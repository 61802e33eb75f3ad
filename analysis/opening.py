"""The transport of measurements, opened by the first one: without analyses the HTTP library is never loaded.

Must not: carry requests itself.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING

from analysis.providers.base import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from analysis.transport import HttpTransport


class OpenedLater:
    """Behaves as `analysis.transport.HttpTransport`; close it in the end, too."""

    def __init__(self) -> None:
        self._transport: HttpTransport | None = None

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Return the answer.

        Raises:
            TransportError: there is none.
        """
        if self._transport is None:
            module = await asyncio.to_thread(import_module, "analysis.transport")  # a tenth of a second
            self._transport = self._transport or module.HttpTransport()
        return await self._transport.send(request)

    def known_secrets(self) -> tuple[str, ...]:
        """Return the access tokens held now."""
        return self._transport.known_secrets() if self._transport else ()

    async def close(self) -> None:
        """Close every connection."""
        if self._transport is not None:
            await self._transport.close()
