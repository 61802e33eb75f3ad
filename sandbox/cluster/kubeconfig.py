"""Kubeconfigs of a sandbox: one user with a token, one cluster on loopback.

Pure. Must not: write files.
"""

from __future__ import annotations

import json

CONTEXT = "rollouts-sandbox"


def kubeconfig(*, server: str, user: str, token: str) -> str:
    """Return a kubeconfig (JSON, which is YAML) whose current context is this user in namespace `default`.

    The token is in the server's address as well: kubectl sends none of its own when there is no TLS.
    """
    address = server.replace("://", f"://{user}:{token}@", 1)
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": user, "namespace": "default"}}],
        "clusters": [{"name": CONTEXT, "cluster": {"server": address}}],
        "users": [{"name": user, "user": {"token": token}}],
    }
    return json.dumps(document, indent=2) + "\n"
