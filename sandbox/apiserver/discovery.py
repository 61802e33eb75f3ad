"""Discovery: which groups, versions and resources there are, one by one or all at once.

Owns both formats. Must not: describe fields; see openapi.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.apiserver import failures
from sandbox.apiserver.requests import Answer, Request, json_answer
from sandbox.apiserver.resources import Registry, Resource
from sandbox.apiserver.storage import encode

SERVED = "1.34"
"""The version of Kubernetes that is served: that of the real control plane beside it."""
_SUBRESOURCE_KINDS = {
    "scale": ("autoscaling", "v1", "Scale", ["get", "patch", "update"]),
    "status": (None, None, None, ["get", "patch", "update"]),
    "eviction": ("policy", "v1", "Eviction", ["create"]),
    "binding": ("", "v1", "Binding", ["create"]),
    "log": (None, None, None, ["get"]),
    "finalize": (None, None, None, ["update"]),
}


def _versions(registry: Registry) -> dict[str, list[str]]:
    """Return groups and their versions, the preferred one first."""
    found: dict[str, list[str]] = {}
    for resource in registry.all():
        versions = found.setdefault(resource.group, [])
        if resource.version not in versions:
            versions.append(resource.version)
    return {group: sorted(versions, key=version_rank, reverse=True) for group, versions in found.items()}


def version_rank(version: str) -> tuple[int, int, int]:
    """Return the rank of a version: v2 before v1 before v1beta2 before v1beta1 before v1alpha1."""
    import re

    match = re.fullmatch(r"v(\d+)(?:(alpha|beta)(\d+))?", version)
    if not match:
        return (-1, 0, 0)
    return ({"alpha": 0, "beta": 1}.get(match[2] or "", 2), int(match[1]), int(match[3] or 0))


def root(registry: Registry, request: Request) -> Answer:
    """Answer `/api` and `/apis`, aggregated when the client asks for it."""
    core = request.path.rstrip("/") == "/api"
    for accepted in request.accept.split(","):
        if "as=APIGroupDiscoveryList" in accepted and "v=v2" in accepted.replace("v2beta1", "-"):
            return _aggregated(registry, core)
        if "json" in accepted and "as=" not in accepted:
            break
    if core:
        address = {"clientCIDR": "0.0.0.0/0", "serverAddress": request.headers.get("host", "127.0.0.1")}
        return json_answer({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [address]})
    groups = [_group(name, versions) for name, versions in _versions(registry).items() if name]
    return json_answer({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})


def _group(name: str, versions: list[str]) -> dict[str, Any]:
    entries = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": entries, "preferredVersion": entries[0]}


def group(registry: Registry, name: str) -> Answer:
    """Answer `/apis/GROUP`."""
    versions = _versions(registry).get(name)
    if not versions or not name:
        raise failures.no_such_page()
    return json_answer({"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)})


def _served(registry: Registry, name: str, version: str) -> list[Resource]:
    return [resource for resource in registry.all() if (resource.group, resource.version) == (name, version)]


def resources(registry: Registry, name: str, version: str) -> Answer:
    """Answer `/api/v1` and `/apis/GROUP/VERSION`."""
    served = _served(registry, name, version)
    if not served:
        raise failures.no_such_page()
    listed = [row for resource in served for row in _rows(resource)]
    group_version = f"{name}/{version}" if name else version
    return json_answer({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed})


def _rows(resource: Resource) -> Iterable[Mapping[str, Any]]:
    row: dict[str, Any] = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        row["shortNames"] = list(resource.short_names)
    if resource.categories:
        row["categories"] = list(resource.categories)
    yield row
    for name, (where, version, kind, verbs) in _listed_subresources(resource):
        sub = {
            "name": f"{resource.plural}/{name}",
            "singularName": "",
            "namespaced": resource.namespaced,
            "kind": kind or resource.kind,
        }
        yield {**sub, **({} if where is None else {"group": where, "version": version}), "verbs": verbs}


def _listed_subresources(resource: Resource) -> Iterable[tuple[str, tuple[str | None, str | None, str | None, list[str]]]]:
    return [(name, _SUBRESOURCE_KINDS[name]) for name in sorted(resource.subresources) if name in _SUBRESOURCE_KINDS]


def _aggregated(registry: Registry, core: bool) -> Answer:
    items = []
    for name, versions in _versions(registry).items():
        if (name == "") != core:
            continue
        entries = [
            {
                "version": version,
                "freshness": "Current",
                "resources": [_entry(resource) for resource in _served(registry, name, version)],
            }
            for version in versions
        ]
        items.append(
            {"metadata": {"name": name, "creationTimestamp": None} if name else {"creationTimestamp": None}, "versions": entries}
        )
    body = {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}
    return Answer(body=encode(body), content_type="application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")


def _entry(resource: Resource) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "resource": resource.plural,
        "responseKind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    subresources = []
    for name, (where, version, kind, verbs) in _listed_subresources(resource):
        shown = {
            "group": resource.group if where is None else where,
            "version": version or resource.version,
            "kind": kind or resource.kind,
        }
        subresources.append({"subresource": name, "responseKind": shown, "verbs": verbs})
    if subresources:
        entry["subresources"] = subresources
    return entry
