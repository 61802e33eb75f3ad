"""Fault switches: what a network, a busy server or a lagging cache would do, on demand.

Owns matching requests to faults and carrying them out. Must not: act on a request that no fault matches.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.apiserver import failures
from sandbox.apiserver.core import Core
from sandbox.apiserver.failures import Refusal
from sandbox.apiserver.requests import Address, Answer, Request, Streamed, json_answer

REQUEST_ACTIONS = (
    "drop-before",
    "drop-after",
    "lose-answer",
    "conflict",
    "gone",
    "too-many-requests",
    "error",
    "delay",
    "stale",
    "skew",
)
WATCH_ACTIONS = ("drop-line", "split-line", "delay-events", "duplicate-events", "lose-events", "error-event")
ACTIONS = (*REQUEST_ACTIONS, *WATCH_ACTIONS)
_CHANGES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


class Dropped(Exception):
    """The connection is to be cut here.

    Attributes:
        applied: whether the request was carried out before.
    """

    def __init__(self, *, applied: bool) -> None:
        super().__init__("a fault switch cut the connection")
        self.applied = applied


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One switch: which requests it is about, and what happens to them.

    Attributes:
        action: one of `ACTIONS`; docs/sandbox.md tells what each does.
        verb: API verb, `write` for all that change something, empty for any.
        resource: plural, empty for any.
        subresource: None for any, empty for the object itself.
        namespace, name, user: empty for any.
        skip: let this many matching requests (for watches: events) pass first.
        times: then act on this many; None for all.
        seconds: how long to wait, or `Retry-After`.
        versions: how many versions a stale read lags behind.
        message: text of an injected error.
    """

    action: str
    verb: str = ""
    resource: str = ""
    subresource: str | None = None
    namespace: str = ""
    name: str = ""
    user: str = ""
    skip: int = 0
    times: int | None = None
    seconds: float = 1.0
    versions: int = 1
    message: str = "injected by a fault switch"

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"no fault action {self.action!r}; there are {', '.join(ACTIONS)}")

    def covers(self, user: str, address: Address, verb: str) -> bool:
        """Tell whether a request is one of those meant."""
        verbs = _CHANGES if self.verb == "write" else {self.verb}
        return (
            (not self.verb or verb in verbs)
            and self.resource in ("", address.plural)
            and self.subresource in (None, address.subresource)
            and self.namespace in ("", address.namespace)
            and self.name in ("", address.name)
            and self.user in ("", user)
        )


@dataclass(slots=True)
class _Switch:
    fault: Fault
    seen: int = 0
    acted: int = 0

    def fires(self) -> bool:
        """Count one match; tell whether the fault acts on it."""
        self.seen += 1
        if self.seen <= self.fault.skip or (self.fault.times is not None and self.acted >= self.fault.times):
            return False
        self.acted += 1
        return True


@dataclass(slots=True)
class Matched:
    """What faults want of one request once it was served."""

    stale_versions: int = 0
    lost: bool = False
    watch: Sequence[_Switch] = field(default_factory=tuple)


class Faults:
    """The switches of one server. Without any, requests pass untouched."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._switches: list[_Switch] = []

    def set(self, *faults: Fault) -> None:
        """Add switches; they act in the order in which they were added."""
        for fault in faults:
            if fault.action == "skew":
                self._core.skew_seconds = fault.seconds
            else:
                self._switches.append(_Switch(fault))

    def clear(self) -> None:
        """Remove every switch and the clock's skew."""
        self._switches.clear()
        self._core.skew_seconds = 0.0

    def rows(self) -> list[Mapping[str, Any]]:
        """Return the switches with how often they matched and acted."""
        return [{**dataclasses.asdict(one.fault), "seen": one.seen, "acted": one.acted} for one in self._switches]

    async def before(self, request: Request, address: Address, verb: str) -> Matched:
        """Do what is to be done before a request is served.

        Raises:
            Dropped: cut the connection.
            Refusal: answer with the injected error.
        """
        matched = Matched()
        for switch in self._switches:
            fault = switch.fault
            if not fault.covers(request.user, address, verb):
                continue
            if fault.action in WATCH_ACTIONS:
                if verb == "watch":
                    matched.watch = (*matched.watch, switch)
            elif switch.fires():
                await self._act(fault, matched, address)
        return matched

    async def _act(self, fault: Fault, matched: Matched, address: Address) -> None:
        target = failures.Target(address.group, address.plural, address.plural, address.name)
        seconds = max(1, round(fault.seconds))
        match fault.action:
            case "drop-before":
                raise Dropped(applied=False)
            case "drop-after" | "lose-answer":
                matched.lost = True
            case "conflict":
                raise failures.conflict(target)
            case "gone":
                raise failures.gone(f"too old resource version: {fault.message}")
            case "too-many-requests":
                raise failures.too_many_requests(f"too many requests: {fault.message}", retry_after_seconds=seconds)
            case "error":
                raise failures.internal_error(fault.message)
            case "delay":
                await self._core.clock.sleep(fault.seconds)
            case "stale":
                matched.stale_versions = max(matched.stale_versions, fault.versions)

    async def after(self, matched: Matched, answer: Answer | Streamed) -> Answer | Streamed:
        """Do what is to be done with an answer.

        Raises:
            Dropped: cut the connection; the request was carried out.
        """
        if matched.lost:
            raise Dropped(applied=True)
        return answer

    async def mangled(self, matched: Matched, groups: AsyncIterator[list[bytes]]) -> AsyncIterator[bytes]:
        """Yield the chunks of a watch as faults would have them.

        Raises:
            Dropped: cut the connection, after the bytes yielded so far.
        """
        async for lines in groups:
            switches = [one for one in self._switches if one in matched.watch] if matched.watch else ()
            if not switches:
                yield b"".join(lines)
                continue
            for line in lines:
                async for chunk in self._line(switches, line):
                    yield chunk

    async def _line(self, switches: Sequence[_Switch], line: bytes) -> AsyncIterator[bytes]:
        for switch in switches:
            if not switch.fires():
                continue
            half = len(line) // 2
            match switch.fault.action:
                case "drop-line":
                    yield line[:half]
                    raise Dropped(applied=True)
                case "split-line":
                    yield line[:half]
                    line = line[half:]
                case "delay-events":
                    await self._core.clock.sleep(switch.fault.seconds)
                case "duplicate-events":
                    yield line
                case "lose-events":
                    self._core.storage.compact()
                    yield _error_line(failures.gone("too old resource version: events were lost"))
                    raise Dropped(applied=True)
                case "error-event":
                    yield _error_line(failures.internal_error(switch.fault.message))
                    raise Dropped(applied=True)
        yield line


def _error_line(refusal: Refusal) -> bytes:
    return b'{"type":"ERROR","object":' + json_answer(refusal.status()).body + b"}\n"


def fault_of(row: Mapping[str, Any]) -> Fault:
    """Read a switch as it is sent to `/debug/faults`.

    Raises:
        Refusal: 400 for unknown fields or values of a wrong type.
    """
    known = {item.name for item in dataclasses.fields(Fault)}
    unknown = sorted(set(row) - known)
    if unknown:
        raise failures.bad_request(f"unknown fields {unknown}; a fault has {sorted(known)}")
    try:
        return Fault(**row)
    except (TypeError, ValueError) as error:
        raise failures.bad_request(str(error)) from None
