"""Probes: what the numbers of a probe mean, and how one attempt is made.

Owns thresholds (a pure count) and the three ways to ask. Must not: restart or unready anything; container.py does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import aiohttp

Execute: TypeAlias = Callable[[Sequence[str], float], Awaitable[int]]
"""Runs a command beside the container's program, for so many seconds at most; returns its exit code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How a probe's last answers add up to one opinion.

    The opinion changes only after `success` good or `failure` bad answers in a row.
    """

    good: bool
    success: int = 1
    failure: int = 3
    streak: int = 0
    last: bool | None = None

    def after(self, answer: bool) -> Count:
        """Return the count with one more answer."""
        streak = self.streak + 1 if answer == self.last else 1
        needed = self.success if answer else self.failure
        return replace(self, streak=streak, last=answer, good=answer if streak >= needed else self.good)

    @property
    def failed(self) -> bool:
        """Whether there were just enough bad answers in a row."""
        return self.last is False and self.streak >= self.failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The numbers of a probe, in seconds."""

    initial_delay: float
    period: float
    timeout: float
    success: int
    failure: int


def timing_of(probe: Mapping[str, Any]) -> Timing:
    """Return the numbers of a probe with the API's defaults."""

    def number(name: str, usual: int) -> int:
        return int(probe.get(name) or usual)

    return Timing(
        initial_delay=float(number("initialDelaySeconds", 0)),
        period=float(number("periodSeconds", 10)),
        timeout=float(number("timeoutSeconds", 1)),
        success=number("successThreshold", 1),
        failure=number("failureThreshold", 3),
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """What one attempt found out."""

    good: bool
    message: str = ""


class Prober:
    """Makes attempts against one pod."""

    def __init__(self, session: aiohttp.ClientSession, *, address: str, ports: Mapping[str, int], execute: Execute) -> None:
        self._session = session
        self._address = address
        self._ports = ports
        self._execute = execute

    async def ask(self, probe: Mapping[str, Any], *, timeout_seconds: float) -> Answer:
        """Make one attempt; whatever goes wrong is an answer."""
        try:
            async with asyncio.timeout(timeout_seconds):
                if probe.get("httpGet"):
                    return await self._http(probe["httpGet"])
                if probe.get("tcpSocket"):
                    return await self._tcp(probe["tcpSocket"])
                if probe.get("exec"):
                    code = await self._execute(probe["exec"].get("command") or (), timeout_seconds)
                    return Answer(code == 0, "" if code == 0 else f"command exited with code {code}")
        except TimeoutError:
            return Answer(False, f"no answer within {timeout_seconds:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Answer(False, str(error) or type(error).__name__)
        return Answer(False, "the sandbox does not know this kind of probe; use httpGet, tcpSocket or exec")

    async def get(self, action: Mapping[str, Any]) -> Answer:
        """Send one HTTP request without redirects; 200 to 399 is good."""
        return await self._http(action)

    async def _http(self, action: Mapping[str, Any]) -> Answer:
        scheme = str(action.get("scheme") or "HTTP").lower()
        host = action.get("host") or self._address
        url = f"{scheme}://{host}:{self._port(action['port'])}{_path(action)}"
        headers = {str(one["name"]): str(one["value"]) for one in action.get("httpHeaders") or ()}
        headers.setdefault("User-Agent", "kube-probe/sandbox")
        async with self._session.get(url, headers=headers, allow_redirects=False, ssl=False) as response:
            good = 200 <= response.status < 400
            return Answer(good, "" if good else f"HTTP probe failed with statuscode: {response.status}")

    async def _tcp(self, action: Mapping[str, Any]) -> Answer:
        _, writer = await asyncio.open_connection(action.get("host") or self._address, self._port(action["port"]))
        writer.close()
        return Answer(True)

    def _port(self, port: int | str) -> int:
        if isinstance(port, int) or port.isdigit():
            return int(port)
        if port not in self._ports:
            raise ValueError(f"the container has no port named {port!r}")
        return self._ports[port]


def _path(action: Mapping[str, Any]) -> str:
    path = str(action.get("path") or "/")
    return path if path.startswith("/") else f"/{path}"
