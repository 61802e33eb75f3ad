"""The status of kind Rollout, field by field as clients read it.

Must not: know how a status is arrived at.
"""

from __future__ import annotations

from pydantic import Field

from crds.common import AnyObject, Condition, Int32, Int64, Model, Time


class PauseCondition(Model):
    """Why an update waits, and since when."""

    reason: str
    """CanaryPauseStep, InconclusiveAnalysisRun, or what else the update waits for."""
    start_time: Time
    """Since when."""


class AnalysisRunStatusRef(Model):
    """An AnalysisRun of this update and how it stands."""

    name: str
    """Of the AnalysisRun."""
    status: str
    """Its phase."""
    message: str | None = None
    """Why it ended so."""


class WeightDestination(Model):
    """A version's share of the traffic."""

    weight: Int32
    """Its share."""
    service_name: str | None = None
    """Where its traffic goes."""
    pod_template_hash: str | None = None
    """Which version it is."""


class TrafficWeights(Model):
    """Who gets how much; `verified` when the router could confirm it."""

    canary: WeightDestination
    stable: WeightDestination
    additional: list[WeightDestination] | None = None
    """Versions beside these two."""
    verified: bool | None = None
    """The router could confirm it."""


class StepPluginStatus(Model):
    """How a plugin's step stands."""

    index: Int32
    name: str
    operation: str
    phase: str | None = None
    message: str | None = None
    started_at: Time | None = None
    updated_at: Time | None = None
    finished_at: Time | None = None
    backoff: str | None = None
    executions: Int32 | None = None
    disabled: bool | None = None
    status: AnyObject | None = None


class CanaryStatus(Model):
    """How a canary update stands."""

    current_step_analysis_run_status: AnalysisRunStatusRef | None = None
    current_background_analysis_run_status: AnalysisRunStatusRef | None = None
    current_experiment: str | None = None
    weights: TrafficWeights | None = None
    """Who gets how much of the traffic."""
    stable_ping_pong: str | None = Field(None, alias="stablePingPong")
    step_plugin_statuses: list[StepPluginStatus] | None = None


class BlueGreenStatus(Model):
    """How a blue-green update stands."""

    preview_selector: str | None = None
    active_selector: str | None = None
    scale_up_preview_check_point: bool | None = None
    pre_promotion_analysis_run_status: AnalysisRunStatusRef | None = None
    post_promotion_analysis_run_status: AnalysisRunStatusRef | None = None


class AwsResource(Model):
    """An AWS resource by name and ARN."""

    name: str
    arn: str
    full_name: str | None = None


class AlbStatus(Model):
    """The load balancer behind an Ingress and its target groups."""

    load_balancer: AwsResource | None = None
    canary_target_group: AwsResource | None = None
    stable_target_group: AwsResource | None = None
    ingress: str | None = None


class DurationStatus(Model):
    """How long an update took, and how it ended."""

    rollout_started_at: Time | None = None
    manual_pause_started_at: Time | None = None
    total_manual_pause_duration_seconds: Int64 | None = None
    finished_at: Time | None = None
    completion_status: str | None = None


class RolloutStatus(Model):
    """How a Rollout stands."""

    abort: bool | None = None
    """The update is aborted, or is to be."""
    aborted_at: Time | None = None
    """Since when."""
    alb: AlbStatus | None = None
    albs: list[AlbStatus] | None = None
    available_replicas: Int32 | None = None
    """Pods that are ready long enough."""
    blue_green: BlueGreenStatus | None = None
    canary: CanaryStatus | None = None
    collision_count: Int32 | None = None
    conditions: list[Condition] | None = None
    """What else is to be known, each aspect with its reason."""
    controller_pause: bool | None = None
    """The controller waits by itself, as a step says."""
    current_pod_hash: str | None = None
    """The version that the template asks for."""
    current_step_hash: str | None = None
    """Tells the steps from others."""
    current_step_index: Int32 | None = None
    """The step that is being done, counted from 0."""
    duration: DurationStatus | None = None
    hpa_replicas: Int32 | None = Field(None, alias="HPAReplicas")
    """What autoscalers read: pods of all versions."""
    message: str | None = None
    """Why the phase is what it is."""
    observed_generation: str | None = None
    """The generation of the spec that this status is about."""
    pause_conditions: list[PauseCondition] | None = None
    """Why the update waits."""
    phase: str | None = None
    """Healthy, Progressing, Paused or Degraded."""
    promote_full: bool | None = None
    """All steps are to be skipped."""
    ready_replicas: Int32 | None = None
    """Pods that are ready."""
    replicas: Int32 | None = None
    """Pods of all versions."""
    restarted_at: Time | None = None
    """The restart that was done last."""
    selector: str | None = None
    """Of all pods, as text."""
    stable_rs: str | None = Field(None, alias="stableRS")
    """The stable version."""
    updated_replicas: Int32 | None = None
    """Pods of the version that the template asks for."""
    workload_observed_generation: str | None = None
