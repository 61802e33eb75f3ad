"""Requests of a case, written once and sent to any API server.

Owns the words that cases are written in, and how answers are fetched. Must not: compare; see differential_normal.py.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from differential_servers import Server

MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
PATIENCE_SECONDS = 20.0
METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"

GROUPS: Mapping[str, tuple[str, ...]] = {
    "api/v1": ("configmaps", "secrets", "services", "pods", "events", "serviceaccounts", "endpoints"),
    "apis/apps/v1": ("deployments", "replicasets", "statefulsets", "daemonsets"),
    "apis/batch/v1": ("jobs", "cronjobs"),
    "apis/networking.k8s.io/v1": ("ingresses",),
    "apis/coordination.k8s.io/v1": ("leases",),
    "apis/discovery.k8s.io/v1": ("endpointslices",),
    "apis/policy/v1": ("poddisruptionbudgets",),
    "apis/autoscaling/v2": ("horizontalpodautoscalers",),
    "apis/rbac.authorization.k8s.io/v1": ("roles", "rolebindings"),
    "apis/argoproj.io/v1alpha1": ("rollouts", "analysisruns", "analysistemplates", "experiments"),
    "apis/networking.istio.io/v1": ("virtualservices", "destinationrules"),
}
"""The resources that a case may name without a path; any other is reached by a path that begins with a slash."""


@dataclass(frozen=True, slots=True)
class Ref:
    """Something of an earlier answer: the name it was saved by, and a dotted path into its body."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request.

    `events` makes it a watch that is read until so many events have come; `until` repeats it until that status is answered, and
    the answer is not compared; `save` names the answer for `Ref`s.
    """

    method: str
    path: str
    body: Any = None
    content_type: str = "application/json"
    accept: str = "application/json"
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    events: int = 0
    until: int = 0
    save: str = ""

    def __str__(self) -> str:
        """Text as it stands in a report of differences."""
        return f"{self.method} {self.path}{'?' + urlencode(dict(self.query)) if self.query else ''}"


@dataclass(frozen=True, slots=True)
class Got:
    """An answer: a watch's body is the list of its events."""

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Case:
    """Requests that are sent in this order to a namespace of their own."""

    title: str
    asks: tuple[Ask, ...]


def case(title: str, *asks: Ask) -> Case:
    """Return a case; its title says what both servers are to agree on."""
    return Case(title, asks)


def get(path: str, *, accept: str = "application/json", save: str = "", after: str | Ref = "", **query: Any) -> Ask:
    """Read an object or a collection; `after` is the token of the page before."""
    return Ask(method="GET", path=path, accept=accept, save=save, query={**query, **({"continue": after} if after else {})})


def create(path: str, body: Any, *, save: str = "", **query: Any) -> Ask:
    """Create an object in a collection."""
    return Ask(method="POST", path=path, body=body, save=save, query=query)


def replace(path: str, body: Any, *, save: str = "", **query: Any) -> Ask:
    """Replace a whole object."""
    return Ask(method="PUT", path=path, body=body, save=save, query=query)


def patch(path: str, body: Any, kind: str = MERGE, *, save: str = "", **query: Any) -> Ask:
    """Patch an object, with a merge patch unless said otherwise."""
    return Ask(method="PATCH", path=path, body=body, content_type=kind, save=save, query=query)


def apply(path: str, body: Any, manager: str, *, force: bool = False, **query: Any) -> Ask:
    """Apply a configuration as a field manager."""
    wanted = {"fieldManager": manager, **({"force": "true"} if force else {}), **query}
    return Ask(method="PATCH", path=path, body=body, content_type=APPLY, query=wanted)


def delete(path: str, body: Any = None, **query: Any) -> Ask:
    """Delete an object or a collection."""
    return Ask(method="DELETE", path=path, body=body, query=query)


def watch(path: str, *, events: int, accept: str = "application/json", **query: Any) -> Ask:
    """Watch a collection until so many events have come."""
    wanted = {"watch": "true", "timeoutSeconds": "20", **query}
    return Ask(method="GET", path=path, accept=accept, query=wanted, events=events)


def served(path: str, *, status: int = 200) -> Ask:
    """Wait until a kind is served, or until it is not: definitions take effect a moment after they are written."""
    return Ask(method="GET", path=path, until=status)


class Session:
    """One case on one server: its namespace, its connection and what it has saved."""

    def __init__(self, server: Server, namespace: str) -> None:
        self._server, self._namespace = server, namespace
        self._connection = server.connect()
        self._saved: dict[str, Any] = {}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def send(self, ask: Ask) -> Got:
        """Send a request and return its answer.

        Raises:
            TimeoutError: the status that is waited for does not come.
        """
        if not ask.until:
            return self._sent(ask)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (got := self._sent(ask)).status != ask.until:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self._server.name}: {ask} answers {got.status} {got.body}")
            time.sleep(0.02)
        return Got(ask.until, {}, None)

    def _sent(self, ask: Ask) -> Got:
        query = self._filled(dict(ask.query))
        path = self._path(ask.path) + (f"?{urlencode(query)}" if query else "")
        body = self._filled(ask.body)
        data = body.encode() if isinstance(body, str) else None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._server.token}", "User-Agent": "differential/1", "Accept": ask.accept}
        headers |= {"Content-Type": ask.content_type} if data is not None else {}
        headers |= ask.headers
        if ask.events:
            return self._watched(path, headers, ask.events)
        self._connection.request(ask.method, path, body=data, headers=headers)
        response = self._connection.getresponse()
        got = Got(response.status, _headers(response), _read(response.read()))
        if ask.save:
            self._saved[ask.save] = got.body
        return got

    def _watched(self, path: str, headers: Mapping[str, str], count: int) -> Got:
        connection = self._server.connect(timeout_seconds=10.0)
        try:
            connection.request("GET", path, headers=dict(headers))
            response = connection.getresponse()
            answered = _headers(response)
            if response.status != 200:
                return Got(response.status, answered, _read(response.read()))
            events: list[Any] = []
            while len(events) < count and (line := response.readline()):
                events.append(json.loads(line))
            return Got(response.status, answered, events)
        finally:
            connection.close()

    def _path(self, path: str) -> str:
        path = path.replace("{ns}", self._namespace)
        if path.startswith("/"):
            return path
        plural = path.partition("/")[0]
        prefix = next(prefix for prefix, plurals in GROUPS.items() if plural in plurals)
        return f"/{prefix}/namespaces/{self._namespace}/{path}"

    def _filled(self, value: Any) -> Any:
        match value:
            case Ref(path):
                return _at(self._saved, path)
            case str():
                return value.replace("{ns}", self._namespace)
            case Mapping():
                return {self._filled(key): self._filled(item) for key, item in value.items()}
            case list() | tuple():
                return [self._filled(item) for item in value]
        return value


@contextmanager
def session(server: Server, namespace: str) -> Iterator[Session]:
    """Make a namespace with the account that pods need, and yield a session in it."""
    found = Session(server, namespace)
    try:
        made = found.send(create("/api/v1/namespaces", {"metadata": {"name": namespace}}))
        if made.status != 201:
            raise RuntimeError(f"{server.name}: namespace {namespace} cannot be made: {made.body}")
        found.send(create("serviceaccounts", {"metadata": {"name": "default"}, "automountServiceAccountToken": False}))
        yield found
    finally:
        found.close()


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        match value:
            case list():
                value = value[int(part)]
            case dict():
                value = value.get(part, "")
            case _:
                return ""
    return value


def _headers(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): ", ".join(response.headers.get_all(name, ())) for name in response.headers}


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
