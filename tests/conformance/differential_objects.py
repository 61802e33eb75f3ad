"""Small objects for the cases.

Owns manifests, as short as the API allows. Must not: send them.
"""

from __future__ import annotations

from typing import Any


def config_map(name: str = "a", *, meta: dict[str, Any] | None = None, **data: str) -> dict[str, Any]:
    """Return a ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **(meta or {})}, **({"data": data} if data else {})}


def template(*, labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a pod template."""
    return {"metadata": {"labels": labels or {"app": "web"}}, "spec": {"containers": [container()], **spec}}


def container(name: str = "main", **more: Any) -> dict[str, Any]:
    """Return a container."""
    return {"name": name, "image": "shop:1", **more}


def pod(name: str = "a", *, meta: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a Pod."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "web"}, **(meta or {})},
        "spec": {"containers": [container()], **spec},
    }


def workload(kind: str = "Deployment", name: str = "web", *, meta: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a Deployment, ReplicaSet, StatefulSet or DaemonSet."""
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, **(meta or {})},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template(), **spec},
    }


def service(name: str = "web", **spec: Any) -> dict[str, Any]:
    """Return a Service."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}], **spec},
    }


def job(name: str = "once", **spec: Any) -> dict[str, Any]:
    """Return a Job."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"template": template(restartPolicy="Never"), **spec},
    }


def ingress(name: str = "web", **spec: Any) -> dict[str, Any]:
    """Return an Ingress to the Service web."""
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rules = [{"host": "shop.local", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name},
        "spec": {"ingressClassName": "nginx", "rules": rules, **spec},
    }


def budget(name: str = "web", **spec: Any) -> dict[str, Any]:
    """Return a PodDisruptionBudget."""
    wanted = {"selector": {"matchLabels": {"app": "web"}}, **(spec or {"minAvailable": 1})}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": wanted}


def autoscaler(name: str = "web", **spec: Any) -> dict[str, Any]:
    """Return a HorizontalPodAutoscaler."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {"scaleTargetRef": target, "maxReplicas": 3, **spec},
    }


def lease(name: str = "leader", **spec: Any) -> dict[str, Any]:
    """Return a Lease."""
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}, "spec": spec}


def rollout(name: str = "web", *, meta: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a Rollout."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": name, **(meta or {})},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template(),
            "strategy": {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}},
            **spec,
        },
    }


def definition(*, spec: dict[str, Any] | None = None, version: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Return a definition of Widgets in a group of the case's own."""
    root = {
        "type": "object",
        "properties": {
            "spec": spec or {"type": "object", "properties": {"size": {"type": "integer"}, "colour": {"type": "string"}}},
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    }
    first = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": root}, "subresources": {"status": {}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.{ns}.io"},
        "spec": {
            "group": "{ns}.io",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget", "singular": "widget", "listKind": "WidgetList"},
            "versions": [{**first, **(version or {})}],
            **more,
        },
    }


def widget(name: str = "a", /, **spec: Any) -> dict[str, Any]:
    """Return a Widget."""
    return {"apiVersion": "{ns}.io/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec}


WIDGETS = "/apis/{ns}.io/v1/namespaces/{ns}/widgets"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def deployment_status() -> dict[str, Any]:
    """Return a status of a Deployment, as its controller writes it."""
    return {"status": {"replicas": 2, "readyReplicas": 1, "observedGeneration": 1}}
