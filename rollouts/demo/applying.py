"""Brings a folder of plain manifests into a cluster, as `kubectl apply -f FOLDER --server-side` would.

Owns reading YAML files and finding the resource of a kind. Must not: change a manifest.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from kube.client import Client
from kube.errors import ApiError, NotFound
from kube.kinds import Kind

MANAGER = "rollouts-demo"


class CannotApply(RuntimeError):
    """A manifest is none, or the cluster does not take it; says which and why."""


def documents(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects in the YAML files of a folder, by file name.

    Raises:
        CannotApply: there are none, or a file is no YAML.
    """
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise CannotApply(f"there are no manifests in {folder}; --examples takes the folder that has {folder.name}")
    for file in files:
        try:
            yield from (document for document in yaml.safe_load_all(file.read_text()) if document)
        except yaml.YAMLError as error:
            raise CannotApply(f"{file}: {error}") from None


async def apply(client: Client, folder: Path, *, namespace: str) -> list[str]:
    """Apply every manifest of a folder; return what was applied, as `Kind name`.

    Raises:
        CannotApply: the cluster refuses one.
    """
    kinds: dict[tuple[str, str], Kind] = {}
    applied = []
    for document in documents(folder):
        api, name = (document["apiVersion"], document["kind"]), document["metadata"]["name"]
        try:
            kind = kinds.get(api) or await _kind(client, *api)
            kinds[api] = kind
            if kind.namespaced:
                document["metadata"].setdefault("namespace", namespace)
            await client.apply(kind, document, field_manager=MANAGER, force=True)
        except ApiError as error:
            raise CannotApply(f"{api[1]} {name}: {error}") from error
        applied.append(f"{api[1]} {name}")
    return applied


async def _kind(client: Client, api_version: str, name: str) -> Kind:
    group, _, version = api_version.rpartition("/")
    try:
        found = await client.read(f"/apis/{api_version}" if group else f"/api/{version}")
    except NotFound:
        raise CannotApply(f"the cluster serves no {api_version} (kind {name}); install its CustomResourceDefinition") from None
    for one in found["resources"]:
        if one["kind"] == name and "/" not in one["name"]:
            return Kind(group, version, name, one["name"], bool(one["namespaced"]))
    raise CannotApply(f"the cluster serves no kind {name} in {api_version}")
