"""The pods of Services that no EndpointSlice tells of, found by the Services' selectors.

Real API servers refuse loopback addresses in EndpointSlices; the addresses of this sandbox's pods are such. Where slices tell
of pods they are believed. Pure. Must not: know Envoy, or write slices anywhere.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from kube.objects import Key, Object, is_deleting, key_of, labels_of, name_of, namespace_of
from sandbox.gateway.catalog import SERVICE_NAME, is_address
from sandbox.gateway.world import UNREADABLE, spec_of
from sandbox.workloads.endpoints import Ports, ports_of
from sandbox.workloads.pods import is_finished, is_ready, status_of


def with_selected(slices: Sequence[Object], *, services: Iterable[Object], pods: Iterable[Object]) -> tuple[Object, ...]:
    """Return the slices, and further ones for every Service with a selector whose own tell of no pod at all."""
    told = {_service_of(piece) for piece in slices if piece.get("endpoints")}
    by_namespace: Mapping[str, list[Object]] = defaultdict(list)
    for pod in pods:
        if _on_loopback(pod):
            by_namespace[namespace_of(pod)].append(pod)
    found = list(slices)
    for service in services:
        if key_of(service) not in told and by_namespace.get(namespace_of(service)):
            try:
                found.extend(_slices(service, by_namespace[namespace_of(service)]))
            except UNREADABLE:
                continue  # whoever reads the Service next says what is wrong with it
    return tuple(found)


def _service_of(piece: Object) -> Key:
    return namespace_of(piece), str(labels_of(piece).get(SERVICE_NAME))


def _on_loopback(pod: Object) -> bool:
    address = str(status_of(pod).get("podIP") or "")
    return is_address(address) and ipaddress.ip_address(address).is_loopback and not is_finished(pod)


def _slices(service: Object, pods: Sequence[Object]) -> Iterator[Object]:
    selector = spec_of(service).get("selector")
    if not selector or spec_of(service).get("type") == "ExternalName":
        return
    groups: dict[Ports, list[Object]] = {}
    for pod in pods:
        if selector.items() <= labels_of(pod).items() and (ports := ports_of(service, pod)):
            groups.setdefault(ports, []).append(pod)
    for ports, members in groups.items():
        yield {
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{name_of(service)}-selected",
                "namespace": namespace_of(service),
                "labels": {SERVICE_NAME: name_of(service)},
            },
            "addressType": "IPv4",
            "ports": [{"name": name, "port": number, "protocol": protocol} for name, number, protocol, _ in ports],
            "endpoints": [_endpoint(service, pod) for pod in members],
        }


def _endpoint(service: Object, pod: Object) -> dict[str, Any]:
    serving, terminating = is_ready(pod), is_deleting(pod)
    published = bool(spec_of(service).get("publishNotReadyAddresses"))
    return {
        "addresses": [status_of(pod)["podIP"]],
        "conditions": {"ready": published or (serving and not terminating), "serving": serving, "terminating": terminating},
        "targetRef": {"kind": "Pod", "name": name_of(pod), "namespace": namespace_of(pod)},
    }
