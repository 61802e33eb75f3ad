"""One kind of the cluster in memory, kept up to date: a store, its feeds, and who wants to know.

Owns the store's content: differences after a list become changes, missed deletions included. Must not: decide anything.
"""

from __future__ import annotations

import asyncio
import logging
import random as randomness
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from kube.answers import Transform
from kube.client import Client
from kube.clock import Clock, SystemClock
from kube.kinds import Kind
from kube.objects import Object, key_of, uid_of, version_of
from kube.reflector import Reflector
from kube.store import Index, Store

logger = logging.getLogger(__name__)

Handler: TypeAlias = Callable[[Object | None, Object | None], None]
"""Called with what was and what is there; either may be None. The store has the new state already."""

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_OBJECTS_BETWEEN_YIELDS = 64


class Witness(Protocol):
    """Wants to know each version as it arrives, even one that changes nothing, and where lists begin and end."""

    def saw(self, kind: Kind, obj: Object) -> None:
        """This state of an object is in the store."""
        ...

    def lost(self, kind: Kind, obj: Object) -> None:
        """This object is no longer in the store."""
        ...

    def listing(self, kind: Kind, namespace: str) -> None:
        """A list is about to be asked for."""
        ...

    def listed(self, kind: Kind, namespace: str) -> None:
        """The store now is at least as new as it was at the server when `listing` was called."""
        ...


def stripped(obj: dict[str, Any]) -> Object:
    """Drop what only servers and kubectl read, a third of many objects. Changes its argument."""
    metadata = obj["metadata"]
    metadata.pop("managedFields", None)
    annotations = metadata.get("annotations")
    if annotations and _LAST_APPLIED in annotations:
        del annotations[_LAST_APPLIED]
    return obj


class Informer:
    """LIST, diff, WATCH, for ever, from one or several namespaces into one store."""

    def __init__(
        self,
        client: Client,
        kind: Kind,
        *,
        namespaces: Sequence[str] = ("",),
        label_selector: str = "",
        transform: Transform | None = None,
        indices: Mapping[str, Index] = {},
        clock: Clock | None = None,
        random: randomness.Random | None = None,
        idle_seconds: float = 90.0,
    ) -> None:
        """Prepare; `run` does the work.

        Args:
            client: where to ask.
            kind: what to keep.
            namespaces: one stream each; a single empty one stands for all. With any named, Roles in them must do: a kind
                without namespaces that may not be listed counts as empty.
            label_selector: keep only these objects.
            transform: makes objects smaller still, after server-side bookkeeping was dropped.
            indices: how else objects are found in the store.
            clock: for waits and ages.
            random: for waits that are not in step with other replicas.
            idle_seconds: silence (bookmarks count as sound) after which a watch is opened anew.
        """
        self.kind = kind
        self.store = Store(kind, indices)
        self._client = client
        self._clock = clock or SystemClock()
        self._handlers: list[Handler] = []
        self._witnesses: list[Witness] = []
        self._reflectors = [
            Reflector(
                client,
                kind,
                namespace=namespace,
                label_selector=label_selector,
                transform=(lambda obj: transform(dict(stripped(obj)))) if transform else stripped,
                sink=self,
                clock=self._clock,
                random=random or randomness.Random(),
                idle_seconds=idle_seconds,
                optional=not kind.namespaced and any(namespaces),
            )
            for namespace in (dict.fromkeys(namespaces) if kind.namespaced else ("",))
        ]

    def on_change(self, handler: Handler) -> None:
        """Tell `handler` of every change from now on. It must be quick and must not wait."""
        self._handlers.append(handler)

    def add_witness(self, witness: Witness) -> None:
        """Tell `witness` of every version; adding it twice changes nothing."""
        if not any(one is witness for one in self._witnesses):
            self._witnesses.append(witness)

    async def run(self) -> None:
        """Feed the store until cancelled."""
        async with asyncio.TaskGroup() as group:
            for reflector in self._reflectors:
                group.create_task(reflector.run())

    async def synced(self) -> None:
        """Wait until everything was listed once; a kind that the server does not have counts as listed, and empty."""
        for reflector in self._reflectors:
            await reflector.synced.wait()

    @property
    def has_synced(self) -> bool:
        """Whether everything was listed once."""
        return all(reflector.synced.is_set() for reflector in self._reflectors)

    @property
    def served(self) -> bool:
        """Whether the server has this kind."""
        return all(reflector.served for reflector in self._reflectors)

    def age_seconds(self) -> float:
        """Return for how long the server was not heard: under two minutes while all is well."""
        return self._clock.monotonic() - min(reflector.heard_at for reflector in self._reflectors)

    @property
    def events(self) -> int:
        """How many watch events were taken in."""
        return sum(reflector.events for reflector in self._reflectors)

    @property
    def lists(self) -> int:
        """How many lists were taken in."""
        return sum(reflector.lists for reflector in self._reflectors)

    async def is_gone(self, namespace: str, name: str) -> bool:
        """Ask the server itself whether there is no such object, by a list: it needs no right but the informer's.

        Raises:
            ApiError: it cannot be told, as when the server does not know the kind.
        """
        found = await self._client.list(self.kind, namespace, field_selector=f"metadata.name={name}")
        return not found.items

    def refresh(self) -> None:
        """List again as soon as possible."""
        for reflector in self._reflectors:
            reflector.refresh()

    def listing(self, namespace: str) -> None:
        """A reflector is about to list."""
        for witness in self._witnesses:
            witness.listing(self.kind, namespace)

    async def replace(self, namespace: str, items: list[Object]) -> None:
        """Make the store hold exactly these objects of a namespace, and tell of each difference."""
        there = {key_of(item) for item in items}
        gone = [key for key in self.store.keys() if key not in there and namespace in ("", key[0])]  # noqa: SIM118
        for key in gone:
            if old := self.store.remove(key):
                self._tell(old, None)
        for count, item in enumerate(items, start=1):
            self.put(item)
            if not count % _OBJECTS_BETWEEN_YIELDS:
                await asyncio.sleep(0)
        for witness in self._witnesses:
            witness.listed(self.kind, namespace)

    def put(self, obj: Object) -> None:
        """Keep an object, and tell if it is new to the store."""
        old = self.store.put(obj)
        if old is None or version_of(old) != version_of(obj):
            if old is not None and uid_of(old) != uid_of(obj):
                self._tell(old, None)  # deleted and created again between two lists: two objects, two stories
                old = None
            self._tell(old, obj)
        else:
            for witness in self._witnesses:
                witness.saw(self.kind, obj)

    def remove(self, obj: Object) -> None:
        """Drop an object, unless another one has its name by now."""
        current = self.store.get(*key_of(obj))
        if current is not None and uid_of(current) == uid_of(obj):
            self.store.remove(key_of(obj))
            self._tell(current, None)

    def _tell(self, old: Object | None, new: Object | None) -> None:
        for witness in self._witnesses:
            if new is not None:
                witness.saw(self.kind, new)
            elif old is not None:
                witness.lost(self.kind, old)
        for handler in self._handlers:
            try:
                handler(old, new)
            except Exception:
                logger.exception("a handler of %s failed on %s", self.kind.name, "/".join(key_of(new or old or {})))
