"""What becomes of an object when its owners go: kept, unlinked, or collected.

Owns the decision. Must not: ask the server; collecting.py does.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from kube.objects import Object, is_deleting

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


class OwnerState(enum.Enum):
    """What is known of an owner."""

    PRESENT = "present"
    WAITING = "waiting"
    """It is being deleted and waits for its dependents to go first."""
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Keep:
    """Nothing is to be done."""


@dataclass(frozen=True, slots=True)
class Unlink:
    """These references lead nowhere, others keep the object."""

    kept: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Collect:
    """Nobody needs the object any more."""

    propagation: str


Verdict: TypeAlias = Keep | Unlink | Collect


def finalizers_of(obj: Object) -> tuple[str, ...]:
    """Return `metadata.finalizers`."""
    return tuple(obj["metadata"].get("finalizers") or ())


def waits_for_dependents(obj: Object) -> bool:
    """Tell whether the object is being deleted in the foreground."""
    return is_deleting(obj) and FOREGROUND in finalizers_of(obj)


def orphans_dependents(obj: Object) -> bool:
    """Tell whether the object is being deleted and its dependents are to stay."""
    return is_deleting(obj) and ORPHAN in finalizers_of(obj)


def judge(obj: Object, owners: Sequence[tuple[Mapping[str, Any], OwnerState]]) -> Verdict:
    """Decide about an object from the state of each of its owners."""
    if not owners or (is_deleting(obj) and not waits_for_dependents(obj)):
        return Keep()
    solid = tuple(reference for reference, state in owners if state is OwnerState.PRESENT)
    if solid:
        return Keep() if len(solid) == len(owners) else Unlink(solid)
    if is_deleting(obj):
        return Keep()
    if any(state is OwnerState.WAITING for _, state in owners):
        return Collect("Foreground")
    finalizers = finalizers_of(obj)
    return Collect("Orphan" if ORPHAN in finalizers else "Foreground" if FOREGROUND in finalizers else "Background")


def blocks(dependent: Object, owner_uid: str) -> bool:
    """Tell whether an owner that is deleted in the foreground must wait for this dependent."""
    references = dependent["metadata"].get("ownerReferences") or ()
    return any(one.get("uid") == owner_uid and one.get("blockOwnerDeletion") for one in references)


def without_owner(obj: Object, uid: str) -> list[Mapping[str, Any]]:
    """Return the owner references that remain without one owner."""
    return [one for one in obj["metadata"].get("ownerReferences") or () if one.get("uid") != uid]
