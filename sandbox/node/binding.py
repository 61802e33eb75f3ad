"""Binds pods to a node and says what a node is: the smallest scheduler there can be.

Owns the `Node` object's content and the choice of pods. Must not: run pods.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kube.client import Client
from kube.kinds import Kind
from kube.leases import format_micro_time
from kube.objects import Object, format_time, is_deleting, name_of, namespace_of, uid_of
from sandbox.workloads.pods import is_finished, spec_of

NODE_NAME = "sandbox"
CAPACITY = {"cpu": "64", "memory": "256Gi", "pods": "65000", "ephemeral-storage": "1Ti"}


def wants_binding(pod: Object) -> bool:
    """Tell whether a pod waits for a node; one that names another scheduler or has scheduling gates is left alone."""
    spec = spec_of(pod)
    return (
        not spec.get("nodeName")
        and not is_deleting(pod)
        and not is_finished(pod)
        and not spec.get("schedulingGates")
        and (spec.get("schedulerName") or "default-scheduler") == "default-scheduler"
    )


async def bind(client: Client, pod: Object, node: str) -> None:
    """Bind a pod to a node.

    Raises:
        ApiError: Conflict when somebody else bound it first.
    """
    target = {"apiVersion": "v1", "kind": "Node", "name": node}
    metadata = {"name": name_of(pod), "namespace": namespace_of(pod), "uid": uid_of(pod)}
    subresource = Kind("", "v1", "Binding", f"pods/{name_of(pod)}/binding")
    await client.create(subresource, {"metadata": metadata, "target": target})


def node_object(name: str) -> dict[str, Any]:
    """Return the node as it is created."""
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/region": "sandbox",
        "topology.kubernetes.io/zone": "sandbox",
    }
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}, "spec": {}}


def node_lease(name: str, *, now: datetime) -> dict[str, Any]:
    """Return the lease by which the node shows that it lives."""
    spec = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": format_micro_time(now)}
    metadata = {"name": name, "namespace": "kube-node-lease"}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


def node_status(*, ready: bool, address: str, log_port: int, now: datetime) -> dict[str, Any]:
    """Return the status of the node; `log_port` 0 means that it has no logs to serve."""
    condition = {
        "type": "Ready",
        "status": "True" if ready else "False",
        "reason": "KubeletReady" if ready else "NodeAgentStopped",
        "message": "the node agent is running" if ready else "the node agent was stopped",
        "lastHeartbeatTime": format_time(now),
        "lastTransitionTime": format_time(now),
    }
    status = {
        "capacity": CAPACITY,
        "allocatable": CAPACITY,
        "conditions": [condition],
        "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": "localhost"}],
        "nodeInfo": {"operatingSystem": "linux", "architecture": "amd64", "kubeletVersion": "v1.34.0-sandbox"},
    }
    return {**status, **({"daemonEndpoints": {"kubeletEndpoint": {"Port": log_port}}} if log_port else {})}
