"""Every manifest that people bring round-trips through the sandbox's API server without losing a field."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.apiserver.assets.third_party import permissive_definition
from sandbox.apiserver.inprocess import InProcessTransport
from sandbox.apiserver.installing import install, install_all
from sandbox.apiserver.requests import Answer, Request
from sandbox.apiserver.server import ApiServer
from sandbox.apiserver.storage import encode

ACCEPTANCE = Path(__file__).parents[2].parent / "shared" / "acceptance"
NOT_OBJECTS = ("kustomize.config.k8s.io/",)  # read by a tool, never sent to a cluster


def manifests() -> list[Path]:
    """Return the files that hold whole objects; below `kustomize` only what a build yields is one."""
    found = (path for path in ACCEPTANCE.rglob("*.y*ml") if "partial" not in path.parts)
    return sorted(path for path in found if "kustomize" not in path.parts or path.name.endswith(".expected.yaml"))


def documents(path: Path) -> list[Any]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def lost(wanted: Any, got: Any, path: str = "") -> Iterable[str]:
    """Yield the paths of what was sent and is not there."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        for key, value in _as_stored(wanted).items():
            if value is None or (value in ({}, []) and key in ("annotations", "labels")):
                continue
            if key not in got:
                yield f"{path}.{key}"
            else:
                yield from lost(value, got[key], f"{path}.{key}")
    elif isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        for index, value in enumerate(wanted):
            yield from lost(value, got[index], f"{path}[{index}]")
    elif str(wanted) != str(got):
        yield f"{path}: {wanted!r} became {got!r}"


def _as_stored(obj: dict[str, Any]) -> dict[str, Any]:
    """Plain secret data is write-only: it is read back encoded."""
    plain = obj.get("stringData")
    if not isinstance(plain, dict):
        return obj
    encoded = {key: b64encode(str(value).encode()).decode() for key, value in plain.items()}
    return {**{key: value for key, value in obj.items() if key != "stringData"}, "data": {**obj.get("data", {}), **encoded}}


class Cluster:
    """A server with a definition for every kind that a manifest names."""

    def __init__(self) -> None:
        self.server = ApiServer()
        self.transport = InProcessTransport(self.server)

    async def serve(self, obj: Any) -> None:
        if self.server.registry.by_kind(obj["apiVersion"], obj["kind"]):
            return
        group, _, version = obj["apiVersion"].partition("/")
        plural = obj["kind"].lower() + "s"
        known = [
            resource.version for resource in self.server.registry.all() if (resource.group, resource.kind) == (group, obj["kind"])
        ]
        if known:
            pytest.skip(f"{group} {obj['kind']} is defined without {version}")
        await install(self.server, [permissive_definition(group=group, kind=obj["kind"], plural=plural, versions=[version])])

    async def send(self, obj: Any) -> Any:
        resource = self.server.registry.by_kind(obj["apiVersion"], obj["kind"])
        assert resource is not None
        namespace = obj["metadata"].get("namespace") or "default" if resource.namespaced else ""
        if namespace:
            body = {"metadata": {"name": namespace}}
            await self.server.handle(Request(method="POST", path="/api/v1/namespaces", body=encode(body)))
        query = {"fieldValidation": "Strict"}
        sent = encode({**obj, "metadata": {**obj["metadata"], **({"namespace": namespace} if namespace else {})}})
        answer = await self.server.handle(Request(method="POST", path=resource.path(namespace), body=sent, query=query))
        assert isinstance(answer, Answer)
        return answer


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    await install_all(made.server)
    yield made
    await made.transport.close()


@pytest.mark.skipif(not ACCEPTANCE.is_dir(), reason="the acceptance manifests are not here")
@pytest.mark.parametrize("path", [pytest.param(path, id=str(path.relative_to(ACCEPTANCE))) for path in manifests()])
async def test_a_manifest_keeps_every_field(cluster: Cluster, path: Path) -> None:
    for obj in documents(path):
        if obj["apiVersion"].startswith(NOT_OBJECTS):
            continue
        await cluster.serve(obj)
        answer = await cluster.send(obj)
        if answer.status == 409 and "already exists" in answer.body.decode():
            continue  # a namespace that another manifest needed before
        assert answer.status == 201, answer.body.decode()
        assert list(lost(obj, json.loads(answer.body))) == []
