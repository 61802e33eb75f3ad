"""The spec of kind Rollout and its two strategies; `Rollout` itself.

Optional fields are as written; what applies when one is left out is said in rollouts/rollout/settings.py.
Must not: judge; see rollouts/rollout/validation.py.
"""

from __future__ import annotations

from pydantic import Field

from crds.common import Embedded, Int32, IntOrString, LabelSelector, Metadata, Model, Resource, Time
from crds.references import BackgroundAnalysis, RolloutAnalysis
from crds.routing import TrafficRouting
from crds.status import RolloutStatus
from crds.steps import CanaryStep


class RequiredAntiAffinity(Model):
    """Never run the new version's pods on nodes of the stable ones."""


class PreferredAntiAffinity(Model):
    """Rather not run the new version's pods on nodes of the stable ones; weight 1 to 100."""

    weight: Int32
    """How much this counts beside other wishes: 1 to 100."""


class AntiAffinity(Model):
    """Keep the pods of both versions on different nodes."""

    required_during_scheduling_ignored_during_execution: RequiredAntiAffinity | None = None
    preferred_during_scheduling_ignored_during_execution: PreferredAntiAffinity | None = None


class PingPong(Model):
    """Two Services that take turns as stable and canary."""

    ping_service: str
    pong_service: str


class ReplicaProgressThreshold(Model):
    """How much of the wanted canary is enough for a step: `Percent` or `Pods`."""

    type: str
    """`Percent` of the wanted pods, or a number of `Pods`."""
    value: Int32
    """So many must be available before the step counts as reached."""


class CanaryStrategy(Model):
    """Ship step by step."""

    canary_service: str | None = None
    """The Service of the new version's pods; its selector is looked after."""
    stable_service: str | None = None
    """The Service of the stable version's pods; its selector is looked after."""
    steps: list[CanaryStep] | None = None
    """What is done one after the other; without any, the new version is rolled out as a Deployment would."""
    traffic_routing: TrafficRouting | None = None
    """Who shifts the traffic; without one, the numbers of pods are the shares."""
    max_unavailable: IntOrString | None = None
    """How many pods, or which share, may be missing during an update without a router. By default 25%."""
    max_surge: IntOrString | None = None
    """How many pods, or which share, may be there beyond the replicas during an update without a router. By default 25%."""
    analysis: BackgroundAnalysis | None = None
    """Runs beside the steps; when it fails, the update is aborted."""
    anti_affinity: AntiAffinity | None = None
    canary_metadata: Metadata | None = None
    """On pods of the new version as long as they are not stable."""
    stable_metadata: Metadata | None = None
    """On pods of the stable version."""
    scale_down_delay_seconds: Int32 | None = None
    """How long pods of the version before stay after the traffic has left them. By default 30; with a router only."""
    scale_down_delay_revision_limit: Int32 | None = None
    """How many versions may wait for that delay at once; by default any number."""
    abort_scale_down_delay_seconds: Int32 | None = None
    """How long the pods of an aborted version stay. By default 30; 0 keeps them. With a router only."""
    dynamic_stable_scale: bool | None = None
    """Scale the stable version down as its share of the traffic shrinks. By default it stays in full; with a router only."""
    ping_pong: PingPong | None = None
    min_pods_per_replica_set: Int32 | None = None
    """The least pods of a version that has any."""
    replica_progress_threshold: ReplicaProgressThreshold | None = None


class BlueGreenStrategy(Model):
    """Run both versions in full and switch at once."""

    active_service: str
    preview_service: str | None = None
    preview_replica_count: Int32 | None = None
    auto_promotion_enabled: bool | None = None
    auto_promotion_seconds: Int32 | None = None
    max_unavailable: IntOrString | None = None
    scale_down_delay_seconds: Int32 | None = None
    scale_down_delay_revision_limit: Int32 | None = None
    abort_scale_down_delay_seconds: Int32 | None = None
    pre_promotion_analysis: RolloutAnalysis | None = None
    post_promotion_analysis: RolloutAnalysis | None = None
    anti_affinity: AntiAffinity | None = None
    preview_metadata: Metadata | None = None
    active_metadata: Metadata | None = None


class Strategy(Model):
    """How a new version replaces the old one: exactly one of these."""

    blue_green: BlueGreenStrategy | None = None
    canary: CanaryStrategy | None = None


class WorkloadRef(Model):
    """A Deployment, ReplicaSet or PodTemplate that the pods are made from."""

    api_version: str | None = None
    """Of the workload: `apps/v1` for a Deployment."""
    kind: str | None = None
    """Of the workload."""
    name: str | None = None
    """Of the workload, in the same namespace."""
    scale_down: str | None = None
    """What becomes of the workload's own pods: `never`, `onsuccess` or `progressively`."""


class RollbackWindow(Model):
    """How many revisions back a change still counts as a rollback, which skips the steps."""

    revisions: Int32 | None = None
    """So many versions back."""


class AnalysisHistory(Model):
    """How many finished AnalysisRuns and Experiments to keep."""

    successful_run_history_limit: Int32 | None = None
    """Of those that succeeded. By default 5."""
    unsuccessful_run_history_limit: Int32 | None = None
    """Of those that failed, were inconclusive or ended in an error. By default 5."""


class RolloutSpec(Model):
    """What is wanted of a workload and of its updates."""

    replicas: Int32 | None = None
    """How many pods are wanted. By default 1."""
    selector: LabelSelector | None = None
    """Which pods belong to the Rollout; it cannot be changed."""
    template: Embedded | None = None
    """The pods. A change of it is a new version."""
    workload_ref: WorkloadRef | None = None
    min_ready_seconds: Int32 | None = None
    """How long a new pod must be ready before it counts as available. By default 0."""
    rollback_window: RollbackWindow | None = None
    strategy: Strategy | None = None
    revision_history_limit: Int32 | None = None
    """How many old versions are kept to go back to. By default 10."""
    paused: bool | None = None
    """Hold the update where it is until this is false again."""
    progress_deadline_seconds: Int32 | None = None
    """An update without progress for so long is Degraded. By default 600."""
    progress_deadline_abort: bool | None = None
    """Abort such an update, too."""
    restart_at: Time | None = None
    """Pods that are older than this moment are replaced, one after the other."""
    analysis: AnalysisHistory | None = None


class Rollout(Resource):
    """A workload whose new versions are delivered progressively."""

    spec: RolloutSpec
    status: RolloutStatus | None = Field(None)
