"""What routers are tested with: a pure cluster that takes their writes, and one scenario per way to use each router."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kube.kinds import DESTINATION_RULE, INGRESS, VIRTUAL_SERVICE, Kind, ObjectRef
from kube.objects import Object, key_of
from kube.plan import Create, Patch, Write
from routers.base import HeaderRoute, MirrorRoute, Objects, RoutingSpec

KINDS = {kind.name: kind for kind in (INGRESS, VIRTUAL_SERVICE, DESTINATION_RULE)}
HEADER = HeaderRoute(name="by-header", match=({"headerName": "x-canary", "headerValue": {"exact": "yes"}},))
MIRROR = MirrorRoute(name="mirrored", match=({"method": {"exact": "GET"}, "path": {"prefix": "/shop"}},), percentage=35)


def merged(current: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7386)."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    result = dict(current) if isinstance(current, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def applied(objects: Objects, writes: Iterable[Write]) -> Objects:
    """Return the objects as they are after the writes; refuse what an API server would refuse."""
    state = dict(objects.by_ref)
    for write in writes:
        match write:
            case Create():
                assert write.ref not in state, f"{write.ref} exists already"
                state[write.ref] = with_version(write.body)
            case Patch():
                current = state[write.ref]
                assert write.version in (None, current["metadata"]["resourceVersion"]), f"{write.ref} changed meanwhile"
                state[write.ref] = with_version(merged(current, write.patch))
            case _:
                raise AssertionError(f"a router does not {type(write).__name__}")
    return Objects(state)


def with_version(obj: Object) -> Object:
    """Return the object as stored once more."""
    version = int(obj["metadata"].get("resourceVersion") or 0) + 1
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(version)}}


def objects_of(*objs: Object) -> Objects:
    """Store objects, by their kinds."""
    return Objects({ObjectRef(kind_of(obj), *key_of(obj)): with_version(obj) for obj in objs})


def kind_of(obj: Object) -> Kind:
    """Return the kind of a manifest."""
    return KINDS[obj["kind"]]


def ingress(name: str = "web", *, rules: list[Any] | None = None, **metadata: Any) -> dict[str, Any]:
    """Return a stable Ingress with one path to the stable Service and one to somebody else's."""
    paths = [path("shop-stable"), path("cart", "/cart")]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": "demo", **metadata},
        "spec": {
            "ingressClassName": "nginx",
            "tls": [{"hosts": ["shop.example"], "secretName": "shop-tls"}],
            "rules": [{"host": "shop.example", "http": {"paths": paths}}] if rules is None else rules,
        },
    }


def path(service: str, at: str = "/") -> dict[str, Any]:
    """Return an Ingress path to a Service."""
    return {"path": at, "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"number": 80}}}}


def virtual_service(name: str = "shop", *, namespace: str = "demo", **spec: Any) -> dict[str, Any]:
    """Return a VirtualService with these routes and a host."""
    return {
        "apiVersion": "networking.istio.io/v1beta1",
        "kind": "VirtualService",
        "metadata": {"name": name, "namespace": namespace, "labels": {"team": "shop"}},
        "spec": {"hosts": ["shop.example"], "gateways": ["edge"], **spec},
    }


def destination_rule(*subsets: dict[str, Any]) -> dict[str, Any]:
    """Return a DestinationRule with these subsets, or with a stable, a canary and somebody else's."""
    return {
        "apiVersion": "networking.istio.io/v1beta1",
        "kind": "DestinationRule",
        "metadata": {"name": "shop", "namespace": "demo"},
        "spec": {
            "host": "shop",
            "trafficPolicy": {"tls": {"mode": "DISABLE"}},
            "subsets": list(subsets) or [subset("stable"), subset("canary"), {"name": "legacy", "labels": {"version": "v0"}}],
        },
    }


def subset(name: str, **more: Any) -> dict[str, Any]:
    """Return a subset that selects the application's pods."""
    return {"name": name, "labels": {"app": "shop"}, **more}


def to(host: str, weight: int | None = None, **destination: Any) -> dict[str, Any]:
    """Return a destination of a route."""
    return {"destination": {"host": host, **destination}, **({} if weight is None else {"weight": weight})}


def both(**destination: Any) -> list[dict[str, Any]]:
    """Return the destinations of a host split before any update."""
    return [to("shop-stable", 100, **destination), to("shop-canary", 0, **destination)]


def rollout(**routing: Any) -> dict[str, Any]:
    """Return the Rollout that is routed."""
    steps = [{"experiment": {"templates": [{"name": "a", "specRef": "canary", "service": {"name": "trial"}}]}}]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "shop", "namespace": "demo", "uid": "uid-shop"},
        "spec": {"strategy": {"canary": {"steps": steps, "trafficRouting": routing}}},
    }


def spec_for(config: Mapping[str, Any], **more: Any) -> RoutingSpec:
    """Return what a router is told, with the Services `shop-stable` and `shop-canary`."""
    known: dict[str, Any] = {
        "owner": rollout(),
        "namespace": "demo",
        "stable_service": "shop-stable",
        "canary_service": "shop-canary",
        "managed_routes": ("mirrored", "by-header"),
    }
    return RoutingSpec(config=config, **(known | more))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One way to use a router, with objects as a user would have them before the first update."""

    router: str
    spec: RoutingSpec
    objects: Objects
    foreign: tuple[tuple[Any, ...], ...] = ()
    """Paths into the objects (kind, name, then keys and positions) that must never change."""
    totals: tuple[int, ...] = (100,)
    experiments: tuple[str, ...] = field(default=())
    routes: bool = False


VS_FOREIGN = (("VirtualService", "shop", "spec", "hosts"), ("VirtualService", "shop", "metadata", "labels"))
OTHERS_ROUTE = {"name": "others", "match": [{"uri": {"prefix": "/cart"}}], "route": [to("cart")], "fault": {"delay": {}}}
SUBSETS = {"name": "shop", "canarySubsetName": "canary", "stableSubsetName": "stable"}

SCENARIOS: Mapping[str, Scenario] = {
    "nginx with one ingress": Scenario(
        router="nginx",
        spec=spec_for({"stableIngress": "web", "additionalIngressAnnotations": {"canary-by-header": "x-canary"}}),
        objects=objects_of(ingress()),
        foreign=(("Ingress", "web"),),
        totals=(100, 1000),
    ),
    "nginx with several ingresses and rules of every kind": Scenario(
        router="nginx",
        spec=spec_for({"stableIngresses": ["web", "inner"], "annotationPrefix": "custom.example"}),
        objects=objects_of(
            ingress(annotations={"kubernetes.io/ingress.class": "nginx", "custom.example/rewrite-target": "/"}),
            ingress(
                "inner",
                rules=[
                    {"host": "no-http.example"},
                    {"http": {"paths": [{"path": "/", "backend": {"resource": {"kind": "Bucket", "name": "assets"}}}]}},
                    {"host": "shop.internal", "http": {"paths": [path("shop-stable")]}},
                ],
            ),
        ),
        foreign=(("Ingress", "web"), ("Ingress", "inner")),
    ),
    "istio by hosts, one route": Scenario(
        router="istio",
        spec=spec_for({"virtualService": {"name": "shop"}}),
        objects=objects_of(virtual_service(http=[{"route": both(), "timeout": "5s"}])),
        foreign=(*VS_FOREIGN,),
        experiments=("trial", "shop-6c8f4-2-1-a"),
        routes=True,
    ),
    "istio by hosts beside other people's routes": Scenario(
        router="istio",
        spec=spec_for({"virtualService": {"name": "shop", "routes": ["main", "api"]}}),
        objects=objects_of(
            virtual_service(
                http=[
                    OTHERS_ROUTE,
                    {"name": "main", "match": [{"uri": {"prefix": "/shop"}}, {"port": 80}], "route": both(port={"number": 80})},
                    {"name": "api", "match": [{"headers": {"x-api": {"exact": "1"}}}], "route": both(port={"number": 80})},
                ]
            )
        ),
        foreign=VS_FOREIGN,
        experiments=("trial",),
        routes=True,
    ),
    "istio by subsets beside a third one": Scenario(
        router="istio",
        spec=spec_for(
            {"virtualService": {"name": "shop", "routes": ["main"]}, "destinationRule": SUBSETS},
            stable_service=None,
            canary_service=None,
            stable_hash="6c8f4",
            canary_hash="77d5b",
        ),
        objects=objects_of(
            virtual_service(
                http=[
                    {
                        "name": "main",
                        "route": [to("shop", 90, subset="stable"), to("shop", 0, subset="canary"), to("shop", 10, subset="legacy")],
                    }
                ]
            ),
            destination_rule(),
        ),
        foreign=(
            *VS_FOREIGN,
            ("VirtualService", "shop", "spec", "http", -1, "route", 2),
            ("DestinationRule", "shop", "spec", "trafficPolicy"),
            ("DestinationRule", "shop", "spec", "subsets", 2),
        ),
        experiments=("trial",),
        routes=True,
    ),
    "istio over TLS and TCP": Scenario(
        router="istio",
        spec=spec_for(
            {
                "virtualService": {
                    "name": "shop",
                    "tlsRoutes": [{"port": 443, "sniHosts": ["b", "a"]}],
                    "tcpRoutes": [{"port": 3306}],
                }
            }
        ),
        objects=objects_of(
            virtual_service(
                http=[OTHERS_ROUTE],
                tls=[
                    {"match": [{"port": 443, "sniHosts": ["a", "b"]}], "route": both()},
                    {"match": [{"port": 443, "sniHosts": ["c"]}], "route": [to("cart")]},
                ],
                tcp=[{"match": [{"port": 3306}], "route": both()}, {"match": [{"port": 6379}], "route": [to("cache")]}],
            )
        ),
        foreign=(
            *VS_FOREIGN,
            ("VirtualService", "shop", "spec", "http"),
            ("VirtualService", "shop", "spec", "tls", 1),
            ("VirtualService", "shop", "spec", "tcp", 1),
        ),
    ),
    "istio with several virtual services, one in another namespace": Scenario(
        router="istio",
        spec=spec_for({"virtualServices": [{"name": "shop"}, {"name": "edge.gateways", "routes": ["main"]}]}),
        objects=objects_of(
            virtual_service(http=[{"route": both()}]),
            virtual_service("edge", namespace="gateways", http=[{"name": "main", "route": both()}, OTHERS_ROUTE]),
        ),
        foreign=VS_FOREIGN,
        experiments=("trial",),
        routes=True,
    ),
}
