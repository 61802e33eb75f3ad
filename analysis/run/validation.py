"""Checking what will be measured before anything is: for AnalysisRuns, for `lint` and for a Rollout's `InvalidSpec`.

Pure; spec/analysis.md 1.2, spec/rollout.md 1.4 and 2.8.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from analysis.arguments import Argument, secret_references, substitute, tags
from analysis.errors import InvalidAnalysis
from analysis.redaction import REDACTED
from analysis.run.metrics import DEFAULT_RETENTION, Metric, matching, read_metrics, read_number
from analysis.shapes import check_shape
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
    arguments: Sequence[Argument] = spec.get("args") or ()
    try:
        values = tags(arguments, secrets=dict.fromkeys(secret_references(arguments), REDACTED))
        metrics = [substitute(metric, values) for metric in spec.get("metrics") or ()]
    except InvalidAnalysis as error:
        raise InvalidAnalysis(f"Unable to resolve metric arguments: {error}") from None
    try:
        return _with_rules(read_metrics(metrics, served=served), spec)
    except InvalidAnalysis as error:
        raise InvalidAnalysis(f"Analysis spec invalid: {error}") from None


def _with_rules(metrics: Sequence[Metric], spec: Mapping[str, Any]) -> tuple[Metric, ...]:
    names = [metric.name for metric in metrics]
    dry = matching(names, spec.get("dryRun") or (), what="dryRun")
    kept = matching(names, spec.get("measurementRetention") or (), what="measurementRetention")
    return tuple(replace(metric, dry_run=metric.name in dry, retention=_retention(kept.get(metric.name))) for metric in metrics)


def _retention(rule: Mapping[str, Any] | None) -> int:
    limit = read_number(rule, "limit") if rule else 0
    return limit if limit > 0 else DEFAULT_RETENTION


def validate_template(
    template: Object, *, for_background: bool, served: Collection[str], arguments: Iterable[Argument] = ()
) -> tuple[str, ...]:
    """Return what is wrong with a template, or with several flattened into one; nothing when it can be run.

    `arguments` are the values known already. Numbers and durations that depend on others are taken to be fine. Unless the
    template runs in the background, each metric must come to an end by itself.
    """
    name = (template.get("metadata") or {}).get("name") or ""
    spec = template.get("spec") or {}
    known = {f"args.{argument['name']}": str(argument["value"]) for argument in arguments if argument.get("value") is not None}
    try:
        check_shape(spec)
        metrics = _read_with_placeholders(spec, known, served)
        _with_rules(metrics, spec)
    except InvalidAnalysis as error:
        return (f"AnalysisTemplate {name}: {error}",)
    return tuple(
        f"AnalysisTemplate {name} has metric {metric.name} which runs indefinitely. Invalid value for count: "
        f"{metric.spec.get('count', 'none')}; give it a count"
        for metric in metrics
        if not for_background and metric.count is None
    )


def _read_with_placeholders(spec: Mapping[str, Any], known: Mapping[str, str], served: Collection[str]) -> tuple[Metric, ...]:
    declared = [*(spec.get("args") or ())]
    values = {f"args.{argument['name']}": str(argument.get("value") or "dummy-value") for argument in declared} | dict(known)
    open_tags = {f"args.{one['name']}" for one in declared if one.get("value") is None} - set(known)
    metrics = [
        {field: _placeholder(field, value, open_tags) for field, value in metric.items()} for metric in spec.get("metrics") or ()
    ]
    return read_metrics([substitute(metric, values) for metric in metrics], served=served)


def _placeholder(field: str, value: Any, open_tags: Collection[str]) -> Any:
    """Return something that passes in place of a number or duration that is not known yet; its check waits for the run."""
    is_open = field in _PLACEHOLDERS and isinstance(value, str) and any(tag in value for tag in open_tags)
    return _PLACEHOLDERS[field] if is_open else value
