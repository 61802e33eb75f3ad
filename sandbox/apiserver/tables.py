"""The forms in which objects go out: whole, as metadata only, or as rows of a table.

Owns content negotiation of objects. Must not: know columns of kinds; see columns.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.apiserver.core import Call
from sandbox.apiserver.reads import Page
from sandbox.apiserver.resources import Column
from sandbox.apiserver.storage import Stored, encode
from sandbox.apiserver.watching import rendered


def _form(call: Call) -> tuple[str, str]:
    """Return `Table`, `PartialObjectMetadata`, `PartialObjectMetadataList` or nothing, and its version."""
    for accepted in call.request.accept.split(","):
        parts = dict(part.strip().partition("=")[::2] for part in accepted.split(";")[1:])
        if parts.get("g") == "meta.k8s.io" and parts.get("as"):
            return parts["as"], parts.get("v", "v1")
        if "json" in accepted or "*" in accepted:
            return "", ""
    return "", ""


def _partial(body: Mapping[str, Any], version: str) -> dict[str, Any]:
    return {"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{version}", "metadata": body["metadata"]}


def single_renderer(call: Call) -> Callable[[Stored], bytes]:
    """Return what turns one object into the bytes that the client accepts."""
    form, version = _form(call)
    if form == "Table":
        first = True

        def as_table(stored: Stored) -> bytes:
            nonlocal first
            head, first = first, False
            return encode(
                _table(call, [stored], version, {"resourceVersion": stored.body["metadata"].get("resourceVersion", "")}, head=head)
            )

        return as_table
    if form == "PartialObjectMetadata":
        return lambda stored: encode(_partial(stored.body, version))
    return lambda stored: rendered(call.resource, stored)


def list_renderer(call: Call) -> Callable[[Page], bytes] | None:
    """Return what turns a page into the bytes that the client accepts; None for an ordinary list."""
    form, version = _form(call)
    if form == "Table":
        return lambda page: encode(_table(call, list(page.items), version, page.metadata()))
    if form == "PartialObjectMetadataList":
        return lambda page: encode(
            {
                "kind": form,
                "apiVersion": f"meta.k8s.io/{version}",
                "metadata": page.metadata(),
                "items": [_partial(stored.body, version) for stored in page.items],
            }
        )
    return None


def _table(call: Call, items: list[Stored], version: str, metadata: Mapping[str, Any], *, head: bool = True) -> dict[str, Any]:
    columns = tuple(call.resource.columns)
    now = call.core.now()
    include = call.request.query.get("includeObject", "Metadata")
    table: dict[str, Any] = {"kind": "Table", "apiVersion": f"meta.k8s.io/{version}", "metadata": dict(metadata)}
    if head:
        table["columnDefinitions"] = [
            {
                "name": column.name,
                "type": column.type,
                "format": column.format,
                "description": column.description,
                "priority": column.priority,
            }
            for column in columns
        ]
    else:
        table["columnDefinitions"] = None
    table["rows"] = [_row(call, columns, stored, now, include, version) for stored in items]
    return table


def _row(call: Call, columns: tuple[Column, ...], stored: Stored, now: Any, include: str, version: str) -> dict[str, Any]:
    body = call.resource.read(stored.body)
    row: dict[str, Any] = {"cells": [column.cell(body, now) for column in columns]}
    if include == "Object":
        row["object"] = body
    else:
        row["object"] = None if include == "None" else _partial(body, version)
    return row
