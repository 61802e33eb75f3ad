"""Watches: changes of one resource, from a version on, as lines of JSON.

Owns what a watcher sees: selection, synthetic additions and removals, bookmarks, 410. Must not: change objects.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sandbox.apiserver.failures import Refusal, gone
from sandbox.apiserver.resources import Resource
from sandbox.apiserver.selectors import Predicate
from sandbox.apiserver.storage import Change, Key, Storage, Stored, encode

BOOKMARK_SECONDS = 60.0
_FIRST_BOOKMARK = {"k8s.io/initial-events-end": "true"}


class Sleeper(Protocol):
    """The part of a clock that watches need."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What one watch asks for."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    matches: Predicate | None = None
    after: int | None = None
    """Only changes newer than this; None starts with the objects that are there, as additions."""
    initial_end: bool = False
    """Mark the end of those additions with a bookmark (watch-list)."""
    bookmarks: bool = False
    timeout_seconds: float = 1800.0
    render: Callable[[Stored], bytes] | None = None
    """Turn an object into what the client asked for (a table, metadata only); None sends it whole."""


class Watch:
    """One watcher: an async iterator of chunks, each of one or more whole lines."""

    def __init__(self, storage: Storage, clock: Sleeper, wanted: Wanted) -> None:
        self._storage = storage
        self._clock = clock
        self._wanted = wanted
        self._seen = storage.revision if wanted.after is None else wanted.after

    def check(self) -> Refusal | None:
        """Return the 410 that this watch would begin with."""
        if self._wanted.after is not None:
            try:
                self._storage.changes(self._wanted.resource.store, self._wanted.after)
            except Refusal as refusal:
                return refusal
            if self._wanted.after > self._storage.revision:  # from before a restart that forgot everything: let the client list
                return gone(f"too large resource version: {self._wanted.after}, current: {self._storage.revision}")
        return None

    async def chunks(self) -> AsyncIterator[list[bytes]]:
        """Yield groups of lines until the timeout; ends after an ERROR line when history was compacted away."""
        initial = self._initial()
        if initial:
            yield initial
        deadline = asyncio.ensure_future(self._clock.sleep(self._wanted.timeout_seconds))
        ticker = asyncio.ensure_future(self._clock.sleep(BOOKMARK_SECONDS))
        try:
            while not deadline.done():
                lines, done = self._news()
                if lines:
                    yield lines
                if done:
                    return
                if ticker.done():
                    ticker = asyncio.ensure_future(self._clock.sleep(BOOKMARK_SECONDS))
                    if self._wanted.bookmarks:
                        yield [self._bookmark()]
                elif not lines:  # else something may have changed while the consumer had the lines
                    await self._pause(deadline, ticker)
        finally:
            deadline.cancel()
            ticker.cancel()

    async def _pause(self, *timers: asyncio.Future[None]) -> None:
        store = self._wanted.resource.store
        changed = self._storage.changed(store)
        try:
            await asyncio.wait((changed, *timers), return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()

    def _initial(self) -> list[bytes]:
        wanted = self._wanted
        if wanted.after is not None:
            return []
        self._seen = self._storage.revision
        objects = sorted(self._storage.current(wanted.resource.store).items())
        lines = [self._line("ADDED", stored) for key, stored in objects if self._covers(key) and self._selects(stored)]
        if wanted.initial_end:
            lines.append(self._bookmark(_FIRST_BOOKMARK))
        return lines

    def _news(self) -> tuple[list[bytes], bool]:
        try:
            changes = self._storage.changes(self._wanted.resource.store, self._seen)
        except Refusal as refusal:
            return [encode({"type": "ERROR", "object": refusal.status()}) + b"\n"], True
        self._seen = self._storage.revision
        return list(self._lines(changes)), False

    def _lines(self, changes: Iterable[Change]) -> Iterable[bytes]:
        for change in changes:
            if not self._covers(change.key):
                continue
            was = change.old is not None and self._selects(change.old)
            is_now = change.new is not None and self._selects(change.new)
            if is_now and change.new is not None:
                yield self._line("MODIFIED" if was else "ADDED", change.new)
            elif was:
                yield self._line("DELETED", self._departed(change))

    def _departed(self, change: Change) -> Stored:
        """Return the last matching state, stamped with the version at which it stopped matching."""
        if change.new is None or change.old is None:
            return change.last
        body = change.old.body
        return Stored({**body, "metadata": {**body["metadata"], "resourceVersion": str(change.revision)}}, change.revision)

    def _covers(self, key: Key) -> bool:
        wanted = self._wanted
        return (not wanted.namespace or key[0] == wanted.namespace) and (not wanted.name or key[1] == wanted.name)

    def _selects(self, stored: Stored) -> bool:
        return self._wanted.matches is None or self._wanted.matches(stored.body)

    def _line(self, event: str, stored: Stored) -> bytes:
        wanted = self._wanted
        shown = wanted.render(stored) if wanted.render else rendered(wanted.resource, stored)
        return b'{"type":"' + event.encode() + b'","object":' + shown + b"}\n"

    def _bookmark(self, annotations: Mapping[str, str] | None = None) -> bytes:
        resource = self._wanted.resource
        metadata: dict[str, Any] = {"resourceVersion": str(self._seen)}
        if annotations:
            metadata["annotations"] = annotations
        body = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
        return encode({"type": "BOOKMARK", "object": body}) + b"\n"


def rendered(resource: Resource, stored: Stored) -> bytes:
    """Return an object as JSON in the version of `resource`; the work is done once per version."""
    body = stored.body
    if resource.api_version == body["apiVersion"] and resource.from_storage is None:
        return stored.encoded(resource.api_version)
    return stored.encoded(resource.api_version, resource.read(body))
