"""Checking what will be measured before anything is: for AnalysisRuns, for `lint` and for a Rollout's `InvalidSpec`.

Pure; spec/analysis.md 1.2, spec/rollout.md 1.4 and 2.8.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from analysis.arguments import Argument, filled_metrics, substitute, tag_names
from analysis.errors import InvalidAnalysis
from analysis.expressions import ExpressionError
from analysis.expressions import compile as compile_condition
from analysis.no_data import carried, policies
from analysis.run.metrics import DEFAULT_RETENTION, Metric, matching, read_metrics, read_number
from analysis.shapes import check_shape
from analysis.templates import flatten
from kube.objects import Object

_PLACEHOLDERS: Mapping[str, Any] = {
    "count": 10**9,
    "failureLimit": 0,
    "inconclusiveLimit": 0,
    "consecutiveErrorLimit": 4,
    "consecutiveSuccessLimit": 1,
    "interval": "1m",
    "initialDelay": "1s",
}


def resolve(spec: Mapping[str, Any], *, served: Collection[str]) -> tuple[Metric, ...]:
    """Return the metrics of a run with arguments filled in and rules applied; secrets are shown as `*****`.

    Raises:
        InvalidAnalysis: the text is the message of the run.
    """
    try:
        check_shape(spec)
    except InvalidAnalysis as error:
        raise InvalidAnalysis(f"Analysis spec invalid: {error}") from None
    try:
        metrics = filled_metrics(spec)
    except InvalidAnalysis as error:
        raise InvalidAnalysis(f"Unable to resolve metric arguments: {error}") from None
    try:
        return _with_rules(read_metrics(metrics, served=served), spec)
    except InvalidAnalysis as error:
        raise InvalidAnalysis(f"Analysis spec invalid: {error}") from None


def with_policies(run: Object, metrics: Sequence[Metric]) -> tuple[Metric, ...]:
    """Give metrics what the run's annotations say about measurements without data.

    Raises:
        InvalidAnalysis: an annotation cannot be read.
    """
    chosen = policies(run, [metric.name for metric in metrics])
    return tuple(replace(metric, no_data=chosen.get(metric.name)) for metric in metrics)


def _with_rules(metrics: Sequence[Metric], spec: Mapping[str, Any]) -> tuple[Metric, ...]:
    names = [metric.name for metric in metrics]
    dry = matching(names, spec.get("dryRun") or (), what="dryRun")
    kept = matching(names, spec.get("measurementRetention") or (), what="measurementRetention")
    return tuple(replace(metric, dry_run=metric.name in dry, retention=_retention(kept.get(metric.name))) for metric in metrics)


def _retention(rule: Mapping[str, Any] | None) -> int:
    limit = read_number(rule, "limit") if rule else 0
    return limit if limit > 0 else DEFAULT_RETENTION


def validate_templates(
    templates: Sequence[Object], *, for_background: bool, served: Collection[str], arguments: Iterable[Argument] = ()
) -> tuple[str, ...]:
    """Return what is wrong with the templates of one analysis, taken together; nothing when they can be run.

    `templates` is what `analysis.templates.collect` returned, `arguments` the values known already. Numbers and durations that
    depend on others are taken to be fine. Unless the analysis runs in the background, each metric must come to an end by itself.
    """
    name = ", ".join(str((template.get("metadata") or {}).get("name") or "") for template in templates)
    try:
        flat = flatten(templates)
        metrics = _read_with_placeholders(flat.metrics, flat.arguments, arguments, served)
        _with_rules(metrics, {"dryRun": flat.dry_run, "measurementRetention": flat.retention})
        carried(templates)
    except InvalidAnalysis as error:
        return (f"AnalysisTemplate {name}: {error}",)
    unending = (
        f"AnalysisTemplate {name} has metric {metric.name} which runs indefinitely. Invalid value for count: "
        f"{metric.spec.get('count', 'none')}; give it a count"
        for metric in metrics
        if not for_background and metric.count is None
    )
    return (*_unreadable_conditions(name, flat.metrics), *unending)


def _unreadable_conditions(name: str, metrics: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the conditions that no measurement could ever be judged by; those with arguments in them are left for the run."""
    for metric in metrics:
        for field in ("successCondition", "failureCondition"):
            condition = str(metric.get(field) or "")
            if not condition or "{{" in condition:
                continue
            try:
                compile_condition(condition)
            except ExpressionError as error:
                yield f"AnalysisTemplate {name}: metric {metric.get('name')}: {field} cannot be read: {error.message}"


def validate_template(
    template: Object, *, for_background: bool, served: Collection[str], arguments: Iterable[Argument] = ()
) -> tuple[str, ...]:
    """Return what is wrong with one template by itself; nothing when it can be run.

    One that refers to further templates is only the part of an analysis: its metrics are checked, and what the others may
    bring (arguments, metrics that its rules are for) is taken to be there.
    """
    spec = template.get("spec") or {}
    if not isinstance(spec, Mapping):
        return ("spec must be an object",)
    if not spec.get("templates"):
        return validate_templates([template], for_background=for_background, served=served, arguments=arguments)
    if not spec.get("metrics"):
        return ()
    declared = {argument.get("name") for argument in spec.get("args") or () if isinstance(argument, Mapping)}
    missing = [{"name": name} for name in sorted(tag_names(spec["metrics"]) - declared)]
    part = {"metrics": spec["metrics"], "args": [*(spec.get("args") or ()), *missing]}
    return validate_templates([{**template, "spec": part}], for_background=for_background, served=served, arguments=arguments)


def _read_with_placeholders(
    metrics: Iterable[Mapping[str, Any]], declared: Sequence[Argument], given: Iterable[Argument], served: Collection[str]
) -> tuple[Metric, ...]:
    known = {f"args.{argument['name']}": str(argument["value"]) for argument in given if argument.get("value") is not None}
    values = {f"args.{argument['name']}": str(argument.get("value") or "dummy-value") for argument in declared} | known
    open_tags = {f"args.{argument['name']}" for argument in declared if argument.get("value") is None} - set(known)
    filled = ({field: _placeholder(field, value, open_tags) for field, value in metric.items()} for metric in metrics)
    return read_metrics([substitute(metric, values) for metric in filled], served=served)


def _placeholder(field: str, value: Any, open_tags: Collection[str]) -> Any:
    """Return something that passes in place of a number or duration that is not known yet; its check waits for the run."""
    is_open = field in _PLACEHOLDERS and isinstance(value, str) and any(tag in value for tag in open_tags)
    return _PLACEHOLDERS[field] if is_open else value
