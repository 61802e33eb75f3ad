"""Objects that survive a restart: an append-only file of the newest versions, rewritten at start.

Owns the file format: one JSON line per write. Must not: be needed; a server without it forgets everything.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from sandbox.apiserver.definitions import DEFINITIONS, serve
from sandbox.apiserver.server import ApiServer
from sandbox.apiserver.storage import Change, Storage, encode


class Journal:
    """Keeps a server's objects in a file.

    Every write is handed to the operating system before it is answered, so a killed process loses none; a torn last line is
    ignored.

    Raises:
        OSError: the file cannot be read or written.
        ValueError: a line before the last cannot be read.
    """

    def __init__(self, path: Path, server: ApiServer) -> None:
        self._path = path
        if path.exists():
            _load(path, server.storage)
            for stored in server.storage.current(DEFINITIONS).values():
                serve(server.registry, stored.body, server.core.metadata_schema)
        _rewrite(path, server.storage)
        self._file = path.open("ab", buffering=0)
        server.storage.on_commit(self._append)

    def _append(self, store: str, change: Change) -> None:
        self._file.write(_line(store, change.last.body, removed=change.new is None))

    def close(self) -> None:
        """Stop writing."""
        self._file.close()


def _line(store: str, body: dict[str, Any], *, removed: bool = False) -> bytes:
    return encode({"store": store, "removed": removed, "object": body}) + b"\n"


def _load(path: Path, storage: Storage) -> None:
    for store in storage.stores():
        for key in list(storage.current(store)):
            storage.forget(store, key)
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line) if line else None
        except ValueError:
            if number < len(lines):
                raise ValueError(f"{path}:{number} cannot be read; remove the file to start empty") from None
            break  # written half when the process was killed
        if entry is not None:
            storage.restore(entry["store"], entry["object"])
            if entry["removed"]:
                metadata = entry["object"]["metadata"]
                storage.forget(entry["store"], (metadata.get("namespace") or "", metadata["name"]))
    storage.compact()


def _rewrite(path: Path, storage: Storage) -> None:
    temporary = path.with_name(path.name + ".new")
    with temporary.open("wb") as file:
        for store in storage.stores():
            for stored in storage.current(store).values():
                file.write(_line(store, stored.body))
    os.replace(temporary, path)
