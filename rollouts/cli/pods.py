"""What state a pod or a ReplicaSet is in, in the one word that kubectl's tables and the tree show.

Must not: know a Rollout.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from kube.objects import Object, is_deleting, name_of
from rollouts.cli.ages import age_of
from rollouts.cli.model import Icon, PodInfo

_WAITING = ("Pending", "Terminating", "ContainerCreating", "PodInitializing")
_BAD = ("Failed", "CrashLoopBackOff", "InvalidImageName", "OOMKilled", "Evicted", "Error")


def pod_info(pod: Object, now: datetime) -> PodInfo:
    """Return one pod's line."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    containers = (pod.get("spec") or {}).get("containers") or ()
    status = pod_status(pod)
    return PodInfo(
        name=name_of(pod),
        status=status,
        icon=_pod_icon(status),
        age=age_of(pod, now),
        ready=f"{sum(_runs_ready(one) for one in statuses)}/{len(containers)}",
        restarts=sum(int(one.get("restartCount") or 0) for one in statuses),
    )


def pod_status(pod: Object) -> str:
    """Return the state as kubectl prints it: the reason of the container that stands in the way, or the phase."""
    status = pod.get("status") or {}
    reason = str(status.get("reason") or status.get("phase") or "Unknown")
    starting = _init_reason(pod, status)
    if starting:
        reason = starting
    else:
        for container in _reversed(status.get("containerStatuses")):
            reason = _container_reason(container) or reason
        if reason == "Completed" and any(_runs_ready(one) for one in status.get("containerStatuses") or ()):
            reason = "Running"
    if is_deleting(pod):
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return reason


def _reversed(statuses: Any) -> Iterator[Mapping[str, Any]]:
    yield from reversed(statuses or [])


def _init_reason(pod: Object, status: Mapping[str, Any]) -> str:
    """Return what the first unfinished init container is at; empty when all are done or there are none."""
    total = len((pod.get("spec") or {}).get("initContainers") or ())
    for at, container in enumerate(status.get("initContainerStatuses") or ()):
        state = container.get("state") or {}
        terminated, waiting = state.get("terminated"), state.get("waiting") or {}
        if (terminated and terminated.get("exitCode") == 0) or (container.get("started") and "running" in state):
            continue
        if terminated:
            return "Init:" + _terminated(terminated)
        if waiting.get("reason") and waiting["reason"] != "PodInitializing":
            return f"Init:{waiting['reason']}"
        return f"Init:{at}/{total}"
    return ""


def _container_reason(container: Mapping[str, Any]) -> str:
    state = container.get("state") or {}
    if reason := (state.get("waiting") or {}).get("reason"):
        return str(reason)
    return _terminated(state["terminated"]) if state.get("terminated") else ""


def _terminated(state: Mapping[str, Any]) -> str:
    if state.get("reason"):
        return str(state["reason"])
    return f"Signal:{state['signal']}" if state.get("signal") else f"ExitCode:{state.get('exitCode', 0)}"


def _runs_ready(container: Mapping[str, Any]) -> bool:
    return bool(container.get("ready")) and "running" in (container.get("state") or {})


def _pod_icon(status: str) -> Icon:
    if status in ("Running", "Completed", "Succeeded"):
        return Icon.OK
    if status in _WAITING or (status.startswith("Init:") and status[5:6].isdigit()):
        return Icon.PROGRESSING
    if status in _BAD or status.removeprefix("Init:") in _BAD or ":" in status.removeprefix("Init:"):
        return Icon.BAD
    return Icon.WARNING if "Err" in status or "BackOff" in status else Icon.UNKNOWN


def replica_set_status(replica_set: Object) -> tuple[str, Icon]:
    """Return the health of a ReplicaSet: Degraded, Progressing, ScaledDown or Healthy."""
    status = replica_set.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return "Degraded", Icon.BAD
    wanted = replica_set["spec"].get("replicas")
    wanted = 1 if wanted is None else int(wanted)
    if int(replica_set["metadata"].get("generation") or 0) > int(status.get("observedGeneration") or 0):
        return "Progressing", Icon.PROGRESSING
    if int(status.get("availableReplicas") or 0) < wanted:
        return "Progressing", Icon.PROGRESSING
    return ("Healthy", Icon.OK) if status.get("replicas") else ("ScaledDown", Icon.NEUTRAL)
