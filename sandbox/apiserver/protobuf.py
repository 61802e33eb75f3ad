"""Bodies in the Kubernetes protobuf form, which `kubectl create namespace` and its siblings send.

Owns the wire format and the field numbers of what those commands send. Anything else is refused by name. Must not: encode; answers
are JSON, which every client takes.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.apiserver import failures

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"

# type -> fields as `number:name=type`; types are str, int, bool, bytes, intstr, `{str}` for maps, `{bytes}`, another table,
# `*` marks a repeated field, `?` an optional scalar that counts even when it is zero, `-` one that is always left out
_TABLES: Mapping[str, str] = {
    "Meta": "1:name=str 2:generateName=str 3:namespace=str 4:selfLink=- 5:uid=- 6:resourceVersion=str 7:generation=- 8:creationTimestamp=- "
    "11:labels={str} 12:annotations={str} 14:finalizers=*str 17:managedFields=-",
    "Namespace": "1:metadata=Meta 2:spec=NamespaceSpec 3:status=-",
    "NamespaceSpec": "1:finalizers=*str",
    "ConfigMap": "1:metadata=Meta 2:data={str} 3:binaryData={bytes} 4:immutable=?bool",
    "Secret": "1:metadata=Meta 2:data={bytes} 3:type=str 4:stringData={str} 5:immutable=?bool",
    "ServiceAccount": "1:metadata=Meta 4:automountServiceAccountToken=?bool",
    "Deployment": "1:metadata=Meta 2:spec=DeploymentSpec 3:status=-",
    "DeploymentSpec": "1:replicas=?int 2:selector=Selector 3:template=Template 4:strategy=- 5:minReadySeconds=int 6:revisionHistoryLimit=?int "
    "7:paused=bool 9:progressDeadlineSeconds=?int",
    "Selector": "1:matchLabels={str} 2:matchExpressions=*Expression",
    "Expression": "1:key=str 2:operator=str 3:values=*str",
    "Template": "1:metadata=Meta 2:spec=PodSpec",
    "Pod": "1:metadata=Meta 2:spec=PodSpec 3:status=-",
    "PodSpec": "2:containers=*Container 3:restartPolicy=str 4:terminationGracePeriodSeconds=?int 6:dnsPolicy=str 7:nodeSelector={str} "
    "8:serviceAccountName=str 9:serviceAccount=str 10:nodeName=str 11:hostNetwork=bool 12:hostPID=bool 13:hostIPC=bool 16:hostname=str "
    "17:subdomain=str 19:schedulerName=str 20:initContainers=*Container 24:priorityClassName=str",
    "Container": "1:name=str 2:image=str 3:command=*str 4:args=*str 5:workingDir=str 6:ports=*ContainerPort 7:env=*EnvVar 8:resources=- "
    "13:terminationMessagePath=str 14:imagePullPolicy=str 16:stdin=bool 17:stdinOnce=bool 18:tty=bool 20:terminationMessagePolicy=str",
    "ContainerPort": "1:name=str 2:hostPort=int 3:containerPort=int 4:protocol=str 5:hostIP=str",
    "EnvVar": "1:name=str 2:value=str",
    "Service": "1:metadata=Meta 2:spec=ServiceSpec 3:status=-",
    "ServiceSpec": "1:ports=*ServicePort 2:selector={str} 3:clusterIP=str 4:type=str 5:externalIPs=*str 7:sessionAffinity=str "
    "8:loadBalancerIP=str 10:externalName=str 11:externalTrafficPolicy=str 12:healthCheckNodePort=int 13:publishNotReadyAddresses=bool",
    "ServicePort": "1:name=str 2:protocol=str 3:port=int 4:targetPort=intstr 5:nodePort=int",
    "Job": "1:metadata=Meta 2:spec=JobSpec 3:status=-",
    "JobSpec": "1:parallelism=?int 2:completions=?int 3:activeDeadlineSeconds=?int 4:selector=Selector 5:manualSelector=?bool "
    "6:template=Template 7:backoffLimit=?int 8:ttlSecondsAfterFinished=?int",
    "Role": "1:metadata=Meta 2:rules=*Rule",
    "ClusterRole": "1:metadata=Meta 2:rules=*Rule",
    "Rule": "1:verbs=*str 2:apiGroups=*str 3:resources=*str 4:resourceNames=*str 5:nonResourceURLs=*str",
    "RoleBinding": "1:metadata=Meta 2:subjects=*Subject 3:roleRef=RoleRef",
    "ClusterRoleBinding": "1:metadata=Meta 2:subjects=*Subject 3:roleRef=RoleRef",
    "Subject": "1:kind=str 2:apiGroup=str 3:name=str 4:namespace=str",
    "RoleRef": "1:apiGroup=str 2:kind=str 3:name=str",
    "PodDisruptionBudget": "1:metadata=Meta 2:spec=BudgetSpec 3:status=-",
    "BudgetSpec": "1:minAvailable=intstr 2:selector=Selector 3:maxUnavailable=intstr",
    "Eviction": "1:metadata=Meta 2:deleteOptions=DeleteOptions",
    "DeleteOptions": "1:gracePeriodSeconds=?int 2:preconditions=Preconditions 3:orphanDependents=?bool 4:propagationPolicy=str 5:dryRun=*str",
    "Preconditions": "1:uid=str 2:resourceVersion=str",
    "SelfSubjectAccessReview": "1:metadata=Meta 2:spec=AccessSpec 3:status=-",
    "AccessSpec": "1:resourceAttributes=ResourceAttributes 2:nonResourceAttributes=NonResourceAttributes",
    "ResourceAttributes": "1:namespace=str 2:verb=str 3:group=str 4:version=str 5:resource=str 6:subresource=str 7:name=str",
    "NonResourceAttributes": "1:path=str 2:verb=str",
    "SelfSubjectRulesReview": "1:metadata=Meta 2:spec=RulesSpec 3:status=-",
    "RulesSpec": "1:namespace=str",
    "SelfSubjectReview": "1:metadata=Meta 2:status=-",
}  # fmt: skip


def decode_protobuf(data: bytes) -> dict[str, Any]:
    """Return the object that a protobuf body holds.

    Raises:
        Refusal: 415 when it holds a kind or a field outside the tables, 400 when it is damaged.
    """
    if not data.startswith(_MAGIC):
        raise failures.bad_request("the object provided is unrecognized: the protobuf body has no k8s prefix")
    try:
        envelope = dict(_wire(data[len(_MAGIC) :]))
        about = dict(_wire(envelope[1]))
        kind = about[2].decode()
        if kind not in _TABLES:
            raise _unknown(kind)
        return {"apiVersion": about[1].decode(), "kind": kind, **_message(kind, envelope.get(2, b""))}
    except (IndexError, KeyError, ValueError, AttributeError) as error:
        raise failures.bad_request(f"the object provided is unrecognized: damaged protobuf ({error})") from None


def _unknown(what: str) -> failures.Refusal:
    return failures.Refusal(
        415, "UnsupportedMediaType", f"{what} is not read from protobuf by this API server; send JSON, as `kubectl apply -f` does"
    )


def _wire(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield field numbers with integers or bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        match tag & 7:
            case 0:
                value, at = _varint(data, at)
                yield tag >> 3, value
            case 2:
                size, at = _varint(data, at)
                if at + size > len(data):
                    raise ValueError("a field ends after the body")
                yield tag >> 3, data[at : at + size]
                at += size
            case other:
                raise ValueError(f"wire type {other}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return (value - (1 << 64) if value >> 63 else value), at


def _fields(table: str) -> Mapping[int, tuple[str, str]]:
    rows = (row.partition(":") for row in _TABLES[table].split())
    return {int(number): tuple(rest.split("=", 1)) for number, _, rest in rows}  # type: ignore[misc]


def _message(table: str, data: bytes) -> dict[str, Any]:
    fields, found = _fields(table), dict[str, Any]()
    for number, raw in _wire(data):
        if number not in fields:
            if raw in (b"", 0):
                continue
            raise _unknown(f"field {number} of {table}")
        name, kind = fields[number]
        if kind == "-":
            continue
        if kind.startswith("{"):
            entry = dict(_wire(raw))
            found.setdefault(name, {})[entry.get(1, b"").decode()] = _value(kind[1:-1], entry.get(2, b""))
        elif kind.startswith("*"):
            found.setdefault(name, []).append(_value(kind[1:], raw))
        else:
            value = _value(kind.lstrip("?"), raw)
            if kind.startswith("?") or value not in ("", 0, False, {}):
                found[name] = value
    return found


def _value(kind: str, raw: Any) -> Any:
    match kind:
        case "str":
            return raw.decode()
        case "int":
            return raw
        case "bool":
            return bool(raw)
        case "bytes":
            return base64.b64encode(raw).decode()
        case "intstr":
            parts = dict(_wire(raw))
            return parts.get(3, b"").decode() if parts.get(1) else parts.get(2, 0)
    return _message(kind, raw)
