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
    """Of the metric."""
    provider: MetricProvider
    interval: str | None = None
    """Between two measurements, such as `30s`; without one, a single measurement is made."""
    initial_delay: str | None = None
    """Before the first measurement, such as `1m`."""
    count: IntOrString | None = None
    """How many measurements are made; with an interval and no count, they go on until the run is ended."""
    success_condition: str | None = None
    """Holds for a good measurement: `result[0] < 0.05`."""
    failure_condition: str | None = None
    """Holds for a bad measurement: `result[0] >= 0.1`. When neither condition holds, it is inconclusive."""
    failure_limit: IntOrString | None = None
    """How many bad measurements are allowed; one more fails the metric. By default 0; -1 allows any number."""
    inconclusive_limit: IntOrString | None = None
    """How many inconclusive measurements are allowed. By default 0."""
    consecutive_error_limit: IntOrString | None = None
    """How many errors in a row are allowed. By default 4."""
    consecutive_success_limit: IntOrString | None = None
    """So many good measurements in a row end the metric successfully. By default 0: none do."""


class AnalysisTemplateSpec(Model):
    """Metrics to measure and the arguments they need."""

    metrics: list[Metric] | None = None
    """What is measured."""
    args: list[Argument] | None = None
    """Arguments that metrics use as `{{args.name}}`."""
    dry_run: list[DryRun] | None = None
    """Metrics that have no say."""
    measurement_retention: list[MeasurementRetention] | None = None
    """How many measurements are kept, by metric."""
    templates: list[TemplateRef] | None = None
    """Further templates whose metrics belong to the analysis."""


class AnalysisTemplate(Resource):
    """An analysis to be used in its namespace."""

    spec: AnalysisTemplateSpec


class ClusterAnalysisTemplate(Resource):
    """An analysis to be used in every namespace."""

    spec: AnalysisTemplateSpec


class TtlStrategy(Model):
    """Seconds after which a finished run is deleted."""

    seconds_after_completion: Int32 | None = None
    """However it ended."""
    seconds_after_failure: Int32 | None = None
    """After a failure or an error."""
    seconds_after_success: Int32 | None = None
    """After a success."""


class AnalysisRunSpec(Model):
    """The metrics of one run, complete with arguments."""

    metrics: list[Metric]
    """What is measured."""
    args: list[Argument] | None = None
    """Values of the metrics' arguments."""
    terminate: bool | None = None
    """End the run now."""
    dry_run: list[DryRun] | None = None
    """Metrics that have no say."""
    measurement_retention: list[MeasurementRetention] | None = None
    """How many measurements are kept, by metric."""
    ttl_strategy: TtlStrategy | None = None


class RunSummary(Model):
    """How many metrics ended which way."""

    count: Int32 | None = None
    """Metrics."""
    successful: Int32 | None = None
    """Metrics."""
    failed: Int32 | None = None
    """Metrics."""
    inconclusive: Int32 | None = None
    """Metrics."""
    error: Int32 | None = None
    """Metrics."""


class Measurement(Model):
    """One measurement."""

    phase: str
    """Successful, Failed, Inconclusive or Error."""
    message: str | None = None
    """Why it is an error, or what else is to be known."""
    started_at: Time | None = None
    """When it was begun."""
    finished_at: Time | None = None
    """When its value was known."""
    value: str | None = None
    """What was measured."""
    metadata: StringMap | None = None
    """What the provider tells besides."""
    resume_at: Time | None = None


class MetricResult(Model):
    """A metric's verdict so far, its counters and latest measurements."""

    name: str
    """Of the metric."""
    phase: str
    """Pending, Running, Successful, Failed, Inconclusive or Error."""
    message: str | None = None
    """Why it ended so."""
    measurements: list[Measurement] | None = None
    """The latest, the oldest first."""
    count: Int32 | None = None
    """Measurements that are counted."""
    successful: Int32 | None = None
    """Measurements."""
    failed: Int32 | None = None
    """Measurements."""
    inconclusive: Int32 | None = None
    """Measurements."""
    error: Int32 | None = None
    """Measurements that gave no value."""
    consecutive_error: Int32 | None = None
    """Errors in a row until now."""
    consecutive_success: Int32 | None = None
    """Good measurements in a row until now."""
    dry_run: bool | None = None
    """The metric has no say."""
    metadata: StringMap | None = None
    """What the provider tells besides."""


class AnalysisRunStatus(Model):
    """How a run stands."""

    phase: str
    """Pending, Running, Successful, Failed, Inconclusive or Error."""
    message: str | None = None
    """Why it ended so."""
    started_at: Time | None = None
    """When it was begun."""
    completed_at: Time | None = None
    """When it ended."""
    metric_results: list[MetricResult] | None = None
    """Each metric as it stands."""
    run_summary: RunSummary | None = None
    """Of the metrics that have a say."""
    dry_run_summary: RunSummary | None = None
    """Of the metrics that have none."""


class AnalysisRun(Resource):
    """One run of an analysis."""

    spec: AnalysisRunSpec
    status: AnalysisRunStatus | None = None
