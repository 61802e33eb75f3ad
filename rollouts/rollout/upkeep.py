"""What is looked after beside updates: role metadata on pods, old revisions and runs (spec/rollout.md 2.6, 2.11).

Must not: move traffic or scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.run.history import runs_to_delete
from kube.kinds import ANALYSIS_RUN, REPLICA_SET, ObjectRef
from kube.objects import Object, annotations_of, labels_of, name_of, uid_of
from kube.plan import Delete, Patch
from rollouts.engine.injection import as_written, difference, injected_into, remembered
from rollouts.rollout.draft import Draft, Order
from rollouts.rollout.progress import BACKGROUND_RUN, STEP_RUN
from rollouts.rollout.snapshot import ReplicaSet, pod_ref


def mark_roles(draft: Draft) -> None:
    """Put `stableMetadata` and `canaryMetadata` on the pods of each role while it lasts, and take off the other's.

    Pods are looked at one by one, so one that was made while its ReplicaSet was changed is not forgotten.
    """
    for one in draft.all_sets:
        wanted, injected = _role_metadata(draft, one), injected_into(one.obj)
        is_new = draft.new is not None and one.uid == draft.new.uid
        own = as_written(one.obj, wanted=draft.settings.template.get("metadata") if is_new else None)["metadata"]
        changes = difference(injected, wanted, own)
        for pod in draft.snapshot.pods_of(one) if changes else ():
            if _lacks(pod, changes):
                draft.write(Order.ROUTE, Patch(ref=pod_ref(pod), patch={"metadata": changes}))
        if wanted != injected:
            patch = {"metadata": {"annotations": remembered(wanted, own)}, "spec": {"template": {"metadata": changes}}}
            draft.patch_replica_set(Order.GROW, one, patch)


def _role_metadata(draft: Draft, replica_set: ReplicaSet) -> Mapping[str, Any]:
    """Return what pods of this ReplicaSet are to carry for their role; old versions carry nothing."""
    settings = draft.settings
    if draft.stable is not None and replica_set.uid == draft.stable.uid:
        return settings.stable_metadata
    if draft.new is not None and replica_set.uid == draft.new.uid:
        return settings.stable_metadata if draft.is_first else settings.canary_metadata
    return {}


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
