"""What each component of a sandbox may do on a real API server, as ClusterRoles and their bindings.

Pure data. Must not: grant anything that its component does not use, or say what the controller may: its manifests do (account.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from kube.kinds import Kind
from kube.objects import Object

Rule: TypeAlias = tuple[str, str, str]
"""API groups, resources and verbs, each as words; `core` is the group without a name."""

CLUSTER_ROLE = Kind("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", namespaced=False)
CLUSTER_ROLE_BINDING = Kind("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False)
ROLE = Kind("rbac.authorization.k8s.io", "v1", "Role", "roles")
ROLE_BINDING = Kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings")
PREFIX = "sandbox:"
READ = "get list watch"
_EVENTS: tuple[Rule, ...] = (("core events.k8s.io", "events", "create patch"),)

ROLES: Mapping[str, Sequence[Rule]] = {
    "node": (
        ("core", "pods", f"{READ} delete"),
        ("core", "pods/binding", "create"),
        ("core", "pods/status", "get patch update"),
        ("core", "nodes", "get create"),
        ("core", "nodes/status", "patch"),
        ("core", "configmaps secrets", READ),
        ("coordination.k8s.io", "leases", "get create patch"),
        *_EVENTS,
    ),
    "gateway": (
        ("core", "pods", READ),
        ("core", "services", f"{READ} create patch"),
        ("core", "namespaces", "create"),
        ("discovery.k8s.io", "endpointslices", f"{READ} create patch"),
        ("networking.k8s.io", "ingresses", READ),
        ("networking.k8s.io", "ingresses/status", "patch"),
        ("networking.istio.io", "virtualservices destinationrules gateways", READ),
        ("apiextensions.k8s.io", "customresourcedefinitions", READ),
    ),
}
WORKLOADS: Sequence[Rule] = (("*", "*", f"{READ} create update patch delete"),)
"""For the node agent where it stands in for the controller manager: its garbage collector deletes objects of every kind."""


def permissions(*, workloads: bool) -> Iterable[tuple[Kind, Object]]:
    """Return the roles and bindings; with `workloads` the node agent may do what a controller manager does."""
    for user, rules in ROLES.items():
        granted = [*rules, *(WORKLOADS if workloads and user == "node" else ())]
        yield from _granted(user, [_rule(*rule) for rule in granted])


def _granted(user: str, rules: Sequence[Mapping[str, Any]]) -> Iterable[tuple[Kind, Object]]:
    api, metadata = "rbac.authorization.k8s.io", {"name": f"{PREFIX}{user}"}
    yield CLUSTER_ROLE, {"apiVersion": f"{api}/v1", "kind": "ClusterRole", "metadata": metadata, "rules": list(rules)}
    yield (
        CLUSTER_ROLE_BINDING,
        {
            "apiVersion": f"{api}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": metadata["name"]},
            "subjects": [{"apiGroup": api, "kind": "User", "name": user}],
        },
    )


def _rule(groups: str, resources: str, verbs: str) -> dict[str, list[str]]:
    names = ["" if group == "core" else group for group in groups.split()]
    return {"apiGroups": names, "resources": resources.split(), "verbs": verbs.split()}
