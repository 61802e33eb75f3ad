"""One informer per kind, shared by everything that runs in the process.

Owns their life: a kind asked for later is started then. Must not: decide anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from kube.client import Client
from kube.clock import Clock
from kube.informer import Informer
from kube.kinds import Kind
from kube.objects import Object, controller_of, labels_of, namespace_of
from kube.store import Store
from sandbox.workloads.pods import owner_uids


def _owner(obj: Object) -> Iterable[str]:
    return owner_uids(obj)


def _controller(obj: Object) -> Iterable[str]:
    owner = controller_of(obj)
    return (str(owner["uid"]),) if owner else ()


def _namespace(obj: Object) -> Iterable[str]:
    return (namespace_of(obj),)


def _orphan(obj: Object) -> Iterable[str]:
    return () if controller_of(obj) else (namespace_of(obj),)


def _labels(obj: Object) -> Iterable[str]:
    return (label_value(namespace_of(obj), *pair) for pair in labels_of(obj).items())


def label_value(namespace: str, key: str, value: str) -> str:
    """Return what the index `label` finds the objects of a namespace with this label under."""
    return f"{namespace}/{key}={value}"


INDICES = {"owner": _owner, "controller": _controller, "namespace": _namespace, "orphan": _orphan, "label": _labels}
"""By the uid of any owner, by the uid of the controlling owner, by namespace, by namespace without a controller, by label."""


class Informers:
    """Informers by kind; each watches all namespaces."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._informers: dict[Kind, Informer] = {}
        self._tasks: dict[Kind, asyncio.Task[None]] = {}
        self._running = False

    def of(self, kind: Kind) -> Informer:
        """Return the informer of a kind; it is started at once when the others run."""
        if kind not in self._informers:
            self._informers[kind] = Informer(self._client, kind, indices=INDICES, clock=self._clock)
            if self._running:
                self._start(kind)
        return self._informers[kind]

    def store(self, kind: Kind) -> Store:
        """Return the store of a kind."""
        return self.of(kind).store

    def kinds(self) -> list[Kind]:
        """Return the kinds that are watched."""
        return list(self._informers)

    def start(self) -> None:
        """Start every informer."""
        self._running = True
        for kind in self._informers:
            self._start(kind)

    async def synced(self) -> None:
        """Wait until each of them was listed once."""
        for informer in list(self._informers.values()):
            await informer.synced()

    async def drop(self, kind: Kind) -> None:
        """Stop watching a kind that is no longer served."""
        task = self._tasks.pop(kind, None)
        self._informers.pop(kind, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def stop(self) -> None:
        """Stop them all."""
        self._running = False
        tasks, self._tasks = list(self._tasks.values()), {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, kind: Kind) -> None:
        if kind not in self._tasks:
            self._tasks[kind] = asyncio.create_task(self._informers[kind].run(), name=f"informer {kind.name}")
