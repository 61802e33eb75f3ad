"""What the commands write, as data: which patches, to which subresource, in which order (spec/rollout.md 4).

Owns the arithmetic of promote, abort, retry, pause and restart. Must not: talk to a server or read a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kube.objects import Object, format_time

Body = Mapping[str, Any]


class Refused(Exception):
    """The command makes no sense for this object; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Merge patches in order: `status` to the status subresource, then `spec` to the object.

    A server that knows no status subresource answers the first with "not found"; then `unified` alone goes to the object.
    """

    status: Body | None = None
    spec: Body | None = None
    unified: Body | None = None


ABORT = Change(status={"status": {"abort": True}}, unified={"status": {"abort": True}})
RETRY = Change(status={"status": {"abort": False}}, unified={"status": {"abort": False}})
PAUSE = Change(spec={"spec": {"paused": True}})
TERMINATE = Change(spec={"spec": {"terminate": True}})
_UNPAUSE: Body = {"spec": {"paused": False}}


def restart(at: datetime) -> Change:
    """Return the change that has pods older than a time restarted once it has come."""
    return Change(spec={"spec": {"restartAt": format_time(at)}})


def promote(rollout: Object, *, full: bool = False, skip_step: bool = False, skip_all: bool = False) -> Change:
    """Return the change that lets an update go on.

    Args:
        rollout: as it is now.
        full: skip pauses, analyses and steps altogether.
        skip_step: the deprecated way to go to the next step.
        skip_all: the deprecated way to go past the last step.

    Raises:
        Refused: the flags contradict each other or the strategy has no steps.
    """
    if skip_step or skip_all:
        return _skip(rollout, skip_all=skip_all, both=skip_step and skip_all)
    if full:
        return _promote_fully(rollout)
    return _go_on(rollout)


def _canary(rollout: Object) -> Mapping[str, Any] | None:
    canary = (rollout["spec"].get("strategy") or {}).get("canary")
    return canary if isinstance(canary, Mapping) else None


def _status(rollout: Object) -> Mapping[str, Any]:
    return rollout.get("status") or {}


def _next_index(rollout: Object) -> int | None:
    """Return the index after the current step's; None for a canary without steps."""
    steps = (_canary(rollout) or {}).get("steps") or ()
    if not steps:
        return None
    return min(int(_status(rollout).get("currentStepIndex") or 0) + 1, len(steps))


def _skip(rollout: Object, *, skip_all: bool, both: bool) -> Change:
    if both:
        raise Refused("Cannot use skip-current-step and skip-all-steps flags at the same time")
    canary = _canary(rollout)
    if canary is None:
        raise Refused("Cannot skip steps of a bluegreen rollout. Run without a flags")
    steps = canary.get("steps") or ()
    if not steps:
        raise Refused("Cannot skip steps of a rollout without steps")
    index = len(steps) if skip_all else _next_index(rollout)
    body: Body = {"status": {"pauseConditions": None, "currentStepIndex": index}}
    return _with_unpause(rollout, body)


def _promote_fully(rollout: Object) -> Change:
    status = _status(rollout)
    if status.get("currentPodHash") == status.get("stableRS"):
        return Change(spec=_UNPAUSE if rollout["spec"].get("paused") else None)
    return _with_unpause(rollout, {"status": {"promoteFull": True}})


def _with_unpause(rollout: Object, status: Body) -> Change:
    paused = bool(rollout["spec"].get("paused"))
    return Change(status=status, spec=_UNPAUSE if paused else None, unified={**status, **(_UNPAUSE if paused else {})})


def _go_on(rollout: Object) -> Change:
    """Clear the pause that holds the update; where nothing is paused by the controller, go to the next step."""
    status = _status(rollout)
    index = _next_index(rollout)
    step_run = (status.get("canary") or {}).get("currentStepAnalysisRunStatus") or {}
    cleared: dict[str, Any] = {"pauseConditions": None}
    if _canary(rollout) is not None and step_run.get("status") == "Inconclusive":
        # Clearing only the conditions would run the same analysis once more: this pause is not the controller's to resume.
        cleared |= {"controllerPause": False, **({} if index is None else {"currentStepIndex": index})}
    elif not status.get("pauseConditions"):
        if _canary(rollout) is None or index is None:
            spec = _UNPAUSE if rollout["spec"].get("paused") else None
            return Change(spec=spec, unified=spec)
        cleared["currentStepIndex"] = index
    change: Body = {"status": cleared}
    return Change(status=change, spec=_UNPAUSE if rollout["spec"].get("paused") else None, unified={**_UNPAUSE, **change})
