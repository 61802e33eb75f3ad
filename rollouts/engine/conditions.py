"""Status conditions: when one is rewritten and which of its times move (spec/rollout.md 1.7).

Conditions are the mappings of `status.conditions`. Must not: decide what is true.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from kube.objects import format_time

Condition: TypeAlias = Mapping[str, Any]


def find(conditions: Iterable[Condition], kind: str) -> Condition | None:
    """Return the condition of a type, if there is one."""
    return next((one for one in conditions if one.get("type") == kind), None)


def is_true(conditions: Iterable[Condition], kind: str) -> bool:
    """Tell whether a condition is there and True."""
    condition = find(conditions, kind)
    return condition is not None and condition.get("status") == "True"


def put(
    conditions: Iterable[Condition], kind: str, status: str, *, reason: str, message: str, now: datetime, touch: bool = False
) -> list[Condition]:
    """Return the conditions with this one set.

    Nothing changes when status and reason are as they were, unless `touch` asks to note progress in `lastUpdateTime`.
    `lastTransitionTime` moves only when the status flips.
    """
    known = list(conditions)
    old = find(known, kind)
    if old and old.get("status") == status and old.get("reason") == reason and not touch:
        return known
    moved = format_time(now)
    flipped = old is None or old.get("status") != status
    new = {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastUpdateTime": moved,
        "lastTransitionTime": moved if flipped or old is None else old.get("lastTransitionTime", moved),
    }
    return [one for one in known if one.get("type") != kind] + [new]


def drop(conditions: Iterable[Condition], kind: str) -> list[Condition]:
    """Return the conditions without those of a type."""
    return [one for one in conditions if one.get("type") != kind]
