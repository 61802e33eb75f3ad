"""Which hosts a VirtualService answers for: Services in the mesh, other names in the mesh, names at a Gateway.

Owns the joining of VirtualServices, Gateways and Services. Must not: look into routes (`istio_routes`) or matches.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kube.objects import Key, Object, key_of, namespace_of
from sandbox.gateway.catalog import Catalog, ServicePort, resolve_host
from sandbox.gateway.envoy import Share
from sandbox.gateway.istio_match import MESH, Entry, gateway_names
from sandbox.gateway.istio_routes import Source, http_routes, shares_of
from sandbox.gateway.world import UNREADABLE, Json, Notes, Settings, World, oldest_first, spec_of, title

DOMAIN = re.compile(r"\*|(\*\.)?[a-z0-9]([a-z0-9._-]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class SniRoute:
    """A TLS route: server names, and where their connections go."""

    names: tuple[str, ...]
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Istio:
    """The VirtualServices in force: by Service in the mesh, and by other host names in the mesh."""

    by_service: Mapping[Key, Source]
    by_name: Mapping[str, Source]

    def http(self, port: ServicePort) -> list[Json] | None:
        """Return the http routes of a Service port in the mesh; None when no VirtualService speaks for it."""
        source = self.by_service.get((port.namespace, port.service))
        if source is None or not spec_of(source.owner).get("http"):
            return None
        return _safely(source, Entry(MESH, port.port))

    def tcp(self, port: ServicePort) -> tuple[Share, ...] | None:
        """Return where plain connections to a Service port go; None when no VirtualService says so."""
        for source, routes in self._lists(port, "tcp"):
            for one in routes:
                if _wants_port(one, port.port):
                    return tuple(shares_of(one.get("route") or (), source, Entry(MESH, port.port)))
        return None

    def tls(self, port: ServicePort) -> list[SniRoute]:
        """Return where TLS connections to a Service port go, by server name."""
        found = []
        for source, routes in self._lists(port, "tls"):
            for one in routes:
                shares = tuple(shares_of(one.get("route") or (), source, Entry(MESH, port.port)))
                for match in one.get("match") or ():
                    names = tuple(str(name).lower() for name in match.get("sniHosts") or ())
                    if names and (match.get("port") or port.port) == port.port:
                        found.append(SniRoute(names, shares))
        return found

    def _lists(self, port: ServicePort, key: str) -> Iterable[tuple[Source, Sequence[Mapping[str, Any]]]]:
        source = self.by_service.get((port.namespace, port.service))
        if source is not None:
            yield source, spec_of(source.owner).get(key) or ()


def istio_of(world: World, catalog: Catalog, *, settings: Settings, notes: Notes) -> Istio:
    """Find the VirtualService of each host in the mesh. The oldest wins a host, as Istio merges none there."""
    by_service: dict[Key, Source] = {}
    by_name: dict[str, Source] = {}
    for owner in oldest_first(world.virtual_services):
        source = Source(owner=owner, catalog=catalog, settings=settings, notes=notes)
        for host in _mesh_hosts(source):
            key = resolve_host(host, namespace_of(owner), settings.domain)
            table: dict[Any, Source] = by_service if key in catalog.ports else by_name
            first = table.setdefault(key if key in catalog.ports else host, source)
            if first is not source:
                notes.add(owner, f"host {host} is left out: {title(first.owner)} has it already")
    return Istio(by_service=by_service, by_name=by_name)


def gateway_routes(world: World, catalog: Catalog, *, settings: Settings, notes: Notes) -> dict[str, list[Json]]:
    """Return the routes of the host names served at Gateways; VirtualServices of one host follow each other by age."""
    gateways = {"/".join(key_of(one)): one for one in world.gateways}
    found: dict[str, list[Json]] = {}
    for owner in oldest_first(world.virtual_services):
        source = Source(owner=owner, catalog=catalog, settings=settings, notes=notes)
        try:
            routes = _served_at(source, gateways)
        except UNREADABLE as error:
            notes.add(owner, f"not served at Gateways, it cannot be read ({error})")
            continue
        for domain, one in routes:
            known = found.setdefault(domain, [])
            known.extend(route for route in one if route not in known)
    return found


def _served_at(source: Source, gateways: Mapping[str, Object]) -> list[tuple[str, list[Json]]]:
    """Return each host name of a VirtualService at its Gateways, and the routes there."""
    owner, found = source.owner, []
    for name in gateway_names(spec_of(owner).get("gateways") or (), owner):
        if name == MESH:
            continue
        if name not in gateways:
            source.notes.add(owner, f"not served at Gateway {name}: it is not there")
            continue
        for server in _servers(gateways[name], source.notes):
            routes = _safely(source, Entry(name, int((server.get("port") or {}).get("number") or 80)))
            found += [(domain, routes) for domain in _common(_hosts(owner, source.notes), server.get("hosts") or ())]
    return found


def _mesh_hosts(source: Source) -> list[str]:
    """Return the hosts that a VirtualService speaks for in the mesh."""
    try:
        gateways = gateway_names(spec_of(source.owner).get("gateways") or [MESH], source.owner)
        return list(_hosts(source.owner, source.notes)) if MESH in gateways else []
    except UNREADABLE as error:
        source.notes.add(source.owner, f"left out, its spec cannot be read ({error})")
        return []


def _safely(source: Source, entry: Entry) -> list[Json]:
    try:
        return http_routes(source, entry)
    except UNREADABLE as error:
        source.notes.add(source.owner, f"left out, its http routes cannot be read ({error})")
        return []


def _hosts(owner: Object, notes: Notes) -> Iterable[str]:
    for host in spec_of(owner).get("hosts") or ():
        text = str(host).lower()
        if DOMAIN.fullmatch(text):
            yield text
        else:
            notes.add(owner, f"{host!r} left out: it is not a host name")


def _servers(gateway: Object, notes: Notes) -> Iterable[Mapping[str, Any]]:
    for server in spec_of(gateway).get("servers") or ():
        protocol = str((server.get("port") or {}).get("protocol") or "HTTP").upper()
        if protocol in ("HTTP", "HTTP2", "GRPC"):
            yield server
        else:
            notes.add(gateway, f"server with protocol {protocol} left out: the gateway serves plain HTTP only")


def _common(wanted: Iterable[str], served: Iterable[Any]) -> Iterable[str]:
    """Yield the narrower of each pair of a VirtualService's host and a Gateway's (which may say `namespace/host`)."""
    offers = [str(one).lower().rpartition("/")[2] for one in served]
    for host in wanted:
        for offer in offers:
            if offer == "*" or offer == host or (offer.startswith("*.") and host.endswith(offer[1:])):
                yield host
                break
            if host == "*" or (host.startswith("*.") and offer.endswith(host[1:])):
                yield offer


def _wants_port(tcp: Mapping[str, Any], port: int) -> bool:
    wanted = tcp.get("match") or ()
    return not wanted or any((one.get("port") or port) == port for one in wanted)
