"""A metric as the plan sees it: durations, counts and limits read, everything else left as it is (spec/analysis.md 1.2).

Pure. Must not: know a status or a measurement.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import re2

from analysis.errors import InvalidAnalysis
from analysis.no_data import NoData
from analysis.providers import KNOWN
from crds.durations import parse_duration

DEFAULT_CONSECUTIVE_ERROR_LIMIT = 4
DEFAULT_RETENTION = 10
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric of a run. `count` is the effective one: None measures for ever."""

    name: str
    provider: str
    spec: Mapping[str, Any]
    """The metric as written, arguments filled in."""
    count: int | None
    interval: timedelta | None
    initial_delay: timedelta
    failure_limit: int
    inconclusive_limit: int
    consecutive_error_limit: int
    consecutive_success_limit: int
    dry_run: bool = False
    retention: int = DEFAULT_RETENTION
    no_data: NoData | None = None
    """What a measurement without data counts as; None lets the conditions judge it."""

    @property
    def provider_spec(self) -> Mapping[str, Any]:
        """The provider's own block."""
        return self.spec["provider"][self.provider]  # type: ignore[no-any-return]


def read_metrics(metrics: Sequence[Mapping[str, Any]], *, served: Collection[str]) -> tuple[Metric, ...]:
    """Read and check all metrics of a run.

    Raises:
        InvalidAnalysis: the first thing that is wrong, with the position of its metric.
    """
    if not metrics:
        raise InvalidAnalysis("no metrics specified")
    names: set[str] = set()
    read: list[Metric] = []
    for index, spec in enumerate(metrics):
        name = str(spec.get("name") or "")
        if name in names:
            raise InvalidAnalysis(f"metrics[{index}]: duplicate name '{name}'")
        names.add(name)
        try:
            read.append(_read_metric(name, spec, served))
        except InvalidAnalysis as error:
            raise InvalidAnalysis(f"metrics[{index}]: {error}") from None
    return tuple(read)


def _read_metric(name: str, spec: Mapping[str, Any], served: Collection[str]) -> Metric:
    written_count = read_number(spec, "count")
    interval = _duration(spec, "interval")
    metric = Metric(
        name=name,
        provider=_provider(spec, served),
        spec=spec,
        count=effective_count(written_count, interval),
        interval=interval,
        initial_delay=_duration(spec, "initialDelay") or timedelta(0),
        failure_limit=read_number(spec, "failureLimit"),
        inconclusive_limit=read_number(spec, "inconclusiveLimit"),
        consecutive_error_limit=read_number(spec, "consecutiveErrorLimit", default=DEFAULT_CONSECUTIVE_ERROR_LIMIT),
        consecutive_success_limit=read_number(spec, "consecutiveSuccessLimit"),
    )
    _check_limits(metric, written_count)
    return metric


def effective_count(count: int, interval: timedelta | None) -> int | None:
    """Return how many measurements end the metric: one without count and interval, no end with an interval alone."""
    if count > 0:
        return count
    return 1 if interval is None else None


def read_number(spec: Mapping[str, Any], field: str, *, default: int = 0) -> int:
    """Read an IntOrString.

    Raises:
        InvalidAnalysis: it is neither a whole number nor the text of one.
    """
    match spec.get(field):
        case None | "":
            return default
        case int(value) if not isinstance(value, bool):
            return value
        case float(value) if value.is_integer():
            return int(value)
        case str(text) if _WHOLE_NUMBER.fullmatch(text):
            return int(text)
        case other:
            raise InvalidAnalysis(f"{field} is '{str(other)[:40]}'; it must be a whole number")


def _duration(spec: Mapping[str, Any], field: str) -> timedelta | None:
    text = spec.get(field)
    if not text:
        return None
    try:
        duration = parse_duration(str(text))
    except ValueError as error:
        raise InvalidAnalysis(f"invalid {field} string: {error}") from None
    if duration < timedelta(0):
        raise InvalidAnalysis(f"invalid {field} string: {text} is negative")
    return duration


def _provider(spec: Mapping[str, Any], served: Collection[str]) -> str:
    blocks = {key: block for key, block in (spec.get("provider") or {}).items() if block is not None}
    plugins = blocks.pop("plugin", None) or {}
    named = [*blocks, *(f"plugin {name}" for name in plugins)]
    if not named:
        raise InvalidAnalysis("no provider specified")
    if len(named) > 1:
        raise InvalidAnalysis("multiple providers specified")
    name = str(named[0])
    if name in served:
        return name
    known = named[0] in KNOWN or plugins
    raise InvalidAnalysis(
        f"provider {named[0]} is {'not served yet' if known else 'not known'}; use one of {', '.join(sorted(served))}"
    )


def _check_limits(metric: Metric, written_count: int) -> None:
    limits = {
        "count": (written_count, 0),
        "failureLimit": (metric.failure_limit, -1),
        "inconclusiveLimit": (metric.inconclusive_limit, 0),
        "consecutiveErrorLimit": (metric.consecutive_error_limit, 0),
        "consecutiveSuccessLimit": (metric.consecutive_success_limit, 0),
    }
    for field, (value, least) in limits.items():
        if value < least:
            raise InvalidAnalysis(f"{field} must be >= {least}")
    if metric.failure_limit == -1 and metric.consecutive_success_limit == 0:
        raise InvalidAnalysis("failureLimit and consecutiveSuccessLimit cannot both be disabled; set one of them")
    if written_count > 0:
        _check_count(metric, written_count)


def _check_count(metric: Metric, count: int) -> None:
    if metric.failure_limit >= 0 and count < metric.failure_limit + metric.consecutive_success_limit:
        if metric.consecutive_success_limit:
            raise InvalidAnalysis("count must be >= failureLimit + consecutiveSuccessLimit")
        raise InvalidAnalysis("count must be >= failureLimit")
    if count < metric.inconclusive_limit:
        raise InvalidAnalysis("count must be >= inconclusiveLimit")
    if count > 1 and metric.interval is None:
        raise InvalidAnalysis("interval must be specified when count > 1")


def matching(names: Iterable[str], rules: Sequence[Mapping[str, Any]], *, what: str) -> dict[str, Mapping[str, Any]]:
    """Return the last rule that matches each name; `metricName` of a rule is a regular expression over names.

    Raises:
        InvalidAnalysis: a rule is no regular expression, or matches nothing.
    """
    found: dict[str, Mapping[str, Any]] = {}
    known = tuple(names)
    for index, rule in enumerate(rules):
        matches = _matches(str(rule.get("metricName") or ""), known, where=f"{what}[{index}]")
        if not matches:
            raise InvalidAnalysis(f"{what}[{index}]: Rule didn't match any metric name(s)")
        found |= dict.fromkeys(matches, rule)
    return found


def _matches(pattern: str, names: Sequence[str], *, where: str) -> list[str]:
    try:
        compiled = re2.compile(pattern)
    except re2.error as error:
        raise InvalidAnalysis(f"{where}: metricName is not a regular expression: {error}") from None
    return [name for name in names if compiled.search(name)]
