"""What of an answer is compared: everything but what no two servers can agree on.

Owns the replacement of uids, times, versions, generated names, addresses and tokens by stand-ins that keep their relations:
what was equal stays equal, what differed differs. The entries of managedFields are put in order: the servers sort them by second,
and may not work in the same one; so are conflicts, which a real server tells in any order. Must not: send requests.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from differential_requests import Case, Got

Compare: TypeAlias = Callable[[Case], str]
"""Sends a case to both servers and returns what differs."""
HEADERS = ("content-type", "warning", "retry-after", "allow")
"""The headers that clients act on."""
_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_GENERATED = re.compile(r"\b(made-)[bcdfghjklmnpqrstvwxz2456789]{5}\b")
_ADDRESS = re.compile(r"\b(10|127)\.96\.\d+\.\d+\b")
_DOCUMENT = re.compile(r'Invalid value: "(\{.*\}|\[.*\])": (?=\S)', re.DOTALL)
"""The whole object inside of a message: its fields come in the order of Go's structures."""
_STORE = re.compile(r"StorageError: invalid object, Code: 4, Key: \S+, ResourceVersion: 0, AdditionalErrorMsg: ")
_VERSION = re.compile(r"(?<=, current: )\d+|(?<=ResourceVersion in the precondition \()\d+|(?<=ResourceVersion in record \()\d+")
_AGE = re.compile(r"\d+(\.\d+)?(ms|s)|<unknown>")


class Normal:
    """The stand-ins of one case on one server."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, str]] = {}

    def of(self, got: Got) -> dict[str, Any]:
        """Return an answer with stand-ins, ready to be compared."""
        headers = {name: self._text(got.headers[name]) for name in HEADERS if name in got.headers}
        return {"status": got.status, "headers": headers, "body": self._value(got.body)}

    def _stand_in(self, kind: str, value: str) -> str:
        known = self._names.setdefault(kind, {})
        return known.setdefault(value, f"<{kind} {len(known) + 1}>")

    def _value(self, value: Any, key: str = "") -> Any:
        match value:
            case Mapping():
                return self._object(value)
            case list():
                return [self._value(item) for item in value]
            case str() if key == "resourceVersion":
                return value if not value or value.startswith("<") else self._stand_in("version", value)
            case str():
                return self._text(value)
            case int() if key == "nodePort":
                return "<port>"
        return value

    def _object(self, value: Mapping[str, Any]) -> dict[str, Any]:
        found = {name: self._value(item, name) for name, item in self._without_versions(value).items()}
        if found.get("kind") == "Table":
            found["rows"] = [self._row(row) for row in found.get("rows") or ()]
            for column in found.get("columnDefinitions") or ():
                column["description"] = "<prose>"
        if found.get("reason") == "Conflict" and isinstance(found.get("details"), dict) and "causes" in found["details"]:
            found["details"]["causes"].sort(key=lambda cause: json.dumps(cause, sort_keys=True))
        if isinstance(found.get("managedFields"), list):
            found["managedFields"] = sorted(found["managedFields"], key=lambda entry: json.dumps(entry, sort_keys=True))
        return found

    def _without_versions(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Put a word for the versions of lists and bookmarks: they depend on what else is going on in the server."""
        if "kind" in value and ("items" in value or "rows" in value) and isinstance(value.get("metadata"), Mapping):
            metadata = {**value["metadata"], "resourceVersion": "<of a list>"}
            return {**value, "metadata": {**metadata, "continue": "<token>"} if metadata.get("continue") else metadata}
        if value.get("type") == "BOOKMARK":
            bookmark = value["object"]
            return {**value, "object": {**bookmark, "metadata": {**bookmark["metadata"], "resourceVersion": "<of a bookmark>"}}}
        return value

    def _row(self, row: dict[str, Any]) -> dict[str, Any]:
        cells = ["<age>" if isinstance(cell, str) and _AGE.fullmatch(cell) else cell for cell in row["cells"]]
        return {**row, "cells": cells}

    def _text(self, text: str) -> str:
        text = _VERSION.sub("<version>", text)
        text = _STORE.sub("", _DOCUMENT.sub("Invalid value: <object>: ", text))
        text = _UID.sub(lambda found: self._stand_in("uid", found[0]), text)
        text = _TIME.sub("<time>", text)
        text = _GENERATED.sub(lambda found: found[1] + self._stand_in("suffix", found[0]), text)
        return _ADDRESS.sub("<address>", text)


def differences(case: Case, embedded: Sequence[Any], real: Sequence[Any]) -> str:
    """Return what differs, request by request, in the form of `diff`; empty when the servers agree."""
    found = []
    for number, (ask, ours, theirs) in enumerate(zip(case.asks, embedded, real, strict=True), 1):
        if ours != theirs:
            lines = difflib.unified_diff(_lines(theirs), _lines(ours), "real", "embedded", lineterm="", n=2)
            found.append("\n".join([f"{number}. {ask}", *lines]))
    return "\n\n".join(found)


def _lines(value: Any) -> list[str]:
    return json.dumps(value, indent=1, sort_keys=True).split("\n")
