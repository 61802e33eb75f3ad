"""What the API server refuses in Services, Ingresses and EndpointSlices.

Owns those rules, in the words of the real server. Must not: allocate addresses. Pure.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from sandbox.apiserver.failures import FieldError, duplicate, invalid, required, unsupported
from sandbox.apiserver.naming import label_errors, name_errors

Object: TypeAlias = Mapping[str, Any]

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PORT_TEXT = "must be between 1 and 65535, inclusive"


def service_errors(new: Object, old: Object | None) -> list[FieldError]:
    """Return what is wrong with a Service."""
    spec = new["spec"]
    kind, address = spec["type"], spec.get("clusterIP", "")
    errors = [] if kind in _TYPES else [unsupported("spec.type", kind, _TYPES)]
    if kind == "ExternalName" and not spec.get("externalName"):
        errors.append(required("spec.externalName"))
    if not spec.get("ports") and kind != "ExternalName" and address != "None":
        errors.append(required("spec.ports"))
    errors += label_errors("spec.selector", spec.get("selector"))
    if spec.get("sessionAffinity") not in ("None", "ClientIP"):
        errors.append(unsupported("spec.sessionAffinity", spec.get("sessionAffinity"), ("ClientIP", "None")))
    errors += _service_port_errors(spec.get("ports") or ())
    before = ((old or {}).get("spec") or {}).get("clusterIP")
    if before and address and address != before:
        errors.append(invalid("spec.clusterIPs[0]", [address], "may not change once set"))
    elif address not in ("", "None") and not _is_address(address):
        errors.append(invalid("spec.clusterIPs[0]", [address], "must be a valid IP address"))
    return errors


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _service_port_errors(ports: Iterable[Object]) -> Iterable[FieldError]:
    ports = list(ports)
    names: set[str] = set()
    for index, port in enumerate(ports):
        path, name = f"spec.ports[{index}]", port.get("name", "")
        if not name and len(ports) > 1:
            yield required(f"{path}.name")
        elif name:
            yield from name_errors(f"{path}.name", name, label=True)
            if name in names:
                yield duplicate(f"{path}.name", name)
            names.add(name)
        if not 0 < port.get("port", 0) < 65536:
            yield invalid(f"{path}.port", port.get("port", 0), _PORT_TEXT)
        target = port.get("targetPort")
        if isinstance(target, int) and not 0 < target < 65536:
            yield invalid(f"{path}.targetPort", target, _PORT_TEXT)
        if port.get("protocol") not in ("TCP", "UDP", "SCTP"):
            yield unsupported(f"{path}.protocol", port.get("protocol"), ("SCTP", "TCP", "UDP"))


def ingress_errors(new: Object, old: Object | None) -> list[FieldError]:
    """Return what is wrong with an Ingress."""
    spec = new.get("spec") or {}
    errors = []
    if not spec.get("rules") and not spec.get("defaultBackend"):
        errors.append(invalid("spec", [], "either `defaultBackend` or `rules` must be specified"))
    if spec.get("defaultBackend"):
        errors += _backend_errors(spec["defaultBackend"], "spec.defaultBackend")
    for index, rule in enumerate(spec.get("rules") or ()):
        if rule.get("host"):
            errors += name_errors(f"spec.rules[{index}].host", rule["host"].removeprefix("*."))
        http = rule.get("http")
        if http is not None and not http.get("paths"):
            errors.append(required(f"spec.rules[{index}].http.paths"))
        for number, path in enumerate((http or {}).get("paths") or ()):
            errors += _path_errors(path, f"spec.rules[{index}].http.paths[{number}]")
    return errors


def _path_errors(path: Object, where: str) -> Iterable[FieldError]:
    kind = path.get("pathType")
    if not kind:
        yield required(f"{where}.pathType", "pathType must be specified")
    elif kind not in ("Exact", "Prefix", "ImplementationSpecific"):
        yield unsupported(f"{where}.pathType", kind, ("Exact", "ImplementationSpecific", "Prefix"))
    elif kind != "ImplementationSpecific" and not str(path.get("path", "")).startswith("/"):
        yield invalid(f"{where}.path", path.get("path", ""), "must be an absolute path")
    yield from _backend_errors(path.get("backend") or {}, f"{where}.backend")


def _backend_errors(backend: Object, where: str) -> Iterable[FieldError]:
    service = backend.get("service")
    if service is None:
        if not backend.get("resource"):
            yield required(f"{where}", "either a service or a resource backend must be specified")
        return
    if not service.get("name"):
        yield required(f"{where}.service.name")
    port = service.get("port") or {}
    if not port.get("name") and not port.get("number"):
        yield required(f"{where}.service.port", "port name or number is required")


def endpoint_slice_errors(new: Object, old: Object | None) -> list[FieldError]:
    """Return what is wrong with an EndpointSlice."""
    kind = new.get("addressType")
    errors = [] if kind else [required("addressType")]
    if kind and kind not in ("IPv4", "IPv6", "FQDN"):
        errors.append(unsupported("addressType", kind, ("FQDN", "IPv4", "IPv6")))
    for index, endpoint in enumerate(new.get("endpoints") or ()):
        if not endpoint.get("addresses"):
            errors.append(required(f"endpoints[{index}].addresses", "must contain at least 1 address"))
    return errors
