"""What a Rollout says about Istio: which VirtualServices and routes, which subsets, and who is who in a route.

Owns the reading of `trafficRouting.istio` (spec/rollout.md 3.3). Must not: compute a weight or a write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from kube.kinds import DESTINATION_RULE, VIRTUAL_SERVICE, ObjectRef
from kube.objects import Object
from routers.base import InvalidRouting, Objects, RoutingSpec
from routers.shape import both_services, canary_strategy, mapping, mappings, owner_name, text, texts, whole

FIELD = "spec.strategy.canary.trafficRouting.istio"


class Role(Enum):
    """What a destination of a route is to this Rollout."""

    STABLE = "stable"
    CANARY = "canary"
    EXPERIMENT = "experiment"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """One VirtualService and the routes in it that this Rollout steers."""

    name: str
    http: tuple[str, ...]
    tls: tuple[Mapping[str, Any], ...]
    tcp: tuple[int, ...]

    @property
    def explicit(self) -> bool:
        """Whether any route is named; otherwise the only one there is meant."""
        return bool(self.http or self.tls or self.tcp)

    def refs(self, namespace: str) -> list[ObjectRef]:
        """Return where the object may be: in this namespace, or for a dotted name in the one after the last dot.

        A VirtualService may have dots in its own name, so one of exactly that name wins over the other reading.
        """
        here = ObjectRef(VIRTUAL_SERVICE, namespace, self.name)
        short, dot, other = self.name.rpartition(".")
        return [here, ObjectRef(VIRTUAL_SERVICE, other, short)] if dot and short and other else [here]

    def find(self, namespace: str, objects: Objects) -> tuple[ObjectRef, Object] | None:
        """Return the VirtualService and its address, or None when there is none."""
        for ref in self.refs(namespace):
            if (found := objects.by_ref.get(ref)) is not None:
                return ref, found
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subsets:
    """The DestinationRule that tells the versions apart, and its subsets."""

    rule: ObjectRef
    stable: str
    canary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Who is who in a route: by subset where a DestinationRule is used, by short host name otherwise."""

    stable_service: str
    canary_service: str
    subsets: Subsets | None
    rollout: str
    namespace: str
    experiments: frozenset[str]
    """Services that the templates of this Rollout's experiment steps name."""

    def role(self, entry: Mapping[str, Any]) -> Role:
        """Tell whose destination this is."""
        destination = mapping(entry.get("destination"))
        host, subset = short_host(destination), text(destination.get("subset"))
        if subset and self.subsets is not None:
            if subset == self.subsets.canary:
                return Role.CANARY
            return Role.STABLE if subset == self.subsets.stable else Role.FOREIGN
        if host and host == self.canary_service:
            return Role.CANARY
        if host and host == self.stable_service:
            return Role.STABLE
        return Role.EXPERIMENT if set(destination) == {"host"} and self.is_experiment(host) else Role.FOREIGN

    def is_experiment(self, service: str) -> bool:
        """Tell whether this is the Service of an experiment of this Rollout: named in a step, or by the experiment."""
        return service in self.experiments or bool(re.match(rf"{re.escape(self.rollout)}-[a-z0-9]+-\d+-\d+-.", service))


def short_host(destination: Mapping[str, Any]) -> str:
    """Return the host up to its first dot: the Service's name."""
    return text(destination.get("host")).partition(".")[0]


def selections(spec: RoutingSpec) -> list[Selection]:
    """Return the VirtualServices of the spec, without judging it."""
    one = mapping(spec.config.get("virtualService"))
    return [_selection(entry) for entry in ([one] if one else []) + mappings(spec.config.get("virtualServices"))]


def checked_selections(spec: RoutingSpec) -> list[Selection]:
    """Return the VirtualServices of the spec.

    Raises:
        InvalidRouting: none or both ways to name them are used, or a name is missing or given twice.
    """
    if spec.config.get("virtualService") and spec.config.get("virtualServices"):
        raise InvalidRouting(f"{FIELD}: Invalid value: set either virtualService or virtualServices, not both")
    found = selections(spec)
    names = [one.name for one in found]
    if not found or not all(names):
        raise InvalidRouting(f'{FIELD}.virtualService.name: Invalid value: "": name the VirtualService whose weights are to be set')
    if len(set(names)) < len(names):
        raise InvalidRouting(f"{FIELD}.virtualServices: Invalid value: {names}: each VirtualService may be named once")
    return found


def _selection(entry: Mapping[str, Any]) -> Selection:
    return Selection(
        name=text(entry.get("name")),
        http=tuple(texts(entry.get("routes"))),
        tls=tuple(mappings(entry.get("tlsRoutes"))),
        tcp=tuple(whole(route.get("port")) for route in mappings(entry.get("tcpRoutes"))),
    )


def subsets_of(spec: RoutingSpec) -> Subsets | None:
    """Return the DestinationRule of the spec; None in host split."""
    rule = mapping(spec.config.get("destinationRule"))
    if not text(rule.get("name")):
        return None
    return Subsets(
        rule=ObjectRef(DESTINATION_RULE, spec.namespace, text(rule.get("name"))),
        stable=text(rule.get("stableSubsetName")),
        canary=text(rule.get("canarySubsetName")),
    )


def sides_of(spec: RoutingSpec) -> Sides:
    """Return who is who in the routes.

    Raises:
        InvalidRouting: neither two Services nor two subsets are given.
    """
    subsets = subsets_of(spec)
    if subsets is None:
        both_services(spec)
    elif not subsets.stable or not subsets.canary or subsets.stable == subsets.canary:
        raise InvalidRouting(f"{FIELD}.destinationRule: Invalid value: canarySubsetName and stableSubsetName must be two subsets")
    return Sides(
        stable_service=spec.stable_service or "",
        canary_service=spec.canary_service or "",
        subsets=subsets,
        rollout=owner_name(spec),
        namespace=spec.namespace,
        experiments=frozenset(_experiment_services(spec)),
    )


def _experiment_services(spec: RoutingSpec) -> list[str]:
    steps = mappings(canary_strategy(spec).get("steps"))
    templates = [template for step in steps for template in mappings(mapping(step.get("experiment")).get("templates"))]
    return [name for template in templates if (name := text(mapping(template.get("service")).get("name")))]
