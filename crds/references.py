"""How Rollouts and Experiments refer to analyses: templates, arguments, dry runs, retention.

Must not: know metrics, or what an analysis decides.
"""

from __future__ import annotations

from crds.common import Int32, Metadata, Model


class FieldRef(Model):
    """A field of the object itself, by its dotted path."""

    field_path: str
    """Such as `metadata.labels['region']`."""


class SecretKeyRef(Model):
    """A key of a Secret in the namespace of the run."""

    name: str
    """Of the Secret."""
    key: str
    """Of the value in the Secret."""


class TemplateRef(Model):
    """An AnalysisTemplate, or with `clusterScope` a ClusterAnalysisTemplate."""

    template_name: str | None = None
    """Of the template."""
    cluster_scope: bool | None = None
    """It is a ClusterAnalysisTemplate."""


class RolloutArgumentSource(Model):
    """Where a Rollout's argument comes from: the pod hash of a version (`Stable` or `Latest`), or a field."""

    pod_template_hash_value: str | None = None
    """The hash of the `Stable` or of the `Latest` version."""
    field_ref: FieldRef | None = None


class RolloutArgument(Model):
    """An argument that a Rollout gives to its analyses."""

    name: str
    """Of the argument: `{{args.name}}` in templates."""
    value: str | None = None
    """A text."""
    value_from: RolloutArgumentSource | None = None


class ArgumentSource(Model):
    """Where an argument of a template comes from: a Secret, read when a measurement is made, or a field."""

    secret_key_ref: SecretKeyRef | None = None
    field_ref: FieldRef | None = None


class Argument(Model):
    """An argument of a template; without a value it has to be given by whoever uses the template."""

    name: str
    """Of the argument: `{{args.name}}` in metrics."""
    value: str | None = None
    """A text; in a template, what applies when nobody gives another."""
    value_from: ArgumentSource | None = None


class DryRun(Model):
    """Metrics, by a regular expression over their names, that are measured without having a say."""

    metric_name: str
    """A regular expression over names of metrics."""


class MeasurementRetention(Model):
    """How many measurements to keep of the metrics whose names match a regular expression."""

    metric_name: str
    """A regular expression over names of metrics."""
    limit: Int32
    """How many measurements are kept. By default 10."""


class RolloutAnalysis(Model):
    """An analysis made from templates during an update."""

    templates: list[TemplateRef] | None = None
    """Whose metrics are measured, together in one AnalysisRun."""
    args: list[RolloutArgument] | None = None
    """Values of the templates' arguments."""
    dry_run: list[DryRun] | None = None
    """Metrics that have no say."""
    measurement_retention: list[MeasurementRetention] | None = None
    """How many measurements are kept, by metric."""
    analysis_run_metadata: Metadata | None = None
    """Labels and annotations of the AnalysisRun."""


class BackgroundAnalysis(RolloutAnalysis):
    """An analysis that runs beside the steps, from `startingStep` to the end of the update."""

    starting_step: Int32 | None = None
    """Begin when this step is reached, counted from 0. By default at once."""
