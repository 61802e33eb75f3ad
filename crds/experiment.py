"""Kind Experiment: versions that run side by side and are analysed.

Must not: judge; a step's own experiment block is in steps.py.
"""

from __future__ import annotations

from crds.common import Condition, Embedded, Int32, LabelSelector, Metadata, Model, OptionalName, Resource, Time
from crds.references import Argument, DryRun, MeasurementRetention


class ExperimentTemplate(Model):
    """A version that an experiment runs."""

    name: str
    selector: LabelSelector
    template: Embedded
    replicas: Int32 | None = None
    min_ready_seconds: Int32 | None = None
    service: OptionalName | None = None


class ExperimentAnalysis(Model):
    """An analysis of an experiment."""

    name: str
    template_name: str
    cluster_scope: bool | None = None
    args: list[Argument] | None = None
    required_for_completion: bool | None = None


class ExperimentSpec(Model):
    """What runs, for how long, and what is analysed."""

    templates: list[ExperimentTemplate]
    duration: str | None = None
    progress_deadline_seconds: Int32 | None = None
    terminate: bool | None = None
    analyses: list[ExperimentAnalysis] | None = None
    scale_down_delay_seconds: Int32 | None = None
    dry_run: list[DryRun] | None = None
    measurement_retention: list[MeasurementRetention] | None = None
    analysis_run_metadata: Metadata | None = None


class TemplateStatus(Model):
    """How a version of an experiment stands."""

    name: str
    replicas: Int32
    updated_replicas: Int32
    ready_replicas: Int32
    available_replicas: Int32
    collision_count: Int32 | None = None
    status: str | None = None
    message: str | None = None
    last_transition_time: Time | None = None
    service_name: str | None = None
    pod_template_hash: str | None = None


class ExperimentAnalysisRunStatus(Model):
    """An analysis of an experiment and how it stands."""

    name: str
    analysis_run: str
    phase: str
    message: str | None = None


class ExperimentStatus(Model):
    """How an experiment stands."""

    phase: str | None = None
    message: str | None = None
    template_statuses: list[TemplateStatus] | None = None
    available_at: Time | None = None
    conditions: list[Condition] | None = None
    analysis_runs: list[ExperimentAnalysisRunStatus] | None = None


class Experiment(Resource):
    """Versions that run side by side for a while."""

    spec: ExperimentSpec
    status: ExperimentStatus | None = None
