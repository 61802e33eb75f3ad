"""Objects that the views of the command line are tested with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 1, 8, 12, 0, 0, tzinfo=UTC)
REVISION = "rollout.argoproj.io/revision"
HASH = "rollouts-pod-template-hash"


def rollout(*, canary: dict[str, Any] | None = None, status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a Rollout whose spec the controller has seen."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": metadata("shop", uid="uid-shop") | {"generation": 3},
        "spec": {"replicas": 5, "strategy": {"canary": canary or {}}, **spec},
        "status": {"observedGeneration": "3", **(status or {})},
    }


def metadata(name: str, *, uid: str = "", owner: str = "", created: str = "2026-01-01T12:00:00Z", **more: Any) -> dict[str, Any]:
    """Return metadata, controlled by the object of uid `owner`."""
    owners = [{"uid": owner, "controller": True, "name": "x", "kind": "X"}] if owner else []
    return {
        "name": name,
        "namespace": "demo",
        "uid": uid or f"uid-{name}",
        "creationTimestamp": created,
        "ownerReferences": owners,
    } | more


def replica_set(
    pod_hash: str, revision: int, count: int, *, image: str = "shop:1", annotations: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return a ReplicaSet of the Rollout with all its pods available."""
    found = metadata(
        f"shop-{pod_hash}",
        owner="uid-shop",
        labels={HASH: pod_hash},
        annotations={REVISION: str(revision), **(annotations or {})},
    )
    return {
        "metadata": found,
        "spec": {"replicas": count, "template": {"spec": {"containers": [{"name": "web", "image": image}]}}},
        "status": {"replicas": count, "availableReplicas": count, "readyReplicas": count},
    }


def pod(name: str, pod_hash: str, *, restarts: int = 0, waiting: str = "", ready: bool = True) -> dict[str, Any]:
    """Return a pod of a ReplicaSet."""
    state = {"waiting": {"reason": waiting}} if waiting else {"running": {}}
    status = {"ready": ready and not waiting, "restartCount": restarts, "state": state}
    return {
        "metadata": metadata(name, owner=f"uid-shop-{pod_hash}", created="2026-01-08T11:55:00Z"),
        "spec": {"containers": [{"name": "web"}]},
        "status": {"phase": "Pending" if waiting else "Running", "containerStatuses": [status]},
    }
