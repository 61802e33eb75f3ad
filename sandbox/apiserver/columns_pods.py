"""The columns of `kubectl get pods`, with the status as people know it.

Owns the derivation of a pod's one-word status. Must not: know formats of answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

from sandbox.apiserver.printing import age, created
from sandbox.apiserver.resources import Column
from sandbox.apiserver.selectors import field_value

Object: TypeAlias = Mapping[str, Any]


def containers(spec: Object) -> str:
    """Return the container names of a pod spec."""
    return ",".join(item["name"] for item in spec.get("containers") or ())


def images(spec: Object) -> str:
    """Return the images of a pod spec."""
    return ",".join(item.get("image", "") for item in spec.get("containers") or ())


def _statuses(pod: Object, name: str = "containerStatuses") -> list[Object]:
    return list((pod.get("status") or {}).get(name) or ())


def _ready(pod: Object, now: datetime) -> str:
    ready = sum(bool(item.get("ready")) for item in _statuses(pod))
    return f"{ready}/{len(pod['spec'].get('containers') or ())}"


def _why(status: Object) -> str:
    state = status.get("state") or {}
    waiting, ended = state.get("waiting") or {}, state.get("terminated")
    if waiting.get("reason"):
        return str(waiting["reason"])
    if ended is None:
        return ""
    if ended.get("reason"):
        return str(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"


def pod_status(pod: Object, now: datetime) -> str:
    """Return the STATUS that kubectl shows: the phase, or the most telling reason of a container."""
    status = pod.get("status") or {}
    text = status.get("reason") or status.get("phase") or "Unknown"
    initializing = _initializing(pod)
    if initializing:
        text = initializing
    else:
        reasons = [reason for item in reversed(_statuses(pod)) if (reason := _why(item))]
        text = reasons[-1] if reasons else text
        if text == "Completed" and any((item.get("state") or {}).get("running") and item.get("ready") for item in _statuses(pod)):
            text = "Running"
    if pod["metadata"].get("deletionTimestamp"):
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return str(text)


def _initializing(pod: Object) -> str:
    total = len(pod["spec"].get("initContainers") or ())
    for index, item in enumerate(_statuses(pod, "initContainerStatuses")):
        ended = (item.get("state") or {}).get("terminated")
        if ended is not None and not ended.get("exitCode"):
            continue
        reason = _why(item)
        return f"Init:{reason}" if reason and reason != "PodInitializing" else f"Init:{index}/{total}"
    return ""


def _restarts(pod: Object, now: datetime) -> str:
    count = sum(item.get("restartCount", 0) for item in _statuses(pod))
    ends = [((item.get("lastState") or {}).get("terminated") or {}).get("finishedAt") for item in _statuses(pod)]
    last = max(filter(None, ends), default="")
    return f"{count} ({age(last, now)} ago)" if count and last else str(count)


def _gates(pod: Object, now: datetime) -> str:
    gates = pod["spec"].get("readinessGates") or ()
    if not gates:
        return "<none>"
    true = {item["type"] for item in (pod.get("status") or {}).get("conditions") or () if item.get("status") == "True"}
    return f"{sum(gate['conditionType'] in true for gate in gates)}/{len(gates)}"


POD_COLUMNS = (
    Column("Ready", "string", _ready, "Containers that are ready, of all"),
    Column("Status", "string", pod_status, "What the pod is doing"),
    Column("Restarts", "string", _restarts, "Restarts of all containers"),
    Column("Age", "string", created, "Time since the object was created"),
    Column("IP", "string", lambda obj, now: field_value(obj, "status.podIP") or "<none>", "Address of the pod", priority=1),
    Column("Node", "string", lambda obj, now: field_value(obj, "spec.nodeName") or "<none>", "Node of the pod", priority=1),
    Column("Nominated Node", "string", lambda obj, now: field_value(obj, "status.nominatedNodeName") or "<none>", "", priority=1),
    Column("Readiness Gates", "string", _gates, "Gates that are open, of all", priority=1),
)
