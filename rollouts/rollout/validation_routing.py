"""Whether `trafficRouting` makes sense together with the strategy's Services (spec/rollout.md 1.3, 3.2, 3.3).

Must not: look up an object; the routers' own `validate` does that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crds.rollout import CanaryStrategy
from crds.routing import DestinationRule, IstioRouting, NginxRouting, TrafficRouting
from rollouts.rollout.problems import Problem, forbidden, required

CANARY = "spec.strategy.canary"
ROUTING = f"{CANARY}.trafficRouting"
_ROUTERS = tuple(name for name in TrafficRouting.model_fields if name not in ("managed_routes", "max_traffic_weight"))


def routing_problems(canary: CanaryStrategy, routing: TrafficRouting) -> Iterator[Problem]:
    """Yield everything that is wrong with how traffic is to be shifted."""
    routers = {name for name in _ROUTERS if getattr(routing, name) is not None}
    if not routers:
        yield required(ROUTING, "names no router; give nginx or istio, or remove trafficRouting")
    yield from _services(canary, routing)
    yield from _weight_and_routes(routing, routers)
    if routing.nginx is not None:
        yield from _nginx(routing.nginx, f"{ROUTING}.nginx")
    if routing.istio is not None:
        yield from _istio(routing.istio, f"{ROUTING}.istio")


def _services(canary: CanaryStrategy, routing: TrafficRouting) -> Iterator[Problem]:
    """Routers tell the versions apart by Service; only Istio can do it by the subsets of a DestinationRule."""
    by_service = [name for name, given in (("nginx", routing.nginx is not None), ("istio", _istio_by_service(routing))) if given]
    if not by_service:
        return
    why = f"{' and '.join(by_service)} tells the versions apart by Service"
    if not canary.canary_service:
        yield required(f"{CANARY}.canaryService", f"{why}; name the Service of the canary")
    if not canary.stable_service:
        yield required(f"{CANARY}.stableService", f"{why}; name the Service of the stable version")


def _istio_by_service(routing: TrafficRouting) -> bool:
    return routing.istio is not None and routing.istio.destination_rule is None


def _weight_and_routes(routing: TrafficRouting, routers: set[str]) -> Iterator[Problem]:
    if routing.max_traffic_weight is not None:
        field = f"{ROUTING}.maxTrafficWeight"
        if routing.max_traffic_weight < 1:
            yield Problem(field, "must be greater than 0", routing.max_traffic_weight)
        if routers and not routers & {"nginx", "plugins"}:
            yield forbidden(field, "only nginx has weights other than percentages; remove it")
    names = [route.name for route in routing.managed_routes or ()]
    yield from _distinct(names, f"{ROUTING}.managedRoutes", ".name")


def _nginx(nginx: NginxRouting, field: str) -> Iterator[Problem]:
    if nginx.stable_ingress and nginx.stable_ingresses:
        yield Problem(field, "stableIngress and stableIngresses exclude each other; keep one of them", nginx.dump())
    elif not nginx.stable_ingress and not nginx.stable_ingresses:
        yield required(f"{field}.stableIngress", "name the Ingress that users come through, or several in stableIngresses")
    yield from _distinct(nginx.stable_ingresses or (), f"{field}.stableIngresses")


def _istio(istio: IstioRouting, field: str) -> Iterator[Problem]:
    if istio.virtual_service is not None and istio.virtual_services:
        yield Problem(field, "virtualService and virtualServices exclude each other; keep one of them", istio.dump())
    elif istio.virtual_service is None and not istio.virtual_services:
        yield required(
            f"{field}.virtualService", "name the VirtualService whose routes are weighted, or several in virtualServices"
        )
    elif istio.virtual_service is not None and not istio.virtual_service.name:
        yield required(f"{field}.virtualService.name", "must not be empty")
    yield from _distinct([one.name for one in istio.virtual_services or ()], f"{field}.virtualServices", ".name")
    if istio.destination_rule is not None:
        yield from _destination_rule(istio.destination_rule, f"{field}.destinationRule")


def _destination_rule(rule: DestinationRule, field: str) -> Iterator[Problem]:
    for name, value in (
        ("name", rule.name),
        ("canarySubsetName", rule.canary_subset_name),
        ("stableSubsetName", rule.stable_subset_name),
    ):
        if not value:
            yield required(f"{field}.{name}", "must not be empty")
    if rule.canary_subset_name and rule.canary_subset_name == rule.stable_subset_name:
        yield Problem(f"{field}.canarySubsetName", "must be another subset than stableSubsetName", rule.canary_subset_name)


def _distinct(names: Sequence[str], field: str, suffix: str = "") -> Iterator[Problem]:
    for at, name in enumerate(names):
        if not name:
            yield required(f"{field}[{at}]{suffix}", "must not be empty")
        elif name in names[:at]:
            yield Problem(f"{field}[{at}]{suffix}", "is named twice", name)
