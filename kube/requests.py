"""Requests to the API server as data: method, path, query and bytes for each verb.

Shared by the asynchronous client and by the one-shot client of the command line. Must not: send anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kube.kinds import Kind, ObjectRef
from kube.objects import Object, key_of

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
FIELD_MANAGER = "rollouts-controller"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, ready to send."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    repeatable: bool = True
    """Whether sending it twice does no more than sending it once."""

    def __str__(self) -> str:
        """Method and path, for messages."""
        return f"{self.method} {self.path}"


def encode(value: Any) -> bytes:
    """Return compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def path_of(ref: ObjectRef, subresource: str | None = None) -> str:
    """Return the URL path of an object.

    Raises:
        ValueError: a namespaced object without a namespace, or no name: the path would mean a collection.
    """
    if not ref.name or (ref.kind.namespaced and not ref.namespace):
        raise ValueError(f"{ref.kind.name} {ref.namespace!r}/{ref.name!r} does not address one object")
    return ref.kind.path(ref.namespace, ref.name, subresource)


def get(ref: ObjectRef) -> Request:
    """Read one object."""
    return Request(method="GET", path=path_of(ref))


def page(kind: Kind, namespace: str, selectors: Mapping[str, str], *, limit: int, token: str) -> Request:
    """Read one page of a collection; a `limit` of 0 asks for all of it."""
    query = {name: value for name, value in selectors.items() if value}
    if limit:
        query["limit"] = str(limit)
    if token:
        query["continue"] = token
    return Request(method="GET", path=kind.path(namespace), query=query)


def create(kind: Kind, body: Object, *, manager: str, dry_run: bool = False) -> Request:
    """Create an object in its namespace."""
    query = {"fieldManager": manager} | ({"dryRun": "All"} if dry_run else {})
    namespace = str(body["metadata"].get("namespace") or "")
    if kind.namespaced and not namespace:
        raise ValueError(f"a {kind.name} to create needs metadata.namespace")
    return _sending("POST", kind.path(namespace), query, _typed(kind, body), repeatable=False)


def patch(
    ref: ObjectRef, body: Any, *, manager: str, content_type: str, subresource: str | None, version: str | None, uid: str | None
) -> Request:
    """Patch an object; `version` and `uid` become preconditions of a merge patch.

    Raises:
        ValueError: preconditions with a patch that cannot carry them; put a `test` into a JSON patch yourself.
    """
    guards = {name: value for name, value in (("resourceVersion", version), ("uid", uid)) if value}
    if guards:
        if content_type not in (MERGE_PATCH, STRATEGIC_PATCH):
            raise ValueError(f"version and uid cannot guard a patch of type {content_type}")
        body = {**body, "metadata": {**(body.get("metadata") or {}), **guards}}
    query = {"fieldManager": manager}
    return _sending(
        "PATCH", path_of(ref, subresource), query, body, content_type=content_type, repeatable=content_type != JSON_PATCH
    )


def apply(kind: Kind, body: Object, *, manager: str, force: bool) -> Request:
    """Apply on the server the fields that `body` names (JSON is YAML)."""
    namespace, name = key_of(body)
    query = {"fieldManager": manager} | ({"force": "true"} if force else {})
    return _sending("PATCH", path_of(ObjectRef(kind, namespace, name)), query, _typed(kind, body), content_type=APPLY_PATCH)


def replace(kind: Kind, body: Object, *, manager: str, subresource: str | None) -> Request:
    """Replace an object; the resourceVersion inside is the precondition."""
    namespace, name = key_of(body)
    path = path_of(ObjectRef(kind, namespace, name), subresource)
    return _sending("PUT", path, {"fieldManager": manager}, _typed(kind, body))


def delete(ref: ObjectRef, *, uid: str | None, propagation: str, grace_seconds: int | None) -> Request:
    """Delete an object, only if it has this uid when one is given."""
    options: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
    if uid:
        options["preconditions"] = {"uid": uid}
    if grace_seconds is not None:
        options["gracePeriodSeconds"] = grace_seconds
    return _sending("DELETE", path_of(ref), {}, options)


def evict(ref: ObjectRef, *, uid: str | None) -> Request:
    """Ask for the eviction of a pod."""
    body: dict[str, Any] = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": ref.name, "namespace": ref.namespace},
    }
    if uid:
        body["deleteOptions"] = {"preconditions": {"uid": uid}}
    return _sending("POST", path_of(ref, "eviction"), {}, body, repeatable=False)


def token(account: ObjectRef, *, seconds: int) -> Request:
    """Ask for a token of a ServiceAccount that is good for so long, or for less where the server says so."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": seconds}}
    return _sending("POST", path_of(account, "token"), {}, body)


def _sending(
    method: str,
    path: str,
    query: Mapping[str, str],
    body: Any,
    *,
    content_type: str = "application/json",
    repeatable: bool = True,
) -> Request:
    headers = {"content-type": content_type}
    return Request(method=method, path=path, query=query, headers=headers, body=encode(body), repeatable=repeatable)


def _typed(kind: Kind, body: Object) -> Object:
    return {"apiVersion": kind.api_version, "kind": kind.name, **body}
