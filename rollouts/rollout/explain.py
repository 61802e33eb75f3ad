"""What the controller will do next, when, and what it waits for, in plain sentences; from the same pure plan.

Must not: do anything; it is what `rollouts explain` prints.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from kube.plan import Create, Delete, Evict, Patch, Plan, Write
from rollouts.engine.steps import describe
from rollouts.rollout.plan import find_problems, plan
from rollouts.rollout.settings import Settings
from rollouts.rollout.snapshot import Snapshot


def explain(snapshot: Snapshot, now: datetime) -> list[str]:
    """Return the sentences: where the update stands, what is waited for, what is written next, what comes after."""
    problems = find_problems(snapshot)
    if problems:
        return ["The spec is invalid, so nothing happens until it is mended:", *(f"  {one}" for one in problems)]
    wanted = plan(snapshot, now)
    return [
        *_standing(snapshot, wanted),
        *(f"Waiting: {reason.text}{_until(reason.until, now)}." for reason in wanted.reasons),
        *(f"Next: {_says(write)}." for stage in wanted.stages for write in stage.writes),
        *_ahead(snapshot, wanted),
    ]


def _standing(snapshot: Snapshot, wanted: Plan) -> Iterator[str]:
    status, settings = wanted.status or {}, Settings.of(snapshot.rollout)
    message = f": {status['message']}" if status.get("message") else ""
    yield f"{status.get('phase', 'Unknown')}{message}."
    index, total = status.get("currentStepIndex"), len(settings.steps)
    if index is not None and index < total:
        yield f"At step {index + 1} of {total} ({describe(settings.steps[index])})."
    elif total:
        yield f"All {total} steps are done."
    weights = (status.get("canary") or {}).get("weights")
    if weights:
        yield f"Traffic: {weights['canary']['weight']} to the new version, {weights['stable']['weight']} to stable."


def _ahead(snapshot: Snapshot, wanted: Plan) -> Iterator[str]:
    status, settings = wanted.status or {}, Settings.of(snapshot.rollout)
    if status.get("abort"):
        yield "The update was aborted: retry it, or change the template back to the stable version."
        return
    index = status.get("currentStepIndex")
    if index is None or status.get("stableRS") == status.get("currentPodHash"):
        return
    after = [describe(step) for step in settings.steps[index + 1 :]]
    yield "After that: " + ", then ".join([*after, "promotion"]) + "."


def _until(moment: datetime | None, now: datetime) -> str:
    return f", for another {duration_text(moment - now)}" if moment is not None else ""


def duration_text(left: timedelta) -> str:
    """Write a duration as people say it: `1h2m`, `45s`; less than a second is `0s`."""
    seconds = max(0, int(left.total_seconds()))
    hours, minutes = divmod(seconds // 60, 60)
    parts = [(hours, "h"), (minutes, "m"), (seconds % 60, "s")]
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"


def _says(write: Write) -> str:
    match write:
        case Create():
            return f"create {write.ref}"
        case Delete():
            return f"delete {write.ref}"
        case Evict():
            return f"evict {write.ref}"
        case Patch(patch={"spec": {"replicas": int(replicas)}}):
            return f"scale {write.ref} to {replicas}"
        case Patch():
            return f"change {write.ref}"
