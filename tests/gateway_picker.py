"""Reads a route table as Envoy would, for tests that ask who answers without running one (the e2e tests do that)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sandbox.gateway.catalog import ClusterId
from sandbox.gateway.translate import Configuration


def answers(
    configuration: Configuration, table: str, host: str, path: str = "/", headers: Mapping[str, str] | None = None
) -> dict[str, int] | int:
    """Return the shares by Service (`web`, or `web/canary` for a subset), or the status the proxy answers itself."""
    found = route_for(configuration, table, host, path, headers)
    if found is None:
        return 404
    if "direct_response" in found:
        return int(found["direct_response"]["status"])
    action = found["route"]
    if "cluster" in action:
        return {short(action["cluster"]): 100}
    return {short(one["name"]): one["weight"] for one in action["weighted_clusters"]["clusters"]}


def route_for(
    configuration: Configuration, table: str, host: str, path: str = "/", headers: Mapping[str, str] | None = None
) -> Any | None:
    """Return the first route that matches, as Envoy takes it."""
    sent = {":authority": host, ":method": "GET", **{name.lower(): value for name, value in (headers or {}).items()}}
    for one in _host(configuration.tables[table]["virtual_hosts"], host)["routes"]:
        if _path(one["match"], path) and all(_header(want, sent) for want in one["match"].get("headers", ())):
            return one
    return None


def short(cluster: str) -> str:
    """`web`, or `web/canary`."""
    found = ClusterId.parse(cluster)
    assert found is not None
    return found.service + (f"/{found.subset}" if found.subset else "")


def _host(hosts: list[Any], host: str) -> Any:
    by_domain = {domain: one for one in hosts for domain in one["domains"]}
    wild = [domain for domain in by_domain if domain.startswith("*.") and host.endswith(domain[1:])]
    return by_domain.get(host) or by_domain.get(max(wild, key=len, default="*")) or {"routes": []}


def _path(match: Mapping[str, Any], path: str) -> bool:
    if "connect_matcher" in match:
        return False
    if "path" in match:
        return bool(path == match["path"])
    if "path_separated_prefix" in match:
        prefix = match["path_separated_prefix"]
        return path == prefix or path.startswith(prefix + "/")
    if "safe_regex" in match:
        return re.fullmatch(match["safe_regex"]["regex"], path) is not None
    return path.startswith(match["prefix"])


def _header(want: Mapping[str, Any], sent: Mapping[str, str]) -> bool:
    value = sent.get(want["name"])
    wanted = want.get("string_match")
    if wanted is None or value is None:
        found = value is not None
    elif "safe_regex" in wanted:
        found = re.fullmatch(wanted["safe_regex"]["regex"], value) is not None
    else:
        found = value == wanted["exact"] if "exact" in wanted else value.startswith(wanted["prefix"])
    return found != bool(want.get("invert_match"))
