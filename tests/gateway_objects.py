"""Objects as people and routers write them, for the gateway's tests."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from kube.objects import Object

NS = "shop"
OWN = f"127.{128 + os.getpid() % 60}"
"""The loopback network of this test process, so that several can run on one machine."""
SERVICES = f"127.{190 + os.getpid() % 60}"
"""The same for the Services of its API server."""
PREFIX = "nginx.ingress.kubernetes.io"


def metadata(name: str, *, namespace: str = NS, age: int = 0, **more: Any) -> dict[str, Any]:
    """Metadata of an object; a smaller `age` was created earlier."""
    return {"namespace": namespace, "name": name, "creationTimestamp": f"2024-01-01T00:00:{age:02d}Z", **more}


def service(name: str, ip: str = "", *, port: int = 80, port_name: str = "http", namespace: str = NS, **spec: Any) -> Object:
    """A Service of one port."""
    ports = [{"name": port_name, "port": port, "targetPort": 8080}]
    return {"kind": "Service", "metadata": metadata(name, namespace=namespace), "spec": {"clusterIP": ip, "ports": ports, **spec}}


def endpoints(
    name: str, addresses: Iterable[str], *, port: int = 8080, port_name: str = "http", namespace: str = NS, **conditions: bool
) -> Object:
    """The EndpointSlice of a Service; the pod of an address is named after it (`pod_name`)."""
    rows = [
        {
            "addresses": [address],
            "conditions": {"ready": True, **conditions},
            "targetRef": {"kind": "Pod", "name": pod_name(address), "namespace": namespace},
        }
        for address in addresses
    ]
    labels = {"kubernetes.io/service-name": name}
    return {
        "kind": "EndpointSlice",
        "metadata": metadata(f"{name}-abc", namespace=namespace, labels=labels),
        "addressType": "IPv4",
        "ports": [{"name": port_name, "port": port, "protocol": "TCP"}],
        "endpoints": rows,
    }


def pod_name(address: str) -> str:
    """The name of the pod at an address."""
    return f"pod-{address.replace('.', '-')}"


def pod(address: str, *, namespace: str = NS, **labels: str) -> Object:
    """A pod at an address."""
    wanted = {key.replace("_", "-"): value for key, value in labels.items()}
    return {
        "kind": "Pod",
        "metadata": metadata(pod_name(address), namespace=namespace, labels=wanted),
        "status": {"podIP": address, "phase": "Running"},
    }


def path(target: str, at: str = "/", *, kind: str = "Prefix", port: int | str = 80) -> dict[str, Any]:
    """A path of an Ingress rule."""
    by = {"name": port} if isinstance(port, str) else {"number": port}
    return {"path": at, "pathType": kind, "backend": {"service": {"name": target, "port": by}}}


def ingress(name: str, *paths: Mapping[str, Any], host: str = "shop.test", age: int = 0, **spec: Any) -> Object:
    """An Ingress of one rule."""
    rules = [{"host": host, "http": {"paths": list(paths)}}] if paths else []
    return {"kind": "Ingress", "metadata": metadata(name, age=age), "spec": {"rules": rules, **spec}}


def canary_ingress(name: str, *paths: Mapping[str, Any], host: str = "shop.test", age: int = 1, **annotations: Any) -> Object:
    """A canary Ingress; `weight=20` stands for the annotation `canary-weight: "20"`."""
    notes = {f"{PREFIX}/canary-{key.replace('_', '-')}": str(value) for key, value in annotations.items()}
    found = dict(ingress(name, *paths, host=host, age=age))
    found["metadata"] = {**found["metadata"], "annotations": {f"{PREFIX}/canary": "true", **notes}}
    return found


def virtual_service(name: str, *http: Mapping[str, Any], hosts: Iterable[str] = ("web",), age: int = 0, **spec: Any) -> Object:
    """A VirtualService with http routes."""
    return {
        "kind": "VirtualService",
        "metadata": metadata(name, age=age),
        "spec": {"hosts": list(hosts), "http": list(http), **spec},
    }


def destination(host: str, weight: int = 100, *, subset: str = "", port: int | None = None) -> dict[str, Any]:
    """A weighted destination."""
    target: dict[str, Any] = {"host": host}
    if subset:
        target["subset"] = subset
    if port:
        target["port"] = {"number": port}
    return {"destination": target, "weight": weight}


def destination_rule(name: str, host: str, **subsets: Mapping[str, str]) -> Object:
    """A DestinationRule; `stable={"version": "1"}` is a subset by labels."""
    rows = [{"name": key, "labels": dict(labels)} for key, labels in subsets.items()]
    return {"kind": "DestinationRule", "metadata": metadata(name), "spec": {"host": host, "subsets": rows}}
