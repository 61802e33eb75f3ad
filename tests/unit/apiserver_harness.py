"""A sandbox API server in process, spoken to with as few words as possible."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.apiserver.inprocess import InProcessTransport
from sandbox.apiserver.server import ApiServer

MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
SERVICES = "/api/v1/namespaces/default/services"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDGETS = "/apis/shop.io/v1/namespaces/default/widgets"


@dataclass(frozen=True)
class Got:
    """An answer."""

    status: int
    body: Any
    headers: Mapping[str, str]

    def __getitem__(self, path: str) -> Any:
        """Return what is at a dotted path."""
        value = self.body
        for part in path.split("."):
            value = value[int(part)] if isinstance(value, list) else value[part]
        return value

    @property
    def message(self) -> str:
        """The text of a refusal."""
        return str(self.body["message"])


class FrozenClock:
    """Time that moves only when told."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


class Api:
    """Short words for requests."""

    def __init__(self, server: ApiServer | None = None) -> None:
        self.server = server or ApiServer()
        self.transport = InProcessTransport(self.server, user_agent="tests/1")

    async def ask(
        self, method: str, path: str, body: Any = None, *, kind: str = "application/json", accept: str = "", **query: str
    ) -> Got:
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": kind, **({"Accept": accept} if accept else {})}
        response = await self.transport.request(method, path, query=query, headers=headers, body=data)
        return Got(response.status, json.loads(response.body) if response.body[:1] in b"{[" else response.body, response.headers)

    async def get(self, path: str, **query: str) -> Got:
        return await self.ask("GET", path, **query)

    async def create(self, path: str, body: Any, **query: str) -> Got:
        return await self.ask("POST", path, body, **query)

    async def replace(self, path: str, body: Any, **query: str) -> Got:
        return await self.ask("PUT", path, body, **query)

    async def patch(self, path: str, body: Any, kind: str = MERGE, **query: str) -> Got:
        return await self.ask("PATCH", path, body, kind=kind, **query)

    async def apply(self, path: str, body: Any, manager: str, **query: str) -> Got:
        return await self.ask("PATCH", path, body, kind=APPLY, fieldManager=manager, **query)

    async def delete(self, path: str, body: Any = None, **query: str) -> Got:
        return await self.ask("DELETE", path, body, **query)

    async def names(self, path: str, **query: str) -> list[str]:
        return [item["metadata"]["name"] for item in (await self.get(path, **query))["items"]]

    def watch(self, path: str, **query: str) -> Events:
        return Events(self, path, query)


class Events:
    """A watch: `async with api.watch(...) as events: await events.next()`."""

    def __init__(self, api: Api, path: str, query: Mapping[str, str]) -> None:
        self._api, self._path, self._query = api, path, query
        self._stack = AsyncExitStack()
        self._lines: list[bytes] = []
        self._rest = b""

    async def __aenter__(self) -> Events:
        stream = await self._stack.enter_async_context(
            self._api.transport.stream(self._path, query={"watch": "true", **self._query})
        )
        self.status = stream.status
        self._chunks = await self._stack.enter_async_context(aclosing(stream.chunks()))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def next(self) -> tuple[str, Any]:
        """Return the next event: its type and its object."""
        while not self._lines:
            *self._lines, self._rest = (self._rest + await anext(self._chunks)).split(b"\n")
        event = json.loads(self._lines.pop(0))
        return event["type"], event["object"]

    async def seen(self, count: int) -> list[tuple[str, str]]:
        """Return types and names of the next events."""
        found = [await self.next() for _ in range(count)]
        return [(kind, obj["metadata"].get("name", "")) for kind, obj in found]


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": data}


def pod(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [{"name": "main", "image": "shop:1"}], **spec},
    }


def deployment(name: str, *, image: str = "shop:1", replicas: int = 1, **metadata: Any) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": image}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, **metadata},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def definition(*, schema: Mapping[str, Any] | None = None, **version: Any) -> dict[str, Any]:
    """Return a definition of Widgets, whose spec has this schema."""
    spec = schema or {"type": "object", "properties": {"size": {"type": "integer"}}}
    status = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    root = {"type": "object", "properties": {"spec": spec, "status": status}}
    return {
        "metadata": {"name": "widgets.shop.io"},
        "spec": {
            "group": "shop.io",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": root},
                    **version,
                }
            ],
        },
    }


def widget(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": spec}
