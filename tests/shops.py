"""A shop to roll out: manifests for a Rollout behind NGINX or in a mesh, on a cluster of plain data."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

from kube.kinds import DESTINATION_RULE, INGRESS, SERVICE, VIRTUAL_SERVICE, Kind
from kube.objects import Object, annotations_of, name_of
from tests.model import World

POD_DISRUPTION_BUDGET = Kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
"""What people write; the controllers neither read nor write one."""
SERVICES = """
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: shop-canary}
spec: {selector: {app: shop}, ports: [{port: 80}]}
"""
INGRESS_YAML = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  ingressClassName: nginx
  rules:
  - host: shop.local
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}
"""
MESH = """
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop]
  http:
  - name: primary
    route:
    - {destination: {host: shop, subset: stable}, weight: 100}
    - {destination: {host: shop, subset: canary}, weight: 0}
---
apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata: {name: shop}
spec:
  host: shop
  subsets:
  - {name: stable, labels: {app: shop}}
  - {name: canary, labels: {app: shop}}
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{port: 80}]}
"""
MESH_OF_HOSTS = (
    SERVICES
    + """
---
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.local]
  http:
  - name: primary
    route:
    - {destination: {host: shop}, weight: 100}
    - {destination: {host: shop-canary}, weight: 0}
"""
)
NGINX: dict[str, Any] = {
    "stableService": "shop",
    "canaryService": "shop-canary",
    "trafficRouting": {"nginx": {"stableIngress": "web"}},
}
ISTIO: dict[str, Any] = {
    "trafficRouting": {
        "istio": {
            "virtualService": {"name": "shop", "routes": ["primary"]},
            "destinationRule": {"name": "shop", "stableSubsetName": "stable", "canarySubsetName": "canary"},
        }
    }
}

ISTIO_HOSTS: dict[str, Any] = {
    "stableService": "shop",
    "canaryService": "shop-canary",
    "trafficRouting": {"istio": {"virtualService": {"name": "shop", "routes": ["primary"]}}},
}
ROUTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "nginx": (f"{SERVICES}---{INGRESS_YAML}", NGINX),
    "istio, split by hosts": (MESH_OF_HOSTS, ISTIO_HOSTS),
    "istio, split by subsets": (MESH, ISTIO),
}
"""What each way of routing needs in the cluster, and what it is as a canary strategy."""
SLOW_TEMPLATE = """
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: slow}
spec:
  metrics:
  - {name: slow, initialDelay: 2h, provider: {prometheus: {address: "http://127.0.0.1:1", query: up}}}
"""
"""An analysis that waits for hours before it measures: whoever tests gives the verdict."""
HASH = "rollouts-pod-template-hash"


def canary_weight(objects: Callable[[Kind], Iterable[Object]]) -> int:
    """Return the share of 100 that the router sends to the canary."""
    for service in objects(VIRTUAL_SERVICE):
        return int(service["spec"]["http"][0]["route"][1].get("weight") or 0)
    found = [one for one in objects(INGRESS) if name_of(one).endswith("-canary")]
    return int(annotations_of(found[0])["nginx.ingress.kubernetes.io/canary-weight"]) if found else 0


def destinations(objects: Callable[[Kind], Iterable[Object]]) -> dict[str, tuple[int, str | None]]:
    """Return for stable and canary how many of 100 are sent there, and the hash of their pods; None for any pods."""
    canary = canary_weight(objects)
    shares = {"stable": 100 - canary, "canary": canary}
    for rule in objects(DESTINATION_RULE):
        subsets = {one["name"]: one["labels"].get(HASH) for one in rule["spec"]["subsets"]}
        return {side: (share, subsets[side]) for side, share in shares.items()}
    services = {name_of(one): one["spec"]["selector"].get(HASH) for one in objects(SERVICE)}
    return {"stable": (shares["stable"], services["shop"]), "canary": (shares["canary"], services["shop-canary"])}


def routed_rollout(steps: list[dict[str, Any]], canary: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "shop"},
        "spec": {
            "replicas": 10,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": {
                "metadata": {"labels": {"app": "shop"}},
                "spec": {"containers": [{"name": "shop", "image": "shop:1"}]},
            },
            "strategy": {"canary": {"steps": steps, **copy.deepcopy(canary)}},
            **spec,
        },
    }


def nginx_shop(steps: list[dict[str, Any]], *, deployed: bool = True, replicas: int = 10, **canary: Any) -> World:
    world = World()
    world.apply(SERVICES)
    world.apply(INGRESS_YAML)
    world.put(routed_rollout(steps, {**NGINX, **canary}, replicas=replicas))
    if deployed:
        world.settle()
    return world


def shop_behind(router: str, steps: list[dict[str, Any]], *, replicas: int = 10, **canary: Any) -> World:
    """A shop behind a way of routing of `ROUTINGS`, deployed."""
    objects, strategy = ROUTINGS[router]
    world = World()
    world.apply(objects)
    world.put(routed_rollout(steps, {**strategy, **canary}, replicas=replicas))
    world.settle()
    return world


def istio_shop(steps: list[dict[str, Any]], **canary: Any) -> World:
    world = World()
    world.apply(MESH)
    world.put(routed_rollout(steps, {**ISTIO, **canary}))
    world.settle()
    return world
