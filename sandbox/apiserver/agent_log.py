"""A log on its way from a node agent to a client.

Owns the connection to the agent. Must not: know pods; see logs.py.
"""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp

from sandbox.apiserver import failures


class AgentLog:
    """The body of an agent's answer; closing it closes the connection, whether or not anything was read."""

    def __init__(self, url: str, query: Mapping[str, str], session: aiohttp.ClientSession) -> None:
        self._url, self._query, self._session = url, query, session
        self._response: aiohttp.ClientResponse | None = None

    @classmethod
    async def opened(cls, url: str, query: Mapping[str, str]) -> AgentLog:
        """Ask the agent and return its answer.

        Raises:
            Refusal: the agent's own refusal, or 500 when it cannot be reached.
        """
        log = cls(url, query, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, connect=5)))
        try:
            await log._open()
        except (aiohttp.ClientError, TimeoutError) as error:
            await log.aclose()
            raise failures.internal_error(f"Get {url!r}: {error}") from None
        except BaseException:
            await log.aclose()
            raise
        return log

    async def _open(self) -> None:
        self._response = await self._session.get(self._url, params=self._query)
        if self._response.status != 200:
            text = await self._response.text()
            detail = text.strip() or f"the node agent answered {self._response.status}"
            if self._response.status == 400:
                raise failures.bad_request(detail)
            raise failures.internal_error(detail)

    def __aiter__(self) -> AgentLog:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await self._response.content.readany() if self._response is not None else b""
        except (aiohttp.ClientError, OSError):
            chunk = b""  # the agent has gone: so has the log
        if not chunk:
            await self.aclose()
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """Let go of the connection."""
        if self._response is not None:
            self._response.close()
        await self._session.close()
