"""What to tell people about a router's writes: event reasons and texts as upstream has them (spec/rollout.md 5.2).

Must not: know a rollout's status, or decide which writes are made.
"""

from __future__ import annotations

from kube.kinds import DESTINATION_RULE, INGRESS, VIRTUAL_SERVICE
from kube.plan import Create, Patch, Write
from routers.base import Split


def told_of(write: Write, split: Split) -> tuple[str, str] | None:
    """Return reason and message of the event about a write; None when there is nothing to tell.

    >>> from kube.kinds import ObjectRef
    >>> told_of(Patch(ref=ObjectRef(VIRTUAL_SERVICE, "default", "shop"), patch={}), Split(canary=20))
    ('Updated VirtualService', "VirtualService `shop` set to desiredWeight '20'")
    """
    match write:
        case Create(kind=kind) if kind == INGRESS:
            return "CreatingCanaryIngress", f"Creating canary ingress `{write.ref.name}`"
        case Patch(ref=ref) if ref.kind == INGRESS:
            return "PatchingCanaryIngress", f"Updating Ingress `{ref.name}` to desiredWeight '{split.canary}'"
        case Patch(ref=ref) if ref.kind == VIRTUAL_SERVICE:
            return "Updated VirtualService", f"VirtualService `{ref.name}` set to desiredWeight '{split.canary}'"
        case Patch(ref=ref) if ref.kind == DESTINATION_RULE:
            return "UpdatedDestinationRule", f"DestinationRule `{ref.name}` subsets updated"
        case _:
            return None
