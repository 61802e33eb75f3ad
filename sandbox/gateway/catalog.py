"""Services as the proxy sees them: their ports, and the ready endpoints behind each, whole or by Istio subset.

Owns the names of clusters and the choice of endpoints. Must not: know Envoy's configuration or any route.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kube.objects import Key, Object, is_deleting, key_of, labels_of, name_of, namespace_of
from sandbox.gateway.world import UNREADABLE, Notes, Settings, World, spec_of

SERVICE_NAME = "kubernetes.io/service-name"
TCP_NAMES = ("tcp", "tls", "https", "mongo", "mysql", "redis", "postgres", "amqp", "kafka")
HTTP_NAMES = ("http", "http2", "grpc", "grpc-web", "web", "metrics")


@dataclass(frozen=True, slots=True, order=True)
class ClusterId:
    """One load-balanced set of endpoints: a Service port, or one Istio subset of it."""

    namespace: str
    service: str
    port: int
    subset: str = ""

    def name(self, domain: str = "cluster.local") -> str:
        """Return the name Istio would give it: `outbound|80|canary|web.shop.svc.cluster.local`."""
        return f"outbound|{self.port}|{self.subset}|{self.service}.{self.namespace}.svc.{domain}"

    @classmethod
    def parse(cls, name: str) -> ClusterId | None:
        """Read a name back; None when it is not one of ours."""
        parts = name.split("|")
        if len(parts) != 4 or parts[0] != "outbound" or not parts[1].isdigit():
            return None
        service, _, rest = parts[3].partition(".")
        return cls(rest.partition(".")[0], service, int(parts[1]), parts[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePort:
    """A port of a Service: where it is reached and what is spoken there (`http`, `tcp`, or `auto`: look and see)."""

    namespace: str
    service: str
    port: int
    name: str
    cluster_ip: str
    protocol: str
    http2: bool = False

    @property
    def cluster(self) -> ClusterId:
        """The cluster of all its endpoints."""
        return ClusterId(self.namespace, self.service, self.port)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A ready address of a Service port, with the labels of the pod that has it, if a pod has it."""

    address: str
    port: int
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Catalog:
    """Every Service port by namespace and name, and every cluster with its ready endpoints."""

    ports: Mapping[Key, tuple[ServicePort, ...]]
    clusters: Mapping[ClusterId, tuple[Endpoint, ...]]
    balancers: Mapping[ClusterId, str]
    """The load-balancing policy a DestinationRule asks for; round robin where absent."""

    def find_port(self, namespace: str, service: str, port: int | str | None) -> ServicePort | None:
        """Return a Service's port by number or name; None as `port` means the only one, or 80, or the first."""
        ports = self.ports.get((namespace, service), ())
        if port is None:
            return next((one for one in ports if one.port == 80), ports[0] if ports else None)
        return next((one for one in ports if port in (one.port, one.name)), None)

    def has_endpoints(self, cluster: ClusterId) -> bool:
        """Tell whether somebody would answer."""
        return bool(self.clusters.get(cluster))


def catalog_of(world: World, settings: Settings, notes: Notes) -> Catalog:
    """Gather Services, EndpointSlices, pods and DestinationRules into one catalogue."""
    ports: dict[Key, tuple[ServicePort, ...]] = {}
    for service in world.services:
        try:
            ports[key_of(service)] = _distinct(_ports(service, notes), service, notes)
        except UNREADABLE as error:
            notes.add(service, f"left out, its spec cannot be read ({error!r})")
    by_port = _endpoints(world)
    clusters = {
        one.cluster: tuple(by_port.get((one.namespace, one.service, one.name), ())) for group in ports.values() for one in group
    }
    catalog = Catalog(ports, clusters, {})
    return _with_subsets(catalog, world.destination_rules, settings=settings, notes=notes)


def resolve_host(host: str, namespace: str, domain: str) -> Key | None:
    """Read a destination host as Istio does: a short name is of the object's namespace; None if it is not a Service's name.

    >>> resolve_host("web", "shop", "cluster.local")
    ('shop', 'web')
    >>> resolve_host("web.other.svc.cluster.local", "shop", "cluster.local")
    ('other', 'web')
    """
    parts = host.rstrip(".").split(".")
    match parts:
        case [name] if name and name != "*":
            return namespace, name
        case [name, ns] | [name, ns, "svc"]:
            return ns, name
        case [name, ns, "svc", *rest] if ".".join(rest) == domain:
            return ns, name
    return None


def _ports(service: Object, notes: Notes) -> Iterable[ServicePort]:
    spec = spec_of(service)
    if spec.get("type") == "ExternalName":
        notes.add(service, "left out: ExternalName leads out of the cluster, and the sandbox has no outside")
        return
    for port in spec.get("ports") or ():
        if (port.get("protocol") or "TCP") != "TCP":
            notes.add(service, f"port {port.get('port')} left out: only TCP is served")
            continue
        name = str(port.get("name") or "")
        protocol = str(port.get("appProtocol") or name).lower()
        yield ServicePort(
            namespace=namespace_of(service),
            service=name_of(service),
            port=int(port["port"]),
            name=name,
            cluster_ip=_loopback(service, str(spec.get("clusterIP") or ""), notes),
            protocol=_protocol(protocol),
            http2=protocol.startswith(("grpc", "http2", "h2c", "kubernetes.io/h2c")),
        )


def _distinct(ports: Iterable[ServicePort], service: Object, notes: Notes) -> tuple[ServicePort, ...]:
    """Keep one port of each number, in range."""
    found: dict[int, ServicePort] = {}
    for port in ports:
        if not is_port(port.port):
            notes.add(service, f"port {port.port} left out: it is not from 1 to 65535")
        elif found.setdefault(port.port, port) is not port:
            notes.add(service, f"port {port.port} ({port.name}) left out: {found[port.port].name} has the number already")
    return tuple(found.values())


def is_port(number: int) -> bool:
    """Tell whether TCP has such a port."""
    return 0 < number < 65536


def is_address(text: str) -> bool:
    """Tell whether this is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _loopback(service: Object, address: str, notes: Notes) -> str:
    if address in ("", "None"):
        return ""
    if is_address(address) and ipaddress.ip_address(address).is_loopback:
        return address
    notes.add(service, f"no listener: its clusterIP {address!r} is not a loopback address; it is reached by name only")
    return ""


def _protocol(declared: str) -> str:
    """Map `appProtocol` or the port's name to what the listener expects, by Istio's naming convention."""
    first = declared.removeprefix("kubernetes.io/").split("-")[0]
    if first in TCP_NAMES:
        return "tcp"
    return "http" if first in HTTP_NAMES or first in ("h2c", "ws") else "auto"


def _endpoints(world: World) -> Mapping[tuple[str, str, str], list[Endpoint]]:
    """Map (namespace, service, port name) to ready endpoints, each address once, in a stable order."""
    pods = {key_of(pod): pod for pod in world.pods}
    found: dict[tuple[str, str, str], dict[tuple[str, int], Endpoint]] = defaultdict(dict)
    for piece in world.slices:
        service = labels_of(piece).get(SERVICE_NAME)
        if not service:
            continue
        for port in piece.get("ports") or ():
            if isinstance(port.get("port"), int) and is_port(port["port"]):
                group = found[namespace_of(piece), service, str(port.get("name") or "")]
                for one in _ready(piece, int(port["port"]), pods):
                    group[one.address, one.port] = one
    return {key: [group[place] for place in sorted(group)] for key, group in found.items()}


def _ready(piece: Object, port: int, pods: Mapping[Key, Object]) -> Iterable[Endpoint]:
    for endpoint in piece.get("endpoints") or ():
        conditions = endpoint.get("conditions") or {}
        if conditions.get("ready") is False or conditions.get("terminating"):
            continue
        target = endpoint.get("targetRef") or {}
        pod = pods.get((target.get("namespace") or namespace_of(piece), str(target.get("name"))))
        if pod is not None and is_deleting(pod):
            continue
        for address in filter(is_address, map(str, endpoint.get("addresses") or ())):
            yield Endpoint(address, port, labels_of(pod) if pod is not None else {})


def _with_subsets(catalog: Catalog, rules: Iterable[Object], *, settings: Settings, notes: Notes) -> Catalog:
    clusters, balancers = dict(catalog.clusters), dict(catalog.balancers)
    for rule in rules:
        try:
            spec = spec_of(rule)
            target = resolve_host(str(spec.get("host") or ""), namespace_of(rule), settings.domain)
            if target is None or target not in catalog.ports:
                notes.add(rule, f"its host {spec.get('host')!r} is no Service of the cluster")
                continue
            for port in catalog.ports[target]:
                _set_balancer(balancers, port.cluster, spec)
                for subset in spec.get("subsets") or ():
                    cluster = ClusterId(port.namespace, port.service, port.port, str(subset["name"]))
                    wanted = (subset.get("labels") or {}).items()
                    clusters[cluster] = tuple(one for one in catalog.clusters[port.cluster] if wanted <= one.labels.items())
                    _set_balancer(balancers, cluster, subset, spec)
        except UNREADABLE as error:
            notes.add(rule, f"left out, its spec cannot be read ({error!r})")
    return Catalog(catalog.ports, clusters, balancers)


def _set_balancer(balancers: dict[ClusterId, str], cluster: ClusterId, *holders: Mapping[str, Any]) -> None:
    """Take `trafficPolicy.loadBalancer.simple` of the first holder that has it."""
    known = {"ROUND_ROBIN": "ROUND_ROBIN", "RANDOM": "RANDOM", "LEAST_REQUEST": "LEAST_REQUEST", "LEAST_CONN": "LEAST_REQUEST"}
    for holder in holders:
        simple = ((holder.get("trafficPolicy") or {}).get("loadBalancer") or {}).get("simple")
        if simple in known:
            balancers[cluster] = known[simple]
            return
