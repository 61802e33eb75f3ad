"""Which ReplicaSet is new, which stable, which old; and what a new template resets (spec/rollout.md 2.1-2.3).

Adopts by meaning, never by hash alone. Must not: scale, or decide about traffic.
"""

from __future__ import annotations

from typing import Any

from kube.kinds import REPLICA_SET, ObjectRef
from kube.objects import Object, annotations_of, format_time, namespace_of
from kube.owners import owner_reference
from kube.plan import Create, Patch
from rollouts.engine import conditions as condition
from rollouts.engine.injection import is_of, remembered
from rollouts.engine.names import (
    DESIRED_REPLICAS,
    POD_TEMPLATE_HASH,
    REVISION,
    REVISION_HISTORY,
    replica_set_name,
    revision_of,
)
from rollouts.engine.templates import hash_of, same_images, without_injected
from rollouts.rollout.draft import Draft, Order
from rollouts.rollout.snapshot import ReplicaSet


def name_the_revisions(draft: Draft) -> None:
    """Find the new, the stable and the other ReplicaSets, and number the new revision."""
    sets = draft.snapshot.replica_sets
    current = draft.status.get("currentPodHash")
    draft.new = _matching(draft, current)
    draft.new_hash = draft.new.hash if draft.new else _free_hash(draft)
    stable_hash = draft.status.get("stableRS")
    draft.stable = next((one for one in sets if stable_hash and one.hash == stable_hash), None)
    named = {one.uid for one in (draft.new, draft.stable) if one}
    draft.others = tuple(sorted((one for one in sets if one.uid not in named), key=lambda one: one.created))
    _number(draft)


def _matching(draft: Draft, current: str | None) -> ReplicaSet | None:
    """Return the ReplicaSet whose pods are what the template asks for, the one in use first, then the youngest revision."""
    by_preference = sorted(draft.snapshot.replica_sets, key=lambda one: (one.hash != current, -one.revision))
    if by_preference and by_preference[0].hash == current and spec_was_seen(draft):
        return by_preference[0]
    plain = without_injected(draft.settings.template)
    for one in by_preference:
        if same_images(plain, one.template) and is_of(plain, one.obj):
            return one
    return None


def spec_was_seen(draft: Draft) -> bool:
    """Tell whether the stored status was made from this very spec, by whichever controller: template and steps are not new.

    So nothing restarts when another controller or version took its hashes in another way.
    """
    status = draft.rollout.get("status") or {}
    generation = draft.rollout["metadata"].get("generation")
    refused = condition.is_true(status.get("conditions") or (), "InvalidSpec")
    return bool(generation) and status.get("observedGeneration") == str(generation) and not refused


def _free_hash(draft: Draft) -> str:
    """Return a hash for the new template whose ReplicaSet name is free: not this Rollout's for another template, nor foreign."""
    taken = {one.hash for one in draft.snapshot.replica_sets}
    collisions = int(draft.status.get("collisionCount") or 0)
    while (pod_hash := hash_of(draft.settings.template, collisions)) in taken or _is_foreign(draft, pod_hash):
        collisions += 1
        draft.status["collisionCount"] = collisions
    return pod_hash


def _is_foreign(draft: Draft, pod_hash: str) -> bool:
    return replica_set_name(draft.name, pod_hash) in draft.snapshot.foreign_names


def _number(draft: Draft) -> None:
    """Give the new revision its number: one more than all others, noted on ReplicaSet and Rollout."""
    highest = max((one.revision for one in draft.snapshot.replica_sets if draft.new is None or one.uid != draft.new.uid), default=0)
    draft.revision = draft.new.revision if draft.new and draft.new.revision > highest else highest + 1
    if draft.new and draft.new.revision != draft.revision:
        annotations = {REVISION: str(draft.revision)}
        if draft.new.revision:
            history = draft.new.obj["metadata"].get("annotations", {}).get(REVISION_HISTORY, "")
            annotations[REVISION_HISTORY] = ",".join(filter(None, (history, str(draft.new.revision))))
        draft.patch_replica_set(Order.REVISION, draft.new, {"metadata": {"annotations": annotations}})
    if revision_of(draft.rollout) != draft.revision:
        patch = {"metadata": {"annotations": {REVISION: str(draft.revision)}}}
        draft.write(Order.NOTE, Patch(ref=draft.ref, patch=patch))
        draft.event("RolloutUpdated", f"Rollout updated to revision {draft.revision}", after=Order.NOTE)


def keep_spec_in_step(draft: Draft) -> None:
    """Write the default of `replicas`, which autoscalers read from the spec, and pass `minReadySeconds` on to the new version."""
    if draft.rollout["spec"].get("replicas") is None:
        draft.write(Order.REVISION, Patch(ref=draft.ref, patch={"spec": {"replicas": draft.settings.replicas}}))
    seconds = int(draft.settings.min_ready.total_seconds())
    if draft.new is not None and int(draft.new.obj["spec"].get("minReadySeconds") or 0) != seconds:
        draft.patch_replica_set(Order.REVISION, draft.new, {"spec": {"minReadySeconds": seconds}})


def create_replica_set(draft: Draft, replicas: int) -> None:
    """Create the new revision's ReplicaSet with so many pods."""
    name = replica_set_name(draft.name, draft.new_hash)
    draft.write(Order.REVISION, Create(kind=REPLICA_SET, body=_replica_set(draft, name, replicas)))
    title = f"ReplicaSet {name} (revision {draft.revision})"
    draft.event("NewReplicaSetCreated", f"Created {title}", after=Order.REVISION)
    if replicas:
        draft.event("ScalingReplicaSet", f"Scaled up {title} from 0 to {replicas}", after=Order.REVISION)
    _say_created(draft, name)


def _say_created(draft: Draft, name: str) -> None:
    draft.condition("Progressing", "True", reason="NewReplicaSetCreated", message=f'Created new replica set "{name}"', touch=True)


def _replica_set(draft: Draft, name: str, replicas: int) -> Object:
    settings = draft.settings
    template = dict(settings.template)
    metadata = dict(template.get("metadata") or {})
    ephemeral = settings.stable_metadata if draft.is_first else settings.canary_metadata
    labels = {**(metadata.get("labels") or {}), POD_TEMPLATE_HASH: draft.new_hash}
    template["metadata"] = {**metadata, "labels": {**labels, **(ephemeral.get("labels") or {})}}
    if injected := ephemeral.get("annotations"):
        template["metadata"]["annotations"] = {**(metadata.get("annotations") or {}), **injected}
    annotations = {REVISION: str(draft.revision), DESIRED_REPLICAS: str(settings.replicas)}
    annotations |= {key: text for key, text in remembered(ephemeral, metadata).items() if text}
    selector = settings.selector
    match_labels = {**(selector.get("matchLabels") or {}), POD_TEMPLATE_HASH: draft.new_hash}
    spec: dict[str, Any] = {"replicas": replicas, "selector": {**selector, "matchLabels": match_labels}, "template": template}
    if settings.min_ready:
        spec["minReadySeconds"] = int(settings.min_ready.total_seconds())
    return {
        "apiVersion": REPLICA_SET.api_version,
        "kind": REPLICA_SET.name,
        "metadata": {
            "name": name,
            "namespace": draft.namespace,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [owner_reference(draft.rollout)],
        },
        "spec": spec,
    }


def adopt_orphans(draft: Draft) -> None:
    """Take over ReplicaSets that the selector matches and nobody controls."""
    for one in draft.snapshot.replica_sets:
        if not one.obj["metadata"].get("ownerReferences"):
            ref = ObjectRef(REPLICA_SET, namespace_of(one.obj), one.name)
            patch = {"metadata": {"ownerReferences": [owner_reference(draft.rollout)]}}
            draft.write(Order.REVISION, Patch(ref=ref, patch=patch, version=one.obj["metadata"].get("resourceVersion")))


def restart_on_new_template(draft: Draft) -> None:
    """Start at the first step when the template or the steps are new; skip them all when the way back is short."""
    steps_hash = draft.settings.steps_hash
    pod_hash, known = draft.status.get("currentPodHash"), draft.status.get("currentStepHash") or ""
    if pod_hash == draft.new_hash and known != steps_hash and known and steps_hash and spec_was_seen(draft):
        draft.status["currentStepHash"] = steps_hash  # the same steps, hashed by another controller
    elif (pod_hash, known) != (draft.new_hash, steps_hash):
        _reset(draft, steps_hash)
    draft.fast_track = _fast_track(draft)


def _reset(draft: Draft, steps_hash: str) -> None:
    status = draft.status
    for field in ("pauseConditions", "controllerPause", "abort", "abortedAt", "promoteFull"):
        status.pop(field, None)
    for field in ("currentStepAnalysisRunStatus", "currentBackgroundAnalysisRunStatus", "currentExperiment"):
        draft.canary_status.pop(field, None)
    is_new_template = status.get("currentPodHash") != draft.new_hash
    status["currentPodHash"] = draft.new_hash
    if steps_hash:
        status["currentStepHash"] = steps_hash
        status["currentStepIndex"] = 0
    else:
        status.pop("currentStepHash", None)
        status.pop("currentStepIndex", None)
    if draft.settings.restart_at and not draft.is_first:
        status["restartedAt"] = format_time(draft.settings.restart_at)
    if draft.fully_promoted and draft.settings.steps:
        status["currentStepIndex"] = len(draft.settings.steps)
        if is_new_template:
            draft.event("SkipSteps", "Rollback to stable ReplicaSet, all steps skipped")
    if draft.new is not None and is_new_template and _was_made_for_this(draft, draft.new):
        _say_created(draft, draft.new.name)
    elif draft.new is not None:
        message = f'Found new replica set "{draft.new.name}"'
        draft.condition("Progressing", "True", reason="FoundNewReplicaSet", message=message, touch=True)


def _was_made_for_this(draft: Draft, new: ReplicaSet) -> bool:
    """Tell whether an earlier plan made it and stored no status after that, rather than an earlier update."""
    is_newest = new.revision > max((one.revision for one in draft.snapshot.replica_sets if one.uid != new.uid), default=0)
    return is_newest and REVISION_HISTORY not in annotations_of(new.obj)


def _fast_track(draft: Draft) -> str:
    """Say why steps are skipped: a full promotion was asked for, or the way back is within the rollback window."""
    if draft.fully_promoted or draft.is_first:
        return ""
    if draft.status.get("promoteFull"):
        return "Full promotion requested"
    new, stable, window = draft.new, draft.stable, draft.settings.rollback_window
    if not window or draft.aborted or new is None or stable is None or new.created >= stable.created:
        return ""
    between = sum(new.created < one.created < stable.created and not _of_experiment(one) for one in draft.others)
    return "Rollback within window" if between < window else ""


def _of_experiment(replica_set: ReplicaSet) -> bool:
    return "experiment.argoproj.io/name" in annotations_of(replica_set.obj)
