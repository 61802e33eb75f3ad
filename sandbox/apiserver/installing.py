"""Puts definitions into a server: the project's own, from the `crds` package, and those of other projects.

Owns finding them. Must not: bypass the API; a definition is created as any client would create it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

import yaml

from sandbox.apiserver.assets.third_party import third_party_definitions
from sandbox.apiserver.requests import Answer, Request
from sandbox.apiserver.server import ApiServer
from sandbox.apiserver.storage import encode

_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def project_definitions() -> list[dict[str, Any]]:
    """Return the definitions in `crds/manifests`."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    folder = files("crds") / "manifests"
    paths = sorted((path for path in folder.iterdir() if path.name.endswith(".yaml")), key=lambda path: path.name)
    documents = [document for path in paths for document in yaml.load_all(path.read_text(), Loader=loader)]
    return [document for document in documents if document and document.get("kind") == "CustomResourceDefinition"]


async def install(server: ApiServer, definitions: Iterable[Mapping[str, Any]]) -> None:
    """Create definitions; those that are there already stay as they are.

    Raises:
        ValueError: the server refuses one; the text says why.
    """
    for definition in definitions:
        request = Request(
            method="POST", path=_PATH, body=encode(definition), user="system:admin", headers={"user-agent": "sandbox"}
        )
        answer = await server.handle(request)
        if isinstance(answer, Answer) and answer.status not in (201, 409):
            raise ValueError(f"{definition['metadata']['name']} cannot be installed: {answer.body.decode()}")


async def install_all(server: ApiServer) -> None:
    """Create the project's definitions and those of other projects."""
    await install(server, [*project_definitions(), *third_party_definitions()])
