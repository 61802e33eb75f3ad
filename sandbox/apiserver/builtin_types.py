"""Schemas of the built-in kinds, from assets/types.json, assets/presence.json and a table of list keys.

Owns how lists of built-in types merge: for strategic merge patch and for server-side apply. Must not: validate.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.apiserver.golang import GO_NAME, GO_TYPES
from sandbox.apiserver.presence import ALWAYS, DROP
from sandbox.apiserver.resources import Resource

_ASSETS = Path(__file__).parent / "assets"

# field -> (merge key of strategic merge patch, keys of server-side apply); both by the name of the owning type
_MAPS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "V1PodSpec.containers": ("name", ("name",)),
    "V1PodSpec.initContainers": ("name", ("name",)),
    "V1PodSpec.ephemeralContainers": ("name", ("name",)),
    "V1PodSpec.volumes": ("name", ("name",)),
    "V1PodSpec.imagePullSecrets": ("name", ("name",)),
    "V1PodSpec.hostAliases": ("ip", ("ip",)),
    "V1PodSpec.schedulingGates": ("name", ("name",)),
    "V1PodSpec.resourceClaims": ("name", ("name",)),
    "V1PodSpec.topologySpreadConstraints": ("topologyKey", ("topologyKey", "whenUnsatisfiable")),
    "V1Container.ports": ("containerPort", ("containerPort", "protocol")),
    "V1Container.env": ("name", ("name",)),
    "V1Container.volumeMounts": ("mountPath", ("mountPath",)),
    "V1Container.volumeDevices": ("devicePath", ("devicePath",)),
    "V1EphemeralContainer.ports": ("containerPort", ("containerPort", "protocol")),
    "V1EphemeralContainer.env": ("name", ("name",)),
    "V1EphemeralContainer.volumeMounts": ("mountPath", ("mountPath",)),
    "V1ServiceSpec.ports": ("port", ("port", "protocol")),
    "V1ServiceAccount.secrets": ("name", ("name",)),
    "V1ObjectMeta.ownerReferences": ("uid", ("uid",)),
    "V1PodStatus.podIPs": ("ip", ("ip",)),
    "V1NodeStatus.addresses": ("type", ("type",)),
    "V1ValidatingWebhookConfiguration.webhooks": ("name", ("name",)),
    "V1MutatingWebhookConfiguration.webhooks": ("name", ("name",)),
    "V1ValidatingWebhook.matchConditions": ("name", ("name",)),
    "V1MutatingWebhook.matchConditions": ("name", ("name",)),
    "V1EphemeralContainer.volumeDevices": ("devicePath", ("devicePath",)),
    "V1ContainerStatus.volumeMounts": ("mountPath", ("mountPath",)),
    "V1ContainerStatus.allocatedResourcesStatus": ("name", ("name",)),
    "V1PodStatus.resourceClaimStatuses": ("name", ("name",)),
}
_PATCHED_ONLY = {"V1JobStatus.conditions": "type", "V1PodStatus.hostIPs": "ip"}
"""Lists that a strategic merge patch merges, and that have one owner as a whole."""
_SETS = frozenset({"V1ObjectMeta.finalizers", "V1NodeSpec.podCIDRs"})
_PLAIN_SETS = frozenset(
    {
        "V1Endpoint.addresses",
        "V1UncountedTerminatedPods.failed",
        "V1UncountedTerminatedPods.succeeded",
        "V1PodFailurePolicyOnExitCodesRequirement.values",
        "V1ContainerRestartRuleOnExitCodes.values",
    }
)
"""Sets that a strategic merge patch replaces."""
_EMPTY_STRUCTURES = frozenset({"V1CustomResourceSubresources.status"})
_ATOMIC_MAPS = frozenset({"V1PodSpec.nodeSelector", "V1ServiceSpec.selector"})
_ATOMIC_TYPES = frozenset(
    {
        "V1LabelSelector",
        "V1LocalObjectReference",
        "V1ObjectReference",
        "V1SecretKeySelector",
        "V1ConfigMapKeySelector",
        "V1NodeSelector",
        "V1NodeSelectorTerm",
        "V1TypedLocalObjectReference",
        "V1ResourceFieldSelector",
        "V1ObjectFieldSelector",
        "V1SecretReference",
        "V1ServiceBackendPort",
        "V1RoleRef",
        "V1EndpointAddress",
        "CoreV1EndpointPort",
        "V1ScopeSelector",
        "V1OwnerReference",
        "V1FileKeySelector",
        "V1CrossVersionObjectReference",
        "V1TopologySelectorTerm",
        "DiscoveryV1EndpointPort",
        "RbacV1Subject",
    }
)
_SCALARS: Mapping[str, Mapping[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "num": {"type": "number"},
    "bool": {"type": "boolean"},
    "time": {"type": "string", "format": "date-time"},
    "intstr": {"x-kubernetes-int-or-string": True},
    "qty": {"x-quantity": True},
    "any": {"x-kubernetes-preserve-unknown-fields": True},
}
_GO_SCALARS: Mapping[str, str] = {
    "str": "string",
    "int": "int32",
    "num": "float64",
    "bool": "bool",
    "time": "v1.Time",
    "intstr": "intstr.IntOrString",
    "qty": "resource.Quantity",
}
_SPECIAL_TYPES = {
    ("", "Event"): "CoreV1Event",
    ("events.k8s.io", "Event"): "EventsV1Event",
}


def type_name(resource: Resource) -> str:
    """Return the name of the type that describes objects of a built-in resource."""
    return _SPECIAL_TYPES.get((resource.group, resource.kind), f"{resource.version.upper()}{resource.kind}")


def read_types() -> dict[str, dict[str, str]]:
    """Return the compact field tables, as they are in the file."""
    found: dict[str, dict[str, str]] = json.loads((_ASSETS / "types.json").read_text())
    return found


def build_schemas() -> dict[str, dict[str, Any]]:
    """Return a schema for every built-in type; types refer to one another directly, so the result may have cycles."""
    types = read_types()
    presence: Mapping[str, Mapping[str, Any]] = json.loads((_ASSETS / "presence.json").read_text())
    schemas: dict[str, dict[str, Any]] = {name: {"type": "object"} for name in types}
    for name, fields in types.items():
        schema = schemas[name]
        schema["properties"] = {field: _field(schemas, f"{name}.{field}", kind.rstrip("!")) for field, kind in fields.items()}
        if name in _ATOMIC_TYPES:
            schema["x-kubernetes-map-type"] = "atomic"
        if name in presence:
            schema[ALWAYS] = presence[name].get("always", {})
            schema[DROP] = frozenset(presence[name].get("drop", ()))
        schema[GO_NAME] = _go_name(name).rpartition(".")[2]
        schema[GO_TYPES] = {
            **{field: go_type(kind.rstrip("!")) for field, kind in fields.items()},
            **presence.get(name, {}).get("type", {}),
        }
    return schemas


def _go_name(name: str) -> str:
    """Return what Go calls a type: `v1.PodSpec`."""
    found = re.fullmatch(
        r"(?:Core|Events|Discovery|Rbac|Admissionregistration|Apiextensions|Apiregistration)?V(\d[a-z0-9]*)(\w+)", name
    )
    return f"v{found[1]}.{found[2]}" if found else name


def go_type(kind: str) -> str:
    """Return what Go calls the type of a field, as far as types.json tells."""
    if kind.startswith("["):
        return f"[]{go_type(kind[1:-1])}"
    return f"map[string]{go_type(kind[1:-1])}" if kind.startswith("{") else _GO_SCALARS.get(kind) or _go_name(kind)


def _field(schemas: Mapping[str, dict[str, Any]], path: str, kind: str) -> Mapping[str, Any]:
    if path in _EMPTY_STRUCTURES:
        return {"type": "object"}
    if kind.startswith("{"):
        found = {"type": "object", "additionalProperties": _field(schemas, "", kind[1:-1])}
        return {**found, "x-kubernetes-map-type": "atomic"} if path in _ATOMIC_MAPS else found
    if kind.startswith("["):
        return {"type": "array", "items": _field(schemas, "", kind[1:-1]), **list_rules(path, kind[1:-1])}
    return _SCALARS.get(kind) or schemas[kind]


def list_rules(path: str, item: str) -> dict[str, Any]:
    """Return the extensions that say how the list at `Type.field` with items of type `item` merges."""
    if path in _SETS:
        return {"x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"}
    if path in _PLAIN_SETS:
        return {"x-kubernetes-list-type": "set"}
    if path in _PATCHED_ONLY:
        merged = {"x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": _PATCHED_ONLY[path]}
        return {"x-kubernetes-list-type": "atomic", **merged}
    found = _MAPS.get(path)
    if found is None and path.endswith(".conditions") and item.endswith("Condition"):
        found = ("type", ("type",))
    if found is None:
        return {"x-kubernetes-list-type": "atomic"}
    return {
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": list(found[1]),
        "x-kubernetes-patch-strategy": "merge",
        "x-kubernetes-patch-merge-key": found[0],
    }
