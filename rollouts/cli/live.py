"""A few collections kept up to date by watches, for commands that redraw (`-w`).

Owns one thread per collection; after any trouble a collection is listed again. Must not: decide what is shown.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from kube.config import Connection
from kube.errors import ApiError, Gone
from kube.kinds import Kind
from kube.objects import Key, Object, key_of
from kube.quick import QuickClient

RETRY_SECONDS = 1.0
BURST_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Which objects of a kind to follow."""

    kind: Kind
    namespace: str
    label_selector: str = ""
    field_selector: str = ""

    @property
    def query(self) -> dict[str, str]:
        """The selectors as the API takes them."""
        given = {"labelSelector": self.label_selector, "fieldSelector": self.field_selector}
        return {name: value for name, value in given.items() if value}


class Live:
    """The objects of some sources as they are now. A context manager: threads start on entering and end by themselves after."""

    def __init__(self, connection: Connection, sources: Sequence[Source]) -> None:
        self._connection = connection
        self._sources = sources
        self._objects: dict[Kind, dict[Key, Object]] = {source.kind: {} for source in sources}
        self._changed = threading.Event()
        self._stopped = threading.Event()
        self._listed = [threading.Event() for _ in sources]

    def __enter__(self) -> Live:
        for source, listed in zip(self._sources, self._listed, strict=True):
            threading.Thread(target=self._follow, args=(source, listed), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stopped.set()

    def of(self, kind: Kind) -> list[Object]:
        """Return the objects of one kind."""
        return list(self._objects[kind].values())

    def changes(self, *, tick_seconds: float | None = 1.0) -> Iterator[bool]:
        """Yield True after a change, False after a tick without one; first when everything was listed. Never ends.

        Changes in quick succession come as one, a fifth of a second after the first. Without a tick only changes are told.
        """
        for listed in self._listed:
            listed.wait()
        yield True
        while True:
            if self._changed.wait(tick_seconds):
                self._stopped.wait(BURST_SECONDS)
                self._changed.clear()
                yield True
            else:
                yield False

    def _follow(self, source: Source, listed: threading.Event) -> None:
        while not self._stopped.is_set():
            try:
                with QuickClient(self._connection) as client:
                    version = self._list(client, source)
                    listed.set()
                    self._watch(client, source, version)
            except (ApiError, ValueError):
                self._stopped.wait(RETRY_SECONDS)

    def _list(self, client: QuickClient, source: Source) -> str:
        found = client.list(
            source.kind, source.namespace, label_selector=source.label_selector, field_selector=source.field_selector
        )
        self._objects[source.kind] = {key_of(obj): obj for obj in found.items}
        self._changed.set()
        return found.resource_version

    def _watch(self, client: QuickClient, source: Source, version: str) -> None:
        query = {**source.query, "watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true"}
        with client.lines(source.kind.path(source.namespace), query) as lines:
            for line in lines:
                if self._stopped.is_set():
                    return
                self._take(source.kind, json.loads(line))

    def _take(self, kind: Kind, event: Mapping[str, Any]) -> None:
        """Apply one event; an error event means that the place in the history is lost."""
        obj = event["object"]
        match event["type"]:
            case "BOOKMARK":
                return
            case "ERROR":
                raise Gone(str(obj.get("message") or "the watch ended"))
            case "DELETED":
                self._objects[kind] = {key: one for key, one in self._objects[kind].items() if key != key_of(obj)}
            case _:
                self._objects[kind] = {**self._objects[kind], key_of(obj): obj}
        self._changed.set()
