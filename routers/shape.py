"""Reading objects that other people wrote: what has not the expected shape counts as absent, it never raises.

Owns the tolerant accessors that routers share. Must not: change its arguments, know a router.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from routers.base import InvalidRouting, RoutingError, RoutingSpec


def mapping(value: object) -> Mapping[str, Any]:
    """Return the value if it is a mapping, otherwise an empty one."""
    if type(value) is dict:  # nearly always, and far quicker to ask
        return value
    return value if isinstance(value, Mapping) else {}


def sequence(value: object) -> Sequence[Any]:
    """Return the value if it is a list or tuple, otherwise an empty one."""
    return value if isinstance(value, list | tuple) else ()


def mappings(value: object) -> list[Mapping[str, Any]]:
    """Return those elements of a list that are mappings."""
    return [element for element in sequence(value) if isinstance(element, Mapping)]


def text(value: object) -> str:
    """Return the value if it is a string, otherwise an empty one."""
    return value if isinstance(value, str) else ""


def texts(value: object) -> list[str]:
    """Return those elements of a list that are non-empty strings."""
    return [element for element in sequence(value) if isinstance(element, str) and element]


def whole(value: object) -> int:
    """Return the value if it is a whole number, otherwise 0."""
    match value:
        case bool():
            return 0
        case int():
            return value
        case float() if value.is_integer():
            return int(value)
        case _:
            return 0


def metadata(obj: object) -> Mapping[str, Any]:
    """Return an object's metadata."""
    return mapping(mapping(obj).get("metadata"))


def annotations_in(obj: object) -> Mapping[str, Any]:
    """Return an object's annotations."""
    return mapping(metadata(obj).get("annotations"))


def owners_in(obj: object) -> list[Mapping[str, Any]]:
    """Return an object's owner references."""
    return mappings(metadata(obj).get("ownerReferences"))


def controllers(obj: object) -> list[str]:
    """Return the uids of those who control an object: one at most where the API server has seen it, any number in a manifest."""
    return [text(owner.get("uid")) for owner in owners_in(obj) if owner.get("controller")]


def version(obj: object) -> str | None:
    """Return the resourceVersion that a patch of this object is made from; None for one that was never stored."""
    return text(metadata(obj).get("resourceVersion")) or None


def owner_name(spec: RoutingSpec) -> str:
    """Return the name of the Rollout that is routed."""
    return text(metadata(spec.owner).get("name"))


def canary_strategy(spec: RoutingSpec) -> Mapping[str, Any]:
    """Return `spec.strategy.canary` of the Rollout that is routed."""
    return mapping(mapping(mapping(mapping(spec.owner).get("spec")).get("strategy")).get("canary"))


def both_services(spec: RoutingSpec) -> tuple[str, str]:
    """Return the stable and the canary Service.

    Raises:
        InvalidRouting: one is not given, or they are the same.
    """
    stable, canary = spec.stable_service, spec.canary_service
    if not stable or not canary:
        missing = "canaryService" if stable else "stableService"
        raise InvalidRouting(f'spec.strategy.canary.{missing}: Invalid value: "": the traffic router needs this Service; set it')
    if stable == canary:
        raise InvalidRouting(
            f'spec.strategy.canary.stableService: Invalid value: "{stable}": stable and canary must be different Services'
        )
    return stable, canary


def refused_as_spec(attempt: Callable[[], object]) -> None:
    """Try what routing would do; whatever keeps it from that is told as a mistake of the spec.

    Raises:
        InvalidRouting: the attempt raised a `RoutingError`.
    """
    try:
        attempt()
    except InvalidRouting:
        raise
    except RoutingError as error:
        raise InvalidRouting(str(error)) from error
