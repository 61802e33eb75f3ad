"""Requests as ingress-nginx and Istio would count them, from the proxy's own account of each request.

Owns the metric names and labels of both. Must not: read sockets or objects.

Envoy's built-in counters know clusters, but neither the pod, its version, the path nor the method that the usual queries
ask for; so each line of its access log is counted. Series live as long as the process, like those of a real proxy.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.gateway.catalog import ClusterId
from sandbox.metrics.exposition import braces, histogram

NGINX_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ISTIO_MILLISECONDS = (
    0.5,
    1,
    5,
    10,
    25,
    50,
    100,
    250,
    500,
    1000,
    2500,
    5000,
    10_000,
    30_000,
    60_000,
    300_000,
    600_000,
    1_800_000,
    3_600_000,
)
INGRESS_GATEWAY = "istio-ingressgateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What a pod belongs to, in the words of Istio's labels."""

    name: str = "unknown"
    namespace: str = "unknown"
    app: str = "unknown"
    version: str = "unknown"
    pod_hash: str = ""
    pod: str = ""


UNKNOWN = Workload()


@dataclass(slots=True)
class Histogram:
    """Counts between bounds, and the sum of what was counted."""

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        if not self.counts:
            self.counts = [0] * (len(self.bounds) + 1)
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


Labels = tuple[tuple[str, str], ...]


class Requests:
    """Counts requests by line of the access log, and writes them out as metrics."""

    def __init__(self, workload_at: Callable[[str], Workload | None], *, domain: str = "cluster.local") -> None:
        """Ask `workload_at` which workload's pod has an address."""
        self._workload_at = workload_at
        self._domain = domain
        self._seconds: dict[tuple[str, Labels], Histogram] = {}
        self._milliseconds: dict[Labels, Histogram] = {}
        self.unread = 0
        """Lines that were no account of a request."""

    def record(self, line: bytes) -> None:
        """Count one request. A line that cannot be read is counted as such and otherwise ignored."""
        try:
            entry = json.loads(line)
            status, labels = str(entry["s"] or 0), entry.get("r") or {}
        except (ValueError, KeyError, TypeError):
            self.unread += 1
            return
        cluster = ClusterId.parse(str(entry.get("c") or ""))
        workload = self._workload_at(str(entry.get("h") or "").rpartition(":")[0])
        if labels.get("ingress"):
            self._count_nginx(entry, status, labels, cluster)
        destination = cluster or _service_of(labels)
        if destination and (labels.get("gateway") or workload):
            self._count_istio(entry, status, labels=labels, destination=destination, workload=workload)

    def expose(self) -> str:
        """Write all metrics in Prometheus' text format."""
        return "\n".join([*self._expose_nginx(), *self._expose_istio(), ""])

    def _count_nginx(self, entry: Mapping[str, Any], status: str, route: Mapping[str, str], cluster: ClusterId | None) -> None:
        """Count under the main Ingress and its Service; `canary` names the canary's backend when that one answered."""
        canary = cluster is not None and cluster.service != route["service"]
        labels = {
            "namespace": route["namespace"],
            "exported_namespace": route["namespace"],
            "ingress": route["ingress"],
            "service": route["service"],
            "exported_service": route["service"],
            "canary": f"{cluster.namespace}-{cluster.service}-{cluster.port}" if cluster and canary else "",
            "host": route["host"] if route["host"] != "*" else "_",
            "path": route["path"],
            "method": str(entry.get("m") or ""),
            "status": status,
            "controller_class": "k8s.io/ingress-nginx",
        }
        key = tuple(labels.items())
        spans = {"request": entry.get("d"), "response": entry.get("u")}
        for name, microseconds in spans.items():
            if isinstance(microseconds, int | float):
                self._seconds.setdefault((name, key), Histogram(NGINX_SECONDS)).add(microseconds / 1e6)

    def _count_istio(
        self, entry: Mapping[str, Any], status: str, *, labels: Mapping[str, str], destination: ClusterId, workload: Workload | None
    ) -> None:
        """Count as the caller's proxy would (`source`), and as the pod's own would when one was reached (`destination`)."""
        pod = workload or UNKNOWN
        gateway = labels.get("gateway", "mesh")
        source = INGRESS_GATEWAY if gateway != "mesh" else "ingress-nginx" if labels.get("ingress") else "unknown"
        counted = {
            "source_workload": source,
            "source_app": source,
            "source_canonical_service": source,
            "destination_workload": pod.name,
            "destination_workload_namespace": pod.namespace if workload else destination.namespace,
            "destination_app": pod.app,
            "destination_version": pod.version,
            "destination_canonical_service": pod.app,
            "destination_canonical_revision": pod.version,
            "destination_service": f"{destination.service}.{destination.namespace}.svc.{self._domain}",
            "destination_service_name": destination.service,
            "destination_service_namespace": destination.namespace,
            "rollouts_pod_template_hash": pod.pod_hash,
            "request_protocol": "http",
            "response_code": status,
            "response_flags": str(entry.get("f") or "-"),
            "connection_security_policy": "none",
        }
        reporters = [*(["source"] if labels.get("gateway") else []), *(["destination"] if workload else [])]
        for reporter in reporters:
            key = (("reporter", reporter), *counted.items())
            self._milliseconds.setdefault(key, Histogram(ISTIO_MILLISECONDS)).add(float(entry.get("d") or 0) / 1000)

    def _expose_nginx(self) -> Iterator[str]:
        yield "# TYPE nginx_ingress_controller_requests counter"
        for (name, labels), found in self._seconds.items():
            if name == "request":
                yield f"nginx_ingress_controller_requests{braces(dict(labels))} {sum(found.counts)}"
        for name in ("request", "response"):
            metric = f"nginx_ingress_controller_{name}_duration_seconds"
            yield f"# TYPE {metric} histogram"
            for (kind, labels), found in self._seconds.items():
                if kind == name:
                    yield from histogram(metric, dict(labels), bounds=found.bounds, counts=found.counts, total=found.total)

    def _expose_istio(self) -> Iterator[str]:
        yield "# TYPE istio_requests_total counter"
        for labels, found in self._milliseconds.items():
            yield f"istio_requests_total{braces(dict(labels))} {sum(found.counts)}"
        metric = "istio_request_duration_milliseconds"
        yield f"# TYPE {metric} histogram"
        for labels, found in self._milliseconds.items():
            yield from histogram(metric, dict(labels), bounds=found.bounds, counts=found.counts, total=found.total)


def _service_of(labels: Mapping[str, str]) -> ClusterId | None:
    """Return the Service a route leads to when no cluster was reached."""
    return ClusterId.parse(labels.get("destination", ""))
