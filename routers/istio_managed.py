"""Routes that steps put on top of a VirtualService: by header to the canary, and mirrored to it (spec/rollout.md 3.3).

Owns the HTTP routes named in `managedRoutes`, in that order, before all others. A managed route answers only what the steered
route answers: its conditions are the step's and the route's together, so on a shared host it takes no other team's requests.
Must not: decide when a route is wanted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from routers.base import HeaderRoute, InvalidRouting, MirrorRoute, RoutingSpec, Split
from routers.istio_config import Role, Sides
from routers.shape import canary_strategy, mapping, mappings, sequence, text, whole

Managed = HeaderRoute | MirrorRoute
NOT_INHERITED = ("name", "match", "route", "mirror", "mirrors", "mirrorPercentage", "mirrorPercent", "mirror_percent")


def managed_routes(spec: RoutingSpec, split: Split, *, bases: Sequence[Mapping[str, Any]], sides: Sides) -> list[dict[str, Any]]:
    """Return the wanted managed routes in the order of `managedRoutes`; `bases` are the steered routes, already weighed.

    Raises:
        InvalidRouting: a route is not in `managedRoutes`, its name is used twice, or it has no conditions.
    """
    wanted: dict[str, Managed] = {}
    routes: tuple[Managed, ...] = (*split.header_routes, *split.mirror_routes)
    for route in routes:
        if route.name not in spec.managed_routes:
            raise InvalidRouting(
                f'spec.strategy.canary.trafficRouting.managedRoutes: Invalid value: "{route.name}": '
                "a step sets this route; add its name to managedRoutes"
            )
        if route.name in wanted or not route.match:
            raise InvalidRouting(f"route {route.name} is set twice or without a match; give each route its own name and conditions")
        wanted[route.name] = route
    return [_built(wanted[name], bases, sides) for name in dict.fromkeys(spec.managed_routes) if name in wanted]


def recognised(spec: RoutingSpec, route: Mapping[str, Any], *, bases: Sequence[Mapping[str, Any]], sides: Sides) -> Managed | None:
    """Return what a managed route in a VirtualService expresses; None when it is not as this router makes it.

    The Rollout's own steps are tried first: where the step and the route ask for the same thing, the steps tell who did.
    """
    for candidate in (*_in_steps(spec, text(route.get("name"))), _read_back(route, bases)):
        if candidate.match and _built(candidate, bases, sides) == route:
            return candidate
    return None


def _in_steps(spec: RoutingSpec, name: str) -> Iterable[Managed]:
    for step in mappings(canary_strategy(spec).get("steps")):
        header, mirror = mapping(step.get("setHeaderRoute")), mapping(step.get("setMirrorRoute"))
        if header.get("name") == name:
            yield HeaderRoute(name=name, match=tuple(mappings(header.get("match"))))
        if mirror.get("name") == name:
            percentage = mirror.get("percentage")
            percentage = 100 if percentage is None else whole(percentage)
            yield MirrorRoute(name=name, match=tuple(mappings(mirror.get("match"))), percentage=percentage)


def _built(route: Managed, bases: Sequence[Mapping[str, Any]], sides: Sides) -> dict[str, Any]:
    """Return the HTTP route; what the steered route says of rewrites, time-outs and headers holds for it too."""
    base = bases[0]
    entries = mappings(base.get("route"))
    canary = next(entry for entry in entries if sides.role(entry) is Role.CANARY)
    common = {
        "name": route.name,
        **{key: value for key, value in base.items() if key not in NOT_INHERITED},
        "match": _product([_condition(route, one) for one in route.match], _conditions_of(bases)),
    }
    if isinstance(route, HeaderRoute):
        return {**common, "route": [{**canary, "weight": 100}]}
    return {
        **common,
        "route": sequence(base.get("route")),
        "mirror": canary["destination"],
        "mirrorPercentage": {"value": route.percentage},
    }


def _condition(route: Managed, match: Mapping[str, Any]) -> dict[str, Any]:
    """Return one entry of the step's `match` as Istio writes it."""
    if isinstance(route, HeaderRoute):
        return {"headers": {text(match.get("headerName")): _string_match(match.get("headerValue"))}}
    headers = {str(name): _string_match(value) for name, value in mapping(match.get("headers")).items()}
    parts = {"method": _string_match(match.get("method")), "uri": _string_match(match.get("path")), "headers": headers}
    return {key: value for key, value in parts.items() if value}


def _string_match(value: object) -> dict[str, Any]:
    return {key: condition for key, condition in mapping(value).items() if condition}


def _conditions_of(bases: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the conditions under which any of the steered routes answers, each once."""
    found: list[Mapping[str, Any]] = []
    for base in bases:
        found += [condition for condition in mappings(base.get("match")) or [{}] if condition not in found]
    return [{}] if {} in found else found


def _product(wanted: Sequence[Mapping[str, Any]], given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return every wanted condition together with every given one; the wanted one wins where both ask for the same."""
    return [_both(one, other) for one in wanted for other in given]


def _both(wanted: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    headers = {**mapping(given.get("headers")), **mapping(wanted.get("headers"))}
    return {**given, **wanted, **({"headers": headers} if headers else {})}


def _read_back(route: Mapping[str, Any], bases: Sequence[Mapping[str, Any]]) -> Managed:
    """Return the conditions without those of the steered routes. Only a guess: the caller builds it again and compares."""
    given, entries, name = _conditions_of(bases), mappings(route.get("match")), text(route.get("name"))
    groups = [entries[start : start + len(given)] for start in range(0, len(entries), len(given))]
    conditions = [_added(group, given) for group in groups]
    if "mirror" in route:
        percentage = whole(mapping(route.get("mirrorPercentage")).get("value"))
        return MirrorRoute(name=name, match=tuple(_mirror_match(one) for one in conditions), percentage=percentage)
    headers = [list(mapping(one.get("headers")).items())[:1] for one in conditions]
    return HeaderRoute(name=name, match=tuple({"headerName": key, "headerValue": value} for one in headers for key, value in one))


def _added(group: Sequence[Mapping[str, Any]], given: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what one wanted condition has added to each of the given ones."""
    added: dict[str, Any] = {}
    headers: dict[str, Any] = {}
    for condition, base in zip(group, given, strict=False):
        base_headers = mapping(base.get("headers"))
        headers |= {key: value for key, value in mapping(condition.get("headers")).items() if base_headers.get(key) != value}
        added |= {key: value for key, value in condition.items() if key != "headers" and base.get(key) != value}
    return {**added, **({"headers": headers} if headers else {})}


def _mirror_match(condition: Mapping[str, Any]) -> dict[str, Any]:
    names = {"method": "method", "uri": "path", "headers": "headers"}
    return {names[key]: value for key, value in condition.items() if key in names}
