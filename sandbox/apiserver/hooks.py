"""What follows from a write: definitions are served, namespaces get their ServiceAccount; and reviews, which store nothing.

Owns the consequences that the real API server draws itself. Must not: act as a controller beyond them.
"""

from __future__ import annotations

from typing import Any

from sandbox.apiserver import definitions
from sandbox.apiserver.core import NAMESPACES, Call, Core, checked_object, decode
from sandbox.apiserver.definitions import DEFINITIONS
from sandbox.apiserver.requests import Answer, json_answer
from sandbox.apiserver.storage import Body, Change

_FIRST_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


class Hooks:
    """Reacts to commits, after the request that made them."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._due: list[tuple[str, Change]] = []
        core.storage.on_commit(self._note)

    def _note(self, store: str, change: Change) -> None:
        if store in (DEFINITIONS, NAMESPACES):
            self._due.append((store, change))

    def settle(self) -> None:
        """Draw the consequences of what was committed; safe to call at any time."""
        while self._due:
            store, change = self._due.pop(0)
            if store == DEFINITIONS:
                self._definition(change)
            elif change.old is None and change.new is not None:
                self._account(change.key[1])

    def _definition(self, change: Change) -> None:
        name = change.key[1]
        if change.new is None:
            definitions.withdraw(self._core.registry, name)
            store = self._core.storage
            for key, stored in list(store.current(name).items()):
                store.remove(name, key, stored.body)
            return
        body = change.new.body
        if change.old is None or change.old.body["spec"] != body["spec"]:
            definitions.serve(self._core.registry, body, self._core.metadata_schema)
        status = definitions.established(body, self._core.timestamp())
        if body.get("status") != status and self._core.storage.get(DEFINITIONS, change.key) is change.new:
            self._core.storage.put(DEFINITIONS, change.key, {**body, "metadata": dict(body["metadata"]), "status": status})

    def create_defaults(self) -> None:
        """Create the namespaces every cluster has, and the Service of the API server."""
        for name in _FIRST_NAMESPACES:
            if self._core.storage.get(NAMESPACES, ("", name)) is None:
                labels = {"kubernetes.io/metadata.name": name}
                body = self._new("v1", "Namespace", {"name": name, "labels": labels})
                body |= {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
                self._core.storage.put(NAMESPACES, ("", name), body)
        self.settle()

    def _account(self, namespace: str) -> None:
        key = (namespace, "default")
        if self._core.storage.get("serviceaccounts", key) is None:
            body = self._new("v1", "ServiceAccount", {"name": "default", "namespace": namespace})
            self._core.storage.put("serviceaccounts", key, body)

    def _new(self, api_version: str, kind: str, metadata: Body) -> Body:
        stamp = {"uid": self._core.new_uid(), "creationTimestamp": self._core.timestamp()}
        return {"apiVersion": api_version, "kind": kind, "metadata": {**metadata, **stamp}}

    def review(self, call: Call) -> Answer:
        """Answer a review: everybody who has a token may do everything."""
        obj = checked_object(call, decode(call.request))
        status: dict[str, Any]
        match call.resource.kind:
            case "SelfSubjectRulesReview":
                every = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
                status = {
                    "resourceRules": [every],
                    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
                    "incomplete": False,
                }
            case "SelfSubjectReview":
                status = {"userInfo": {"username": call.request.user, "groups": ["system:authenticated", "system:masters"]}}
            case "TokenReview":
                status = {
                    "authenticated": False,
                    "error": "this API server knows its own tokens only; send the request with the token itself",
                }
            case _:
                status = {"allowed": True, "reason": "the sandbox does not restrict users"}
        return json_answer({**obj, "status": status}, status=201)
