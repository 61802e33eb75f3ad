"""Garbage collection by owner references, over every kind that the server has.

Owns the graph of owners and dependents, as the stores have it. Must not: decide (garbage.py), or delete by name alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from kube.client import Client
from kube.clock import Clock
from kube.errors import NotFound
from kube.kinds import CORE_EVENT, CUSTOM_RESOURCE_DEFINITION, Kind, ObjectRef
from kube.objects import Object, key_of, uid_of, version_of
from sandbox.workloads.discovery import served_kinds
from sandbox.workloads.garbage import (
    FOREGROUND,
    ORPHAN,
    Collect,
    Keep,
    OwnerState,
    Unlink,
    blocks,
    finalizers_of,
    judge,
    orphans_dependents,
    waits_for_dependents,
    without_owner,
)
from sandbox.workloads.informers import Informers
from sandbox.workloads.worker import Worker

DISCOVER_AGAIN_SECONDS = 0.5
REMEMBERED = 10_000


class Collector:
    """Deletes what lost its owners; serves foreground and orphan deletion."""

    def __init__(self, client: Client, informers: Informers, *, clock: Clock) -> None:
        self._client = client
        self._informers = informers
        self._clock = clock
        self._kinds: dict[tuple[str, str], Kind] = {}
        self._gone: dict[str, None] = {}
        self._worker: Worker[ObjectRef] = Worker("garbage collector", self._attend, clock=clock)
        self._changed = asyncio.Event()
        informers.of(CUSTOM_RESOURCE_DEFINITION).on_change(lambda old, new: self._changed.set())

    async def discover(self) -> None:
        """Watch every kind that there is now, and stop watching those that are gone.

        Raises:
            ApiError: the server cannot be asked.
        """
        found = await served_kinds(self._client)
        found.pop((CORE_EVENT.group, CORE_EVENT.name), None)
        for name, kind in found.items():
            if name not in self._kinds:
                self._informers.of(kind).on_change(self._handler(kind))
        gone = [kind for name, kind in self._kinds.items() if name not in found]
        self._kinds = found
        for kind in gone:
            await self._informers.drop(kind)

    async def run(self) -> None:
        """Collect until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._worker.run())
            group.create_task(self._follow_definitions())

    async def _follow_definitions(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._clock.sleep(DISCOVER_AGAIN_SECONDS)
            await self.discover()

    def _handler(self, kind: Kind) -> Any:
        def changed(old: Object | None, new: Object | None) -> None:
            obj = new or old or {}
            references = obj["metadata"].get("ownerReferences")
            if new is None:
                self._remember_gone(uid_of(obj))
                self._add_dependents(uid_of(obj))
                for reference in references or ():
                    self._add_owner(reference, obj)
            elif references or waits_for_dependents(new) or orphans_dependents(new):
                self._worker.queue.add(ObjectRef(kind, *key_of(new)))

        return changed

    def _remember_gone(self, uid: str) -> None:
        self._gone[uid] = None
        while len(self._gone) > REMEMBERED:
            del self._gone[next(iter(self._gone))]

    def _dependents(self, uid: str) -> list[tuple[Kind, Object]]:
        return [(kind, one) for kind in self._kinds.values() for one in self._informers.store(kind).by("owner", uid)]

    def _add_dependents(self, uid: str) -> None:
        for kind, one in self._dependents(uid):
            self._worker.queue.add(ObjectRef(kind, *key_of(one)))

    def _add_owner(self, reference: Mapping[str, Any], dependent: Object) -> None:
        ref = self._ref_of(reference, dependent)
        owner = self._informers.store(ref.kind).get(ref.namespace, ref.name) if ref else None
        if ref and owner is not None and waits_for_dependents(owner):
            self._worker.queue.add(ref)

    def _ref_of(self, reference: Mapping[str, Any], dependent: Object) -> ObjectRef | None:
        group = str(reference.get("apiVersion") or "").rpartition("/")[0]
        kind = self._kinds.get((group, str(reference.get("kind"))))
        if kind is None:
            return None
        namespace = key_of(dependent)[0] if kind.namespaced else ""
        return ObjectRef(kind, namespace, str(reference["name"]))

    async def _attend(self, ref: ObjectRef) -> float | None:
        obj = self._informers.store(ref.kind).get(ref.namespace, ref.name)
        if obj is None:
            return None
        if waits_for_dependents(obj):
            return await self._foreground(ref, obj)
        if orphans_dependents(obj):
            return await self._orphan(ref, obj)
        references = obj["metadata"].get("ownerReferences") or ()
        match judge(obj, [(one, await self._state(one, obj)) for one in references]):
            case Collect(propagation=propagation):
                await self._client.delete(ref, uid=uid_of(obj), propagation=propagation)
            case Unlink(kept=kept):
                patch = {"metadata": {"ownerReferences": list(kept)}}
                await self._client.patch(ref, patch, version=version_of(obj))
            case Keep():
                pass
        return None

    async def _state(self, reference: Mapping[str, Any], dependent: Object) -> OwnerState:
        """Return the state of an owner; that it is absent is believed of the server only, not of a store that may lag."""
        uid = str(reference.get("uid"))
        if uid in self._gone:
            return OwnerState.ABSENT
        ref = self._ref_of(reference, dependent)
        if ref is None:
            return OwnerState.PRESENT  # a kind that is not served: nobody can tell
        owner = self._informers.store(ref.kind).get(ref.namespace, ref.name)
        if owner is None or uid_of(owner) != uid:
            try:
                owner = await self._client.get(ref.kind, ref.namespace, ref.name)
            except NotFound:
                owner = None
        if owner is None or uid_of(owner) != uid:
            self._remember_gone(uid)
            return OwnerState.ABSENT
        waiting = waits_for_dependents(owner) and reference.get("blockOwnerDeletion")
        return OwnerState.WAITING if waiting else OwnerState.PRESENT

    async def _foreground(self, ref: ObjectRef, obj: Object) -> float | None:
        """Delete the dependents; once none is left that blocks, let the object go."""
        dependents = self._dependents(uid_of(obj))
        for kind, one in dependents:
            self._worker.queue.add(ObjectRef(kind, *key_of(one)))
        if any(blocks(one, uid_of(obj)) for _, one in dependents):
            return None
        await self._drop_finalizer(ref, obj, FOREGROUND)
        return None

    async def _orphan(self, ref: ObjectRef, obj: Object) -> float | None:
        for kind, one in self._dependents(uid_of(obj)):
            patch = {"metadata": {"ownerReferences": without_owner(one, uid_of(obj))}}
            await self._client.patch(ObjectRef(kind, *key_of(one)), patch, version=version_of(one))
        await self._drop_finalizer(ref, obj, ORPHAN)
        return None

    async def _drop_finalizer(self, ref: ObjectRef, obj: Object, name: str) -> None:
        kept = [one for one in finalizers_of(obj) if one != name]
        await self._client.patch(ref, {"metadata": {"finalizers": kept}}, version=version_of(obj))
