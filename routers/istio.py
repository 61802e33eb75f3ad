"""Istio: weights in VirtualServices, versions by two Services or by the subsets of a DestinationRule (spec/rollout.md 3.3).

Puts the parts together. Every write is a merge patch of whole lists computed from the object as it is now, tied to its
resourceVersion, so an edit by somebody else in between is never overwritten. Must not: create a VirtualService.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from kube.kinds import ObjectRef
from kube.objects import Object
from kube.plan import Patch, Write
from routers.base import HeaderRoute, InvalidRouting, MirrorRoute, MissingObject, Objects, RoutingError, RoutingSpec, Split
from routers.istio_config import FIELD, Selection, Sides, checked_selections, selections, sides_of, subsets_of
from routers.istio_managed import managed_routes, recognised
from routers.istio_routes import PROTOCOLS, TOTAL, chosen_routes, observed_in, reweighed, routes_of
from routers.istio_subsets import released, subset_writes
from routers.shape import mapping, refused_as_spec, version


@dataclass(frozen=True, slots=True, kw_only=True)
class _Steered:
    """One VirtualService with the positions of the routes that this Rollout steers."""

    ref: ObjectRef
    virtual_service: Object
    chosen: Mapping[str, list[int]]

    def routes(self, protocol: str) -> list[Mapping[str, Any]]:
        """Return the steered routes of one protocol."""
        return [routes_of(self.virtual_service, protocol)[at] for at in self.chosen[protocol]]


class Istio:
    """The router behind `trafficRouting.istio`."""

    name = "istio"
    can_match_headers = True
    can_mirror = True
    can_weigh_additional = True

    def watches(self, spec: RoutingSpec) -> Iterable[ObjectRef]:
        """Name the VirtualServices (a dotted name in both its readings) and the DestinationRule."""
        for selection in selections(spec):
            if selection.name:
                yield from selection.refs(spec.namespace)
        if (subsets := subsets_of(spec)) is not None:
            yield subsets.rule

    def validate(self, spec: RoutingSpec, objects: Objects) -> None:
        """Check that the objects exist, the routes can be told apart, and both versions are in each of them."""
        refused_as_spec(lambda: self.desired(spec, Split(canary=0), objects))

    def desired(self, spec: RoutingSpec, split: Split, objects: Objects) -> list[Write]:
        """Return the writes, subsets before the routes that use them."""
        if split.total != TOTAL:
            raise InvalidRouting(
                f"spec.strategy.canary.trafficRouting.maxTrafficWeight: Invalid value: {split.total}: "
                "Istio weighs out of 100; remove it"
            )
        sides = sides_of(spec)
        steered = _all_steered(spec, sides, objects)
        if (split.header_routes or split.mirror_routes) and not any(one.chosen["http"] for one in steered):
            raise InvalidRouting("setHeaderRoute and setMirrorRoute need an HTTP route in the VirtualService; it has none of ours")
        writes = subset_writes(spec, split, sides=sides, objects=objects)
        for one in steered:
            writes += _route_writes(spec, split, one, sides)
        return writes

    def observed(self, spec: RoutingSpec, objects: Objects) -> Split | None:
        """Return the split that all steered routes agree on; None when one was edited or an object is missing."""
        try:
            sides = sides_of(spec)
            seen = [_observed(spec, one, sides) for one in _all_steered(spec, sides, objects)]
        except RoutingError:
            return None
        weights = [replace(one, header_routes=(), mirror_routes=()) for one, _ in seen if one is not None]
        with_http = [one for one, http in seen if one is not None and http]
        agreed = len(weights) == len(seen) and all(one == weights[0] for one in weights)
        if not agreed or any(one != with_http[0] for one in with_http):
            return None
        return with_http[0] if with_http else weights[0]

    def cleaned(self, spec: RoutingSpec, objects: Objects) -> list[Write]:
        """Return the writes that remove the hash labels, the mark and the managed routes; weights stay as they are."""
        try:
            sides = sides_of(spec)
        except RoutingError:
            return []
        writes: list[Write] = []
        for selection in selections(spec):
            found = selection.find(spec.namespace, objects)
            http = routes_of(found[1], "http") if found else ()
            kept = [route for route in http if mapping(route).get("name") not in spec.managed_routes]
            if found and len(kept) < len(http):
                writes.append(Patch(ref=found[0], patch={"spec": {"http": kept}}, version=version(found[1])))
        if sides.subsets is not None and (rule := objects.by_ref.get(sides.subsets.rule)) is not None:
            writes += released(spec, rule, ref=sides.subsets.rule, sides=sides)
        return writes


def _all_steered(spec: RoutingSpec, sides: Sides, objects: Objects) -> list[_Steered]:
    return [_steered(spec, selection, sides, objects) for selection in checked_selections(spec)]


def _steered(spec: RoutingSpec, selection: Selection, sides: Sides, objects: Objects) -> _Steered:
    found = selection.find(spec.namespace, objects)
    if found is None:
        raise MissingObject(
            f'{FIELD}.virtualService.name: Invalid value: "{selection.name}": '
            f"{selection.refs(spec.namespace)[-1]} not found; create it",
            reason="VirtualServiceNotFound",
        )
    if taken := set(selection.http) & set(spec.managed_routes):
        raise InvalidRouting(
            f"route {min(taken)} is in managedRoutes and in virtualService.routes; use another name in managedRoutes"
        )
    ref, virtual_service = found
    chosen = chosen_routes(virtual_service, selection, sides=sides, managed=spec.managed_routes)
    return _Steered(ref=ref, virtual_service=virtual_service, chosen=chosen)


def _route_writes(spec: RoutingSpec, split: Split, steered: _Steered, sides: Sides) -> list[Write]:
    """Return the patch of one VirtualService, with whole lists: that is what a merge patch can say."""
    changed: dict[str, Any] = {}
    for protocol in PROTOCOLS:
        current = routes_of(steered.virtual_service, protocol)
        wanted = [
            reweighed(route, split, sides=sides, ref=steered.ref) if at in steered.chosen[protocol] else route
            for at, route in enumerate(current)
        ]
        if protocol == "http":
            bases = [wanted[at] for at in steered.chosen["http"]]
            ours = managed_routes(spec, split, bases=bases, sides=sides) if bases else []
            wanted = ours + [route for route in wanted if mapping(route).get("name") not in spec.managed_routes]
        if wanted != list(current):
            changed[protocol] = wanted
    return [Patch(ref=steered.ref, patch={"spec": changed}, version=version(steered.virtual_service))] if changed else []


def _observed(spec: RoutingSpec, steered: _Steered, sides: Sides) -> tuple[Split | None, bool]:
    """Return the split that one VirtualService expresses, and whether it has HTTP routes to tell of managed ones."""
    bases = steered.routes("http")
    seen = [observed_in(route, sides) for protocol in PROTOCOLS for route in steered.routes(protocol)]
    if not seen or any(one is None or one != seen[0] for one in seen):
        return None, bool(bases)
    managed = [route for route in routes_of(steered.virtual_service, "http") if mapping(route).get("name") in spec.managed_routes]
    known = [recognised(spec, route, bases=bases, sides=sides) if bases else None for route in managed]
    if seen[0] is None or None in known:
        return None, bool(bases)
    headers = tuple(route for route in known if isinstance(route, HeaderRoute))
    mirrors = tuple(route for route in known if isinstance(route, MirrorRoute))
    return replace(seen[0], header_routes=headers, mirror_routes=mirrors), bool(bases)
