"""Objects of one kind in memory, found by name or by index.

Owns the indices. Must not: be written by anyone but its informer, or be changed through what it returns.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from kube.kinds import Kind
from kube.objects import Key, Object, key_of

logger = logging.getLogger(__name__)

Index: TypeAlias = Callable[[Object], Iterable[str]]
"""Which values an object is found under: an owner's uid, a referenced name. Pure."""


class Store:
    """One kind's objects; the informer is its only writer."""

    def __init__(self, kind: Kind, indices: Mapping[str, Index] = {}) -> None:
        self.kind = kind
        self._objects: dict[Key, Object] = {}
        self._index_of: dict[str, Index] = {}
        self._keys: dict[str, dict[str, set[Key]]] = {}
        for name, index in indices.items():
            self.add_index(name, index)

    def add_index(self, name: str, index: Index) -> None:
        """Find objects by one more property; those already here are indexed too.

        Raises:
            ValueError: the name has another meaning already.
        """
        if self._index_of.get(name, index) is not index:
            raise ValueError(f"{self.kind.name} has another index called {name!r}")
        if name not in self._index_of:
            self._index_of[name] = index
            self._keys[name] = {}
            for key, obj in self._objects.items():
                self._note(name, key, obj)

    def get(self, namespace: str, name: str) -> Object | None:
        """Return one object, or None."""
        return self._objects.get((namespace, name))

    def by(self, index: str, value: str) -> list[Object]:
        """Return the objects that an index finds under a value, sorted by namespace and name.

        Raises:
            KeyError: there is no such index.
        """
        keys = self._keys[index].get(value)
        return [self._objects[key] for key in sorted(keys)] if keys else []

    def all(self) -> list[Object]:
        """Return every object, sorted by namespace and name."""
        return [self._objects[key] for key in sorted(self._objects)]

    def keys(self) -> list[Key]:
        """Return namespace and name of every object, in no order."""
        return list(self._objects)

    def put(self, obj: Object) -> Object | None:
        """Keep an object; return the one it replaces."""
        key = key_of(obj)
        old = self._objects.get(key)
        if old is not None and self._index_of:
            self._forget(key, old)
        self._objects[key] = obj
        for name in self._index_of:
            self._note(name, key, obj)
        return old

    def remove(self, key: Key) -> Object | None:
        """Drop an object; return it, or None if it was not there."""
        old = self._objects.pop(key, None)
        if old is not None:
            self._forget(key, old)
        return old

    def __len__(self) -> int:
        """How many objects there are."""
        return len(self._objects)

    def _note(self, name: str, key: Key, obj: Object) -> None:
        keys = self._keys[name]
        for value in self._values(name, obj):
            keys.setdefault(value, set()).add(key)

    def _forget(self, key: Key, old: Object) -> None:
        for name, keys in self._keys.items():
            for value in self._values(name, old):
                found = keys.get(value)
                if found is not None:
                    found.discard(key)
                    if not found:
                        del keys[value]

    def _values(self, name: str, obj: Object) -> Iterable[str]:
        """Ask an index about an object; one that fails on it (a malformed object) finds it under nothing."""
        try:
            return set(self._index_of[name](obj))
        except Exception:
            logger.exception("the index %s of %s cannot read %s", name, self.kind.name, "/".join(key_of(obj)))
            return ()
