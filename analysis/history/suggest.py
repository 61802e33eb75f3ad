"""Which failureLimit, or which threshold, would have kept false alarms rare.

Found by counting the same runs again with other limits, and the same samples against other thresholds. Must not: suggest what it
has not tried. Pure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from analysis.history.replay import CODES, Codes, Judged, Runs, runs
from analysis.history.series import Floats
from analysis.run.metrics import Metric
from analysis.run.phases import Phase

TARGET = 0.01
"""False alarms as a part of all runs that are few enough."""
_SIMPLE = re.compile(
    r"\s*result(?P<index>\[0\])?\s*(?P<operator><=|>=|<|>)\s*(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)\s*"
)
_CONDITIONS = ("successCondition", "failureCondition")
_MAXIMUM_LIMIT = 10_000
_CandidateT = TypeVar("_CandidateT", int, float)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A condition that is `result[0] OP number`, or `result OP number` for a scalar."""

    field: str
    index: str
    operator: str
    number: float

    @property
    def wants_more(self) -> bool:
        """Whether greater values are the better ones."""
        return (self.operator in (">", ">=")) == (self.field == "successCondition")

    def phases(self, values: Floats) -> Codes:
        """Judge samples; a comparison with NaN is false."""
        compare = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}[self.operator]
        holds = compare(values, self.number)
        when_true, when_false = Phase.SUCCESSFUL, Phase.FAILED
        if self.field == "failureCondition":
            when_true, when_false = when_false, when_true
        return np.where(holds, CODES[when_true], CODES[when_false]).astype(np.int8)

    def __str__(self) -> str:
        """Text as it is written in a template."""
        return f"{self.field}: result{self.index} {self.operator} {self.number:.12g}"


@dataclass(frozen=True, slots=True)
class Limit:
    """A failureLimit that would have been enough."""

    failure_limit: int
    share: float
    """Of runs that would have failed with it."""
    detection: timedelta
    """How long a version that always fails would be left alone."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A comparison that would have been enough."""

    comparison: Comparison
    share: float
    """Of runs that would have failed with it."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What would have kept false alarms under `TARGET`, where something would."""

    limit: Limit | None = None
    threshold: Threshold | None = None


def comparison_of(metric: Metric) -> Comparison | None:
    """Return the metric's only condition when it is a simple comparison with a number."""
    given = [(field, str(metric.spec[field])) for field in _CONDITIONS if metric.spec.get(field)]
    if len(given) != 1 or not (found := _SIMPLE.fullmatch(given[0][1])):
        return None
    return Comparison(given[0][0], found["index"] or "", found["operator"], float(found["number"]))


def suggest(metric: Metric, judged: Judged, before: Runs, *, interval: timedelta, run_for: timedelta, kind: str) -> Suggestion:
    """Look for limits and thresholds under which less than `TARGET` of the same runs would have failed.

    `before` are the runs as the metric is written.
    """

    def again(metric: Metric, judged: Judged) -> Runs:
        return runs(metric, judged, interval=interval, run_for=run_for)

    if before.share(Phase.FAILED) < TARGET:
        return Suggestion()
    return Suggestion(_limit(metric, judged, again, interval), _threshold(metric, judged, again, kind))


_Again = Callable[[Metric, Judged], Runs]


def _limit(metric: Metric, judged: Judged, again: _Again, interval: timedelta) -> Limit | None:
    if metric.failure_limit < 0:
        return None
    most = _MAXIMUM_LIMIT if metric.count is None else metric.count - 1 - metric.consecutive_success_limit
    candidates = range(metric.failure_limit + 1, min(most, int(np.count_nonzero(judged.phases == CODES[Phase.FAILED]))) + 1)

    def share(limit: int) -> float:
        return again(replace(metric, failure_limit=limit), judged).share(Phase.FAILED)

    found = _first(candidates, share)
    return None if found is None else Limit(found, share(found), found * interval)


def _threshold(metric: Metric, judged: Judged, again: _Again, kind: str) -> Threshold | None:
    comparison = comparison_of(metric)
    if comparison is None or (kind == "scalar") == bool(comparison.index):
        return None

    def share(number: float) -> float:
        compared = replace(comparison, number=number).phases(judged.first)
        phases = np.where((judged.sizes > 0) & ~judged.blind, compared, judged.phases)
        return again(metric, replace(judged, phases=phases.astype(np.int8))).share(Phase.FAILED)

    found = _first(list(_thresholds(comparison, judged.first)), share)
    return None if found is None else Threshold(replace(comparison, number=found), share(found))


def _thresholds(comparison: Comparison, values: Floats) -> Iterator[float]:
    """Return thresholds looser than the present one, the nearest first: the values that failed, rounded outwards."""
    finite: NDArray[np.float64] = np.unique(values[np.isfinite(values)])
    failed = finite[finite <= comparison.number][::-1] if comparison.wants_more else finite[finite >= comparison.number]
    rounded = [_rounded_outwards(value, comparison) for value in failed.tolist()]
    yield from dict.fromkeys(rounded)
    if rounded:
        yield _rounded_outwards(rounded[-1], comparison, further=1)


def _rounded_outwards(value: float, comparison: Comparison, *, further: int = 0) -> float:
    """Round away from the present threshold, to two digits of the distance.

    >>> _rounded_outwards(0.91374, Comparison("successCondition", "[0]", ">=", 0.95))
    0.913
    """
    distance = abs(value - comparison.number) or abs(value) or 1.0
    digits = 1 - math.floor(math.log10(distance))
    if not -300 < digits < 300:
        return value
    unit = 10.0**-digits
    steps = math.floor(value / unit) - further if comparison.wants_more else math.ceil(value / unit) + further
    return round(steps * unit, max(0, digits))


def _first(candidates: Sequence[_CandidateT], share: Callable[[_CandidateT], float]) -> _CandidateT | None:
    """Return the first candidate that is good enough; each is looser than the one before."""
    low, high = 0, len(candidates)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if share(candidates[middle]) < TARGET else (middle + 1, high)
    return candidates[low] if low < len(candidates) else None
