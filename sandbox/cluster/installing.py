"""Bringing objects into a cluster that has just come up.

Owns creating them, and waiting until kinds are served. Must not: change what is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from kube.config import load
from kube.errors import AlreadyExists
from kube.kinds import CUSTOM_RESOURCE_DEFINITION, Kind
from kube.objects import Object, name_of
from kube.quick import QuickClient
from sandbox.cluster.state import SandboxError

POLL_SECONDS = 0.05
ESTABLISHED_SECONDS = 30.0


def install(
    kubeconfig: Path,
    objects: Iterable[tuple[Kind, Object]],
    *,
    created: Callable[[Kind, Object], None] = lambda _kind, _stored: None,
) -> None:
    """Create objects, and say which as soon as each is stored; those that are there stay as they are. Blocks.

    Raises:
        ApiError: the server refuses one, or does not answer.
    """
    with QuickClient(load(str(kubeconfig)), field_manager="rollouts-sandbox") as client:
        for kind, body in objects:
            try:
                created(kind, client.create(kind, body))
            except AlreadyExists:
                continue


def establish(kubeconfig: Path, definitions: Sequence[Object]) -> None:
    """Wait until every version of the definitions is served. Blocks.

    Raises:
        SandboxError: one is not within half a minute; the text says what the server has against it.
        ApiError: the server does not answer.
    """
    deadline = time.monotonic() + ESTABLISHED_SECONDS
    with QuickClient(load(str(kubeconfig)), field_manager="rollouts-sandbox") as client:
        while missing := _missing(client, definitions):
            if time.monotonic() > deadline:
                raise SandboxError(f"the API server does not serve: {', '.join(missing)}")
            time.sleep(POLL_SECONDS)


def _missing(client: QuickClient, definitions: Sequence[Object]) -> list[str]:
    found = {name_of(one): one for one in client.list(CUSTOM_RESOURCE_DEFINITION).items}
    missing = [f"{name_of(one)} ({_state(found.get(name_of(one)))})" for one in definitions if not _served(found, name_of(one))]
    if missing:
        return missing
    wanted = {f"{one['spec']['group']}/{version['name']}" for one in definitions for version in one["spec"]["versions"]}
    groups = client.read("/apis")["groups"]
    return sorted(wanted - {version["groupVersion"] for group in groups for version in group["versions"]})


def _served(found: dict[str, Object], name: str) -> bool:
    return any(one["type"] == "Established" and one["status"] == "True" for one in _conditions(found.get(name)))


def _conditions(definition: Object | None) -> Sequence[Any]:
    return ((definition or {}).get("status") or {}).get("conditions") or ()


def _state(definition: Object | None) -> str:
    bad = [one.get("message") for one in _conditions(definition) if one.get("status") == "False"]
    return "; ".join(map(str, bad)) or "not established yet"
