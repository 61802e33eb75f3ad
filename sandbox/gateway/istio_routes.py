"""The routes of a VirtualService as Envoy routes (spec/rollout.md 3.3).

Owns destinations, weights, mirrors, rewrites, retries, time-outs and header changes. Must not: decide which hosts or
listeners a VirtualService applies to; `translate_istio` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kube.objects import Object, name_of, namespace_of
from sandbox.gateway.canary import TOKEN
from sandbox.gateway.catalog import Catalog, ClusterId, resolve_host
from sandbox.gateway.envoy import SAFE_RETRIES, Share, answer, forward, route
from sandbox.gateway.istio_match import Entry, matches
from sandbox.gateway.world import Json, Notes, Settings

DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
UNSERVED = ("fault", "corsPolicy", "delegate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What the routes of one VirtualService are made from."""

    owner: Object
    catalog: Catalog
    settings: Settings
    notes: Notes


def http_routes(source: Source, entry: Entry) -> list[Json]:
    """Return the routes of the VirtualService's `http` list for one way in, in order."""
    found: list[Json] = []
    for http in (source.owner.get("spec") or {}).get("http") or ():
        for key in UNSERVED:
            if http.get(key):
                source.notes.add(source.owner, f"http route {http.get('name') or '(unnamed)'}: {key} is ignored")
        wanted = matches(http, entry, owner=source.owner, notes=source.notes)
        found += [_route(http, match, source, entry) for match in wanted]
    return found


def shares_of(routes: Sequence[Mapping[str, Any]], source: Source, entry: Entry) -> list[Share]:
    """Return the weighted destinations of a route. One alone has everything, whatever its weight says."""
    alone = len(routes) == 1
    return [
        Share(
            cluster=cluster_of(one.get("destination") or {}, source, entry).name(source.settings.domain),
            weight=1 if alone else max(0, int(one.get("weight") or 0)),
            headers=_header_changes(one.get("headers") or {}) or None,
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
        return route(match, {"redirect": _redirect(http["redirect"])}, metadata=metadata, name=name)
    if http.get("directResponse"):
        direct = http["directResponse"]
        text = str((direct.get("body") or {}).get("string") or "")
        return route(match, answer(int(direct.get("status") or 503), text), metadata=metadata, name=name)
    action = forward(
        shares_of(http.get("route") or (), source, entry),
        timeout=seconds(http.get("timeout")) or "0s",
        retries=_retries(http.get("retries")),
        request_mirror_policies=list(_mirrors(http, source, entry)),
        **_rewrite(http.get("rewrite") or {}, match),
    )
    return route(match, action, metadata=metadata, name=name, **_header_changes(http.get("headers") or {}))


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


def _retries(wanted: Mapping[str, Any] | None) -> Json:
    """Return the retry policy. Without one, only requests that reached nobody are tried again."""
    if not wanted:
        return SAFE_RETRIES
    attempts = int(wanted.get("attempts") or 0)
    if attempts <= 0:
        return {"retry_on": SAFE_RETRIES["retry_on"], "num_retries": 0}
    found: Json = {"retry_on": str(wanted.get("retryOn") or SAFE_RETRIES["retry_on"]), "num_retries": attempts}
    each = seconds(wanted.get("perTryTimeout"))
    return {**found, "per_try_timeout": each} if each else found


def _rewrite(rewrite: Mapping[str, Any], match: Json) -> Json:
    found: Json = {}
    if rewrite.get("authority"):
        found["host_rewrite_literal"] = str(rewrite["authority"])
    if rewrite.get("uri"):
        uri = str(rewrite["uri"])
        regex = match.get("safe_regex")
        found |= {"regex_rewrite": {"pattern": regex, "substitution": uri}} if regex else {"prefix_rewrite": uri}
    by_regex = rewrite.get("uriRegexRewrite")
    if by_regex:
        found["regex_rewrite"] = {"pattern": {"regex": str(by_regex["match"])}, "substitution": str(by_regex["rewrite"])}
    return found


def _redirect(redirect: Mapping[str, Any]) -> Json:
    codes = {301: "MOVED_PERMANENTLY", 302: "FOUND", 303: "SEE_OTHER", 307: "TEMPORARY_REDIRECT", 308: "PERMANENT_REDIRECT"}
    found: Json = {"response_code": codes.get(int(redirect.get("redirectCode") or 301), "MOVED_PERMANENTLY")}
    for ours, theirs in (("uri", "path_redirect"), ("authority", "host_redirect"), ("scheme", "scheme_redirect")):
        if redirect.get(ours):
            found[theirs] = str(redirect[ours])
    if redirect.get("port"):
        found["port_redirect"] = int(redirect["port"])
    return found


def _header_changes(headers: Mapping[str, Any]) -> Json:
    """Return Envoy's header fields for `headers.request` and `headers.response`: set, add, remove."""
    found: Json = {}
    for side in ("request", "response"):
        changes = headers.get(side) or {}
        added = [_header(name, value, "OVERWRITE_IF_EXISTS_OR_ADD") for name, value in (changes.get("set") or {}).items()]
        added += [_header(name, value, "APPEND_IF_EXISTS_OR_ADD") for name, value in (changes.get("add") or {}).items()]
        if added:
            found[f"{side}_headers_to_add"] = added
        removed = [name for name in changes.get("remove") or () if TOKEN.fullmatch(name)]
        if removed:
            found[f"{side}_headers_to_remove"] = removed
    return found


def _header(name: str, value: Any, action: str) -> Json:
    if not TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is not a header name")
    return {"header": {"key": name, "value": str(value).replace("%", "%%")}, "append_action": action}


def seconds(text: Any) -> str:
    """Read a duration as Istio writes it (`1m30s`, `0.5s`, `200ms`) as Envoy's `90s`; empty when there is none.

    Raises:
        ValueError: it is not a duration.
    """
    if not text:
        return ""
    found = DURATION.fullmatch(str(text))
    if found is None or not any(found.groups()):
        raise ValueError(f"{text!r} is not a duration such as 1m30s")
    total = sum(float(part or 0) * unit for part, unit in zip(found.groups(), (3600, 60, 1, 0.001), strict=True))
    return f"{total:.9f}".rstrip("0").rstrip(".") + "s"
