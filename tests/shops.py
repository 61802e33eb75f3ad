"""A shop to roll out: manifests for a Rollout behind NGINX or in a mesh, on a cluster of plain data."""

from __future__ import annotations

import copy
from typing import Any

from tests.model import World

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


def istio_shop(steps: list[dict[str, Any]], **canary: Any) -> World:
    world = World()
    world.apply(MESH)
    world.put(routed_rollout(steps, {**ISTIO, **canary}))
    world.settle()
    return world
