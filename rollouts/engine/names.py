"""Labels, annotations and names that people, tools and upstream's controller key on (spec/rollout.md 1.8). Exact strings."""

from __future__ import annotations

from crds.names import MANAGED_BY as MANAGED_BY
from crds.names import POD_TEMPLATE_HASH as POD_TEMPLATE_HASH
from kube.objects import Object, annotations_of

REVISION = "rollout.argoproj.io/revision"
REVISION_HISTORY = "rollout.argoproj.io/revision-history"
DESIRED_REPLICAS = "rollout.argoproj.io/desired-replicas"
EPHEMERAL_METADATA = "rollout.argoproj.io/ephemeral-metadata"
SCALE_DOWN_DEADLINE = "scale-down-deadline"
INSTANCE_ID = "argo-rollouts.argoproj.io/controller-instance-id"
POD_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
RESTART_SURGE = "rollouts/restart-surge"
"""On a ReplicaSet that has a pod more than it is to have, for as long as a restart needs it."""
COVERED_METADATA = "rollouts/covered-metadata"
"""On a ReplicaSet: the labels and annotations of its template that lie under those injected for its role."""
RETRIES = "rollouts/retries"
"""On a ReplicaSet: how often its revision was tried again by itself, and which abort that answered."""
ROLLOUT_TYPE = "rollout-type"
STEP_INDEX = "step-index"
_LONGEST_REVISION = 18
"""Digits; anybody may write an annotation."""


def revision_of(obj: Object) -> int:
    """Read the revision number of a Rollout, a ReplicaSet or an AnalysisRun; 0 when it has none that makes sense."""
    text = annotations_of(obj).get(REVISION, "")
    return int(text) if text.isdecimal() and len(text) <= _LONGEST_REVISION else 0


def replica_set_name(rollout: str, pod_hash: str) -> str:
    """Name of the ReplicaSet of a revision."""
    return f"{rollout}-{pod_hash}"


def analysis_run_name(rollout: str, pod_hash: str, revision: int, suffix: str = "") -> str:
    """Name of an AnalysisRun: `suffix` is the step index of a step's run, empty for a background run."""
    return "-".join(part for part in (rollout, pod_hash, str(revision), suffix) if part)
