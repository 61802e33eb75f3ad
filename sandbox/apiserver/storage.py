"""Objects, their versions and the log of changes.

Owns the one resourceVersion counter, the current objects by store and key, and a bounded history from which watches and
consistent pages are served. Must not: know kinds, defaults, permissions or HTTP. Objects put here are frozen by agreement:
nobody changes a dictionary after storing it.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from sandbox.apiserver.failures import gone

Body: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[str, str]
"""Namespace (empty for cluster scope) and name."""


def encode(obj: Mapping[str, Any]) -> bytes:
    """Return compact JSON."""
    return json.dumps(obj, separators=(",", ":"), ensure_ascii=False).encode()


class Stored:
    """One version of one object, serialised at most once per API version it is read in."""

    __slots__ = ("_encoded", "body", "revision")

    def __init__(self, body: Body, revision: int) -> None:
        self.body = body
        self.revision = revision
        self._encoded: dict[str, bytes] = {}

    def encoded(self, api_version: str, converted: Mapping[str, Any] | None = None) -> bytes:
        """Return the JSON of this object as read in `api_version`; `converted` is its form there when it differs."""
        found = self._encoded.get(api_version)
        if found is None:
            found = self._encoded[api_version] = encode(self.body if converted is None else converted)
        return found


@dataclass(frozen=True, slots=True)
class Change:
    """One committed write. `old` is None for a creation, `new` for a removal; `last` is the state the event shows."""

    revision: int
    key: Key
    old: Stored | None
    new: Stored | None
    last: Stored


class _Store:
    """Objects and history of one resource."""

    __slots__ = ("compacted", "log", "objects", "waiters")

    def __init__(self, compacted: int) -> None:
        self.objects: dict[Key, Stored] = {}
        self.log: deque[Change] = deque()
        self.compacted = compacted
        self.waiters: set[asyncio.Future[None]] = set()


class Storage:
    """All objects of the cluster.

    Args:
        history: how many changes of one resource are kept for watches; older ones answer 410.
    """

    def __init__(self, *, history: int = 4096) -> None:
        self.revision = 1
        self._history = history
        self._stores: dict[str, _Store] = {}
        self._listeners: list[Any] = []

    def get(self, store: str, key: Key) -> Stored | None:
        """Return the current version, None when there is none."""
        return self._store(store).objects.get(key)

    def stores(self) -> Iterable[str]:
        """Return the names of all stores that hold or held something."""
        return tuple(self._stores)

    def count(self, store: str) -> int:
        """Return how many objects a store holds."""
        return len(self._store(store).objects)

    def on_commit(self, listener: Any) -> None:
        """Call `listener(store, change)` after every write, in order."""
        self._listeners.append(listener)

    def put(self, store: str, key: Key, body: Body) -> Stored:
        """Store `body` under `key` as the newest version; its resourceVersion is set here."""
        held = self._store(store)
        self.revision += 1
        body["metadata"]["resourceVersion"] = str(self.revision)
        new = Stored(body, self.revision)
        old = held.objects.get(key)
        held.objects[key] = new
        self._commit(store, Change(self.revision, key, old, new, new))
        return new

    def remove(self, store: str, key: Key, last: Body) -> Stored:
        """Forget the object; watchers see `last`, with the resourceVersion of the removal."""
        held = self._store(store)
        self.revision += 1
        body = {**last, "metadata": {**last["metadata"], "resourceVersion": str(self.revision)}}
        final = Stored(body, self.revision)
        old = held.objects.pop(key)
        self._commit(store, Change(self.revision, key, old, None, final))
        return final

    def restore(self, store: str, body: Body) -> None:
        """Put an object back as it was saved, without an event; for start-up only."""
        metadata = body["metadata"]
        revision = int(metadata["resourceVersion"])
        self.revision = max(self.revision, revision)
        self._store(store).objects[(metadata.get("namespace") or "", metadata["name"])] = Stored(body, revision)

    def forget(self, store: str, key: Key) -> None:
        """Drop an object without an event; for start-up only."""
        self._store(store).objects.pop(key, None)

    def current(self, store: str) -> Mapping[Key, Stored]:
        """Return the live objects of a store; copy before the next write."""
        return self._store(store).objects

    def at(self, store: str, revision: int) -> Mapping[Key, Stored]:
        """Return the objects as they were at `revision`.

        Raises:
            Refusal: 410 when that history is gone.
        """
        held = self._store(store)
        if revision >= self.revision or not held.log or held.log[-1].revision <= revision:
            return held.objects
        if revision < held.compacted:
            raise gone("The provided continue parameter is too old to display a consistent list result.")
        state = dict(held.objects)
        for change in reversed(held.log):
            if change.revision <= revision:
                break
            if change.old is None:
                state.pop(change.key, None)
            else:
                state[change.key] = change.old
        return state

    def changes(self, store: str, after: int) -> list[Change]:
        """Return the changes of a store that are newer than `after`, oldest first.

        Raises:
            Refusal: 410 when some of them are gone.
        """
        held = self._store(store)
        if after < held.compacted:
            raise gone(f"too old resource version: {after} ({held.compacted})")
        found: list[Change] = []
        for change in reversed(held.log):
            if change.revision <= after:
                break
            found.append(change)
        found.reverse()
        return found

    def compact(self, keep: int = 0) -> None:
        """Forget all but the newest `keep` changes of every resource: older watches and pages then answer 410."""
        for held in self._stores.values():
            while len(held.log) > keep:
                held.log.popleft()
            held.compacted = max(held.compacted, held.log[0].revision - 1 if held.log else self.revision)

    def changed(self, store: str) -> asyncio.Future[None]:
        """Return a future that ends with the next change of this store; cancel it when it is not wanted any more."""
        held = self._store(store)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        held.waiters.add(future)
        future.add_done_callback(held.waiters.discard)
        return future

    def wake(self) -> None:
        """Let every watcher look again, as if something had changed."""
        for held in self._stores.values():
            _wake(held)

    def _store(self, store: str) -> _Store:
        held = self._stores.get(store)
        if held is None:
            held = self._stores[store] = _Store(compacted=0)
        return held

    def _commit(self, store: str, change: Change) -> None:
        held = self._stores[store]
        held.log.append(change)
        if len(held.log) > self._history:
            held.compacted = held.log.popleft().revision
        _wake(held)
        for listener in self._listeners:
            listener(store, change)


def _wake(held: _Store) -> None:
    for waiter in tuple(held.waiters):
        if not waiter.done():
            waiter.set_result(None)
