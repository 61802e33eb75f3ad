"""What the controller will do next, when, and what it waits for, in plain sentences; from the same pure plan.

Must not: do anything; it is what `rollouts explain` prints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from crds.durations import duration_text, whole_seconds
from kube.kinds import DESTINATION_RULE, INGRESS, VIRTUAL_SERVICE
from kube.objects import is_deleting, name_of, namespace_of
from kube.plan import Create, Delete, Evict, Patch, Plan, Write
from rollouts.engine.steps import Steps, describe
from rollouts.rollout.explain_analyses import analysis_sentences, sentence
from rollouts.rollout.notes import Note, notes
from rollouts.rollout.plan import find_problems, plan
from rollouts.rollout.pod_trouble import pod_trouble
from rollouts.rollout.snapshot import Snapshot


def explain(snapshot: Snapshot, now: datetime) -> list[str]:
    """Return the sentences: where the update stands, what is waited for, what is written next, what comes after."""
    if is_deleting(snapshot.rollout):
        return ["It is being deleted: its ReplicaSets go with it, and Services and routes are released."]
    problems, wanted = find_problems(snapshot), plan(snapshot, now)
    writes = [f"Next: {_says(write)}." for stage in wanted.stages for write in stage.writes]
    if problems:
        goes_on = (
            "only what brings users back to stable or keeps them there goes on" if snapshot.reading.settings else "nothing happens"
        )
        return [f"The spec is invalid; {goes_on} until it is mended:", *(f"  {one}" for one in problems), *writes]
    return [
        *_standing(snapshot, wanted),
        *analysis_sentences(snapshot, wanted.status or {}, now),
        *(sentence(f"{reason.text[:1].upper()}{reason.text[1:]}", _until(reason.until, now)) for reason in wanted.reasons),
        *_pods_in_trouble(snapshot, wanted),
        *(sentence(f"Note: {note}") for note in _notes(snapshot)),
        *writes,
        *_ahead(snapshot, wanted),
    ]


def _standing(snapshot: Snapshot, wanted: Plan) -> Iterator[str]:
    status, steps = wanted.status or {}, _steps(snapshot)
    message = f": {status['message']}" if status.get("message") else ""
    yield sentence(f"{status.get('phase', 'Unknown')}{message}")
    if not status.get("stableRS"):
        yield "This is the first version: it goes straight to all pods, steps begin with the next one."
        return
    index = status.get("currentStepIndex")
    if index is not None and index < len(steps) and not status.get("abort"):
        yield f"At step {index + 1} of {len(steps)} ({describe(steps[index])})."
    elif steps and not status.get("abort"):
        yield f"All {len(steps)} steps are done."
    weights = (status.get("canary") or {}).get("weights")
    if weights:
        canary, stable = weights["canary"]["weight"], weights["stable"]["weight"]
        yield f"Traffic: {canary} to the new version, {stable} to stable." if canary else "Traffic: everybody is on stable."


def _notes(snapshot: Snapshot) -> Sequence[Note]:
    settings = snapshot.reading.settings
    return notes(snapshot, settings) if settings else ()


def _steps(snapshot: Snapshot) -> Steps:
    settings = snapshot.reading.settings
    return settings.steps if settings else ()


def _ahead(snapshot: Snapshot, wanted: Plan) -> Iterator[str]:
    status = wanted.status or {}
    yield from _commands(snapshot, status)
    if status.get("abort"):
        return
    index = status.get("currentStepIndex")
    if index is None or not status.get("stableRS") or status["stableRS"] == status.get("currentPodHash"):
        return
    after = [describe(step) for step in _steps(snapshot)[index + 1 :]]
    yield "After that: " + ", then ".join([*after, "promotion"]) + "."


def _commands(snapshot: Snapshot, status: Mapping[str, Any]) -> Iterator[str]:
    """Name the commands that fit where the update stands."""
    name, namespace = name_of(snapshot.rollout), namespace_of(snapshot.rollout)
    who = name if namespace == "default" else f"{name} -n {namespace}"
    if not status.get("stableRS") or status["stableRS"] == status.get("currentPodHash"):
        return
    if status.get("abort"):
        stable = next((one.revision for one in snapshot.replica_sets if one.hash == status["stableRS"]), 0)
        back = f"; `rollouts undo {who} --to-revision={stable}` puts the stable version back into the spec" if stable else ""
        yield f"The update was aborted: `rollouts retry rollout {who}` tries it again{back}."
    elif status.get("pauseConditions") or snapshot.rollout["spec"].get("paused"):
        yield f"`rollouts promote {who}` goes on, `rollouts abort {who}` takes everybody back to stable."
    else:
        yield f"`rollouts abort {who}` takes everybody back to stable."


def _pods_in_trouble(snapshot: Snapshot, wanted: Plan) -> Iterator[str]:
    """Tell what keeps pods of the new and of the stable version from running, where no reason tells it already."""
    status, told = wanted.status or {}, " ".join(reason.text for reason in wanted.reasons)
    for role, version in (("new", status.get("currentPodHash")), ("stable", status.get("stableRS"))):
        sets = [one for one in snapshot.replica_sets if version and one.hash == version]
        pods = [(name_of(pod), text) for one in sets for pod in snapshot.pods_of(one) if (text := pod_trouble(pod))]
        if pods and not any(name in told for name, _ in pods):
            others = f" (and {len(pods) - 1} more)" if len(pods) > 1 else ""
            yield sentence(f"A pod of the {role} version does not run: {pods[0][0]}{others}: {pods[0][1]}")
        if status.get("stableRS") == status.get("currentPodHash"):
            return


def _until(moment: datetime | None, now: datetime) -> str:
    return f" ({duration_text(whole_seconds(moment - now))} left)" if moment is not None else ""


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
        case Patch(patch={"metadata": {"annotations": {"rollout.argoproj.io/revision": revision}}}):
            return f"number {write.ref} as revision {revision}"
        case Patch(patch={"spec": {"selector": {"rollouts-pod-template-hash": version}}}):
            return f"point {write.ref} at version {version}"
        case Patch(patch={"spec": {"terminate": True}}):
            return f"stop {write.ref}"
        case Patch() if write.ref.kind in (INGRESS, VIRTUAL_SERVICE, DESTINATION_RULE):
            return f"change who is sent where in {write.ref}"
        case Patch():
            return f"change {write.ref}"
