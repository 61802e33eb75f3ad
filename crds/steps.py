"""The steps of a canary, as written in `spec.strategy.canary.steps`.

Must not: judge (one key per step is a matter of validation), or know what a step does.
"""

from __future__ import annotations

from crds.common import AnyObject, Int32, IntOrString, LabelSelector, Metadata, Model, OptionalName
from crds.references import DryRun, RolloutAnalysis, RolloutArgument


class Pause(Model):
    """Wait: seconds or a duration string; without a duration until a person goes on."""

    duration: IntOrString | None = None
    """Seconds as a number, or text such as `90s`, `5m` or `1h30m`."""


class SetCanaryScale(Model):
    """Give the canary a number of pods, a share of the replicas in percent, or again what its traffic asks for."""

    replicas: Int32 | None = None
    """So many pods."""
    weight: Int32 | None = None
    """So many percent of `spec.replicas`."""
    match_traffic_weight: bool | None = None
    """As many pods as the share of the traffic needs, as without this step."""


class StringMatch(Model):
    """How a text is compared: exactly, by prefix or by regular expression."""

    exact: str | None = None
    """The same text."""
    prefix: str | None = None
    """A text that begins so."""
    regex: str | None = None
    """A text that fits this regular expression."""


class HeaderMatch(Model):
    """A header and what its value has to be."""

    header_name: str
    """Of the header."""
    header_value: StringMatch


class SetHeaderRoute(Model):
    """Send requests with these headers to the canary; without a match the route is removed."""

    name: str | None = None
    """One of `trafficRouting.managedRoutes`."""
    match: list[HeaderMatch] | None = None
    """Any of these; without any, the route is removed."""


class RouteMatch(Model):
    """Requests by method, path and headers."""

    method: StringMatch | None = None
    path: StringMatch | None = None
    headers: dict[str, StringMatch] | None = None
    """By name of the header."""


class SetMirrorRoute(Model):
    """Copy a percentage of the matching requests to the canary; without a match the route is removed."""

    name: str
    """One of `trafficRouting.managedRoutes`."""
    match: list[RouteMatch] | None = None
    """Any of these; without any, the route is removed."""
    percentage: Int32 | None = None
    """Of the requests that match, 0 to 100. By default all of them."""


class StepExperimentTemplate(Model):
    """A version that an experiment runs: made from the `canary` or the `stable` pods."""

    name: str
    spec_ref: str
    replicas: Int32 | None = None
    metadata: Metadata | None = None
    selector: LabelSelector | None = None
    weight: Int32 | None = None
    service: OptionalName | None = None


class StepExperimentAnalysis(Model):
    """An analysis of a step's experiment."""

    name: str
    template_name: str
    cluster_scope: bool | None = None
    args: list[RolloutArgument] | None = None
    required_for_completion: bool | None = None


class StepExperiment(Model):
    """Run versions side by side and analyse them."""

    templates: list[StepExperimentTemplate]
    duration: str | None = None
    analyses: list[StepExperimentAnalysis] | None = None
    dry_run: list[DryRun] | None = None
    analysis_run_metadata: Metadata | None = None
    scale_down_delay_seconds: Int32 | None = None


class StepPlugin(Model):
    """Something a plugin does."""

    name: str
    config: AnyObject | None = None


class CanaryStep(Model):
    """One step of a canary: exactly one of its fields."""

    set_weight: Int32 | None = None
    """Send so many percent of the traffic to the new version (of `maxTrafficWeight`, where that is set)."""
    pause: Pause | None = None
    experiment: StepExperiment | None = None
    analysis: RolloutAnalysis | None = None
    set_canary_scale: SetCanaryScale | None = None
    set_header_route: SetHeaderRoute | None = None
    set_mirror_route: SetMirrorRoute | None = None
    plugin: StepPlugin | None = None
