"""OpenAPI v3 documents, one per group and version: what `kubectl explain` prints and client-side checks read.

Owns their form. Descriptions of built-in fields are read from the `kubernetes` package where it is installed. Must not: validate.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.apiserver import failures
from sandbox.apiserver.builtin_types import list_rules, read_types, type_name
from sandbox.apiserver.descriptions import Descriptions
from sandbox.apiserver.discovery import SERVED
from sandbox.apiserver.resources import Registry, Resource

_SCALARS: Mapping[str, Mapping[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer", "format": "int32"},
    "num": {"type": "number", "format": "double"},
    "bool": {"type": "boolean"},
    "time": {"type": "string", "format": "date-time"},
    "intstr": {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
    "qty": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    "any": {"type": "object"},
}
_PATCHES = ("application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml")
_FIELD_VALIDATION = {"name": "fieldValidation", "in": "query", "schema": {"type": "string", "uniqueItems": True}}
_PARAMETERS = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in ("dryRun", "fieldManager")] + [
    _FIELD_VALIDATION
]


class OpenApi:
    """Builds the documents of a registry, each once until the registry changes."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._types = read_types()
        self._descriptions = Descriptions()
        self._documents: dict[tuple[str, int], dict[str, Any]] = {}

    def index(self) -> dict[str, Any]:
        """Return `/openapi/v3`."""
        stamp = hashlib.sha256(str(self._registry.generation).encode()).hexdigest()[:16]
        places = dict.fromkeys(_place(resource) for resource in self._registry.all())
        return {"paths": {place: {"serverRelativeURL": f"/openapi/v3/{place}?hash={stamp}"} for place in places}}

    def document(self, place: str) -> dict[str, Any]:
        """Return the document of `api/v1` or `apis/GROUP/VERSION`.

        Raises:
            Refusal: 404 when nothing is served there.
        """
        key = (place, self._registry.generation)
        found = self._documents.get(key)
        if found is None:
            served = [resource for resource in self._registry.all() if _place(resource) == place]
            if not served:
                raise failures.no_such_resource()
            self._documents = {known: value for known, value in self._documents.items() if known[1] == key[1]}
            found = self._documents[key] = self._document(served)
        return found

    def _document(self, served: list[Resource]) -> dict[str, Any]:
        schemas: dict[str, Any] = {}
        paths: dict[str, Any] = {}
        for resource in served:
            name = _schema_name(resource)
            if resource.custom:
                schemas[name] = _custom_schema(resource)
                self._add(schemas, "V1ObjectMeta")
            else:
                self._add(schemas, name)
            schemas[name] = {**schemas[name], "x-kubernetes-group-version-kind": [_gvk(resource)]}
            paths |= _paths(resource, name)
        return {
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes", "version": f"v{SERVED}"},
            "paths": paths,
            "components": {"schemas": schemas},
        }

    def _add(self, schemas: dict[str, Any], name: str) -> None:
        """Add a built-in type and everything it refers to."""
        if name in schemas or name not in self._types:
            return
        about = self._descriptions.of(name)
        schema: dict[str, Any] = {"type": "object", "properties": {}}
        if "" in about:
            schema["description"] = about[""]
        schemas[name] = schema
        fields = self._types[name]
        needed = [field for field, kind in fields.items() if kind.endswith("!")]
        if needed:
            schema["required"] = needed
        for field, kind in fields.items():
            kind = kind.rstrip("!")
            shown = {**_field(kind), **(list_rules(f"{name}.{field}", kind[1:-1]) if kind.startswith("[") else {})}
            schema["properties"][field] = {"description": about[field], **shown} if field in about else shown
            self._add(schemas, kind.strip("[]{}"))


def _field(kind: str) -> dict[str, Any]:
    if kind.startswith("["):
        return {"type": "array", "items": _field(kind[1:-1])}
    if kind.startswith("{"):
        return {"type": "object", "additionalProperties": _field(kind[1:-1])}
    return dict(_SCALARS[kind]) if kind in _SCALARS else {"allOf": [{"$ref": f"#/components/schemas/{kind}"}]}


def _place(resource: Resource) -> str:
    return f"apis/{resource.group}/{resource.version}" if resource.group else f"api/{resource.version}"


def _gvk(resource: Resource) -> dict[str, str]:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _schema_name(resource: Resource) -> str:
    if not resource.custom:
        return type_name(resource)
    return ".".join([*reversed(resource.group.split(".")), resource.version, resource.kind])


def _custom_schema(resource: Resource) -> dict[str, Any]:
    properties = {
        "apiVersion": {"type": "string", "description": "Versioned schema of this representation of an object."},
        "kind": {"type": "string", "description": "The REST resource that this object represents."},
        **(resource.schema.get("properties") or {}),
        "metadata": {"description": "Standard object metadata.", "allOf": [{"$ref": "#/components/schemas/V1ObjectMeta"}]},
    }
    return {**resource.schema, "properties": properties}


def _paths(resource: Resource, name: str) -> Iterable[tuple[str, Any]]:
    base = f"/{_place(resource)}" + ("/namespaces/{namespace}" if resource.namespaced else "") + f"/{resource.plural}"
    about = {"x-kubernetes-group-version-kind": _gvk(resource)}
    schema = {"schema": {"$ref": f"#/components/schemas/{name}"}}

    def operation(action: str, *, body: Iterable[str] = ()) -> dict[str, Any]:
        found: dict[str, Any] = {
            "operationId": re.sub(r"\W", "", f"{action}{resource.group}{resource.version}{resource.kind}"),
            "responses": {"200": {"description": "OK", "content": {"application/json": schema}}},
            "x-kubernetes-action": action,
            **about,
        }
        if body:
            found |= {"parameters": _PARAMETERS, "requestBody": {"content": dict.fromkeys(body, schema), "required": True}}
        return found

    patches = _PATCHES if resource.custom else (*_PATCHES, "application/strategic-merge-patch+json")
    collection = {"post": operation("post", body=("application/json",))}
    if "list" in resource.verbs:
        collection["get"] = operation("list")
    yield base, collection
    if "patch" in resource.verbs:
        item = {"get": operation("get"), "put": operation("put", body=("application/json",)), "delete": operation("delete")}
        yield base + "/{name}", {**item, "patch": operation("patch", body=patches)}
