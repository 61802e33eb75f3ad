"""From the objects of a cluster to everything Envoy has to know: a pure function.

Owns which listeners, virtual hosts and clusters there are. Must not: read or write files, ask the time, talk.

There are three route tables: `ingress` (by host, at the ingress address), `names` (by cluster name, at the proxy address)
and `mesh` (by Service port, shared by the listeners on the Services' own addresses). A Service's VirtualService applies
in the last two alike, as a sidecar would apply it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sandbox.gateway.catalog import Catalog, ServicePort, catalog_of
from sandbox.gateway.envoy import (
    Share,
    answer,
    cluster,
    forward,
    http_filter,
    listener,
    route,
    route_table,
    set_vhost,
    tcp_filter,
    virtual_host,
)
from sandbox.gateway.istio_match import ANY, MESH, Entry
from sandbox.gateway.istio_routes import http_routes
from sandbox.gateway.translate_ingress import ingress_routes
from sandbox.gateway.translate_istio import Istio, gateway_routes, istio_of
from sandbox.gateway.world import UNREADABLE, Json, Notes, Problem, Settings, Socket, World

REFUSAL = (
    "This proxy knows names of the cluster only: NAME.NAMESPACE, NAME.NAMESPACE.svc.cluster.local, with a port of that Service."
)
NOT_FOUND = "No Ingress and no Gateway serves this host and path."


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Everything Envoy has to know, by the resources' names, and what had to be left out."""

    listeners: Mapping[str, Json]
    tables: Mapping[str, Json]
    clusters: Mapping[str, Json]
    problems: tuple[Problem, ...]


def translate(world: World, settings: Settings) -> Configuration:
    """Translate. Bad input is left out and noted; it never takes anything else with it."""
    notes = Notes()
    catalog = catalog_of(world, settings, notes)
    istio = istio_of(world, catalog, settings=settings, notes=notes)
    ports = [port for group in catalog.ports.values() for port in group]
    routes = {port: _service_routes(port, istio, settings) for port in ports}
    tables = [
        _ingress_table(world, catalog, settings, notes),
        _names_table(routes, istio, settings),
        route_table(
            "mesh", [virtual_host(_fqdn(port, settings), [_fqdn(port, settings)], routes[port]) for port in ports], by_header=True
        ),
    ]
    listeners = [_http_listener("ingress", settings.ingress), _http_listener("names", settings.proxy, tunnels=True)]
    listeners += _service_listeners(ports, istio, settings, notes)
    return Configuration(
        listeners={one["name"]: one for one in listeners},
        tables={one["name"]: one for one in tables},
        clusters=_clusters(catalog, settings),
        problems=tuple(notes.problems),
    )


def _clusters(catalog: Catalog, settings: Settings) -> dict[str, Json]:
    http2 = {port.cluster for group in catalog.ports.values() for port in group if port.http2}
    found = {}
    for one, endpoints in catalog.clusters.items():
        name = one.name(settings.domain)
        whole = one.__class__(one.namespace, one.service, one.port)
        policy = catalog.balancers.get(one, "ROUND_ROBIN")
        found[name] = cluster(name, endpoints, http2=whole in http2, policy=policy)
    return found


def _service_routes(port: ServicePort, istio: Istio, settings: Settings) -> list[Json]:
    routes = istio.http(port)
    if routes is not None:
        return routes
    return [route(dict(ANY), forward([Share(cluster=port.cluster.name(settings.domain))]), metadata={"gateway": MESH})]


def _ingress_table(world: World, catalog: Catalog, settings: Settings, notes: Notes) -> Json:
    """Join Ingresses and Gateways host by host; where both have a host, the Ingress' paths are tried first."""
    hosts = ingress_routes(world, catalog, settings=settings, notes=notes)
    for host, routes in gateway_routes(world, catalog, settings=settings, notes=notes).items():
        hosts.setdefault(host, []).extend(routes)
    nobody = route(dict(ANY), answer(404, NOT_FOUND))
    hosts.setdefault("*", []).append(nobody)
    table = route_table("ingress", [virtual_host(host, [host], routes) for host, routes in sorted(hosts.items())])
    return {**table, "ignore_port_in_host_matching": True}


def _names_table(routes: Mapping[ServicePort, list[Json]], istio: Istio, settings: Settings) -> Json:
    """Every name a Service port has, and the other hosts of VirtualServices in the mesh; all else is refused."""
    once = Counter((port.service, port.port) for port in routes)
    hosts, taken = [], set[str]()
    for port, ways in routes.items():
        names = _names(port, settings, short=once[port.service, port.port] == 1)
        domains = [name for name in names if name not in taken]  # Envoy takes no name twice
        taken.update(domains)
        hosts.append(virtual_host(_fqdn(port, settings), domains, [_tunnel(port, settings), *ways]))
    for host, source in istio.by_name.items():
        domains = [name for name in (host, f"{host}:80") if name not in taken and host != "*"]
        try:
            if domains:
                hosts.append(virtual_host(host, domains, http_routes(source, Entry(MESH, 80))))
        except UNREADABLE as error:
            source.notes.add(source.owner, f"host {host} left out, its http routes cannot be read ({error})")
    refused = [route({"connect_matcher": {}}, answer(403, REFUSAL)), route(dict(ANY), answer(403, REFUSAL))]
    return route_table("names", [*hosts, virtual_host("refused", ["*"], refused)])


def _names(port: ServicePort, settings: Settings, *, short: bool) -> Iterable[str]:
    """Yield each name of a Service port; without `:port` when it is 80, without namespace when only one Service has it."""
    base = f"{port.service}.{port.namespace}"
    hosts = [base, f"{base}.svc", f"{base}.svc.{settings.domain}", *([port.service] if short else ())]
    if port.cluster_ip:
        hosts.append(port.cluster_ip)
    for host in hosts:
        yield f"{host}:{port.port}"
        if port.port == 80:
            yield host


def _tunnel(port: ServicePort, settings: Settings) -> Json:
    way = {"cluster": port.cluster.name(settings.domain), "timeout": "0s"}
    return {
        "match": {"connect_matcher": {}},
        "route": {**way, "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}]},
    }


def _http_listener(name: str, socket: Socket, *, tunnels: bool = False) -> Json:
    upgrades = [{"upgrade_type": "websocket"}, *([{"upgrade_type": "CONNECT"}] if tunnels else ())]
    outside = {"use_remote_address": True, "strip_trailing_host_dot": True, "upgrade_configs": upgrades}
    return listener(name, socket, [{"filters": [http_filter("mesh" if tunnels else "ingress", _rds(name), **outside)]}])


def _service_listeners(ports: Iterable[ServicePort], istio: Istio, settings: Settings, notes: Notes) -> list[Json]:
    found, taken = [], set[Socket]()
    for port in ports:
        socket = Socket(port.cluster_ip, port.port)
        if not port.cluster_ip or socket in taken:
            continue
        if port.port < settings.lowest_port:
            notes.add(
                _fqdn(port, settings), f"no listener: ports below {settings.lowest_port} need privileges; use its name by the proxy"
            )
            continue
        taken.add(socket)
        try:
            found.append(_service_listener(port, socket, istio, settings))
        except UNREADABLE as error:
            notes.add(_fqdn(port, settings), f"no listener: the tcp or tls routes of its VirtualService cannot be read ({error})")
    return found


def _service_listener(port: ServicePort, socket: Socket, istio: Istio, settings: Settings) -> Json:
    """HTTP where the port says so or a VirtualService has http routes; else by what the connection begins with."""
    fqdn = _fqdn(port, settings)
    web = http_filter("mesh", _rds("mesh"), early_header_mutation_extensions=[set_vhost(fqdn)])
    http = {"filters": [web]}
    if port.protocol == "http":
        return listener(str(socket), socket, [http])
    plain = {"filters": [tcp_filter(fqdn, istio.tcp(port) or [Share(cluster=port.cluster.name(settings.domain))])]}
    secure = [
        {"filter_chain_match": {"server_names": list(one.names)}, "filters": [tcp_filter(f"{fqdn}-tls", one.shares)]}
        for one in istio.tls(port)
    ]
    inspect = ["tls_inspector"] if secure else []
    if port.protocol == "tcp" and not istio.http(port):
        return listener(str(socket), socket, [*secure, plain], inspect=inspect)
    web_chain = {"filter_chain_match": {"application_protocols": ["http/1.0", "http/1.1", "h2c"]}, **http}
    return listener(str(socket), socket, [*secure, web_chain, plain], inspect=[*inspect, "http_inspector"])


def _rds(table: str) -> Json:
    """Name a route table; `files` puts in where it is read from."""
    return {"route_config_name": table}


def _fqdn(port: ServicePort, settings: Settings) -> str:
    return f"{port.service}.{port.namespace}.svc.{settings.domain}:{port.port}"
