"""Endpoints and EndpointSlices of Services: which pods answer, which will, which are going.

Owns both objects of Services that have a selector; a Service without one is its maker's business. Must not: do I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from kube.kinds import ENDPOINT_SLICE, ENDPOINTS, SERVICE, ObjectRef
from kube.objects import Object, is_deleting, labels_of, name_of, namespace_of, uid_of, version_of
from kube.plan import Create, Delete, Patch, Plan, Stage, Write
from sandbox.workloads.pods import is_finished, is_ready, owner_reference, short_hash, spec_of, status_of

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
LARGEST_SLICE = 1000

Ports: TypeAlias = tuple[tuple[str, int, str, str], ...]
"""Name, number, protocol and application protocol of each port of a pod."""


def plan(service: Object, *, pods: Sequence[Object], endpoints: Object | None, slices: Sequence[Object]) -> Plan | None:
    """Return the writes that make Endpoints and EndpointSlices tell where the pods of a Service are.

    Args:
        service: the Service.
        pods: the pods of its namespace.
        endpoints: the Endpoints of its name, if there are any.
        slices: the EndpointSlices labelled with its name.
    """
    spec = spec_of(service)
    selector = spec.get("selector")
    if not selector or spec.get("type") == "ExternalName" or is_deleting(service):
        return None
    selected = [pod for pod in pods if selector.items() <= labels_of(pod).items() and _has_address(pod)]
    groups: dict[Ports, list[Object]] = {}
    for pod in sorted(selected, key=name_of):
        ports = ports_of(service, pod)
        if ports or not spec.get("ports"):
            groups.setdefault(ports, []).append(pod)
    writes = [*_endpoints(service, groups, endpoints), *_slices(service, groups, slices)]
    return Plan(stages=(Stage("endpoints", tuple(writes)),)) if writes else Plan()


def ports_of(service: Object, pod: Object) -> Ports:
    """Return where a pod serves each port of a Service; a named target that the pod lacks is left out."""
    found = []
    for port in spec_of(service).get("ports") or ():
        protocol = port.get("protocol") or "TCP"
        number = _target(port.get("targetPort") or port["port"], protocol, pod)
        if number is not None:
            found.append((str(port.get("name") or ""), number, protocol, str(port.get("appProtocol") or "")))
    return tuple(found)


def _target(target: int | str, protocol: str, pod: Object) -> int | None:
    if isinstance(target, int):
        return target
    if target.isdigit():
        return int(target)
    for container in spec_of(pod).get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("name") == target and (port.get("protocol") or "TCP") == protocol:
                return int(port["containerPort"])
    return None


def _has_address(pod: Object) -> bool:
    return bool(status_of(pod).get("podIP")) and not is_finished(pod)


def _counts_as_ready(service: Object, pod: Object) -> bool:
    return bool(spec_of(service).get("publishNotReadyAddresses")) or is_ready(pod)


def _metadata(service: Object, name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": namespace_of(service),
        "labels": {**labels_of(service), **labels},
        "ownerReferences": [owner_reference(service, SERVICE)],
    }


def _target_ref(pod: Object) -> dict[str, str]:
    return {"kind": "Pod", "name": name_of(pod), "namespace": namespace_of(pod), "uid": uid_of(pod)}


def _endpoints(service: Object, groups: Mapping[Ports, Sequence[Object]], known: Object | None) -> Iterable[Write]:
    subsets = [subset for ports, pods in sorted(groups.items()) if (subset := _subset(service, ports, pods))]
    if known is None:
        body: dict[str, Any] = {
            "metadata": _metadata(service, name_of(service), {MANAGED_BY.split("/")[0] + "/managed-by": "endpoint-controller"})
        }
        yield Create(kind=ENDPOINTS, body={**body, **({"subsets": subsets} if subsets else {})})
    elif (known.get("subsets") or []) != subsets:
        ref = ObjectRef(ENDPOINTS, namespace_of(service), name_of(service))
        yield Patch(ref=ref, patch={"subsets": subsets or None}, version=version_of(known))


def _subset(service: Object, ports: Ports, pods: Sequence[Object]) -> dict[str, Any]:
    subset: dict[str, Any] = {}
    for pod in pods:
        if is_deleting(pod) and not spec_of(service).get("publishNotReadyAddresses"):
            continue
        address = {"ip": status_of(pod)["podIP"], "nodeName": spec_of(pod).get("nodeName"), "targetRef": _target_ref(pod)}
        place = "addresses" if _counts_as_ready(service, pod) else "notReadyAddresses"
        subset.setdefault(place, []).append({key: value for key, value in address.items() if value})
    if subset and ports:
        subset["ports"] = [
            {"port": number, "protocol": protocol, **({"name": name} if name else {}), **({"appProtocol": app} if app else {})}
            for name, number, protocol, app in ports
        ]
    return subset


def _slices(service: Object, groups: Mapping[Ports, Sequence[Object]], known: Sequence[Object]) -> Iterable[Write]:
    ours = {name_of(one): one for one in known if labels_of(one).get(MANAGED_BY) == MANAGER and not is_deleting(one)}
    wanted = {}
    for ports, pods in sorted(groups.items() or [((), [])]):
        for start in range(0, max(len(pods), 1), LARGEST_SLICE):
            name = f"{name_of(service)}-{short_hash(uid_of(service), ports, start)}"
            wanted[name] = {
                "ports": _slice_ports(ports),
                "endpoints": [_endpoint(service, pod) for pod in pods[start : start + LARGEST_SLICE]],
            }
    if not groups and ours:
        name = min(ours)
        wanted = {name: {"ports": ours[name].get("ports") or [], "endpoints": []}}
    for name, body in wanted.items():
        if name not in ours:
            labels = {SERVICE_NAME: name_of(service), MANAGED_BY: MANAGER}
            metadata = _metadata(service, name, labels)
            yield Create(kind=ENDPOINT_SLICE, body={"metadata": metadata, "addressType": "IPv4", **body})
        elif body != {"ports": ours[name].get("ports") or [], "endpoints": ours[name].get("endpoints") or []}:
            ref = ObjectRef(ENDPOINT_SLICE, namespace_of(service), name)
            yield Patch(ref=ref, patch=body, version=version_of(ours[name]))
    for name, one in ours.items():
        if name not in wanted:
            yield Delete(ref=ObjectRef(ENDPOINT_SLICE, namespace_of(service), name), uid=uid_of(one))


def _slice_ports(ports: Ports) -> list[dict[str, Any]]:
    return [
        {"name": name, "port": number, "protocol": protocol, **({"appProtocol": app} if app else {})}
        for name, number, protocol, app in ports
    ]


def _endpoint(service: Object, pod: Object) -> dict[str, Any]:
    terminating = is_deleting(pod)
    serving = is_ready(pod)
    publish = bool(spec_of(service).get("publishNotReadyAddresses"))
    endpoint: dict[str, Any] = {
        "addresses": [status_of(pod)["podIP"]],
        "conditions": {"ready": publish or (serving and not terminating), "serving": serving, "terminating": terminating},
        "targetRef": _target_ref(pod),
    }
    if spec_of(pod).get("nodeName"):
        endpoint["nodeName"] = spec_of(pod)["nodeName"]
    return endpoint
