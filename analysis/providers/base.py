"""The contract of a metric provider, sans I/O: a metric becomes a request, a response becomes a sample.

Transport, authentication, timeouts, retries, byte caps, address rules and secret redaction live once, in
`analysis/transport.py`. Must not: do I/O, read a clock, know another provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol


class BadMetric(Exception):
    """The metric's own configuration is wrong; the measurement is an Error with this text."""


class BadResponse(Exception):
    """The answer cannot be read as a measurement; the text shows the first bytes of what came instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One HTTP request to make, with nothing left to decide but how to carry it."""

    method: str
    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: tuple[tuple[str, str], ...] = ()
    form: Mapping[str, str] | None = None
    body: bytes | None = None
    timeout_seconds: float = 30.0
    insecure: bool = False
    """Do not verify the server's certificate."""
    authentication: Mapping[str, Any] = field(default_factory=dict)
    """The provider's `authentication` block (basicAuth, oauth2, sigv4), already substituted; carried out by the transport."""
    idempotent: bool = True
    """Whether it may be sent again after a connection error, a 429 or a 503."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What came back, capped in size. `truncated` says that there was more."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool = False


class TransportError(Exception):
    """No usable answer came back; the text says what happened, to which address, and what to do."""


@dataclass(frozen=True, slots=True)
class Window:
    """The moment of a measurement: every time function of a query is evaluated at `now`."""

    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A measured value as the condition language sees it.

    `value` is a float, str, bool, None, list or dict. `static_type` tells the type checker what a compiled expression would
    know of it: "float64", "[]float64", "string", "bool", or "any" for values reached through decoded JSON.
    """

    value: Any
    static_type: str = "any"
    text: str | None = None
    """What to record in the measurement's `value`; None lets the caller format the value."""
    metadata: Mapping[str, str] = field(default_factory=dict)


class Provider(Protocol):
    """One metric provider."""

    name: str
    """The key in `metric.provider`."""

    def request(self, spec: Mapping[str, Any], window: Window) -> HttpRequest:
        """Return the request for this provider block (arguments already substituted).

        Raises:
            BadMetric: the block is wrong.
        """
        ...

    def parse(self, spec: Mapping[str, Any], response: HttpResponse) -> Sample:
        """Read the answer.

        Raises:
            BadResponse: NaN, empty, warnings are ordinary answers and do not raise; HTML, errors and oversize do.
        """
        ...

    def metadata(self, spec: Mapping[str, Any]) -> Mapping[str, str]:
        """Return what to store in the metric result's metadata (for Prometheus, `ResolvedPrometheusQuery`)."""
        ...
