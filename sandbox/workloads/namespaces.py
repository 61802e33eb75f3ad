"""Deleting a namespace: first what is in it, then itself.

Owns the content deletion and the finalize call. Must not: touch a namespace that nobody deleted.
"""

from __future__ import annotations

import asyncio

from kube.client import Client
from kube.clock import Clock
from kube.errors import Conflict, NotFound
from kube.kinds import NAMESPACE, Kind, ObjectRef
from kube.objects import Object, is_deleting, name_of, uid_of
from sandbox.workloads.discovery import served_kinds
from sandbox.workloads.informers import Informers
from sandbox.workloads.worker import Worker

LOOK_AGAIN_SECONDS = 0.25


class NamespaceCleaner:
    """Empties namespaces that are being deleted and lets them go."""

    def __init__(self, client: Client, informers: Informers, *, clock: Clock) -> None:
        self._client = client
        self._store = informers.store(NAMESPACE)
        self._worker: Worker[str] = Worker("namespaces", self._attend, clock=clock, workers=2)
        informers.of(NAMESPACE).on_change(self._noticed)

    async def run(self) -> None:
        """Work until cancelled."""
        await self._worker.run()

    def _noticed(self, old: Object | None, new: Object | None) -> None:
        if new is not None and is_deleting(new):
            self._worker.queue.add(name_of(new))

    async def _attend(self, name: str) -> float | None:
        namespace = self._store.get("", name)
        if namespace is None or not is_deleting(namespace):
            return None
        kinds = [kind for kind in (await served_kinds(self._client)).values() if kind.namespaced]
        left = await asyncio.gather(*(self._empty(kind, name) for kind in kinds))
        if any(left):
            return LOOK_AGAIN_SECONDS
        current = dict(await self._client.get(NAMESPACE, "", name))
        if uid_of(current) == uid_of(namespace):
            await self._client.replace(NAMESPACE, {**current, "spec": {"finalizers": []}}, subresource="finalize")
        return None

    async def _empty(self, kind: Kind, namespace: str) -> int:
        """Delete all objects of a kind; return how many there were."""
        try:
            found = (await self._client.list(kind, namespace)).items
        except NotFound:
            return 0
        for one in found:
            if not is_deleting(one):
                try:
                    await self._client.delete(ObjectRef(kind, namespace, name_of(one)), uid=uid_of(one))
                except (NotFound, Conflict):
                    continue
        return len(found)
