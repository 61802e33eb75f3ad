"""The status of a pod from the states of its containers, as a kubelet reports it.

Owns phases, conditions and container statuses. Must not: run, probe or wait for anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kube.objects import Object, format_time
from sandbox.workloads.pods import condition_of, is_true, spec_of, status_of


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not started, and why."""

    reason: str
    message: str = ""

    def state(self) -> dict[str, Any]:
        """Return the `ContainerState`."""
        return {"waiting": {"reason": self.reason, **({"message": self.message} if self.message else {})}}


@dataclass(frozen=True, slots=True)
class Running:
    """Started, since when."""

    since: datetime

    def state(self) -> dict[str, Any]:
        """Return the `ContainerState`."""
        return {"running": {"startedAt": format_time(self.since)}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminated:
    """Ended: with which code, and when."""

    exit_code: int
    started: datetime
    finished: datetime
    reason: str = ""
    message: str = ""
    signal: int = 0

    def state(self) -> dict[str, Any]:
        """Return the `ContainerState`."""
        body: dict[str, Any] = {
            "exitCode": self.exit_code,
            "reason": self.reason or ("Completed" if self.exit_code == 0 else "Error"),
            "startedAt": format_time(self.started),
            "finishedAt": format_time(self.finished),
        }
        if self.signal:
            body["signal"] = self.signal
        return {"terminated": {**body, **({"message": self.message} if self.message else {})}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What is known of one container."""

    name: str
    image: str
    state: Waiting | Running | Terminated = field(default_factory=lambda: Waiting("ContainerCreating"))
    last: Terminated | None = None
    restarts: int = 0
    ready: bool = False
    started: bool = False
    sidecar: bool = False
    """An init container that goes on beside the others."""

    @property
    def initialized(self) -> bool:
        """Whether, as an init container, it lets the next one begin."""
        return self.started if self.sidecar else isinstance(self.state, Terminated) and self.state.exit_code == 0

    def status(self, identity: str) -> dict[str, Any]:
        """Return the `ContainerStatus`; `identity` makes the container id."""
        body: dict[str, Any] = {
            "name": self.name,
            "image": self.image,
            "imageID": "" if isinstance(self.state, Waiting) and not self.restarts else f"sandbox://{self.image}",
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restarts,
            "state": self.state.state(),
            "lastState": self.last.state() if self.last else {},
        }
        if not (isinstance(self.state, Waiting) and self.last is None):
            body["containerID"] = f"sandbox://{identity}/{self.name}/{self.restarts}"
        return body


@dataclass(frozen=True, slots=True, kw_only=True)
class PodState:
    """What is known of one pod on this node."""

    address: str
    host_address: str
    started: datetime
    containers: Sequence[Container]
    init_containers: Sequence[Container] = ()
    stopping: bool = False
    ended: str = ""
    """Why the pod as a whole failed, e.g. `DeadlineExceeded`; empty when its containers say it all."""


def pod_status(pod: Object, state: PodState, now: datetime) -> dict[str, Any]:
    """Return the whole wanted status of a pod; conditions that did not change keep their times."""
    phase = phase_of(pod, state)
    conditions = list(_conditions(pod, state, phase))
    ours = {one["type"] for one in conditions}
    kept = [one for one in status_of(pod).get("conditions") or () if one["type"] not in ours]
    identity = str(pod["metadata"].get("uid") or "")
    status = {
        **{key: value for key, value in status_of(pod).items() if key not in ("reason", "message")},
        "phase": phase,
        "conditions": [*(_timed(pod, one, now) for one in conditions), *kept],
        "containerStatuses": [one.status(identity) for one in state.containers],
        "hostIP": state.host_address,
        "hostIPs": [{"ip": state.host_address}],
        "startTime": status_of(pod).get("startTime") or format_time(state.started),
    }
    if state.init_containers:
        status["initContainerStatuses"] = [one.status(identity) for one in state.init_containers]
    if state.address:
        status |= {"podIP": state.address, "podIPs": [{"ip": state.address}]}
    return {**status, **({"reason": state.ended} if state.ended else {})}


def phase_of(pod: Object, state: PodState) -> str:
    """Return `Pending`, `Running`, `Succeeded` or `Failed` as the containers and the restart policy make it."""
    policy = spec_of(pod).get("restartPolicy") or "Always"
    if state.ended:
        return "Failed"
    if not _initialized(state):
        return "Failed" if policy == "Never" and any(_failed(one) for one in state.init_containers) else "Pending"
    ended = [one.state for one in state.containers if isinstance(one.state, Terminated)]
    if len(ended) == len(state.containers) and (policy != "Always" or state.stopping):
        failed = any(one.exit_code for one in ended)
        if not failed or policy == "Never" or state.stopping:
            return "Failed" if failed else "Succeeded"
    if any(isinstance(one.state, Waiting) and one.last is None for one in state.containers):
        return "Pending"
    return "Running"


def _failed(container: Container) -> bool:
    return isinstance(container.state, Terminated) and container.state.exit_code != 0


def _initialized(state: PodState) -> bool:
    """Tell whether the containers proper may run; they do not stop for a sidecar that is started again."""
    begun = any(one.last or not isinstance(one.state, Waiting) for one in state.containers)
    return begun or all(one.initialized for one in state.init_containers)


def _conditions(pod: Object, state: PodState, phase: str) -> Iterable[dict[str, Any]]:
    done = phase in ("Succeeded", "Failed")
    completed = {"reason": "PodCompleted"} if phase == "Succeeded" else {"reason": "PodFailed"} if phase == "Failed" else None
    sidecars = [one for one in state.init_containers if one.sidecar]
    unready = [one.name for one in (*sidecars, *state.containers) if not one.ready]
    because = completed or {
        "reason": "ContainersNotReady",
        "message": f"containers with unready status: [{' '.join(unready)}]",
    }
    containers_ready = not done and not unready and _initialized(state)
    gates = [str(gate["conditionType"]) for gate in spec_of(pod).get("readinessGates") or ()]
    closed = [gate for gate in gates if not is_true(pod, gate)]
    yield _condition("PodScheduled", True)
    yield _initialization(state, completed)
    yield _condition("ContainersReady", containers_ready, None if containers_ready else because)
    if containers_ready and closed:
        because = {"reason": "ReadinessGatesNotReady", "message": _closed(pod, closed)}
    ready = containers_ready and not closed
    yield _condition("Ready", ready, None if ready else because)


def _initialization(state: PodState, completed: Mapping[str, str] | None) -> dict[str, Any]:
    if _initialized(state):
        return _condition("Initialized", True, completed if completed and completed["reason"] == "PodCompleted" else None)
    waiting = [one.name for one in state.init_containers if not one.initialized]
    message = f"containers with incomplete status: [{' '.join(waiting)}]"
    return _condition("Initialized", False, {"reason": "ContainersNotInitialized", "message": message})


def _closed(pod: Object, gates: Sequence[str]) -> str:
    def text(gate: str) -> str:
        known = condition_of(pod, gate)
        state = "does not exist" if known is None else f'is "{known.get("status")}"'
        return f'the status of pod readiness gate "{gate}" {state}, instead of "True"'

    return "; ".join(text(gate) for gate in gates)


def _condition(type_: str, value: bool, because: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {"type": type_, "status": "True" if value else "False", **(because or {})}


def _timed(pod: Object, condition: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return a condition with its times; one that did not change stays as the server has it."""
    known = condition_of(pod, condition["type"]) or {}
    same = known.get("status") == condition["status"] and known.get("lastTransitionTime")
    if same and all(known.get(key) == condition.get(key) for key in ("reason", "message")):
        return dict(known)
    return {**condition, "lastTransitionTime": same or format_time(now)}
