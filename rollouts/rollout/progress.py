"""How an update moves on: pauses, commands, steps, abort and promotion (spec/rollout.md 2.3, 2.6).

Changes the wanted status only. Must not: write an object, or decide about weights and pods.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.run.verdicts import NEVER_MEASURED, never_measured
from kube.objects import format_time, labels_of, name_of, next_second, parse_time
from rollouts.engine.names import STEP_INDEX
from rollouts.engine.steps import Step, describe, kind_of, pause_duration
from rollouts.rollout.draft import Draft
from rollouts.rollout.extensions import pauses_on_failure
from rollouts.rollout.pod_trouble import pod_trouble
from rollouts.rollout.services import holds_users, serves_another
from rollouts.rollout.snapshot import available_at
from rollouts.rollout.targets import at_wanted_counts, enough_available, step_split, wanted_counts

PAUSE_STEP = "CanaryPauseStep"
INCONCLUSIVE = "InconclusiveAnalysisRun"
FAILED = "FailedAnalysisRun"
"""Why an update is paused whose analysis failed, where `rollouts/on-failure: pause` asks for that."""
BAD_VERDICTS = ("Failed", "Error")
STEP_RUN = "currentStepAnalysisRunStatus"
BACKGROUND_RUN = "currentBackgroundAnalysisRunStatus"


def obey_commands(draft: Draft) -> None:
    """Take note of what people asked for through the status: abort, retry, promote, resume.

    An abort that is new wins over a full promotion under way, so that users can always be taken back (upstream drops the
    abort); a full promotion asked for after an abort ends it.
    """
    status = draft.status
    if draft.aborted and draft.fully_promoted:
        end_abort(draft)
    if draft.aborted and not status.get("abortedAt"):
        status.pop("promoteFull", None)
        draft.fast_track = ""
        _begin_abort(draft, "")
    elif draft.fast_track:
        _clear_pauses(draft)
        end_abort(draft)
    elif not draft.aborted and status.get("abortedAt"):
        end_abort(draft)
        draft.condition("Progressing", "Unknown", reason="RolloutRetry", message="Retrying Rollout after abort")
    _notice_resume(draft)


def _notice_resume(draft: Draft) -> None:
    """Finish a pause whose conditions a person removed: the controller's own mark without a condition says so."""
    status = draft.status
    if not status.get("controllerPause") or status.get("pauseConditions"):
        return
    status["controllerPause"] = False
    if draft.aborted or draft.fully_promoted:
        return
    draft.event("RolloutResumed", "Rollout is resumed")
    draft.condition("Progressing", "Unknown", reason="RolloutResumed", message="Rollout is resumed")
    steps = draft.settings.steps
    if draft.index < len(steps) and kind_of(steps[draft.index]) == "pause":
        _finish_step(draft)


def heed_analyses(draft: Draft) -> None:
    """Let verdicts act: a failed run gives the update up, an inconclusive one asks a person.

    A run that somebody deleted is made again by its name; a verdict that was noted stays.
    """
    runs = {name_of(run): run for run in draft.snapshot.analysis_runs}
    for field, label in ((STEP_RUN, "Step-based"), (BACKGROUND_RUN, "Background")):
        known = draft.canary_status.get(field)
        if not known:
            continue
        run = runs.get(known.get("name", ""))
        if run is not None:
            if field == STEP_RUN and labels_of(run).get(STEP_INDEX) != str(draft.index) and not draft.aborted:
                draft.canary_status.pop(field)  # a client moved to another step
                continue
            status = run.get("status") or {}
            seen = {"name": known["name"], "status": status.get("phase") or "Pending", "message": status.get("message") or ""}
            draft.canary_status[field] = {key: value for key, value in seen.items() if value}
            _tell_of_run(draft, label, known, seen)
            if known.get("status") != seen["status"] and (blind := never_measured(run)):
                draft.event(NEVER_MEASURED, f"Analysis Run '{name_of(run)}' ended without a verdict: {blind}", warning=True)
        if not draft.aborted and not draft.fully_promoted:
            _react(draft, field, label, was=known.get("status", ""))


def _tell_of_run(draft: Draft, label: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Tell on the Rollout too how its run fares: notification triggers hang on these events (spec/rollout.md 5.2, 5.3)."""
    old, new = before.get("status") or "NoPreviousStatus", now["status"]
    if old == new:
        return
    text = f"{label.removesuffix('-based')} Analysis Run '{now['name']}' Status New: '{new}' Previous: '{old}'"
    draft.event(f"AnalysisRun{new}", text, warning=new in ("Failed", "Error"))


def _react(draft: Draft, field: str, label: str, *, was: str) -> None:
    verdict = draft.canary_status[field]
    message = verdict.get("message", "")
    cause = f"{label} analysis phase error/failed: {message}".removesuffix(": ")
    match verdict.get("status"):
        case "Failed" | "Error" if not pauses_on_failure(draft.rollout):
            _begin_abort(draft, cause)
        case "Failed" | "Error" if was not in BAD_VERDICTS:
            add_pause(draft, FAILED, cause=cause)
        case "Inconclusive" if was != "Inconclusive":
            add_pause(draft, INCONCLUSIVE)
        case "Inconclusive" if not paused_for(draft, INCONCLUSIVE):
            draft.canary_status.pop(field)  # a person went on in spite of it: measure anew


def _begin_abort(draft: Draft, cause: str) -> None:
    """Give the update up: everybody back on stable, the spec stays as it is."""
    _clear_pauses(draft)
    draft.status["abort"] = True
    draft.status["abortedAt"] = format_time(draft.now)
    message = abort_text(draft) + (f": {cause}" if cause else "")
    draft.condition("Progressing", "False", reason="RolloutAborted", message=message, touch=True)
    draft.event("RolloutAborted", message, warning=True)
    if draft.settings.steps:
        draft.status["currentStepIndex"] = 0


def abort_text(draft: Draft) -> str:
    """Return how the condition of an aborted update begins; a cause follows unless a person did it."""
    return f"Rollout aborted update to revision {draft.revision}"


def end_abort(draft: Draft) -> None:
    """Forget that the update was given up, and what its analyses said."""
    for field in ("abort", "abortedAt"):
        draft.status.pop(field, None)
    for field in (STEP_RUN, BACKGROUND_RUN):
        draft.canary_status.pop(field, None)


def abort_for_deadline(draft: Draft, message: str) -> None:
    """Give the update up because it made no progress in time (`progressDeadlineAbort`)."""
    _begin_abort(draft, message)


def add_pause(draft: Draft, reason: str, *, cause: str = "") -> None:
    """Pause for a reason and mark the pause as the controller's, both together (the pause protocol of 2.3)."""
    if paused_for(draft, reason):
        return
    pauses = draft.status.get("pauseConditions") or []
    draft.status["pauseConditions"] = [*pauses, {"reason": reason, "startTime": format_time(next_second(draft.now))}]
    draft.status["controllerPause"] = True
    text = f"Rollout is paused ({reason})"
    draft.event("RolloutPaused", f"{text}: {cause}" if cause else text, warning=bool(cause))


def paused_for(draft: Draft, reason: str) -> dict[str, Any] | None:
    """Return the pause condition of this reason, if there is one."""
    return next((one for one in draft.status.get("pauseConditions") or () if one.get("reason") == reason), None)


def _drop_pause(draft: Draft, reason: str) -> None:
    left = [one for one in draft.status.pop("pauseConditions", None) or () if one.get("reason") != reason]
    if left:
        draft.status["pauseConditions"] = left
    elif draft.status.get("controllerPause"):
        draft.status["controllerPause"] = False


def _clear_pauses(draft: Draft) -> None:
    draft.status.pop("pauseConditions", None)
    draft.status.pop("controllerPause", None)


def follow_steps(draft: Draft) -> None:
    """Move past every step that is complete; start the pause of the one that is not."""
    steps, status = draft.settings.steps, draft.status
    if not steps:
        status.pop("currentStepIndex", None)
        return
    if draft.fully_promoted or draft.fast_track:
        status["currentStepIndex"] = len(steps)
        return
    if draft.aborted or draft.is_first:
        status["currentStepIndex"] = 0
        return
    status["currentStepIndex"] = draft.index
    if draft.index >= len(steps) or kind_of(steps[draft.index]) != "pause":
        _drop_pause(draft, PAUSE_STEP)  # a client moved on from a pause without ending it
    if draft.settings.paused:
        draft.because("the Rollout is paused by spec.paused; set it to false to go on")
        return
    if paused_for(draft, INCONCLUSIVE):
        draft.because("an analysis was inconclusive; promote to go on, or abort")
        return
    if paused_for(draft, FAILED):
        draft.because("an analysis failed, and the annotation rollouts/on-failure pauses then; promote to go on, or abort")
        return
    while draft.index < len(steps) and _is_complete(draft, steps[draft.index]):
        _finish_step(draft)


def _is_complete(draft: Draft, step: Step) -> bool:
    match kind_of(step):
        case "pause":
            return _pause_is_over(draft, step)
        case "analysis":
            return _analysis_is_over(draft)
        case "setHeaderRoute" | "setMirrorRoute":
            return _traffic_is_there(draft)
        case "setCanaryScale":
            return _pods_are_there(draft)
        case _:
            return _pods_are_there(draft) and _traffic_is_there(draft)


def _pods_are_there(draft: Draft) -> bool:
    if at_wanted_counts(draft):
        return True
    wanted = wanted_counts(draft)
    draft.because(f"waiting for pods: the new version has {draft.new_available} of {wanted.canary} available{_stuck(draft)}")
    return False


def _stuck(draft: Draft) -> str:
    """Say what keeps a pod of the new version from running, and wake up when one becomes available by time."""
    for pod in draft.snapshot.pods_of(draft.new):
        if reason := pod_trouble(pod):
            return f" ({name_of(pod)}: {reason})"
        ready = available_at(pod, draft.settings.min_ready)
        if ready and ready > draft.now:
            draft.look_again(ready - draft.now)
    return ""


def _traffic_is_there(draft: Draft) -> bool:
    if not draft.settings.routed or not draft.settings.replicas:
        return True
    wanted = step_split(draft)
    if (
        draft.observed == wanted
        and not serves_another(draft)
        and draft.canary_status.get("weights", {}).get("verified") is not False
    ):
        return True
    draft.because(f"waiting for the router to send {wanted.canary} of {wanted.total} to the new version")
    return False


def _pause_is_over(draft: Draft, step: Step) -> bool:
    pause = paused_for(draft, PAUSE_STEP)
    duration = pause_duration(step)
    if pause is None:
        add_pause(draft, PAUSE_STEP)
        pause = paused_for(draft, PAUSE_STEP) or {}
    if duration is None:
        draft.because("paused until a person promotes or aborts")
        return False
    ends = (parse_time(pause.get("startTime")) or draft.now) + duration
    if draft.now >= ends or not duration:
        return True
    draft.because(f"paused for {pause_text(step)}", until=ends)
    return False


def pause_text(step: Step) -> str:
    """Return a pause's duration as written, with `s` behind a bare number."""
    duration = str((step.get("pause") or {}).get("duration"))
    return f"{duration}s" if duration.isdecimal() else duration


def _analysis_is_over(draft: Draft) -> bool:
    run = draft.canary_status.get(STEP_RUN) or {}
    if run.get("status") == "Successful" or run.get("status") in BAD_VERDICTS:  # bad: a person ended the pause that it began
        return True
    draft.because(f"waiting for the analysis of step {draft.index + 1}" + (f" ({run['name']})" if run.get("name") else ""))
    return False


def _finish_step(draft: Draft) -> None:
    """Go on to the next step, and tell."""
    steps, index = draft.settings.steps, draft.index
    draft.status["currentStepIndex"] = index + 1
    draft.canary_status.pop(STEP_RUN, None)
    if index + 1 < len(steps) and (draft.canary_status.get(BACKGROUND_RUN) or {}).get("status") in BAD_VERDICTS:
        draft.canary_status.pop(BACKGROUND_RUN)  # a person went on in spite of it: measured anew from the next step on
    _drop_pause(draft, PAUSE_STEP)
    text = f"Rollout step {index + 1}/{len(steps)} completed ({describe(steps[index])})"
    draft.event("RolloutStepCompleted", text)


def promote_when_done(draft: Draft) -> None:
    """Make the new version the stable one when nothing is left to wait for."""
    why = _promotion(draft)
    if not why or draft.new is None:
        return
    steps = draft.settings.steps
    _clear_pauses(draft)
    for field in ("abort", "abortedAt", "promoteFull"):
        draft.status.pop(field, None)
    if steps:
        draft.status["currentStepIndex"] = len(steps)
    draft.status["stableRS"] = draft.new_hash
    draft.canary_status.pop(STEP_RUN, None)
    draft.event("RolloutCompleted", f"Rollout completed update to revision {draft.revision} ({draft.new_hash}): {why}")
    if draft.stable and draft.stable.uid != draft.new.uid:
        draft.others = (*draft.others, draft.stable)
    draft.stable = draft.new


def _canary_share(draft: Draft) -> int | None:
    return draft.observed.canary if draft.observed is not None else None


def _promotion(draft: Draft) -> str:
    """Say why the new version is to be promoted now; empty when it is not."""
    settings, steps = draft.settings, draft.settings.steps
    if draft.fully_promoted:
        draft.status.pop("promoteFull", None)
        return ""
    if draft.new is None or (draft.aborted and not draft.is_first) or not enough_available(draft, settings.replicas):
        return ""
    if draft.is_first:
        return "Initial deploy"
    if settings.paused or draft.status.get("pauseConditions") or draft.index < len(steps):
        return ""
    begun = holds_users(draft, draft.new)  # a promotion of which everything but the status was written: it is not taken back
    everybody = not serves_another(draft) and _canary_share(draft) == settings.total_weight
    if settings.routed and settings.replicas and not (begun or everybody):
        draft.because("waiting for the router to send everybody to the new version")
        return ""
    return draft.fast_track or (f"Completed all {len(steps)} canary steps" if steps else "Completed all 0 canary steps")
