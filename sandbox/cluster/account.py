"""The controller's account on a real API server: the one that is shipped, with the shipped rights, and a token of it.

Owns which of the shipped manifests are brought in, and asking for the token. Must not: grant anything that they do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from kube.config import load
from kube.kinds import NAMESPACE, Kind, ObjectRef
from kube.objects import Object
from kube.quick import QuickClient
from sandbox.cluster.permissions import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING

HOME, ACCOUNT = "argo-rollouts", "rollouts-controller"
USER = f"system:serviceaccount:{HOME}:{ACCOUNT}"
"""The name under which a real API server knows the controller."""
SERVICE_ACCOUNT = Kind("", "v1", "ServiceAccount", "serviceaccounts")
SHIPPED = Path(__file__).parent / "config"
"""The repository's `config/`, which packages bring along."""
FILES = (
    "overlays/cluster/namespace.yaml",
    "manager/service_account.yaml",
    *(f"rbac/{folder}/{file}.yaml" for folder in ("cluster", "leases") for file in ("role", "binding")),
)
TOKEN_SECONDS = 365 * 24 * 3600
"""As long as a sandbox may stand; an API server may give less."""
_KINDS: Mapping[str, Kind] = {
    kind.name: kind for kind in (NAMESPACE, SERVICE_ACCOUNT, CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING)
}


def shipped_rights() -> Iterator[tuple[Kind, Object]]:
    """Return what is to be there before the controller starts, in this order: its namespace, its account, its rights."""
    for file in FILES:
        body = yaml.safe_load((SHIPPED / file).read_text())
        kind = _KINDS[body["kind"]]
        yield kind, {**body, "metadata": {**body["metadata"], **({"namespace": HOME} if kind.namespaced else {})}}


def account_token(kubeconfig: Path) -> str:
    """Ask for a token of the account, as whoever the kubeconfig is of. Blocks.

    Raises:
        ApiError: the server refuses, or does not answer.
    """
    with QuickClient(load(str(kubeconfig)), field_manager="rollouts-sandbox") as client:
        return client.token(ObjectRef(SERVICE_ACCOUNT, HOME, ACCOUNT), seconds=TOKEN_SECONDS)
