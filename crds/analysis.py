"""The kinds of analysis: AnalysisTemplate, ClusterAnalysisTemplate and AnalysisRun.

Limits and counts may be template arguments, hence texts; durations are texts. Must not: judge a measurement.
"""

from __future__ import annotations

from crds.common import Int32, IntOrString, Model, Resource, StringMap, Time
from crds.providers import MetricProvider
from crds.references import Argument, DryRun, MeasurementRetention, TemplateRef


class Metric(Model):
    """What is measured, how often, and what counts as good or bad."""

    name: str
    provider: MetricProvider
    interval: str | None = None
    initial_delay: str | None = None
    count: IntOrString | None = None
    success_condition: str | None = None
    failure_condition: str | None = None
    failure_limit: IntOrString | None = None
    inconclusive_limit: IntOrString | None = None
    consecutive_error_limit: IntOrString | None = None
    consecutive_success_limit: IntOrString | None = None


class AnalysisTemplateSpec(Model):
    """Metrics to measure and the arguments they need."""

    metrics: list[Metric] | None = None
    args: list[Argument] | None = None
    dry_run: list[DryRun] | None = None
    measurement_retention: list[MeasurementRetention] | None = None
    templates: list[TemplateRef] | None = None


class AnalysisTemplate(Resource):
    """An analysis to be used in its namespace."""

    spec: AnalysisTemplateSpec


class ClusterAnalysisTemplate(Resource):
    """An analysis to be used in every namespace."""

    spec: AnalysisTemplateSpec


class TtlStrategy(Model):
    """Seconds after which a finished run is deleted."""

    seconds_after_completion: Int32 | None = None
    seconds_after_failure: Int32 | None = None
    seconds_after_success: Int32 | None = None


class AnalysisRunSpec(Model):
    """The metrics of one run, complete with arguments."""

    metrics: list[Metric]
    args: list[Argument] | None = None
    terminate: bool | None = None
    dry_run: list[DryRun] | None = None
    measurement_retention: list[MeasurementRetention] | None = None
    ttl_strategy: TtlStrategy | None = None


class RunSummary(Model):
    """How many metrics ended which way."""

    count: Int32 | None = None
    successful: Int32 | None = None
    failed: Int32 | None = None
    inconclusive: Int32 | None = None
    error: Int32 | None = None


class Measurement(Model):
    """One measurement."""

    phase: str
    message: str | None = None
    started_at: Time | None = None
    finished_at: Time | None = None
    value: str | None = None
    metadata: StringMap | None = None
    resume_at: Time | None = None


class MetricResult(Model):
    """A metric's verdict so far, its counters and latest measurements."""

    name: str
    phase: str
    message: str | None = None
    measurements: list[Measurement] | None = None
    count: Int32 | None = None
    successful: Int32 | None = None
    failed: Int32 | None = None
    inconclusive: Int32 | None = None
    error: Int32 | None = None
    consecutive_error: Int32 | None = None
    consecutive_success: Int32 | None = None
    dry_run: bool | None = None
    metadata: StringMap | None = None


class AnalysisRunStatus(Model):
    """How a run stands."""

    phase: str
    message: str | None = None
    started_at: Time | None = None
    completed_at: Time | None = None
    metric_results: list[MetricResult] | None = None
    run_summary: RunSummary | None = None
    dry_run_summary: RunSummary | None = None


class AnalysisRun(Resource):
    """One run of an analysis."""

    spec: AnalysisRunSpec
    status: AnalysisRunStatus | None = None
