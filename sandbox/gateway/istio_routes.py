"""The routes of a VirtualService as Envoy routes (spec/rollout.md 3.3).

Owns destinations, weights and mirrors. Must not: decide which hosts or
listeners a VirtualService applies to; `translate_istio` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kube.objects import Object, name_of, namespace_of
from sandbox.gateway.catalog import Catalog, ClusterId, resolve_host
from sandbox.gateway.envoy import Share, answer, forward, route
from sandbox.gateway.istio_changes import direct_answer, header_changes, host_change, redirect, retries, rewrite, seconds
from sandbox.gateway.istio_match import Entry, matches
from sandbox.gateway.world import UNREADABLE, Json, Notes, Settings

MOST_WEIGHT = 1_000_000
UNSERVED = ("fault", "corsPolicy", "delegate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What the routes of one VirtualService are made from."""

    owner: Object
    catalog: Catalog
    settings: Settings
    notes: Notes


def http_routes(source: Source, entry: Entry) -> list[Json]:
    """Return the routes of the VirtualService's `http` list for one way in, in order.

    A route that cannot be read answers 503: letting its requests fall through to the next would send them astray.
    """
    found: list[Json] = []
    for index, http in enumerate((source.owner.get("spec") or {}).get("http") or ()):
        title = f"http route {http.get('name') or index}"
        for key in UNSERVED:
            if http.get(key):
                source.notes.add(source.owner, f"{title}: {key} is ignored")
        for match in matches(http, entry, owner=source.owner, notes=source.notes):
            try:
                found.append(_route(http, match, source, entry))
            except UNREADABLE as error:
                source.notes.add(source.owner, f"{title} answers 503, it cannot be read: {error}")
                found.append(route(match, answer(503, f"{title} of the VirtualService {name_of(source.owner)} cannot be read")))
    return found


def shares_of(routes: Sequence[Mapping[str, Any]], source: Source, entry: Entry) -> list[Share]:
    """Return the weighted destinations of a route. One alone has everything, whatever its weight says.

    Raises:
        ValueError: a weight is not a sensible number, or a header change cannot be made.
    """
    alone = len(routes) == 1
    return [
        Share(
            cluster=cluster_of(one.get("destination") or {}, source, entry).name(source.settings.domain),
            weight=1 if alone else _weight(one.get("weight")),
            headers={**header_changes(one.get("headers") or {}), **host_change(one.get("headers") or {})} or None,
        )
        for one in routes
    ]


def cluster_of(destination: Mapping[str, Any], source: Source, entry: Entry) -> ClusterId:
    """Return the cluster of a destination. One that does not exist is noted, and answers 503 for its share."""
    host, subset = str(destination.get("host") or ""), str(destination.get("subset") or "")
    key = resolve_host(host, namespace_of(source.owner), source.settings.domain)
    namespace, service = key or (namespace_of(source.owner), host)
    asked = (destination.get("port") or {}).get("number")
    port = source.catalog.find_port(namespace, service, asked) if asked else None
    if not asked:
        port = source.catalog.find_port(namespace, service, entry.port) or source.catalog.find_port(namespace, service, None)
    found = ClusterId(namespace, service, port.port if port else int(asked or entry.port), subset)
    if found not in source.catalog.clusters:
        missing = f"subset {subset!r} in a DestinationRule for {host}" if port else f"Service {host} (port {asked or entry.port})"
        source.notes.add(source.owner, f"answers 503 where it routes to {host}: there is no {missing}")
    return found


def _route(http: Mapping[str, Any], match: Json, source: Source, entry: Entry) -> Json:
    metadata = {"virtual_service": f"{namespace_of(source.owner)}/{name_of(source.owner)}", "gateway": entry.gateway}
    name = str(http.get("name") or "")
    if http.get("route"):
        first = cluster_of(http["route"][0].get("destination") or {}, source, entry)
        metadata["destination"] = first.name(source.settings.domain)
    if http.get("redirect"):
        return route(match, {"redirect": redirect(http["redirect"])}, metadata=metadata, name=name)
    if http.get("directResponse"):
        return route(match, direct_answer(http["directResponse"]), metadata=metadata, name=name)
    action = forward(
        shares_of(http.get("route") or (), source, entry),
        timeout=seconds(http.get("timeout")) or "0s",
        retries=retries(http.get("retries")),
        request_mirror_policies=list(_mirrors(http, source, entry)),
        **{**host_change(http.get("headers") or {}), **rewrite(http.get("rewrite") or {}, match)},
    )
    return route(match, action, metadata=metadata, name=name, **header_changes(http.get("headers") or {}))


def _weight(value: Any) -> int:
    weight = int(value or 0)
    if not 0 <= weight <= MOST_WEIGHT:
        raise ValueError(f"weight {weight} is not from 0 to {MOST_WEIGHT}")
    return weight


def _mirrors(http: Mapping[str, Any], source: Source, entry: Entry) -> Iterable[Json]:
    """Yield mirror policies. No percentage means all; the destination gets a copy, its answer is dropped."""
    percentage = http.get("mirrorPercentage") or {"value": http.get("mirrorPercent", http.get("mirror_percent"))}
    if http.get("mirror"):
        yield _mirror(http["mirror"], percentage, source, entry)
    for one in http.get("mirrors") or ():
        yield _mirror(one.get("destination") or {}, one.get("percentage") or {}, source, entry)


def _mirror(destination: Mapping[str, Any], percentage: Mapping[str, Any], source: Source, entry: Entry) -> Json:
    value = percentage.get("value")
    share = 100.0 if value is None else min(100.0, max(0.0, float(value)))
    fraction = {"numerator": round(share * 10_000), "denominator": "MILLION"}
    cluster = cluster_of(destination, source, entry).name(source.settings.domain)
    return {"cluster": cluster, "runtime_fraction": {"default_value": fraction}}
