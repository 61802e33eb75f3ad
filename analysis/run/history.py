"""Which AnalysisRuns of a workload go (spec/rollout.md 2.6, History). Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from analysis.run.phases import Phase
from crds.names import POD_TEMPLATE_HASH
from kube.objects import Object, is_deleting, labels_of, name_of

DEFAULT_LIMIT = 5


def runs_to_delete(
    runs: Iterable[Object],
    *,
    referenced: Collection[str],
    existing_hashes: Collection[str],
    successful_limit: int = DEFAULT_LIMIT,
    unsuccessful_limit: int = DEFAULT_LIMIT,
) -> tuple[Object, ...]:
    """Return the runs to delete, newest first.

    Runs that the workload's status names never go. Of the others, those without a pod hash or whose ReplicaSet is gone always do,
    still going on or not. Of the rest, the newest of the successful and of the unsuccessful ones are kept, up to their limits,
    and all that are still going on.

    Args:
        runs: all runs that the workload controls.
        referenced: names of the runs in the workload's status.
        existing_hashes: pod hashes of the ReplicaSets there are.
        successful_limit: how many Successful runs to keep.
        unsuccessful_limit: how many Failed, Error and Inconclusive runs to keep, together.
    """
    left = {True: successful_limit, False: unsuccessful_limit}
    gone: list[Object] = []
    for run in sorted(runs, key=_age_key, reverse=True):
        if is_deleting(run) or name_of(run) in referenced:
            continue
        phase = Phase.read((run.get("status") or {}).get("phase"), otherwise=Phase.PENDING)
        if labels_of(run).get(POD_TEMPLATE_HASH) not in existing_hashes:
            gone.append(run)
        elif phase.is_completed:
            left[phase is Phase.SUCCESSFUL] -= 1
            if left[phase is Phase.SUCCESSFUL] < 0:
                gone.append(run)
    return tuple(gone)


def _age_key(run: Object) -> tuple[str, str]:
    return str(run["metadata"].get("creationTimestamp") or ""), name_of(run)
