"""From raw objects to the tree that `get rollout` shows (spec/rollout.md 4).

Pure: `now` is an argument. Must not: format lines, or list anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from analysis.run.verdicts import short_note
from kube.objects import Object, annotations_of, is_controlled_by, labels_of, name_of, namespace_of, uid_of
from rollouts.cli.ages import age_of, human_duration, moment
from rollouts.cli.model import (
    AnalysisRunInfo,
    Icon,
    ImageInfo,
    JobInfo,
    ReplicaSetInfo,
    RevisionInfo,
    RolloutInfo,
    Tag,
)
from rollouts.cli.phases import PHASE_ICONS, client_phase
from rollouts.cli.pods import pod_info, replica_set_status
from rollouts.engine.names import POD_TEMPLATE_HASH, SCALE_DOWN_DEADLINE, revision_of

ANALYSIS_ICONS: Mapping[str, Icon] = {
    "Successful": Icon.OK,
    "Failed": Icon.BAD,
    "Error": Icon.WARNING,
    "Inconclusive": Icon.UNKNOWN,
    "Running": Icon.PROGRESSING,
    "Pending": Icon.WAITING,
}


def rollout_info(
    rollout: Object,
    *,
    now: datetime,
    replica_sets: Iterable[Object] = (),
    pods: Iterable[Object] = (),
    analysis_runs: Iterable[Object] = (),
) -> RolloutInfo:
    """Return what there is to show of a Rollout; objects that it does not control are left out."""
    uid, status, spec = uid_of(rollout), rollout.get("status") or {}, rollout["spec"]
    phase, message = client_phase(rollout)
    all_pods = list(pods)
    sets = [_replica_set(one, rollout, all_pods, now) for one in _by_age(replica_sets) if is_controlled_by(one, uid)]
    runs = [_analysis_run(one, now) for one in _by_age(analysis_runs) if is_controlled_by(one, uid)]
    canary = (spec.get("strategy") or {}).get("canary")
    steps = (canary or {}).get("steps") or ()
    weight = set_weight(rollout)
    return RolloutInfo(
        name=name_of(rollout),
        namespace=namespace_of(rollout),
        status=phase,
        icon=PHASE_ICONS.get(phase, Icon.UNKNOWN),
        message=message,
        strategy="Canary" if canary is not None else "BlueGreen",
        step=f"{status['currentStepIndex']}/{len(steps)}" if steps and status.get("currentStepIndex") is not None else "",
        set_weight=weight,
        actual_weight=_actual_weight(rollout, sets, weight),
        desired=1 if spec.get("replicas") is None else int(spec["replicas"]),
        current=int(status.get("replicas") or 0),
        updated=int(status.get("updatedReplicas") or 0),
        ready=int(status.get("readyReplicas") or 0),
        available=int(status.get("availableReplicas") or 0),
        age=age_of(rollout, now),
        images=_images(sets),
        revisions=tuple(_revisions(sets, runs)),
    )


def set_weight(rollout: Object) -> int:
    """Return the weight that the current step asks for, 0 after an abort."""
    canary = ((rollout["spec"].get("strategy") or {}).get("canary")) or {}
    status, steps = rollout.get("status") or {}, canary.get("steps") or ()
    total = (canary.get("trafficRouting") or {}).get("maxTrafficWeight")
    if status.get("abort"):
        return 0
    index = int(status.get("currentStepIndex") or 0)
    if index >= len(steps):
        return 100 if total is None else int(total)
    return next((int(step["setWeight"]) for step in reversed(steps[: index + 1]) if step.get("setWeight") is not None), 0)


def _actual_weight(rollout: Object, sets: Sequence[ReplicaSetInfo], wanted: int) -> int:
    """Return the share that the canary has: by its router's weights, or without one by the available pods."""
    canary = ((rollout["spec"].get("strategy") or {}).get("canary")) or {}
    status = rollout.get("status") or {}
    if int(status.get("currentStepIndex") or 0) >= len(canary.get("steps") or ()):
        return 100
    available = int(status.get("availableReplicas") or 0)
    if not available:
        return 0
    if not canary.get("trafficRouting"):
        return sum(one.available for one in sets if Tag.CANARY in one.tags) * 100 // available
    weights = (status.get("canary") or {}).get("weights")
    return int((weights.get("canary") or {}).get("weight") or 0) if weights else wanted


def _by_age(objects: Iterable[Object]) -> list[Object]:
    return sorted(objects, key=lambda obj: (str(obj["metadata"].get("creationTimestamp") or ""), name_of(obj)))


def _replica_set(replica_set: Object, rollout: Object, pods: Sequence[Object], now: datetime) -> ReplicaSetInfo:
    status, icon = replica_set_status(replica_set)
    uid, counters = uid_of(replica_set), replica_set.get("status") or {}
    template = (replica_set["spec"].get("template") or {}).get("spec") or {}
    return ReplicaSetInfo(
        name=name_of(replica_set),
        revision=revision_of(replica_set),
        status=status,
        icon=icon,
        age=age_of(replica_set, now),
        tags=_tags(labels_of(replica_set).get(POD_TEMPLATE_HASH, ""), rollout),
        delay=_delay(replica_set, now),
        images=tuple(str(container.get("image", "")) for container in template.get("containers") or ()),
        replicas=int(counters.get("replicas") or 0),
        available=int(counters.get("availableReplicas") or 0),
        pods=tuple(pod_info(pod, now) for pod in _by_age(pods) if is_controlled_by(pod, uid)),
    )


def _tags(pod_hash: str, rollout: Object) -> tuple[Tag, ...]:
    """Return what a ReplicaSet is to the Rollout; stable before canary, as after promotion it is both."""
    status, strategy = rollout.get("status") or {}, rollout["spec"].get("strategy") or {}
    if not pod_hash:
        return ()
    is_stable, is_new = pod_hash == status.get("stableRS"), pod_hash == status.get("currentPodHash")
    if strategy.get("canary") is None:
        services = status.get("blueGreen") or {}
        roles = ((Tag.STABLE, is_stable), (Tag.ACTIVE, pod_hash == services.get("activeSelector")))
        preview = pod_hash == services.get("previewSelector") and pod_hash != services.get("activeSelector")
        return tuple(tag for tag, holds in (*roles, (Tag.PREVIEW, preview)) if holds)
    found = [Tag.STABLE] if is_stable else [Tag.CANARY] if is_new else []
    if stable_side := (status.get("canary") or {}).get("stablePingPong"):
        other = Tag.PONG if stable_side == Tag.PING else Tag.PING
        found += [Tag(stable_side)] if is_stable else [other] if is_new else []
    return tuple(found)


def _delay(replica_set: Object, now: datetime) -> str:
    deadline = moment(annotations_of(replica_set).get(SCALE_DOWN_DEADLINE))
    if deadline is None:
        return ""
    return human_duration(deadline - now) if deadline >= now else "passed"


def _analysis_run(run: Object, now: datetime) -> AnalysisRunInfo:
    status = run.get("status") or {}
    phase, results = str(status.get("phase") or ""), status.get("metricResults") or ()
    counts = {name: sum(int(one.get(name) or 0) for one in results) for name in ("successful", "failed", "inconclusive", "error")}
    return AnalysisRunInfo(
        name=name_of(run),
        revision=revision_of(run),
        status=phase,
        icon=ANALYSIS_ICONS.get(phase, Icon.UNKNOWN if phase else Icon.WAITING),
        age=age_of(run, now),
        jobs=tuple(_jobs(results, now)),
        note=short_note(run),
        **counts,
    )


def _jobs(results: Iterable[Mapping[str, Any]], now: datetime) -> Iterator[JobInfo]:
    """Yield the Jobs that measurements were made with."""
    for result in results:
        for measurement in result.get("measurements") or ():
            name = (measurement.get("metadata") or {}).get("job-name")
            if not name:
                continue
            phase, started = str(measurement.get("phase") or ""), moment(measurement.get("startedAt"))
            age = human_duration(now - started) if started else ""
            yield JobInfo(name=str(name), status=phase, icon=ANALYSIS_ICONS.get(phase, Icon.UNKNOWN), age=age)


def _images(sets: Iterable[ReplicaSetInfo]) -> tuple[ImageInfo, ...]:
    """Return the images that pods run, by name, with what they run as."""
    found: dict[str, dict[Tag, None]] = {}
    for replica_set in sets:
        for image in replica_set.images if replica_set.replicas else ():
            found.setdefault(image, {}).update(dict.fromkeys(replica_set.tags))
    return tuple(ImageInfo(image, tuple(tags)) for image, tags in sorted(found.items()))


def _revisions(sets: Sequence[ReplicaSetInfo], runs: Sequence[AnalysisRunInfo]) -> Iterator[RevisionInfo]:
    for number in sorted({one.revision for one in sets} | {one.revision for one in runs}, reverse=True):
        yield RevisionInfo(
            number=number,
            replica_sets=tuple(one for one in sets if one.revision == number),
            analysis_runs=tuple(one for one in runs if one.revision == number),
        )
