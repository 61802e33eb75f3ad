"""Kubeconfigs of a sandbox: one user, mostly with a token, and one cluster, mostly on loopback.

Pure. Must not: write files.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CONTEXT = "rollouts-sandbox"
EXTENSION = "rollouts"
"""Name of the cluster's extension, which tells commands more than where the API is."""
STATE, NAME_PROXY, PROMETHEUS = "sandbox-state", "name-proxy", "prometheus"
"""Its fields: the sandbox's folder, the HTTP proxy that knows names of the cluster, and the URL of Prometheus."""


def kubeconfig(
    *,
    server: str,
    user: str,
    token: str,
    namespace: str = "default",
    extension: Mapping[str, str] | None = None,
    authority: bytes | None = None,
) -> str:
    """Return a kubeconfig (JSON, which is YAML) whose current context is this user in this namespace.

    Without TLS the token is in the server's address as well: kubectl sends none of its own then. The `extension` goes with
    the cluster, also through `kubectl config view --flatten` and merged files. `authority` is the certificate (PEM) that the
    server's is signed with.
    """
    cluster: dict[str, object]
    if authority is None:
        cluster = {"server": server.replace("://", f"://{user}:{token}@", 1)}
    else:
        cluster = {"server": server, "certificate-authority-data": base64.b64encode(authority).decode()}
    if extension:
        cluster["extensions"] = [{"name": EXTENSION, "extension": dict(extension)}]
    return _document(cluster, user, {"token": token}, namespace=namespace)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A cluster that is there already, and a person who may do things in it: entries of their kubeconfig, with absolute paths."""

    server: str
    """URL, without user and password."""
    namespace: str
    cluster: Mapping[str, Any] = field(repr=False)
    user: Mapping[str, Any] = field(repr=False)

    def kubeconfig(self, *, extension: Mapping[str, str]) -> str:
        """Return one for this person, with our extension beside those of others."""
        others = [one for one in self.cluster.get("extensions") or () if one.get("name") != EXTENSION]
        extensions = [*others, {"name": EXTENSION, "extension": dict(extension)}]
        return _document({**self.cluster, "extensions": extensions}, "person", self.user, namespace=self.namespace)

    def kubeconfig_of(self, user: str, token: str, *, namespace: str) -> str:
        """Return one for somebody else, with nothing of the person in it."""
        return _document({**self.cluster, "server": self.server}, user, {"token": token}, namespace=namespace)


def _document(cluster: Mapping[str, Any], name: str, user: Mapping[str, Any], *, namespace: str) -> str:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": name, "namespace": namespace}}],
        "clusters": [{"name": CONTEXT, "cluster": dict(cluster)}],
        "users": [{"name": name, "user": dict(user)}],
    }
    return json.dumps(document, indent=2) + "\n"
