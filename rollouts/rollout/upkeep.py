"""What is looked after beside updates: restarts, role metadata on pods, old revisions and runs (spec/rollout.md 2.6, 2.11).

Must not: move traffic or scale.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from analysis.run.history import runs_to_delete
from kube.kinds import ANALYSIS_RUN, POD, REPLICA_SET, ObjectRef
from kube.objects import Object, annotations_of, format_time, labels_of, name_of, namespace_of, parse_time, uid_of
from kube.plan import Delete, Evict, Patch
from rollouts.engine.names import EPHEMERAL_METADATA
from rollouts.rollout.draft import Draft, Order
from rollouts.rollout.progress import BACKGROUND_RUN, STEP_RUN
from rollouts.rollout.revisions import injected_into
from rollouts.rollout.snapshot import ReplicaSet, ready_since

RECHECK = timedelta(seconds=30)


def restart_pods(draft: Draft) -> None:
    """Evict pods that are older than `restartAt`, as many at a time as may be unavailable."""
    asked = draft.settings.restart_at
    if asked is None or parse_time(draft.status.get("restartedAt")) == asked:
        return
    if draft.now < asked:
        draft.because("a restart is asked for later", until=asked)
        return
    stable_first = sorted(draft.all_sets, key=lambda one: draft.stable is None or one.uid != draft.stable.uid)
    old = [pod for one in stable_first for pod in draft.snapshot.pods_of(one) if _created(pod) < format_time(asked)]
    if not old:
        draft.status["restartedAt"] = format_time(asked)
        return
    available = sum(one.available for one in draft.all_sets)
    running = max(draft.settings.replicas, sum(one.wanted for one in draft.all_sets))
    spare = available - (running - max(1, draft.settings.unavailable))
    dead = [pod for pod in old if ready_since(pod) is None]
    chosen = (dead + [pod for pod in old if ready_since(pod) is not None][: max(0, spare)])[: max(1, draft.settings.unavailable)]
    for pod in chosen:
        draft.write(Order.TIDY, Evict(ref=_pod_ref(pod), uid=uid_of(pod)))
    draft.because(f"restarting: {len(old)} pods are older than {format_time(asked)}")
    draft.look_again(RECHECK)


def _created(pod: Object) -> str:
    return str(pod["metadata"].get("creationTimestamp") or "")


def _pod_ref(pod: Object) -> ObjectRef:
    return ObjectRef(POD, namespace_of(pod), name_of(pod))


def mark_roles(draft: Draft) -> None:
    """Put `stableMetadata` and `canaryMetadata` on the pods of each role while it lasts, and take off the other's.

    Pods are looked at one by one, so one that was made while its ReplicaSet was changed is not forgotten.
    """
    for one in draft.all_sets:
        wanted, injected = _role_metadata(draft, one), injected_into(one)
        difference = _difference(injected, wanted)
        for pod in draft.snapshot.pods_of(one) if difference else ():
            if _lacks(pod, difference):
                draft.write(Order.ROUTE, Patch(ref=_pod_ref(pod), patch={"metadata": difference}))
        if wanted != injected:
            text = json.dumps(wanted, sort_keys=True, separators=(",", ":")) if wanted else None
            patch = {"metadata": {"annotations": {EPHEMERAL_METADATA: text}}, "spec": {"template": {"metadata": difference}}}
            draft.patch_replica_set(Order.GROW, one, patch)


def _role_metadata(draft: Draft, replica_set: ReplicaSet) -> Mapping[str, Any]:
    """Return what pods of this ReplicaSet are to carry for their role; old versions carry nothing."""
    settings = draft.settings
    if draft.stable is not None and replica_set.uid == draft.stable.uid:
        return settings.stable_metadata
    if draft.new is not None and replica_set.uid == draft.new.uid:
        return settings.stable_metadata if draft.is_first else settings.canary_metadata
    return {}


def _difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the merge patch of labels and annotations that leads from one injection to the other."""
    patch: dict[str, Any] = {}
    for part in ("labels", "annotations"):
        before, after = old.get(part) or {}, new.get(part) or {}
        changes = {**{key: None for key in before if key not in after}, **after}
        if changes:
            patch[part] = changes
    return patch


def _lacks(pod: Object, difference: Mapping[str, Any]) -> bool:
    held = {"labels": labels_of(pod), "annotations": annotations_of(pod)}
    return any(held[part].get(key) != value for part, entries in difference.items() for key, value in entries.items())


def clean_history(draft: Draft) -> None:
    """Delete ReplicaSets beyond `revisionHistoryLimit` and runs beyond the history limits."""
    idle = [one for one in draft.others if one.wanted == 0 and one.count("replicas") == 0]
    idle.sort(key=lambda one: (one.revision, one.created), reverse=True)
    surplus = idle[draft.settings.revision_history_limit :]
    for one in surplus:
        draft.write(Order.TIDY, Delete(ref=ObjectRef(REPLICA_SET, draft.namespace, one.name), uid=one.uid))
    gone = {one.uid for one in surplus}
    hashes = {one.hash for one in draft.snapshot.replica_sets if one.uid not in gone} | {draft.new_hash}
    referenced = {(draft.canary_status.get(field) or {}).get("name", "") for field in (STEP_RUN, BACKGROUND_RUN)}
    for run in runs_to_delete(
        draft.snapshot.analysis_runs,
        successful_limit=draft.settings.successful_runs,
        unsuccessful_limit=draft.settings.unsuccessful_runs,
        referenced=referenced,
        existing_hashes=hashes,
    ):
        draft.write(Order.TIDY, Delete(ref=ObjectRef(ANALYSIS_RUN, draft.namespace, name_of(run)), uid=uid_of(run)))
