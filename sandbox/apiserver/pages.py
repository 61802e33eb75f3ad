"""Paths that are no resources: discovery, OpenAPI, version, health, and the debug pages of the sandbox.

Owns the table of those paths. Must not: serve objects.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sandbox.apiserver import discovery, failures
from sandbox.apiserver.discovery import SERVED
from sandbox.apiserver.faults import fault_of
from sandbox.apiserver.requests import Answer, Request, json_answer

if TYPE_CHECKING:
    from sandbox.apiserver.server import ApiServer

VERSION = {
    "major": "1",
    "minor": SERVED.removeprefix("1."),
    "gitVersion": f"v{SERVED}.0+rollouts-sandbox",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2025-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "python",
    "platform": "any",
}
_EMPTY_SWAGGER = b"\x0a\x032.0"
"""An OpenAPI v2 document in protobuf that has its version (field 1) and nothing else."""


def page_of(server: ApiServer, request: Request) -> Answer:
    """Answer a request whose path is no resource.

    Raises:
        Refusal: 404 or 405.
    """
    path = request.path.rstrip("/") or "/"
    if path.startswith("/debug/"):
        return _debug(server, request, path)
    if request.method not in ("GET", "HEAD"):
        raise failures.method_not_allowed()
    match path.split("/")[1:]:
        case ["version"]:
            return json_answer(VERSION)
        case ["healthz" | "livez" | "readyz", *_]:
            return Answer(body=b"ok", content_type="text/plain")
        case ["api"] | ["apis"]:
            return discovery.root(server.registry, request)
        case ["api", version]:
            return discovery.resources(server.registry, "", version)
        case ["apis", group]:
            return discovery.group(server.registry, group)
        case ["apis", group, version]:
            return discovery.resources(server.registry, group, version)
        case ["openapi", "v2"]:
            return _old_openapi(request)
        case ["openapi", "v3"]:
            return json_answer(server.openapi.index())
        case ["openapi", "v3", *place]:
            return json_answer(server.openapi.document("/".join(place)))
        case [""]:
            return json_answer({"paths": ["/api", "/apis", "/healthz", "/livez", "/readyz", "/version"]})
    raise failures.no_such_resource()


def _old_openapi(request: Request) -> Answer:
    """Answer `/openapi/v2`, which kubectl asks for before it sends a List: a description of nothing, so that it checks nothing.

    The items of the List are then checked by the server when they come.
    """
    if "protobuf" in request.accept:
        return Answer(body=_EMPTY_SWAGGER, content_type="application/com.github.proto-openapi.spec.v2.v1.0+protobuf")
    return json_answer({"swagger": "2.0", "info": {"title": "rollouts sandbox", "version": VERSION["gitVersion"]}, "paths": {}})


def _debug(server: ApiServer, request: Request, path: str) -> Answer:
    match path, request.method:
        case "/debug/requests", "GET":
            return json_answer({"requests": server.counts.rows()})
        case "/debug/requests", "DELETE":
            server.counts.clear()
        case "/debug/faults", "GET":
            pass
        case "/debug/faults", "POST":
            server.faults.set(*[fault_of(row) for row in _rows(request)])
        case "/debug/faults", "DELETE":
            server.faults.clear()
        case "/debug/compact", "POST":
            server.storage.compact(request.number("keep") or 0)
        case _:
            raise failures.no_such_resource()
    return json_answer({"faults": server.faults.rows()})


def _rows(request: Request) -> list[Any]:
    try:
        body = json.loads(request.body)
    except ValueError as error:
        raise failures.bad_request(f"send one fault or a list of them as JSON: {error}") from None
    return body if isinstance(body, list) else [body]
