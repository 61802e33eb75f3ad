"""Cells of `kubectl get`: ages, counts, and the columns a definition asks for.

Owns how values look. Must not: know built-in kinds; see columns.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sandbox.apiserver import jsonpath
from sandbox.apiserver.resources import Column

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def short_duration(seconds: float) -> str:
    """Write a duration as kubectl does.

    >>> [short_duration(n) for n in (5, 150, 600, 10000, 200000, 10**6)]
    ['5s', '2m30s', '10m', '166m', '2d7h', '11d']
    """
    whole = int(seconds)
    if whole < 0:
        return "0s" if whole > -2 else "<invalid>"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return f"{minutes}m{whole % 60}s" if whole % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if days < 730:
        return f"{days}d"
    years = days // 365
    return f"{years}y{days % 365}d" if years < 8 and days % 365 else f"{years}y"


def age(text: Any, now: datetime) -> str:
    """Return how long ago a time was; `<unknown>` without one."""
    if not text:
        return "<unknown>"
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return "<invalid>"
    return short_duration((now - moment).total_seconds())


def created(obj: Mapping[str, Any], now: datetime) -> str:
    """Return the age of an object."""
    return age(obj["metadata"].get("creationTimestamp"), now)


def custom_columns(declared: Sequence[Mapping[str, Any]]) -> tuple[Column, ...]:
    """Return the name and the columns that `additionalPrinterColumns` asks for; the age when it asks for none."""
    name = Column("Name", "string", lambda obj, now: obj["metadata"]["name"], "Name must be unique within a namespace.", "name")
    if not declared:
        return (name, Column("Age", "date", created, "Time since the object was created"))
    return (name, *(_custom(column) for column in declared))


def _custom(declared: Mapping[str, Any]) -> Column:
    path, kind = declared["jsonPath"], declared["type"]

    def cell(obj: Mapping[str, Any], now: datetime) -> Any:
        found = jsonpath.find(obj, path)
        if not found:
            return "<unknown>" if kind == "date" and path == ".metadata.creationTimestamp" else None
        return age(found[0], now) if kind == "date" else _typed(found[0], kind)

    description = declared.get("description") or f"Custom resource definition column (in JSONPath format): {path}"
    return Column(declared["name"], kind, cell, description, declared.get("format", ""), int(declared.get("priority", 0)))


def _typed(value: Any, kind: str) -> Any:
    if kind == "string":
        return value if isinstance(value, str) else _text(value)
    return value


def _text(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case dict() | list():
            return json.dumps(value, separators=(",", ":"), sort_keys=True)
    return str(value)
