"""What follows from a write: definitions are served, namespaces get their ServiceAccount; and reviews, which store nothing.

Owns the consequences that the real API server draws itself. Must not: act as a controller beyond them.
"""

from __future__ import annotations

from typing import Any

from sandbox.apiserver import definitions
from sandbox.apiserver.core import NAMESPACES, Call, Core, checked_object, decode, without
from sandbox.apiserver.definitions import DEFINITIONS
from sandbox.apiserver.requests import Answer, json_answer
from sandbox.apiserver.storage import Body, Change

_FIRST_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
"""The finalizer of every definition: it stays until its objects are gone."""


class Hooks:
    """Reacts to commits, after the request that made them."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._due: list[tuple[str, Change]] = []
        self._leaving: set[str] = set()
        core.storage.on_commit(self._note)

    def _note(self, store: str, change: Change) -> None:
        if store in (DEFINITIONS, NAMESPACES) or (store in self._leaving and change.new is None):
            self._due.append((store, change))

    def settle(self) -> None:
        """Draw the consequences of what was committed; safe to call at any time."""
        while self._due:
            store, change = self._due.pop(0)
            if store == DEFINITIONS:
                self._definition(change)
            elif store != NAMESPACES:
                self._release(store)
            elif change.old is None and change.new is not None:
                self._account(change.key[1])

    def _definition(self, change: Change) -> None:
        name = change.key[1]
        if change.new is None:
            definitions.withdraw(self._core.registry, name)
            store = self._core.storage
            for key, stored in list(store.current(name).items()):
                store.remove(name, key, stored.body)
            self._leaving.discard(name)
            return
        body = change.new.body
        if body["metadata"].get("deletionTimestamp"):
            self._leaving.add(name)
            self._delete_objects(name)
            self._release(name)
            return
        if change.old is None or change.old.body["spec"] != body["spec"]:
            definitions.serve(self._core.registry, body, self._core.metadata_schema)
        status = definitions.established(body, self._core.timestamp())
        finalizers = list(dict.fromkeys([*(body["metadata"].get("finalizers") or ()), CLEANUP]))
        same = body.get("status") == status and body["metadata"].get("finalizers") == finalizers
        if not same and self._core.storage.get(DEFINITIONS, change.key) is change.new:
            metadata = {**body["metadata"], "finalizers": finalizers}
            self._core.storage.put(DEFINITIONS, change.key, {**body, "metadata": metadata, "status": status})

    def _delete_objects(self, store: str) -> None:
        """Delete what a definition that goes defined; objects with finalizers stay until their controllers are done with them."""
        storage = self._core.storage
        for key, stored in list(storage.current(store).items()):
            metadata = stored.body["metadata"]
            if not metadata.get("finalizers"):
                storage.remove(store, key, stored.body)
            elif not metadata.get("deletionTimestamp"):
                stamp = {"deletionTimestamp": self._core.timestamp(), "deletionGracePeriodSeconds": 0}
                storage.put(store, key, {**stored.body, "metadata": {**metadata, **stamp}})

    def _release(self, name: str) -> None:
        """Let a definition go once nothing that it defined is left."""
        storage, key = self._core.storage, ("", name)
        stored = storage.get(DEFINITIONS, key)
        if stored is None or storage.count(name):
            return
        finalizers = stored.body["metadata"].get("finalizers") or []
        others = [one for one in finalizers if one != CLEANUP]
        body = {**stored.body, "metadata": {**without(stored.body["metadata"], "finalizers")}}
        if not others:
            storage.remove(DEFINITIONS, key, body)
        elif others != finalizers:
            storage.put(DEFINITIONS, key, {**body, "metadata": {**body["metadata"], "finalizers": others}})

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
