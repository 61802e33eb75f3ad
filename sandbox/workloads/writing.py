"""Carries plans out, and holds a key back until the watch has brought its own writes.

Owns the memory of writes that were not seen yet: versions are compared for equality only. Must not: decide what to write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from kube.client import Client
from kube.clock import Clock
from kube.errors import NotFound
from kube.informer import Informer
from kube.kinds import Kind, ObjectRef
from kube.objects import Key, Object, is_deleting, key_of, uid_of, version_of
from kube.plan import Create, Delete, Evict, Patch, Plan, Write

PATIENCE_SECONDS = 5.0
"""How long the watch may take to bring a write before the key goes on without it."""
TOGETHER = 32
"""Writes of one stage that are under way at the same time."""


class Echoes:
    """Which items wait for which of their own writes to come back."""

    def __init__(self, clock: Clock, release: Callable[[Any], None]) -> None:
        self._clock = clock
        self._release = release
        self._stores: dict[Kind, Informer] = {}
        self._heard: dict[ObjectRef, set[str]] = {}
        self._owed: dict[ObjectRef, dict[Hashable, str]] = {}
        self._held: dict[Hashable, set[ObjectRef]] = {}
        self._timers: dict[Hashable, asyncio.Task[None]] = {}

    @property
    def awaited(self) -> bool:
        """Whether any item is held back."""
        return bool(self._held)

    def listen(self, informer: Informer) -> None:
        """Hear the changes of one kind."""
        kind = informer.kind
        self._stores[kind] = informer

        def changed(old: Object | None, new: Object | None) -> None:
            ref = ObjectRef(kind, *key_of(new or old or {}))
            self._hear(ref, version_of(new) if new is not None else "", gone=new is None)

        informer.on_change(changed)

    def holds(self, item: Hashable) -> bool:
        """Tell whether the item must wait; it is released when its writes were seen."""
        return item in self._held

    def expect(self, ref: ObjectRef) -> None:
        """Remember the versions of an object that arrive from now on: a write of it is about to be sent."""
        if ref.kind in self._stores:
            self._heard.setdefault(ref, set())

    def note(self, item: Hashable, ref: ObjectRef, version: str) -> None:
        """Hold the item back until `version` of the object has arrived, unless it has; an empty version means its end."""
        heard = self._heard.pop(ref, None)
        if heard is None or heard & {version, ""} or self._there(ref, version):
            return
        self._owed.setdefault(ref, {})[item] = version
        self._held.setdefault(item, set()).add(ref)
        if item not in self._timers:
            self._timers[item] = asyncio.create_task(self._give_up(item))

    def known(self, ref: ObjectRef) -> Object | None:
        """Return an object as its store has it."""
        return self._stores[ref.kind].store.get(ref.namespace, ref.name)

    async def close(self) -> None:
        """Stop the timers."""
        timers, self._timers = list(self._timers.values()), {}
        for task in timers:
            task.cancel()
        await asyncio.gather(*timers, return_exceptions=True)

    def _there(self, ref: ObjectRef, version: str) -> bool:
        known = self._stores[ref.kind].store.get(ref.namespace, ref.name)
        if version:
            return known is not None and version_of(known) == version
        return known is None or is_deleting(known)

    def _hear(self, ref: ObjectRef, version: str, *, gone: bool) -> None:
        if ref in self._heard:
            self._heard[ref].add(version)
        owed = self._owed.get(ref)
        if not owed:
            return
        for item, wanted in list(owed.items()):
            if gone or version == wanted or (not wanted and self._there(ref, "")):
                self._settle(item, ref)

    def _settle(self, item: Hashable, ref: ObjectRef) -> None:
        owed = self._owed[ref]
        owed.pop(item, None)
        if not owed:
            del self._owed[ref]
        held = self._held[item]
        held.discard(ref)
        if not held:
            self._let_go(item)

    def _let_go(self, item: Hashable) -> None:
        self._held.pop(item, None)
        timer = self._timers.pop(item, None)
        if timer is not None:
            timer.cancel()
        self._release(item)

    async def _give_up(self, item: Hashable) -> None:
        await self._clock.sleep(PATIENCE_SECONDS)
        self._timers.pop(item, None)
        for ref in self._held.get(item, set()):
            self._owed.get(ref, {}).pop(item, None)
        self._let_go(item)


class Writer:
    """Sends the writes of a plan."""

    def __init__(self, client: Client, echoes: Echoes) -> None:
        self._client = client
        self._echoes = echoes

    async def execute(self, item: tuple[int, Key], root: Kind, plan: Plan) -> None:
        """Send the stages in order, then the status if it differs.

        Raises:
            ApiError: the first write that failed; what follows was not sent.
        """
        for stage in plan.stages:
            for start in range(0, len(stage.writes), TOGETHER):
                group = stage.writes[start : start + TOGETHER]
                answers = await asyncio.gather(*(self._send(item, write) for write in group), return_exceptions=True)
                for answer in answers:
                    if isinstance(answer, BaseException):
                        raise answer
        if plan.status is not None:
            await self._write_status(item, ObjectRef(root, *item[1]), plan.status)

    async def _send(self, item: Hashable, write: Write) -> None:
        ref, version = write.ref, ""
        self._echoes.expect(ref)
        match write:
            case Create(kind=kind, body=body):
                version = version_of(await self._client.create(kind, body))
            case Patch(patch=patch, subresource=subresource, version=known):
                version = version_of(await self._client.patch(ref, patch, subresource=subresource, version=known))
            case Delete(uid=uid):
                try:
                    await self._client.delete(ref, uid=uid)
                except NotFound:
                    return
            case Evict(uid=uid):
                await self._client.evict(ref, uid=uid)
        self._echoes.note(item, ref, version)

    async def _write_status(self, item: Hashable, ref: ObjectRef, wanted: Mapping[str, Any]) -> None:
        known = self._echoes.known(ref)
        if known is None:
            return
        difference = merge_difference(known.get("status") or {}, wanted)
        if difference:
            self._echoes.expect(ref)
            stored = await self._client.patch(ref, {"status": difference}, subresource="status", uid=uid_of(known))
            self._echoes.note(item, ref, version_of(stored))


def merge_difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the smallest merge patch that turns `old` into `new`.

    >>> merge_difference({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"c": 2, "d": 4}})
    {'a': None, 'b': {'d': 4}}
    """
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            nested = merge_difference(before, value)
            if nested:
                patch[key] = nested
        elif before != value:
            patch[key] = value
    return patch
