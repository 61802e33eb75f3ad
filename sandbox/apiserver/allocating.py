"""What new objects get from the cluster: Service addresses and node ports, selectors of Jobs.

Owns the loopback range that Services live in. Must not: proxy; a gateway does.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from sandbox.apiserver.core import Core
from sandbox.apiserver.defaults_pods import admit_pod, fill, quality_of
from sandbox.apiserver.resources import Body

_JOB_LABELS = ("controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name")
_NODE_PORTS = range(30000, 32768)


def prepare_service(core: Core, new: Body, old: Mapping[str, Any] | None) -> None:
    """Give a Service its own loopback address and, where its type has them, node ports."""
    spec = new["spec"]
    before = (old or {}).get("spec") or {}
    if spec["type"] == "ExternalName":
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            spec.pop(name, None)
        return
    address = spec.get("clusterIP") or next(iter(spec.get("clusterIPs") or ()), "")
    if not address and before.get("type") != "ExternalName":
        address = before.get("clusterIP") or ""
    spec["clusterIP"] = address or _free_address(core)
    spec["clusterIPs"] = [spec["clusterIP"]]
    fill(spec, ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        _give_node_ports(core, spec, before)
    elif before and before.get("type") in ("NodePort", "LoadBalancer"):
        for port in spec.get("ports") or ():
            port.pop("nodePort", None)
        for name in ("externalTrafficPolicy", "allocateLoadBalancerNodePorts"):
            spec.pop(name, None)


def _specs(core: Core) -> list[Mapping[str, Any]]:
    return [stored.body["spec"] for stored in core.storage.current("services").values()]


def _free_address(core: Core) -> str:
    used = {spec.get("clusterIP") for spec in _specs(core)}
    first = ipaddress.ip_network(core.service_network).network_address
    for number in range(10, 65534):
        address = str(first + number)
        if number % 256 not in (0, 255) and address not in used:
            return address
    return "None"


def _give_node_ports(core: Core, spec: Body, before: Mapping[str, Any]) -> None:
    known = {(port.get("name"), port["port"]): port.get("nodePort") for port in before.get("ports") or ()}
    used = {port.get("nodePort") for other in _specs(core) for port in other.get("ports") or ()}
    for port in spec.get("ports") or ():
        kept = known.get((port.get("name"), port.get("port")))
        if not port.get("nodePort"):
            port["nodePort"] = kept or next(number for number in _NODE_PORTS if number not in used)
        used.add(port["nodePort"])


def prepare_definition(core: Core, new: Body, old: Mapping[str, Any] | None) -> None:
    """Note in a new definition which version is stored."""
    if old is None:
        new["status"]["storedVersions"] = [
            version["name"] for version in new["spec"].get("versions") or () if version.get("storage")
        ]


def prepare_namespace(core: Core, new: Body, old: Mapping[str, Any] | None) -> None:
    """Let a new namespace wait for its content when it is deleted."""
    if old is None:
        fill(new["spec"], finalizers=["kubernetes"])


def prepare_pod(core: Core, new: Body, old: Mapping[str, Any] | None) -> None:
    """Give a new pod what admission adds, and the status it starts with."""
    if old is None:
        admit_pod(new)
        new["status"] = {"phase": "Pending", "qosClass": quality_of(new["spec"])}


def prepare_job(core: Core, new: Body, old: Mapping[str, Any] | None) -> None:
    """Give a Job the selector and the labels by which its pods are found."""
    spec = new["spec"]
    if old is not None:
        fill(spec, selector=old["spec"].get("selector"))
        return
    if spec.get("manualSelector"):
        return
    uid, name = new["metadata"]["uid"], new["metadata"]["name"]
    labels = spec["template"]["metadata"].setdefault("labels", {})
    labels |= {"controller-uid": uid, "batch.kubernetes.io/controller-uid": uid}
    labels |= {"job-name": name, "batch.kubernetes.io/job-name": name}
    if new["metadata"].get("labels"):  # the labels of a Job that was given none are those of its template
        given = {key: value for key, value in labels.items() if key not in _JOB_LABELS}
        if new["metadata"]["labels"] == given:
            new["metadata"]["labels"] = dict(labels)
    spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
