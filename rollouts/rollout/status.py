"""The status people and tools read: counters, conditions, phase and message (spec/rollout.md 1.7), exact texts.

Must not: decide what happens next; only the progress deadline may give an update up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from kube.objects import parse_time
from kube.plan import Reason
from rollouts.engine import conditions as condition
from rollouts.engine.steps import kind_of
from rollouts.rollout.draft import Draft
from rollouts.rollout.progress import BACKGROUND_RUN, BAD_VERDICTS, FAILED, STEP_RUN, abort_for_deadline
from rollouts.rollout.retries import outlook
from rollouts.rollout.settings import restart_time
from rollouts.rollout.snapshot import ready_since, restarts_of

PROGRESS_FIELDS = ("currentStepIndex", "stableRS", "currentStepHash", "currentPodHash")


def report(draft: Draft) -> None:
    """Bring counters, conditions and phase of the wanted status up to what is seen and decided."""
    before = draft.rollout.get("status") or {}
    _count(draft)
    _set_invalid(draft)
    complete = is_complete(draft)
    _set_available(draft)
    _set_completed(draft)
    _set_paused(draft)
    _set_progressing(draft, before, complete=complete)
    _set_healthy(draft, healthy=complete)
    _set_replica_failure(draft)
    draft.status["observedGeneration"] = str(draft.rollout["metadata"].get("generation", 0))
    phase, message = phase_of(draft.rollout, draft.status, routed=draft.settings.routed)
    draft.status["phase"] = phase
    draft.status.pop("message", None)
    if draft.aborted and (ahead := outlook(draft)):
        message = f"{message} ({ahead})"
    if message:
        draft.status["message"] = message
    if not draft.status.get("canary"):
        draft.status.pop("canary", None)


def refused(conditions: Iterable[condition.Condition], text: str, now: datetime) -> list[condition.Condition]:
    """Return the conditions with `InvalidSpec` saying `text`."""
    touch = is_news(conditions, text)
    return condition.put(conditions, "InvalidSpec", "True", reason="InvalidSpec", message=text, now=now, touch=touch)


def is_news(conditions: Iterable[condition.Condition], text: str) -> bool:
    """Tell whether `InvalidSpec` did not say this before."""
    return (condition.find(conditions, "InvalidSpec") or {}).get("message") != text


def _set_invalid(draft: Draft) -> None:
    """Tell what is missing beside what goes on nevertheless, or that all is there again."""
    conditions = draft.status.get("conditions") or ()
    if not draft.invalid:
        draft.status["conditions"] = condition.drop(conditions, "InvalidSpec")
        return
    draft.status["conditions"] = refused(conditions, draft.invalid, draft.now)
    if is_news(conditions, draft.invalid):
        draft.event("InvalidSpec", draft.invalid, warning=True)


def _count(draft: Draft) -> None:
    sets = draft.all_sets
    draft.status.update(
        replicas=sum(one.count("replicas") for one in sets),
        updatedReplicas=draft.new.count("replicas") if draft.new else 0,
        readyReplicas=sum(one.count("readyReplicas") for one in sets),
        availableReplicas=sum(one.available for one in sets),
        HPAReplicas=sum(one.count("replicas") for one in sets),
        selector=selector_text(draft.settings.selector),
    )


def selector_text(selector: Mapping[str, Any]) -> str:
    """Write a label selector as the scale subresource wants it: `app=shop,tier in (a,b)`."""
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for one in selector.get("matchExpressions") or ():
        key, values = one.get("key", ""), ",".join(sorted(one.get("values") or ()))
        match one.get("operator"):
            case "In":
                parts.append(f"{key} in ({values})")
            case "NotIn":
                parts.append(f"{key} notin ({values})")
            case "Exists":
                parts.append(key)
            case _:
                parts.append(f"!{key}")
    return ",".join(parts)


def is_complete(draft: Draft) -> bool:
    """Tell whether the Rollout is as wanted: promoted, all pods new and available, nothing paused."""
    status, replicas = draft.status, draft.settings.replicas
    return (
        draft.fully_promoted
        and not draft.settings.paused
        and not status.get("pauseConditions")
        and draft.index >= len(draft.settings.steps)
        and status["updatedReplicas"] == replicas
        and draft.new_available == replicas
        and (draft.settings.routed or status["replicas"] == replicas)
    )


def _set_available(draft: Draft) -> None:
    enough = draft.status["availableReplicas"] >= draft.settings.replicas
    message = "Rollout has minimum availability" if enough else "Rollout does not have minimum availability"
    draft.condition("Available", "True" if enough else "False", reason="AvailableReason", message=message)


def _set_completed(draft: Draft) -> None:
    was = condition.is_true(draft.status.get("conditions") or (), "Completed")
    draft.condition("Completed", _truth(draft.fully_promoted), reason="RolloutCompleted", message="RolloutCompleted")
    if was and not draft.fully_promoted:
        text = f"Rollout not completed, started update to revision {draft.revision} ({draft.new_hash})"
        draft.event("RolloutNotCompleted", text)


def _set_paused(draft: Draft) -> None:
    paused = draft.settings.paused or bool(draft.status.get("pauseConditions"))
    if paused or condition.find(draft.status.get("conditions") or (), "Paused"):
        draft.condition("Paused", _truth(paused), reason="RolloutPaused", message="Rollout is paused")


def _set_healthy(draft: Draft, *, healthy: bool) -> None:
    if healthy:
        draft.condition("Healthy", "True", reason="RolloutHealthy", message="Rollout is healthy")
    elif condition.find(draft.status.get("conditions") or (), "Healthy"):
        draft.condition("Healthy", "False", reason="RolloutHealthy", message="Rollout is not healthy")


def _set_replica_failure(draft: Draft) -> None:
    """Pass on what keeps a ReplicaSet from making pods (a quota, an admission rule), the new version's first."""
    sets = sorted(draft.all_sets, key=lambda one: draft.new is None or one.uid != draft.new.uid)
    failures = [condition.find((one.obj.get("status") or {}).get("conditions") or (), "ReplicaFailure") for one in sets]
    found = next((one for one in failures if one and one.get("status") == "True"), None)
    conditions = draft.status.get("conditions") or ()
    if found is None:
        draft.status["conditions"] = condition.drop(conditions, "ReplicaFailure")
        return
    draft.because(f"a ReplicaSet cannot make pods: {found.get('message', '')}")
    draft.condition("ReplicaFailure", "True", reason=str(found.get("reason", "")), message=str(found.get("message", "")))


def _truth(value: bool) -> str:
    return "True" if value else "False"


def _set_progressing(draft: Draft, before: Mapping[str, Any], *, complete: bool) -> None:
    found = condition.find(draft.status.get("conditions") or (), "Progressing") or {}
    name = draft.new.name if draft.new else f"{draft.name}-{draft.new_hash}"
    if draft.aborted:
        return
    if draft.settings.paused or draft.status.get("pauseConditions"):
        draft.condition("Progressing", "Unknown", reason="RolloutPaused", message="Rollout is paused")
    elif complete:
        message = f'ReplicaSet "{name}" has successfully progressed.'
        draft.condition("Progressing", "True", reason="NewReplicaSetAvailable", message=message)
    elif _made_progress(draft, before):
        if found.get("reason") != "NewReplicaSetCreated" or before.get("currentPodHash") == draft.new_hash:
            message = f'ReplicaSet "{name}" is progressing.'
            draft.condition("Progressing", "True", reason="ReplicaSetUpdated", message=message, touch=True)
    elif found.get("reason") == "RolloutPaused":
        draft.condition("Progressing", "Unknown", reason="RolloutResumed", message="Rollout is resumed")
    elif found.get("reason") == "NewReplicaSetAvailable":
        message = f'ReplicaSet "{name}" is progressing.'
        draft.condition("Progressing", "True", reason="ReplicaSetUpdated", message=message)
    else:
        _watch_deadline(draft, found, name)


def _made_progress(draft: Draft, before: Mapping[str, Any]) -> bool:
    """Tell whether the update moved since the stored status: readiness is read from the pods, so that flapping is none."""
    status = draft.status
    if any(before.get(field) != status.get(field) for field in PROGRESS_FIELDS):
        return True
    if int(status["updatedReplicas"]) > int(before.get("updatedReplicas") or 0):
        return True
    old_now = status["replicas"] - status["updatedReplicas"]
    old_before = int(before.get("replicas") or 0) - int(before.get("updatedReplicas") or 0)
    return bool(old_now < old_before)


def _watch_deadline(draft: Draft, progressing: Mapping[str, Any], name: str) -> None:
    """Call the update stuck when nothing moved for `progressDeadlineSeconds`.

    Unlike upstream's, the clock also runs while an older version is in its scale-down delay: that says nothing about the new one.
    """
    steps = draft.settings.steps
    waits_by_design = not draft.is_first and draft.index < len(steps) and kind_of(steps[draft.index]) in ("pause", "analysis")
    if waits_by_design:
        return
    last = _last_progress(draft, progressing)
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        exceeded = parse_time(progressing.get("lastUpdateTime"))
        if exceeded and last > exceeded:
            draft.condition("Progressing", "True", reason="ReplicaSetUpdated", message=f'ReplicaSet "{name}" is progressing.')
        return
    deadline = last + draft.settings.progress_deadline
    if draft.now < deadline:
        ends = "aborted" if draft.settings.progress_deadline_abort else "called stuck"
        draft.reasons.append(Reason(f"the update is {ends} at {deadline:%H:%M:%S} UTC unless something moves", deadline))
        draft.look_again(deadline - draft.now + timedelta(seconds=1))
        return
    message = f'ReplicaSet "{name}" has timed out progressing.'
    draft.condition("Progressing", "False", reason="ProgressDeadlineExceeded", message=message)
    if draft.settings.progress_deadline_abort and not draft.is_first and not draft.fully_promoted:
        abort_for_deadline(draft, message)
        draft.look_again(timedelta(0))


def _last_progress(draft: Draft, progressing: Mapping[str, Any]) -> datetime:
    """Return when the update last moved.

    A pod that gets ready counts once: not after a restart, and not later than its own deadline, so that pods which lose and
    regain readiness do not put the end off for ever.
    """
    moments = [parse_time(progressing.get("lastUpdateTime")), parse_time(draft.rollout["metadata"].get("creationTimestamp"))]
    for pod in draft.snapshot.pods_of(draft.new):
        ready, born = ready_since(pod), parse_time(pod["metadata"].get("creationTimestamp"))
        if ready and not restarts_of(pod) and (born is None or ready <= born + draft.settings.progress_deadline):
            moments.append(ready)
    return max((moment for moment in moments if moment), default=draft.now)


def phase_of(rollout: Mapping[str, Any], status: Mapping[str, Any], *, routed: bool) -> tuple[str, str]:
    """Return phase and message: the first that fits of spec/rollout.md 1.7."""
    spec, conditions = rollout["spec"], status.get("conditions") or ()
    if (invalid := condition.find(conditions, "InvalidSpec")) and invalid.get("status") == "True":
        return "Degraded", f"InvalidSpec: {invalid.get('message', '')}"
    progressing = condition.find(conditions, "Progressing") or {}
    if progressing.get("reason") in ("RolloutAborted", "ProgressDeadlineExceeded"):
        return "Degraded", f"{progressing['reason']}: {progressing.get('message', '')}"
    if spec.get("paused"):
        return "Paused", "manually paused"
    if pauses := status.get("pauseConditions"):
        return "Paused", _pause_message(pauses, status)
    if (asked := restart_time(spec)) and asked != parse_time(status.get("restartedAt")):
        return "Progressing", "rollout is restarting"
    return _phase_by_counts(spec, status, routed=routed)


def _pause_message(pauses: Sequence[Mapping[str, Any]], status: Mapping[str, Any]) -> str:
    """Return the reason as upstream; a pause that only we make goes first and says which analysis is to blame."""
    if not any(one.get("reason") == FAILED for one in pauses):
        return str(pauses[0].get("reason", ""))
    runs = (((status.get("canary") or {}).get(field)) or {} for field in (STEP_RUN, BACKGROUND_RUN))
    bad = next((run for run in runs if run.get("status") in BAD_VERDICTS), None)
    return f"{FAILED}: {bad['name']}: {bad.get('message') or bad['status']}" if bad else FAILED


def _phase_by_counts(spec: Mapping[str, Any], status: Mapping[str, Any], *, routed: bool) -> tuple[str, str]:
    replicas = 1 if spec.get("replicas") is None else int(spec["replicas"])
    updated, available = int(status.get("updatedReplicas") or 0), int(status.get("availableReplicas") or 0)
    if updated < replicas:
        return "Progressing", "more replicas need to be updated"
    if available < updated:
        return "Progressing", "updated replicas are still becoming available"
    if not routed and int(status.get("replicas") or 0) > updated:
        return "Progressing", "old replicas are pending termination"
    if not status.get("stableRS") or status.get("stableRS") != status.get("currentPodHash"):
        return "Progressing", "waiting for all steps to complete"
    return "Healthy", ""
