"""Which pods Prometheus scrapes, where, and under which labels; which workload a pod belongs to.

Owns the reading of pods and EndpointSlices for metrics. Must not: scrape.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kube.objects import Key, Object, annotations_of, controller_of, is_deleting, key_of, labels_of, name_of, namespace_of
from sandbox.gateway.catalog import SERVICE_NAME
from sandbox.gateway.world import spec_of
from sandbox.metrics.requests import Workload

HASHES = ("rollouts-pod-template-hash", "pod-template-hash")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One pod's metrics. It is written out once for each of `labels`: one per Service that has the pod."""

    uid: str
    url: str
    labels: tuple[Mapping[str, str], ...]
    asked_for: bool
    """Annotated with `prometheus.io/scrape: "true"`: reported as down even if it never answered."""


def targets_of(pods: Iterable[Object], slices: Iterable[Object]) -> list[Target]:
    """Return the targets: every running pod with a port, unless `prometheus.io/scrape` says false.

    `prometheus.io/port` and `prometheus.io/path` say where; otherwise it is the first container port, and `/metrics`.
    """
    services = _services(slices)
    found = []
    for pod in pods:
        notes = annotations_of(pod)
        address = (pod.get("status") or {}).get("podIP")
        port = notes.get("prometheus.io/port") or _first_port(pod)
        wanted = notes.get("prometheus.io/scrape")
        running = (pod.get("status") or {}).get("phase") == "Running" and not is_deleting(pod)
        if address and port and running and wanted != "false":
            path = "/" + (notes.get("prometheus.io/path") or "/metrics").lstrip("/")
            labels = tuple(_labels(pod, f"{address}:{port}", service) for service in services.get(key_of(pod)) or [""])
            uid = str(pod["metadata"].get("uid") or name_of(pod))
            found.append(Target(uid=uid, url=f"http://{address}:{port}{path}", labels=labels, asked_for=wanted == "true"))
    return found


def workload_of(pod: Object) -> Workload:
    """Return what a pod belongs to: its ReplicaSet's owner by name (the set's without the hash), its app and version."""
    labels = labels_of(pod)
    owner = controller_of(pod)
    name = str(owner["name"]) if owner else name_of(pod)
    for key in HASHES:
        if labels.get(key):
            name = name.removesuffix(f"-{labels[key]}")
    app = labels.get("app.kubernetes.io/name") or labels.get("app") or name
    version = labels.get("app.kubernetes.io/version") or labels.get("version") or "latest"
    return Workload(
        name=name,
        namespace=namespace_of(pod),
        app=app,
        version=version,
        pod_hash=labels.get(HASHES[0], ""),
        pod=name_of(pod),
    )


def _services(slices: Iterable[Object]) -> Mapping[Key, list[str]]:
    """Map each pod to the Services that have it, ready or not."""
    found: dict[Key, set[str]] = defaultdict(set)
    for piece in slices:
        service = labels_of(piece).get(SERVICE_NAME)
        for endpoint in piece.get("endpoints") or ():
            target = endpoint.get("targetRef") or {}
            if service and target.get("kind") == "Pod":
                found[target.get("namespace") or namespace_of(piece), str(target.get("name"))].add(service)
    return {key: sorted(names) for key, names in found.items()}


def _labels(pod: Object, instance: str, service: str) -> Mapping[str, str]:
    labels = labels_of(pod)
    workload = workload_of(pod)
    return {
        "job": service or "pods",
        "instance": instance,
        "namespace": namespace_of(pod),
        "pod": name_of(pod),
        "service": service,
        "app": labels.get("app") or workload.app,
        "version": labels.get("version") or "",
        "rollouts_pod_template_hash": labels.get(HASHES[0], ""),
        "node": str(spec_of(pod).get("nodeName") or ""),
    }


def _first_port(pod: Object) -> int | None:
    for container in spec_of(pod).get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("containerPort") and (port.get("protocol") or "TCP") == "TCP":
                return int(port["containerPort"])
    return None
