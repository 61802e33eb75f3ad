"""Ingresses as Envoy routes, merged by ingress-nginx's rules (spec/parts.md, nginx; spec/rollout.md 3.2).

Owns hosts, paths, default backends and the joining of canary Ingresses. Must not: know listeners or Istio.

The oldest Ingress owns a host and path. A canary belongs to the *backend* of the path that has its host, path and path
type, so it takes its share on every path to that backend; only the oldest canary of a backend counts, and one without
ready endpoints is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from kube.objects import Object, annotations_of, name_of, namespace_of
from sandbox.gateway.canary import TIMEOUT, Policy, canary_routes, is_canary, policy_of
from sandbox.gateway.catalog import Catalog, ClusterId
from sandbox.gateway.envoy import Share, answer, forward, route
from sandbox.gateway.world import UNREADABLE, Json, Notes, Settings, World, oldest_first, spec_of

HOST = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9._-]*[a-z0-9])?")
CLASS_ANNOTATION = "kubernetes.io/ingress.class"


class Place(NamedTuple):
    """Where an Ingress rule applies; the host `*` is everybody's, the type `Default` comes after every path."""

    host: str
    type: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place, the Ingress that owns it, and its backend (None: the Service or its port is not there)."""

    place: Place
    ingress: Object
    service: str
    backend: ClusterId | None


@dataclass(frozen=True, slots=True)
class Canary:
    """The backend that takes a share from another, and who is sent to it."""

    backend: ClusterId
    policy: Policy


def ingress_routes(world: World, catalog: Catalog, *, settings: Settings, notes: Notes) -> dict[str, list[Json]]:
    """Return the routes of every host, in the order they are tried. The host `*` catches what no other does."""
    served = _served(world, settings, notes)
    locations: dict[Place, Location] = {}
    for location in _locations((one for one in served if not is_canary(one, settings.annotation_prefix)), catalog, notes):
        locations.setdefault(location.place, location)
    canaries = _canaries([one for one in served if is_canary(one, settings.annotation_prefix)], locations, catalog, settings, notes)
    found: dict[str, list[Json]] = {}
    for location in sorted(locations.values(), key=_precedence):
        found.setdefault(location.place.host, []).extend(_routes(location, canaries, catalog, settings))
    return found


def class_of(ingress: Object) -> str:
    """Return the class of an Ingress by field or by the older annotation; empty when it names none."""
    return str(spec_of(ingress).get("ingressClassName") or annotations_of(ingress).get(CLASS_ANNOTATION) or "")


def is_served(ingress: Object, settings: Settings) -> bool:
    """Tell whether an Ingress is this gateway's: of a class it serves, or of none."""
    return class_of(ingress) in ("", *settings.ingress_classes)


def _served(world: World, settings: Settings, notes: Notes) -> list[Object]:
    found = []
    for ingress in oldest_first(world.ingresses):
        if is_served(ingress, settings):
            found.append(ingress)
        else:
            classes = ", ".join(settings.ingress_classes)
            notes.add(ingress, f"left out: its class {class_of(ingress)!r} is not served here (served: {classes})")
    return found


def _locations(ingresses: Iterable[Object], catalog: Catalog, notes: Notes) -> Iterable[Location]:
    for ingress in ingresses:
        try:
            yield from list(_locations_of(ingress, catalog, notes))
        except UNREADABLE as error:
            notes.add(ingress, f"left out, its spec cannot be read ({error!r})")


def _locations_of(ingress: Object, catalog: Catalog, notes: Notes) -> Iterable[Location]:
    spec = spec_of(ingress)
    hosts = set()
    for rule in spec.get("rules") or ():
        host = str(rule.get("host") or "*").lower()
        if host != "*" and not HOST.fullmatch(host):
            notes.add(ingress, f"rule left out: {host!r} is not a host name")
            continue
        if not (rule.get("http") or {}).get("paths"):
            notes.add(ingress, f"rule for host {host} left out: it has no http paths")
            continue
        hosts.add(host)
        for path in rule["http"]["paths"]:
            place = _place(host, path, ingress, notes)
            location = _location(ingress, place, path.get("backend") or {}, catalog, notes) if place else None
            if location:
                yield location
    if spec.get("defaultBackend"):
        for host in sorted(hosts | {"*"}):
            location = _location(ingress, Place(host, "Default", "/"), spec["defaultBackend"], catalog, notes)
            if location:
                yield location


def _place(host: str, path: Mapping[str, Any], ingress: Object, notes: Notes) -> Place | None:
    text = str(path.get("path") or "/")
    if not text.startswith("/") or any(char in text for char in "?# \t\r\n"):
        notes.add(ingress, f"path {text!r} left out: it must start with / and hold no ?, # or space")
        return None
    return Place(host, str(path.get("pathType") or "ImplementationSpecific"), text)


def _location(ingress: Object, place: Place, backend: Mapping[str, Any], catalog: Catalog, notes: Notes) -> Location | None:
    service = backend.get("service")
    if not service or not service.get("name"):
        notes.add(ingress, f"{place.host}{place.path} left out: only Service backends are served")
        return None
    port = service.get("port") or {}
    found = catalog.find_port(namespace_of(ingress), str(service["name"]), port.get("number") or port.get("name"))
    if found is None:
        text = f"{place.host}{place.path} answers 503: Service {service['name']} with port {port.get('number') or port.get('name')}"
        notes.add(ingress, f"{text} is not there")
    return Location(place=place, ingress=ingress, service=str(service["name"]), backend=found.cluster if found else None)


def _canaries(
    ingresses: Sequence[Object], locations: Mapping[Place, Location], catalog: Catalog, settings: Settings, notes: Notes
) -> dict[ClusterId, Canary]:
    found: dict[ClusterId, Canary] = {}
    for ingress in ingresses:
        policy = policy_of(ingress, prefix=settings.annotation_prefix, notes=notes)
        joined = False
        for location in _locations([ingress], catalog, notes):
            primary = locations.get(location.place)
            if primary is None or primary.backend is None or location.backend is None or location.backend == primary.backend:
                continue
            joined = True
            first = found.setdefault(primary.backend, Canary(location.backend, policy))
            if first.backend != location.backend:
                notes.add(ingress, f"left out: {primary.service} has a canary already, {first.backend.service}")
        if not joined:
            notes.add(
                ingress, "no effect: a canary needs another Ingress with the same host, path and path type, and another backend"
            )
    return found


def _precedence(location: Location) -> tuple[str, int, int, bool]:
    """Exact paths first, then the longest; at the same length an element-wise prefix before a plain one."""
    rank = {"Exact": 0, "Default": 2}.get(location.place.type, 1)
    return location.place.host, rank, -len(location.place.path), location.place.type != "Prefix"


def _routes(location: Location, canaries: Mapping[ClusterId, Canary], catalog: Catalog, settings: Settings) -> Iterable[Json]:
    place, backend = location.place, location.backend
    metadata = {
        "namespace": namespace_of(location.ingress),
        "ingress": name_of(location.ingress),
        "service": location.service,
        "host": place.host,
        "path": place.path,
    }
    match = _match(place)
    if backend is None:
        return [route(match, answer(503, f"no Service {location.service} with this port"), metadata=metadata)]
    metadata["port"] = str(backend.port)
    canary = canaries.get(backend)
    stable = backend.name(settings.domain)
    if canary is None or not catalog.has_endpoints(canary.backend):
        return [route(match, forward([Share(cluster=stable)], timeout=TIMEOUT), metadata=metadata)]
    return canary_routes(match, canary.policy, stable=stable, canary=canary.backend.name(settings.domain), metadata=metadata)


def _match(place: Place) -> Json:
    if place.type == "Exact":
        return {"path": place.path}
    stripped = place.path.rstrip("/")
    if place.type == "Prefix" and stripped:
        return {"path_separated_prefix": stripped}
    return {"prefix": place.path}
