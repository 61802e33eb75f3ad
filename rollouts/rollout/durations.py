"""How long an update took, and how much of that it waited for people (`status.duration`, spec/rollout.md 1.7).

Written only together with what else of the status changes then, so it costs no write. Must not: decide anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kube.objects import format_time, parse_time
from rollouts.engine.steps import kind_of, pause_duration
from rollouts.rollout.draft import Draft
from rollouts.rollout.progress import PAUSE_STEP


def keep_time(draft: Draft) -> None:
    """Note when the update began, when people began to keep it waiting, and when and how it ended."""
    before = draft.rollout.get("status") or {}
    is_new = before.get("currentPodHash") != draft.status.get("currentPodHash")
    was_retried = bool(before.get("abortedAt")) and not draft.aborted
    if is_new or (was_retried and not draft.fully_promoted):
        draft.status["duration"] = {"rolloutStartedAt": format_time(draft.now)}
    duration = draft.status.get("duration")
    if not duration or duration.get("finishedAt"):
        return
    ending = _ending(draft, before)
    _note_wait(duration, draft.now, waits=not ending and _waits_for_people(draft))
    if ending:
        duration["finishedAt"] = format_time(draft.now)
        duration["completionStatus"] = ending


def _ending(draft: Draft, before: Mapping[str, Any]) -> str:
    """Return how the update ended; empty while it goes on."""
    if draft.aborted:
        return "Aborted"
    if not draft.fully_promoted:
        return ""
    if draft.fast_track:
        return "FastPromoted" if before.get("promoteFull") else "FastRolledBack"
    replaced = next((one for one in draft.all_sets if one.hash == before.get("stableRS")), None)
    came_back = draft.was_promoted or (draft.new is not None and replaced is not None and draft.new.created < replaced.created)
    return "RolledBack" if came_back else "Promoted"


def _waits_for_people(draft: Draft) -> bool:
    if draft.settings.paused:
        return True
    steps, index = draft.settings.steps, draft.index
    timed = index < len(steps) and kind_of(steps[index]) == "pause" and pause_duration(steps[index]) is not None
    return any(one.get("reason") != PAUSE_STEP or not timed for one in draft.status.get("pauseConditions") or ())


def _note_wait(duration: dict[str, Any], now: datetime, *, waits: bool) -> None:
    """Begin a wait, or add one that is over to the sum."""
    since = parse_time(duration.get("manualPauseStartedAt"))
    if waits and since is None:
        duration["manualPauseStartedAt"] = format_time(now)
    elif since is not None and not waits:
        del duration["manualPauseStartedAt"]
        waited = max(0, int((now - since).total_seconds()))
        duration["totalManualPauseDurationSeconds"] = int(duration.get("totalManualPauseDurationSeconds") or 0) + waited
