"""Owner references: who is deleted with whom.

Must not: decide who owns what.
"""

from __future__ import annotations

from typing import Any

from kube.objects import Object, name_of, uid_of


def owner_reference(owner: Object, *, controller: bool = True, block_deletion: bool = True) -> dict[str, Any]:
    """Return the reference to put into `metadata.ownerReferences` of what `owner` owns.

    Raises:
        ValueError: the owner was never stored, so it has no uid to refer to.
    """
    if not uid_of(owner):
        raise ValueError(f"{owner.get('kind')} {name_of(owner)} has no uid yet and cannot own anything")
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": controller,
        "blockOwnerDeletion": block_deletion,
    }
