"""Which kinds the server has: what garbage collection and namespace deletion must look through.

Owns the choice of one version per kind. Must not: keep what it found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kube.client import Client
from kube.errors import NotFound
from kube.kinds import Kind

_NEEDED = {"list", "watch", "delete"}


async def served_kinds(client: Client) -> dict[tuple[str, str], Kind]:
    """Return every kind that can be listed, watched and deleted, by group and name, in its preferred version.

    Raises:
        ApiError: the server cannot be asked.
    """
    found = {("", kind.name): kind for kind in _kinds("", "v1", await client.read("/api/v1"))}
    groups = (await client.read("/apis")).get("groups") or ()
    for group in groups:
        preferred = (group.get("preferredVersion") or {}).get("version")
        versions = sorted((one["version"] for one in group.get("versions") or ()), key=lambda version: version != preferred)
        for version in versions:
            for kind in await _of_version(client, str(group["name"]), version):
                found.setdefault((kind.group, kind.name), kind)
    found.pop(("events.k8s.io", "Event"), None)  # the same objects as those of the core group
    return found


async def _of_version(client: Client, group: str, version: str) -> list[Kind]:
    try:
        return list(_kinds(group, version, await client.read(f"/apis/{group}/{version}")))
    except NotFound:
        return []  # withdrawn since the groups were listed


def _kinds(group: str, version: str, listing: Mapping[str, Any]) -> Iterable[Kind]:
    for one in listing.get("resources") or ():
        if "/" not in one["name"] and set(one.get("verbs") or ()) >= _NEEDED:
            yield Kind(group, version, one["kind"], one["name"], namespaced=bool(one.get("namespaced")))
