"""Writes types.json: the fields of the built-in kinds and their types, read off the models of the `kubernetes` package.

Run `python -m sandbox.apiserver.assets.generate` after an upgrade of that package. Owns the compact format: a type maps field
names to `str int num bool time any intstr qty`, `[T]` for lists, `{T}` for maps or the name of another type, with `!` behind
what is required. Must not: be imported by the server.
"""

from __future__ import annotations

import json
import types
import typing
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel

_ROOTS = {
    "": "Namespace Node Pod Service Endpoints Secret ConfigMap CoreV1Event ServiceAccount PersistentVolumeClaim PersistentVolume "
    "ResourceQuota LimitRange "
    "Deployment ReplicaSet StatefulSet DaemonSet ControllerRevision Job CronJob PodDisruptionBudget Ingress "
    "IngressClass NetworkPolicy EndpointSlice Lease EventsV1Event Role RoleBinding ClusterRole ClusterRoleBinding StorageClass "
    "PriorityClass ValidatingWebhookConfiguration MutatingWebhookConfiguration APIService CustomResourceDefinition "
    "SelfSubjectAccessReview SubjectAccessReview SelfSubjectRulesReview TokenReview SelfSubjectReview Scale Eviction "
    "HorizontalPodAutoscaler",
    "V2": "HorizontalPodAutoscaler",
}
_QUANTITY_MAPS = {
    "limits",
    "requests",
    "capacity",
    "allocatable",
    "overhead",
    "hard",
    "used",
    "default",
    "defaultRequest",
    "max",
    "min",
    "maxLimitRequestRatio",
    "allocatedResources",
    "stringData",
}
_QUANTITIES = {"sizeLimit", "averageValue", "divisor"}


def _type(annotation: Any, seen: dict[str, type[BaseModel]]) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type(arguments[0], seen)
    if origin in (typing.Union, types.UnionType):
        kinds = [_type(one, seen) for one in arguments if one is not type(None)]
        return kinds[0] if len(kinds) == 1 else "intstr" if set(kinds) == {"int", "str"} else "any"
    if origin is list:
        return f"[{_type(arguments[0], seen)}]"
    if origin is dict:
        return f"{{{_type(arguments[1], seen)}}}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        seen[annotation.__name__] = annotation
        return annotation.__name__
    plain = {str: "str", int: "int", float: "num", bool: "bool", datetime: "time"}
    return plain.get(annotation, "any")


def _fields(model: type[BaseModel], seen: dict[str, type[BaseModel]]) -> dict[str, str]:
    hints = typing.get_type_hints(model, include_extras=True)
    fields: dict[str, str] = {}
    for name, field in model.model_fields.items():
        wire = field.serialization_alias or field.alias or name
        kind = _type(hints[name], seen)
        if kind == "{str}" and wire in _QUANTITY_MAPS:
            kind = "{qty}"
        if kind == "str" and wire in _QUANTITIES:
            kind = "qty"
        fields[wire] = kind + ("!" if field.is_required() else "")
    return fields


def main() -> None:
    """Write the file."""
    from kubernetes.client import models

    due = {}
    for prefix, names in _ROOTS.items():
        for name in names.split():
            full = name if name.startswith(("Core", "Events")) else f"{prefix or 'V1'}{name}"
            due[full] = getattr(models, full)
    done: dict[str, dict[str, str]] = {}
    while due:
        name, model = due.popitem()
        if name not in done:
            done[name] = _fields(model, due)
    path = Path(__file__).with_name("types.json")
    lines = [f"{json.dumps(name)}:{json.dumps(fields, separators=(',', ':'))}" for name, fields in sorted(done.items())]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
