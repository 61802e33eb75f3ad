"""Kubeconfigs of a sandbox: one user with a token, one cluster on loopback.

Pure. Must not: write files.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

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
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": user, "namespace": namespace}}],
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": user, "user": {"token": token}}],
    }
    return json.dumps(document, indent=2) + "\n"
