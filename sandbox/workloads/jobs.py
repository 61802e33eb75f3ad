"""What a Job does next: pods until enough have succeeded, or too many failed.

Owns the pods and the status of Jobs. Must not: do I/O or read a clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kube.kinds import JOB, POD, ObjectRef
from kube.objects import Object, format_time, is_deleting, name_of, namespace_of, parse_time, uid_of
from kube.plan import Create, Delete, Event, Plan, Stage, Write
from sandbox.workloads.backoff import Backoff
from sandbox.workloads.pods import (
    condition_of,
    fresh_names,
    is_active,
    is_ready,
    is_true,
    pod_of_template,
    spec_of,
    status_of,
)

BACKOFF = Backoff(first_seconds=10.0, longest_seconds=360.0)
"""Between a failed pod and the next (Kubernetes: 10 s, 20 s, 40 s, ... at most six minutes)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The pods of a Job by how they fare."""

    active: tuple[Object, ...]
    succeeded: int
    failed: int
    restarts: int
    last_failure: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a Job ends."""

    type: str
    reason: str
    message: str


def plan(job: Object, pods: Sequence[Object], now: datetime, *, backoff: Backoff = BACKOFF) -> Plan | None:
    """Return everything to do about a Job.

    Args:
        job: the Job.
        pods: the pods it controls.
        now: the time, for deadlines and back-off.
        backoff: the waits after failed pods.
    """
    if is_deleting(job):
        return None
    tally = tally_of(job, pods)
    if is_over(job):
        return _expire(job, tally, now)
    refusal = unsupported(job)
    if refusal:
        return _ended(job, tally, End(type="Failed", reason="UnsupportedByTheSandbox", message=refusal), now)
    if spec_of(job).get("suspend"):
        return _suspended(job, tally, now)
    started = None if is_true(job, "Suspended") else parse_time(status_of(job).get("startTime"))
    end = verdict(job, tally, started=started or now, now=now)
    if end is not None:
        return _ended(job, tally, end, now)
    return _going_on(job, pods, tally, started=started or now, now=now, backoff=backoff)


def unsupported(job: Object) -> str:
    """Return what to change in a Job that cannot be served; empty when it can."""
    spec = spec_of(job)
    if spec.get("completionMode") == "Indexed":
        return "completionMode Indexed is not served by the sandbox; use NonIndexed"
    for field in ("podFailurePolicy", "successPolicy", "backoffLimitPerIndex"):
        if spec.get(field):
            return f"{field} is not served by the sandbox; remove it, backoffLimit is"
    return ""


def is_over(job: Object) -> bool:
    """Tell whether the Job is complete or has failed."""
    return is_true(job, "Complete") or is_true(job, "Failed")


def tally_of(job: Object, pods: Iterable[Object]) -> Tally:
    """Count the pods; what the status counted already stays counted when the pods are gone."""
    pods = list(pods)
    status = status_of(job)
    phases = [status_of(pod).get("phase") for pod in pods]
    vanished = sum(is_deleting(pod) and phase not in ("Succeeded", "Failed") for pod, phase in zip(pods, phases, strict=True))
    active = tuple(pod for pod in pods if is_active(pod))
    failures = [moment for pod in pods if status_of(pod).get("phase") == "Failed" and (moment := _finished_at(pod))]
    return Tally(
        active=active,
        succeeded=max(phases.count("Succeeded"), int(status.get("succeeded") or 0)),
        failed=max(phases.count("Failed") + vanished, int(status.get("failed") or 0)),
        restarts=sum(one.get("restartCount", 0) for pod in active for one in status_of(pod).get("containerStatuses") or ()),
        last_failure=max(failures, default=None),
    )


def _finished_at(pod: Object) -> datetime | None:
    states = ((one.get("state") or {}).get("terminated") or {} for one in status_of(pod).get("containerStatuses") or ())
    return max((moment for state in states if (moment := parse_time(state.get("finishedAt")))), default=None)


def verdict(job: Object, tally: Tally, *, started: datetime, now: datetime) -> End | None:
    """Tell how the Job ends now, if it does."""
    spec = spec_of(job)
    limit = 6 if spec.get("backoffLimit") is None else int(spec["backoffLimit"])
    on_failure = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy") == "OnFailure"
    if tally.failed > limit or (on_failure and tally.restarts and tally.restarts >= limit):
        return End(type="Failed", reason="BackoffLimitExceeded", message="Job has reached the specified backoff limit")
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and now >= started + timedelta(seconds=int(deadline)):
        return End(type="Failed", reason="DeadlineExceeded", message="Job was active longer than specified deadline")
    completions = spec.get("completions")
    enough = tally.succeeded >= int(completions) if completions is not None else tally.succeeded > 0 and not tally.active
    if enough:
        return End(type="Complete", reason="CompletionsReached", message="Reached expected number of succeeded pods")
    return None


def _wanted_active(job: Object, tally: Tally) -> int:
    spec = spec_of(job)
    parallelism = 1 if spec.get("parallelism") is None else int(spec["parallelism"])
    if spec.get("completions") is None:
        return len(tally.active) if tally.succeeded else parallelism
    return max(0, min(parallelism, int(spec["completions"]) - tally.succeeded))


def _going_on(job: Object, pods: Sequence[Object], tally: Tally, *, started: datetime, now: datetime, backoff: Backoff) -> Plan:
    wanted = _wanted_active(job, tally)
    writes: list[Write] = [_delete(pod) for pod in tally.active[wanted:]]
    waits = _waits(job, tally, started=started, now=now, backoff=backoff)
    missing = wanted - len(tally.active)
    if missing > 0 and "retry" not in waits:
        names = fresh_names(job, count=missing, taken=map(name_of, pods), now=now)
        writes += [Create(kind=POD, body=_pod(job, name)) for name in names]
    return Plan(
        stages=(Stage("pods", tuple(writes)),) if writes else (),
        status=_status(job, tally, started=started, conditions=_resumed(job, now)),
        events=tuple(_event(job, "SuccessfulCreate", f"Created pod: {one.ref.name}") for one in writes if isinstance(one, Create)),
        look_again=min(waits.values(), default=None),
    )


def _waits(job: Object, tally: Tally, *, started: datetime, now: datetime, backoff: Backoff) -> dict[str, timedelta]:
    """Return what is being waited for, and for how long."""
    waits = {}
    deadline = spec_of(job).get("activeDeadlineSeconds")
    if deadline is not None:
        waits["deadline"] = started + timedelta(seconds=int(deadline)) - now
    if tally.failed and tally.last_failure is not None:
        left = tally.last_failure + timedelta(seconds=backoff.seconds(tally.failed)) - now
        if left > timedelta(0):
            waits["retry"] = left
    return waits


def _ended(job: Object, tally: Tally, end: End, now: datetime) -> Plan:
    conditions = [*_resumed(job, now), _condition(end, now)]
    started = parse_time(status_of(job).get("startTime")) or now
    status = _status(job, tally, started=started, conditions=conditions)
    status = {key: value for key, value in status.items() if key not in ("active", "ready")}
    if end.type == "Complete":
        status["completionTime"] = format_time(now)
    deletions = tuple(_delete(pod) for pod in tally.active)
    reason = "Completed" if end.type == "Complete" else end.reason
    message = "Job completed" if end.type == "Complete" else end.message
    return Plan(
        stages=(Stage("stop pods", deletions),) if deletions else (),
        status=status,
        events=(_event(job, reason, message, warning=end.type == "Failed"),),
        look_again=timedelta(0) if spec_of(job).get("ttlSecondsAfterFinished") is not None else None,
    )


def _expire(job: Object, tally: Tally, now: datetime) -> Plan:
    """Delete a Job that is over once its time to live has passed."""
    leftovers = tuple(_delete(pod) for pod in tally.active)
    stages = (Stage("stop pods", leftovers),) if leftovers else ()
    seconds = spec_of(job).get("ttlSecondsAfterFinished")
    ended = condition_of(job, "Complete") or condition_of(job, "Failed") or {}
    finished = parse_time(ended.get("lastTransitionTime"))
    if seconds is None or finished is None:
        return Plan(stages=stages)
    left = finished + timedelta(seconds=int(seconds)) - now
    if left > timedelta(0):
        return Plan(stages=stages, look_again=left)
    return Plan(stages=(Stage("expire", (Delete(ref=_ref(job), uid=uid_of(job)),)),))


def _suspended(job: Object, tally: Tally, now: datetime) -> Plan:
    known = condition_of(job, "Suspended")
    end = End(type="Suspended", reason="JobSuspended", message="Job suspended")
    condition = known if known is not None and known["status"] == "True" else _condition(end, now)
    deletions = tuple(_delete(pod) for pod in tally.active)
    stopped = Tally(active=(), succeeded=tally.succeeded, failed=tally.failed, restarts=0, last_failure=None)
    status = _status(job, stopped, started=None, conditions=[condition])
    return Plan(stages=(Stage("suspend", deletions),) if deletions else (), status=status)


def _resumed(job: Object, now: datetime) -> list[Any]:
    known = condition_of(job, "Suspended")
    if known is None:
        return []
    if known["status"] == "False":
        return [known]
    resumed = _condition(End(type="Suspended", reason="JobResumed", message="Job resumed"), now)
    return [{**resumed, "status": "False"}]


def _status(job: Object, tally: Tally, *, started: datetime | None, conditions: Sequence[Any]) -> dict[str, Any]:
    counters = {
        "active": len(tally.active),
        "succeeded": tally.succeeded,
        "failed": tally.failed,
    }
    body: dict[str, Any] = {key: value for key, value in counters.items() if value}
    body["ready"] = sum(is_ready(pod) for pod in tally.active)
    body["uncountedTerminatedPods"] = {}
    if started is not None:
        body["startTime"] = format_time(started)
    return {**body, **({"conditions": list(conditions)} if conditions else {})}


def _condition(end: End, now: datetime) -> dict[str, Any]:
    times = {"lastProbeTime": format_time(now), "lastTransitionTime": format_time(now)}
    return {"type": end.type, "status": "True", "reason": end.reason, "message": end.message, **times}


def _ref(job: Object) -> ObjectRef:
    return ObjectRef(JOB, namespace_of(job), name_of(job))


def _delete(pod: Object) -> Delete:
    return Delete(ref=ObjectRef(POD, namespace_of(pod), name_of(pod)), uid=uid_of(pod))


def _event(job: Object, reason: str, message: str, *, warning: bool = False) -> Event:
    return Event(about=_ref(job), reason=reason, message=message, warning=warning)


def _pod(job: Object, name: str) -> dict[str, Any]:
    labels = {
        "batch.kubernetes.io/controller-uid": uid_of(job),
        "batch.kubernetes.io/job-name": name_of(job),
        "controller-uid": uid_of(job),
        "job-name": name_of(job),
    }
    return pod_of_template(job, kind=JOB, name=name, template=spec_of(job).get("template") or {}, labels=labels)
