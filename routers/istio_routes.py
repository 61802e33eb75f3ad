"""The routes of a VirtualService: which ones a Rollout steers, the weights in them, and reading the weights back.

Istio's weights are out of 100 here (spec/rollout.md 3.3). A destination that is neither version nor an experiment of this
Rollout keeps its weight, which comes off stable's: upstream keeps only those of `additionalSubsetNames` and deletes the rest,
but whoever put a third backend into a route did so on purpose. Must not: know a DestinationRule's content.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kube.kinds import ObjectRef
from routers.base import Destination, InvalidRouting, Split
from routers.istio_config import Role, Selection, Sides, short_host
from routers.shape import mapping, mappings, sequence, text, texts, whole

PROTOCOLS = ("http", "tls", "tcp")
TOTAL = 100
Route = Mapping[str, Any]


def routes_of(virtual_service: Mapping[str, Any], protocol: str) -> Sequence[Any]:
    """Return the routes of one protocol; elements that are no routes are kept, so that they can be written back."""
    return sequence(mapping(virtual_service.get("spec")).get(protocol))


def chosen_routes(
    virtual_service: Mapping[str, Any], selection: Selection, *, sides: Sides, managed: Sequence[str]
) -> dict[str, list[int]]:
    """Return the positions of the routes to steer, per protocol.

    Raises:
        InvalidRouting: a named route does not exist, one must be named, or one lacks a destination for a version.
    """
    if selection.explicit:
        chosen = {
            "http": [_http_position(virtual_service, name) for name in selection.http],
            "tls": sorted({at for match in selection.tls for at in _tls_positions(virtual_service, match)}),
            "tcp": sorted({at for port in selection.tcp for at in _tcp_positions(virtual_service, port)}),
        }
    else:
        chosen = _only_routes(virtual_service, selection, sides=sides, managed=managed)
    for protocol, positions in chosen.items():
        for position in positions:
            _check_destinations(routes_of(virtual_service, protocol)[position], sides, selection)
    return chosen


def _http_position(virtual_service: Mapping[str, Any], name: str) -> int:
    for position, route in enumerate(routes_of(virtual_service, "http")):
        if mapping(route).get("name") == name:
            return position
    names = [known for route in routes_of(virtual_service, "http") if (known := text(mapping(route).get("name")))]
    there = f"Its HTTP routes are named {', '.join(names)}." if names else "None of its HTTP routes has a name; give it one."
    raise InvalidRouting(f"HTTP Route '{name}' is not found in the defined Virtual Service. {there}")


def _tls_positions(virtual_service: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[int]:
    port, hosts = whole(wanted.get("port")), set(texts(wanted.get("sniHosts")))
    found = [
        position
        for position, route in enumerate(routes_of(virtual_service, "tls"))
        if (port or hosts) and any(_tls_matches(match, port, hosts) for match in mappings(mapping(route).get("match")))
    ]
    if not found:
        raise InvalidRouting(
            f"No matching TLS routes found in the defined Virtual Service for port {port}, sniHosts {sorted(hosts)}."
        )
    return found


def _tls_matches(match: Mapping[str, Any], port: int, hosts: set[str]) -> bool:
    return (not port or whole(match.get("port")) == port) and (not hosts or set(texts(match.get("sniHosts"))) == hosts)


def _tcp_positions(virtual_service: Mapping[str, Any], port: int) -> list[int]:
    found = [
        position
        for position, route in enumerate(routes_of(virtual_service, "tcp"))
        if any(whole(match.get("port")) == port for match in mappings(mapping(route).get("match")))
    ]
    if not port or not found:
        raise InvalidRouting(f"No matching TCP routes found in the defined Virtual Service for port {port}.")
    return found


def _only_routes(
    virtual_service: Mapping[str, Any], selection: Selection, *, sides: Sides, managed: Sequence[str]
) -> dict[str, list[int]]:
    """Return the one route of each protocol; beside HTTP, a TLS or TCP route counts only if it leads to both versions."""
    chosen: dict[str, list[int]] = {}
    for protocol in PROTOCOLS:
        positions = [
            position
            for position, route in enumerate(routes_of(virtual_service, protocol))
            if isinstance(route, Mapping) and not (protocol == "http" and route.get("name") in managed)
        ]
        if protocol != "http" and chosen["http"]:
            positions = [at for at in positions if _has_both(routes_of(virtual_service, protocol)[at], sides)]
        if len(positions) > 1:
            key = {"http": "routes", "tls": "tlsRoutes", "tcp": "tcpRoutes"}[protocol]
            raise InvalidRouting(
                f"spec.{protocol}[] should be set in VirtualService {selection.name} and it must have exactly one route when "
                f"omitting spec.strategy.canary.trafficRouting.istio.virtualService.{key}; it has {len(positions)}, name yours"
            )
        chosen[protocol] = positions
    if not any(chosen.values()):
        raise InvalidRouting(f"VirtualService {selection.name} has no HTTP, TLS or TCP route; add one that leads to both versions")
    return chosen


def _has_both(route: object, sides: Sides) -> bool:
    roles = {sides.role(entry) for entry in mappings(mapping(route).get("route"))}
    return {Role.STABLE, Role.CANARY} <= roles


def _check_destinations(route: object, sides: Sides, selection: Selection) -> None:
    roles = {sides.role(entry) for entry in mappings(mapping(route).get("route"))}
    by_subset = sides.subsets
    for role, service in ((Role.STABLE, sides.stable_service), (Role.CANARY, sides.canary_service)):
        if role in roles:
            continue
        subset = "" if by_subset is None else by_subset.stable if role is Role.STABLE else by_subset.canary
        what = f"DestinationRule subset '{subset}'" if subset else f"Service '{service}'"
        name = text(mapping(route).get("name")) or "without a name"
        side = role.value.capitalize()
        raise InvalidRouting(f"{side} {what} not found in route {name} of VirtualService {selection.name}; add it as a destination")


def reweighed(route: Route, split: Split, *, sides: Sides, ref: ObjectRef) -> dict[str, Any]:
    """Return the route with the weights of `split`; everything else in it stays."""
    entries = [entry for entry in sequence(route.get("route")) if not _is(entry, sides, Role.EXPERIMENT)]
    left = {Role.CANARY: split.canary, Role.STABLE: max(0, split.stable - _foreign_weight(entries, sides))}
    weighed: list[Any] = []
    for entry in entries:
        role = sides.role(entry) if isinstance(entry, Mapping) else Role.FOREIGN
        # A version may be listed twice (by port, say): its share goes to the first, as nothing tells how to divide it.
        weighed.append({**entry, "weight": left.pop(role, 0)} if role in (Role.CANARY, Role.STABLE) else entry)
    known = {
        short_host(mapping(entry["destination"])): entry
        for entry in mappings(route.get("route"))
        if _is(entry, sides, Role.EXPERIMENT)
    }
    weighed += [_experiment(one, known.get(one.service), sides=sides, ref=ref) for one in split.additional]
    return {**route, "route": weighed}


def _experiment(one: Destination, known: Route | None, *, sides: Sides, ref: ObjectRef) -> dict[str, Any]:
    host = one.service if ref.namespace == sides.namespace else f"{one.service}.{sides.namespace}.svc.cluster.local"
    return {**(known or {"destination": {"host": host}}), "weight": one.weight}


def _is(entry: object, sides: Sides, role: Role) -> bool:
    return isinstance(entry, Mapping) and sides.role(entry) is role


def _foreign_weight(entries: Sequence[Any], sides: Sides) -> int:
    return sum(whole(entry.get("weight")) for entry in mappings(entries) if sides.role(entry) is Role.FOREIGN)


def observed_in(route: Route, sides: Sides) -> Split | None:
    """Return the split that the weights of a route express; None when they do not add up as `reweighed` makes them."""
    entries = mappings(route.get("route"))
    weights = {role: sum(whole(one.get("weight")) for one in entries if sides.role(one) is role) for role in Role}
    additional = tuple(
        Destination(service=short_host(mapping(entry["destination"])), pod_hash="", weight=whole(entry.get("weight")))
        for entry in entries
        if sides.role(entry) is Role.EXPERIMENT
    )
    split = Split(canary=weights[Role.CANARY], additional=additional)
    return split if weights[Role.STABLE] == max(0, split.stable - weights[Role.FOREIGN]) else None
