"""The environment, command and arguments of a container, from its spec and what it refers to.

Owns `env`, `envFrom` and `$(NAME)` expansion. Must not: fetch anything: ConfigMaps and Secrets are arguments.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from kube.objects import Object, annotations_of, labels_of, name_of, namespace_of, uid_of
from sandbox.node.errors import BadConfig
from sandbox.workloads.pods import spec_of

Find: TypeAlias = Callable[[str, str], Object | None]
"""Returns a `ConfigMap` or `Secret` of the pod's namespace by kind and name, or None."""

_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_.\-][\w.\-]*)\)")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


def environment_of(pod: Object, container: Mapping[str, Any], *, address: str, host_address: str, find: Find) -> dict[str, str]:
    """Return the variables a container asks for.

    Raises:
        BadConfig: it refers to something that is not there and is not optional.
    """
    found: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        found.update(_all_of(source, find))
    for variable in container.get("env") or ():
        if variable.get("valueFrom"):
            value = _value_from(variable["valueFrom"], pod, addresses=(address, host_address), find=find)
            if value is None:
                continue
        else:
            value = expand(str(variable.get("value") or ""), found)
        found[variable["name"]] = value
    return found


def expand(text: str, known: Mapping[str, str]) -> str:
    """Replace `$(NAME)`; an unknown name stays as it is, `$$` is a dollar.

    >>> expand("http://$(HOST):$(PORT)/$$(HOST)", {"HOST": "web"})
    'http://web:$(PORT)/$(HOST)'
    """
    return _REFERENCE.sub(lambda match: "$" if match[0] == "$$" else known.get(match[1], match[0]), text)


def command_of(container: Mapping[str, Any], environment: Mapping[str, str]) -> list[str]:
    """Return command and arguments, expanded; empty when the image's own are to be run."""
    words = [*(container.get("command") or ()), *(container.get("args") or ())]
    return [expand(str(word), environment) for word in words]


def config_data(obj: Object) -> dict[str, bytes]:
    """Return the files of a ConfigMap or Secret."""
    if obj.get("kind") == "Secret":
        return {key: base64.b64decode(value) for key, value in (obj.get("data") or {}).items()}
    plain = {key: str(value).encode() for key, value in (obj.get("data") or {}).items()}
    return {**plain, **{key: base64.b64decode(value) for key, value in (obj.get("binaryData") or {}).items()}}


def _all_of(source: Mapping[str, Any], find: Find) -> dict[str, str]:
    for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
        reference = source.get(field)
        if reference:
            obj = _needed(kind, reference, find)
            prefix = source.get("prefix") or ""
            return {prefix + key: value.decode() for key, value in config_data(obj).items()} if obj else {}
    return {}


def _needed(kind: str, reference: Mapping[str, Any], find: Find) -> Object | None:
    obj = find(kind, reference["name"])
    if obj is None and not reference.get("optional"):
        raise BadConfig(f'{kind.lower()} "{reference["name"]}" not found')
    return obj


def _value_from(source: Mapping[str, Any], pod: Object, *, addresses: Sequence[str], find: Find) -> str | None:
    if source.get("fieldRef"):
        return _field(pod, str(source["fieldRef"]["fieldPath"]), addresses)
    for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        reference = source.get(field)
        if not reference:
            continue
        obj = _needed(kind, reference, find)
        data = config_data(obj) if obj is not None else {}
        if reference["key"] in data:
            return data[reference["key"]].decode()
        if reference.get("optional"):
            return None
        raise BadConfig(f"couldn't find key {reference['key']} in {kind} {namespace_of(pod)}/{reference['name']}")
    if source.get("resourceFieldRef"):
        return _resource(pod, source["resourceFieldRef"])
    raise BadConfig(f"the sandbox does not know valueFrom.{next(iter(source), '')}; use fieldRef, configMapKeyRef or secretKeyRef")


def _field(pod: Object, path: str, addresses: Sequence[str]) -> str:
    subscript = _SUBSCRIPT.fullmatch(path)
    if subscript:
        values = labels_of(pod) if subscript[1] == "labels" else annotations_of(pod)
        return values.get(subscript[2], "")
    fields = {
        "metadata.name": name_of(pod),
        "metadata.namespace": namespace_of(pod),
        "metadata.uid": uid_of(pod),
        "spec.nodeName": str(spec_of(pod).get("nodeName") or ""),
        "spec.serviceAccountName": str(spec_of(pod).get("serviceAccountName") or "default"),
        "status.podIP": addresses[0],
        "status.podIPs": addresses[0],
        "status.hostIP": addresses[1],
        "status.hostIPs": addresses[1],
    }
    if path not in fields:
        raise BadConfig(f"fieldPath {path} is not one of {', '.join(fields)}, metadata.labels['...'], metadata.annotations['...']")
    return fields[path]


def _resource(pod: Object, reference: Mapping[str, Any]) -> str:
    containers = spec_of(pod).get("containers") or ()
    named = next((one for one in containers if one["name"] == reference.get("containerName")), containers[0] if containers else {})
    kind, _, resource = str(reference["resource"]).partition(".")
    return str(((named.get("resources") or {}).get(kind) or {}).get(resource, "0"))
