"""Schemas of the built-in kinds, from assets/types.json and a table of list keys.

Owns how lists of built-in types merge: for strategic merge patch and for server-side apply. Must not: validate.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.apiserver.resources import Resource

_TYPES_FILE = Path(__file__).parent / "assets" / "types.json"

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
}
_SETS = frozenset({"V1ObjectMeta.finalizers", "V1NodeSpec.podCIDRs"})
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
_SPECIAL_TYPES = {
    ("", "Event"): "CoreV1Event",
    ("events.k8s.io", "Event"): "EventsV1Event",
}


def type_name(resource: Resource) -> str:
    """Return the name of the type that describes objects of a built-in resource."""
    return _SPECIAL_TYPES.get((resource.group, resource.kind), f"{resource.version.upper()}{resource.kind}")


def read_types() -> dict[str, dict[str, str]]:
    """Return the compact field tables, as they are in the file."""
    found: dict[str, dict[str, str]] = json.loads(_TYPES_FILE.read_text())
    return found


def build_schemas() -> dict[str, dict[str, Any]]:
    """Return a schema for every built-in type; types refer to one another directly, so the result may have cycles."""
    types = read_types()
    schemas: dict[str, dict[str, Any]] = {name: {"type": "object"} for name in types}
    for name, fields in types.items():
        schema = schemas[name]
        schema["properties"] = {field: _field(schemas, f"{name}.{field}", kind.rstrip("!")) for field, kind in fields.items()}
        if name in _ATOMIC_TYPES:
            schema["x-kubernetes-map-type"] = "atomic"
    return schemas


def _field(schemas: Mapping[str, dict[str, Any]], path: str, kind: str) -> Mapping[str, Any]:
    if kind.startswith("{"):
        return {"type": "object", "additionalProperties": _field(schemas, "", kind[1:-1])}
    if kind.startswith("["):
        return {"type": "array", "items": _field(schemas, "", kind[1:-1]), **list_rules(path, kind[1:-1])}
    return _SCALARS.get(kind) or schemas[kind]


def list_rules(path: str, item: str) -> dict[str, Any]:
    """Return the extensions that say how the list at `Type.field` with items of type `item` merges."""
    if path in _SETS:
        return {"x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"}
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
