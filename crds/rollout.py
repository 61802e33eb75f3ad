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
    value: Int32


class CanaryStrategy(Model):
    """Ship step by step."""

    canary_service: str | None = None
    stable_service: str | None = None
    steps: list[CanaryStep] | None = None
    traffic_routing: TrafficRouting | None = None
    max_unavailable: IntOrString | None = None
    max_surge: IntOrString | None = None
    analysis: BackgroundAnalysis | None = None
    anti_affinity: AntiAffinity | None = None
    canary_metadata: Metadata | None = None
    stable_metadata: Metadata | None = None
    scale_down_delay_seconds: Int32 | None = None
    scale_down_delay_revision_limit: Int32 | None = None
    abort_scale_down_delay_seconds: Int32 | None = None
    dynamic_stable_scale: bool | None = None
    ping_pong: PingPong | None = None
    min_pods_per_replica_set: Int32 | None = None
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
    kind: str | None = None
    name: str | None = None
    scale_down: str | None = None


class RollbackWindow(Model):
    """How many revisions back a change still counts as a rollback, which skips the steps."""

    revisions: Int32 | None = None


class AnalysisHistory(Model):
    """How many finished AnalysisRuns and Experiments to keep."""

    successful_run_history_limit: Int32 | None = None
    unsuccessful_run_history_limit: Int32 | None = None


class RolloutSpec(Model):
    """What is wanted of a workload and of its updates."""

    replicas: Int32 | None = None
    selector: LabelSelector | None = None
    template: Embedded | None = None
    workload_ref: WorkloadRef | None = None
    min_ready_seconds: Int32 | None = None
    rollback_window: RollbackWindow | None = None
    strategy: Strategy | None = None
    revision_history_limit: Int32 | None = None
    paused: bool | None = None
    progress_deadline_seconds: Int32 | None = None
    progress_deadline_abort: bool | None = None
    restart_at: Time | None = None
    analysis: AnalysisHistory | None = None


class Rollout(Resource):
    """A workload whose new versions are delivered progressively."""

    spec: RolloutSpec
    status: RolloutStatus | None = Field(None)
