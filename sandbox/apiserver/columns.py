"""The columns of `kubectl get` for built-in kinds other than pods.

Owns which columns there are and how each reads an object. Must not: know formats of answers; see tables.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeAlias

from sandbox.apiserver.autoscalers import to_second
from sandbox.apiserver.columns_pods import POD_COLUMNS, containers, images
from sandbox.apiserver.printing import age, created, short_duration
from sandbox.apiserver.resources import Column
from sandbox.apiserver.selectors import field_value

Object: TypeAlias = Mapping[str, Any]
Cell: TypeAlias = Callable[[Object, datetime], Any]

AGE = Column("Age", "string", created, "Time since the object was created")
NAME = Column("Name", "string", lambda obj, now: obj["metadata"]["name"], "Name must be unique within a namespace.", "name")


def _text(title: str, cell: Cell, *, wide: bool = False) -> Column:
    return Column(title, "string", cell, title, priority=int(wide))


def _count(title: str, path: str) -> Column:
    """A number that the real server declares as text."""
    return replace(_number(title, path), type="string")


def _number(title: str, path: str) -> Column:
    return Column(title, "integer", lambda obj, now: int(field_value(obj, path) or 0), title)


def _at(path: str, missing: str = "<none>") -> Cell:
    return lambda obj, now: field_value(obj, path) or missing


def _ready(obj: Object, now: datetime) -> str:
    return f"{field_value(obj, 'status.readyReplicas') or 0}/{field_value(obj, 'spec.replicas') or 0}"


def selector_text(selector: Object | None) -> str:
    """Write a label selector as kubectl does."""
    terms = [f"{key}={value}" for key, value in sorted(((selector or {}).get("matchLabels") or {}).items())]
    for item in (selector or {}).get("matchExpressions") or ():
        values = ",".join(item.get("values") or ())
        forms = {"In": f"{item['key']} in ({values})", "NotIn": f"{item['key']} notin ({values})", "Exists": item["key"]}
        terms.append(forms.get(item["operator"], f"!{item['key']}"))
    return ",".join(terms) or "<none>"


def _plain_selector(labels: Object | None) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or "<none>"


_TEMPLATE = (
    _text("Containers", lambda obj, now: containers(obj["spec"]["template"]["spec"]), wide=True),
    _text("Images", lambda obj, now: images(obj["spec"]["template"]["spec"]), wide=True),
    _text("Selector", lambda obj, now: selector_text(obj["spec"].get("selector")), wide=True),
)


def _node_status(obj: Object, now: datetime) -> str:
    ready = {item["type"]: item["status"] for item in (obj.get("status") or {}).get("conditions") or ()}.get("Ready", "Unknown")
    text = {"True": "Ready", "False": "NotReady"}.get(ready, "Unknown" if ready == "Unknown" else ready)
    return f"{text},SchedulingDisabled" if (obj.get("spec") or {}).get("unschedulable") else text


def _node_roles(obj: Object, now: datetime) -> str:
    prefix = "node-role.kubernetes.io/"
    return (
        ",".join(sorted(key.removeprefix(prefix) for key in obj["metadata"].get("labels") or () if key.startswith(prefix)))
        or "<none>"
    )


def _node_address(kind: str) -> Cell:
    def cell(obj: Object, now: datetime) -> str:
        found = {item["type"]: item["address"] for item in (obj.get("status") or {}).get("addresses") or ()}
        return str(found.get(kind, "<none>"))

    return cell


def _external_ip(obj: Object, now: datetime) -> str:
    spec, status = obj["spec"], obj.get("status") or {}
    listed = list(spec.get("externalIPs") or ())
    match spec["type"]:
        case "LoadBalancer":
            listed += [item.get("ip") or item.get("hostname") for item in (status.get("loadBalancer") or {}).get("ingress") or ()]
            return ",".join(listed) or "<pending>"
        case "ExternalName":
            return str(spec.get("externalName"))
    return ",".join(listed) or "<none>"


def _service_ports(obj: Object, now: datetime) -> str:
    shown = []
    for port in obj["spec"].get("ports") or ():
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        shown.append(f"{port['port']}{node}/{port['protocol']}")
    return ",".join(shown) or "<none>"


def _endpoints(obj: Object, now: datetime) -> str:
    found = []
    for subset in obj.get("subsets") or ():
        ports = [port["port"] for port in subset.get("ports") or ()]
        for address in subset.get("addresses") or ():
            found += [f"{address['ip']}:{port}" for port in ports] or [address["ip"]]
    more = f" + {len(found) - 3} more..." if len(found) > 3 else ""
    return ",".join(found[:3]) + more or "<none>"


def _slice_endpoints(obj: Object, now: datetime) -> str:
    found = [address for endpoint in obj.get("endpoints") or () for address in endpoint.get("addresses") or ()]
    more = f" + {len(found) - 3} more..." if len(found) > 3 else ""
    return ",".join(found[:3]) + more or "<unset>"


def _ingress_hosts(obj: Object, now: datetime) -> str:
    hosts = [rule.get("host") or "*" for rule in (obj.get("spec") or {}).get("rules") or ()]
    return ",".join(hosts[:3]) + (f" + {len(hosts) - 3} more..." if len(hosts) > 3 else "") or "*"


def _ingress_address(obj: Object, now: datetime) -> str:
    found = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return ",".join(item.get("ip") or item.get("hostname") or "" for item in found)


def _completions(obj: Object, now: datetime) -> str:
    spec, done = obj["spec"], (obj.get("status") or {}).get("succeeded", 0)
    if spec.get("completions") is not None:
        return f"{done}/{spec['completions']}"
    parallel = spec.get("parallelism", 1)
    return f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"


def _job_status(obj: Object, now: datetime) -> str:
    true = [item["type"] for item in (obj.get("status") or {}).get("conditions") or () if item.get("status") == "True"]
    for kind in ("Complete", "Failed", "Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if kind in true:
            return kind
    return "Terminating" if obj["metadata"].get("deletionTimestamp") else "Running"


def _job_duration(obj: Object, now: datetime) -> str:
    status = obj.get("status") or {}
    if not status.get("startTime"):
        return ""
    end = datetime.fromisoformat(status["completionTime"]) if status.get("completionTime") else now
    return short_duration((end - datetime.fromisoformat(status["startTime"])).total_seconds())


def _event_object(obj: Object, now: datetime) -> str:
    about = obj.get("involvedObject") or obj.get("regarding") or {}
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"


def _last_seen(obj: Object, now: datetime) -> str:
    series = (obj.get("series") or {}).get("lastObservedTime")
    return age(series or obj.get("lastTimestamp") or obj.get("eventTime") or obj["metadata"]["creationTimestamp"], now)


def _event_source(obj: Object, now: datetime) -> str:
    source = obj.get("source") or {}
    return ", ".join(filter(None, (source.get("component"), source.get("host")))) or str(obj.get("reportingComponent") or "")


def _autoscaler_targets(obj: Object, now: datetime) -> str:
    obj = to_second(obj)
    current = {(item.get("resource") or {}).get("name"): item for item in (obj.get("status") or {}).get("currentMetrics") or ()}
    shown = []
    for metric in obj["spec"].get("metrics") or ():
        name, target = (metric.get("resource") or {}).get("name"), (metric.get("resource") or {}).get("target") or {}
        used = (((current.get(name) or {}).get("resource") or {}).get("current") or {}).get("averageUtilization")
        shown.append(f"{name}: {'<unknown>' if used is None else f'{used}%'}/{target.get('averageUtilization')}%")
    return ", ".join(shown) or "<none>"


def _created_at(obj: Object, now: datetime) -> str:
    return str(obj["metadata"].get("creationTimestamp"))


_EVENT = (
    _text("Last Seen", _last_seen),
    _text("Type", _at("type", "")),
    _text("Reason", _at("reason", "")),
    _text("Object", _event_object),
    _text("Subobject", _at("involvedObject.fieldPath", ""), wide=True),
    _text("Source", _event_source, wide=True),
    _text("Message", lambda obj, now: str(obj.get("message") or obj.get("note") or "").strip()),
    _text("First Seen", lambda obj, now: age(obj.get("firstTimestamp") or obj["metadata"]["creationTimestamp"], now), wide=True),
    Column("Count", "string", lambda obj, now: obj.get("count") or 1, "Count", priority=1),
    Column("Name", "string", lambda obj, now: obj["metadata"]["name"], "Name of the event", "name", priority=1),
)


def _job_template(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = obj["spec"]["jobTemplate"]["spec"]["template"]
    return found


def _subjects(kind: str) -> Cell:
    def cell(obj: Mapping[str, Any], now: datetime) -> str:
        found = [subject for subject in obj.get("subjects") or () if subject.get("kind") == kind]
        places = [f"{subject.get('namespace', '')}/" if kind == "ServiceAccount" else "" for subject in found]
        return ", ".join(f"{place}{subject.get('name')}" for place, subject in zip(places, found, strict=True))

    return cell


_BINDING = (
    _text("Role", lambda obj, now: f"{obj['roleRef'].get('kind')}/{obj['roleRef'].get('name')}"),
    AGE,
    _text("Users", _subjects("User"), wide=True),
    _text("Groups", _subjects("Group"), wide=True),
    _text("ServiceAccounts", _subjects("ServiceAccount"), wide=True),
)
_AFTER_NAME: Mapping[str, Sequence[Column]] = {
    "Namespace": (_text("Status", _at("status.phase", "")), AGE),
    "Node": (
        _text("Status", _node_status),
        _text("Roles", _node_roles),
        AGE,
        _text("Version", _at("status.nodeInfo.kubeletVersion", "")),
        _text("Internal-IP", _node_address("InternalIP"), wide=True),
        _text("External-IP", _node_address("ExternalIP"), wide=True),
        _text("OS-Image", _at("status.nodeInfo.osImage", "<unknown>"), wide=True),
        _text("Kernel-Version", _at("status.nodeInfo.kernelVersion", "<unknown>"), wide=True),
        _text("Container-Runtime", _at("status.nodeInfo.containerRuntimeVersion", "<unknown>"), wide=True),
    ),
    "Pod": POD_COLUMNS,
    "Service": (
        _text("Type", _at("spec.type")),
        _text("Cluster-IP", _at("spec.clusterIP")),
        _text("External-IP", _external_ip),
        _text("Port(s)", _service_ports),
        AGE,
        _text("Selector", lambda obj, now: _plain_selector(obj["spec"].get("selector")), wide=True),
    ),
    "Deployment": (
        _text("Ready", _ready),
        _count("Up-to-date", "status.updatedReplicas"),
        _count("Available", "status.availableReplicas"),
        AGE,
        *_TEMPLATE,
    ),
    "ReplicaSet": (
        _number("Desired", "spec.replicas"),
        _number("Current", "status.replicas"),
        _number("Ready", "status.readyReplicas"),
        AGE,
        *_TEMPLATE,
    ),
    "StatefulSet": (_text("Ready", _ready), AGE, *_TEMPLATE[:2]),
    "DaemonSet": (
        _number("Desired", "status.desiredNumberScheduled"),
        _number("Current", "status.currentNumberScheduled"),
        _number("Ready", "status.numberReady"),
        _number("Up-to-date", "status.updatedNumberScheduled"),
        _number("Available", "status.numberAvailable"),
        _text("Node Selector", lambda obj, now: _plain_selector(obj["spec"]["template"]["spec"].get("nodeSelector"))),
        AGE,
        *_TEMPLATE,
    ),
    "Job": (_text("Status", _job_status), _text("Completions", _completions), _text("Duration", _job_duration), AGE, *_TEMPLATE),
    "CronJob": (
        _text("Schedule", _at("spec.schedule")),
        _text("Timezone", _at("spec.timeZone")),
        Column("Suspend", "boolean", lambda obj, now: str(bool(obj["spec"].get("suspend"))), "Suspend"),
        Column("Active", "integer", lambda obj, now: len((obj.get("status") or {}).get("active") or ()), "Active"),
        _text(
            "Last Schedule", lambda obj, now: age(field_value(obj, "status.lastScheduleTime"), now).replace("<unknown>", "<none>")
        ),
        AGE,
        _text("Containers", lambda obj, now: containers(_job_template(obj)["spec"]), wide=True),
        _text("Images", lambda obj, now: images(_job_template(obj)["spec"]), wide=True),
        _text("Selector", lambda obj, now: selector_text(obj["spec"]["jobTemplate"]["spec"].get("selector")), wide=True),
    ),
    "Ingress": (
        _text("Class", _at("spec.ingressClassName")),
        _text("Hosts", _ingress_hosts),
        _text("Address", _ingress_address),
        _text("Ports", lambda obj, now: "80, 443" if (obj.get("spec") or {}).get("tls") else "80"),
        AGE,
    ),
    "IngressClass": (_text("Controller", _at("spec.controller")), _text("Parameters", _at("spec.parameters.name")), AGE),
    "NetworkPolicy": (_text("Pod-Selector", lambda obj, now: selector_text(obj["spec"].get("podSelector"))), AGE),
    "Endpoints": (_text("Endpoints", _endpoints), AGE),
    "EndpointSlice": (
        _text("AddressType", _at("addressType")),
        _text("Ports", lambda obj, now: ",".join(str(port.get("port", "*")) for port in obj.get("ports") or ()) or "<unset>"),
        _text("Endpoints", _slice_endpoints),
        AGE,
    ),
    "ConfigMap": (
        Column("Data", "string", lambda obj, now: len(obj.get("data") or ()) + len(obj.get("binaryData") or ()), "Data"),
        AGE,
    ),
    "Secret": (_text("Type", _at("type")), Column("Data", "string", lambda obj, now: len(obj.get("data") or ()), "Data"), AGE),
    "ServiceAccount": (Column("Secrets", "string", lambda obj, now: len(obj.get("secrets") or ()), "Secrets"), AGE),
    "HorizontalPodAutoscaler": (
        _text("Reference", lambda obj, now: f"{obj['spec']['scaleTargetRef']['kind']}/{obj['spec']['scaleTargetRef']['name']}"),
        _text("Targets", _autoscaler_targets),
        _text("MinPods", _at("spec.minReplicas", "<unset>")),
        _count("MaxPods", "spec.maxReplicas"),
        _count("Replicas", "status.currentReplicas"),
        AGE,
    ),
    "PodDisruptionBudget": (
        _text("Min Available", _at("spec.minAvailable", "N/A")),
        _text("Max Unavailable", _at("spec.maxUnavailable", "N/A")),
        _number("Allowed Disruptions", "status.disruptionsAllowed"),
        AGE,
    ),
    "Lease": (_text("Holder", _at("spec.holderIdentity", "")), AGE),
    "CustomResourceDefinition": (_text("Created At", _created_at),),
    "Role": (Column("Created At", "date", _created_at, "Created At"),),
    "ClusterRole": (Column("Created At", "date", _created_at, "Created At"),),
    "RoleBinding": _BINDING,
    "ClusterRoleBinding": _BINDING,
    "PersistentVolumeClaim": (
        _text("Status", _at("status.phase", "")),
        _text("Volume", _at("spec.volumeName", "")),
        _text("StorageClass", _at("spec.storageClassName", "")),
        AGE,
    ),
    "StorageClass": (
        _text("Provisioner", _at("provisioner")),
        _text("ReclaimPolicy", _at("reclaimPolicy")),
        _text("VolumeBindingMode", _at("volumeBindingMode")),
        AGE,
    ),
}


def builtin_columns(kind: str) -> tuple[Column, ...]:
    """Return the columns of a built-in kind, the name among them."""
    if kind == "Event":
        return _EVENT
    return (NAME, *_AFTER_NAME.get(kind, (AGE,)))
