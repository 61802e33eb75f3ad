"""What traces are told through: spans around pieces of work, or nothing at all.

Owns the contract, and the tracer of those who asked for no traces. Must not: know who collects spans (rollouts/otlp.py does), or
what a span should hold (kube/spans.py).
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeAlias

Attribute: TypeAlias = str | bool | int | float | Sequence[str]
Attributes: TypeAlias = Mapping[str, Attribute]
"""What a span says, by name. Never a secret, an address, a header, a body, or a text that somebody else wrote."""


class SpanKind(enum.Enum):
    """On which side of a connection the work is done."""

    INTERNAL = enum.auto()
    CLIENT = enum.auto()
    """A request that leaves the process."""


class Span(Protocol):
    """A piece of work that is under way."""

    @property
    def trace_id(self) -> str:
        """What the log calls its trace: 32 hexadecimal digits; empty when nobody will see it."""
        ...

    def note(self, attributes: Attributes) -> None:
        """Say more about it."""
        ...

    def fail(self, why: str = "") -> None:
        """Say that it went wrong, and in few words of our own how."""
        ...


class Tracer(Protocol):
    """Takes spans; never waits for whoever collects them, never fails."""

    @property
    def on(self) -> bool:
        """Whether anybody asked for traces. Where it is false, nothing should be made ready for a span."""
        ...

    def span(self, name: str, attributes: Attributes, *, kind: SpanKind = SpanKind.INTERNAL) -> AbstractContextManager[Span]:
        """Tell of the work inside the `with`, as a part of what the current task tells of already.

        `name` is one of few: no names of objects in it. An exception passes, and says nothing by itself.
        """
        ...

    def current(self) -> Span:
        """Return the span that the current task is in; one that says nothing when it is in none."""
        ...

    def headers(self) -> Mapping[str, str]:
        """Return what makes a server's part of the work a part of the current span (W3C Trace Context)."""
        ...

    async def close(self) -> None:
        """Send what waits, for a few seconds at most."""
        ...


class Silent:
    """A span that nobody sees."""

    @property
    def trace_id(self) -> str:
        """Nothing."""
        return ""

    def note(self, attributes: Attributes) -> None:
        """Nobody listens."""

    def fail(self, why: str = "") -> None:
        """Nobody listens."""


class Untraced:
    """The tracer where nobody asked for traces."""

    @property
    def on(self) -> bool:
        """It is off."""
        return False

    @contextmanager
    def span(self, name: str, attributes: Attributes, *, kind: SpanKind = SpanKind.INTERNAL) -> Iterator[Span]:
        """Do the work inside the `with`, and tell nobody."""
        yield Silent()

    def current(self) -> Span:
        """Return a span that nobody sees."""
        return Silent()

    def headers(self) -> Mapping[str, str]:
        """Return none."""
        return {}

    async def close(self) -> None:
        """Nothing waits."""
