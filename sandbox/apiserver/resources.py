"""What the server serves: resources by group, version and plural.

Owns the description of one served resource and the registry in which requests find it. Must not: hold objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sandbox.apiserver.failures import FieldError, Target

Body: TypeAlias = dict[str, Any]

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
METADATA_FIELDS = frozenset({"metadata.name", "metadata.namespace"})


@dataclass(frozen=True, slots=True)
class Column:
    """One column of `kubectl get`: `cell` reads it from the object; a priority above 0 shows with `-o wide` only."""

    name: str
    type: str
    cell: Callable[[Mapping[str, Any], Any], Any]
    description: str = ""
    format: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Scale:
    """Where the replicas, the status replicas and the selector of a scalable resource are (dotted paths)."""

    replicas: str = "spec.replicas"
    status_replicas: str = "status.replicas"
    selector: str | None = "status.selector"


def _nothing(_obj: Body) -> None:
    """Default nothing."""


def _no_errors(_obj: Mapping[str, Any], _old: Mapping[str, Any] | None) -> list[FieldError]:
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """How objects of a resource are completed and checked.

    Attributes:
        default: fills in what the user left out; changes its argument, which is a private copy.
        prepare: called with the core, the new object and the old one, for what needs more than the object, such as addresses.
        validate: returns what is wrong with a new object; the old one is given on updates.
        initial_status: the status a new object gets.
        generation: `spec` bumps it on changes outside metadata and status, `any` on changes outside metadata, `never` keeps none.
        graceful: deletion waits for the node agent (pods).
        name_is_label: names are DNS labels (namespaces, services) and not subdomains.
        free_name: names are path segments only (RBAC).
        free_finalizers: finalizers need no domain (definitions have one without).
        made_by_update: a PUT of an object that is not there makes it.
        status_keeps_labels: a write of the status cannot change labels (Deployments).
        watched_annotations: a change of annotations raises the generation, too (Deployments).
    """

    default: Callable[[Body], None] = _nothing
    prepare: Callable[[Any, Body, Mapping[str, Any] | None], None] | None = None
    validate: Callable[[Mapping[str, Any], Mapping[str, Any] | None], list[FieldError]] = _no_errors
    initial_status: Mapping[str, Any] | None = None
    generation: str = "never"
    graceful: bool = False
    name_is_label: bool = False
    free_name: bool = False
    free_finalizers: bool = False
    made_by_update: bool = False
    status_keeps_labels: bool = False
    watched_annotations: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource in one served version.

    Attributes:
        store: where its objects are, shared by all versions (`deployments.apps`).
        storage_version: the apiVersion objects are stored in.
        schema: OpenAPI schema of the objects, used for validation, pruning, defaults, apply and `explain`.
        custom: defined by a CustomResourceDefinition.
        to_storage, from_storage: conversion, besides apiVersion.
    """

    group: str
    version: str
    kind: str
    plural: str
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    namespaced: bool = True
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: frozenset[str] = frozenset()
    store: str = ""
    storage_version: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict)
    custom: bool = False
    strategy: Strategy = field(default_factory=Strategy)
    scale: Scale | None = None
    field_labels: frozenset[str] = METADATA_FIELDS
    columns: Sequence[Column] = ()
    to_storage: Callable[[Body], Body] | None = None
    from_storage: Callable[[Body], Body] | None = None

    @property
    def api_version(self) -> str:
        """`apps/v1`, or `v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource_name(self) -> str:
        """`deployments.apps`, or `pods`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def target(self, name: str = "") -> Target:
        """Return what refusals about an object of this resource name."""
        return Target(self.group, self.plural, self.kind, name)

    def path(self, namespace: str, name: str = "") -> str:
        """Return the URL path of the collection or of an object."""
        parts = ["/apis/" + self.group if self.group else "/api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        return "/".join([*parts, self.plural, *([name] if name else [])])

    def read(self, body: Body) -> Body:
        """Return a stored object as this version shows it; the same dictionary when nothing differs."""
        converted = self.from_storage(body) if self.from_storage else body
        return converted if converted["apiVersion"] == self.api_version else {**converted, "apiVersion": self.api_version}

    def stored(self, body: Body) -> Body:
        """Return an object of this version as it is stored."""
        converted = self.to_storage(body) if self.to_storage else body
        return {**converted, "apiVersion": self.storage_version}


class Registry:
    """All served resources; CustomResourceDefinitions come and go in it."""

    def __init__(self, resources: Iterable[Resource] = ()) -> None:
        self._resources: dict[tuple[str, str, str], Resource] = {}
        self.generation = 0
        for resource in resources:
            self.add(resource)

    def add(self, resource: Resource) -> None:
        """Serve a resource, in place of one with the same group, version and plural."""
        self._resources[(resource.group, resource.version, resource.plural)] = resource
        self.generation += 1

    def remove_store(self, store: str) -> None:
        """Stop serving every version of a store."""
        self._resources = {key: found for key, found in self._resources.items() if found.store != store}
        self.generation += 1

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """Return the resource of a request path, None when it is not served."""
        return self._resources.get((group, version, plural))

    def by_kind(self, api_version: str, kind: str) -> Resource | None:
        """Return the resource of an object's apiVersion and kind, None when it is not served."""
        for found in self._resources.values():
            if found.kind == kind and found.api_version == api_version:
                return found
        return None

    def all(self) -> list[Resource]:
        """Return every served resource, in the order in which they were added."""
        return list(self._resources.values())
