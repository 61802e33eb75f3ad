"""Ranges as arrays: every series at every moment of a grid, and what is to be asked of a metric to get them.

Pure. Must not: judge a value or send a query.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from math import gcd
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis import times
from analysis.expressions import ExpressionError
from analysis.history.answers import Answer, HistoryError
from analysis.run.draft import ERROR_RETRY
from analysis.run.metrics import Metric

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]

WITHOUT_INTERVAL = timedelta(minutes=1)
"""How often the past of a metric without an interval is looked at: each time would have been its whole run."""
MAXIMUM_MOMENTS = 500_000
_MILLISECOND = timedelta(milliseconds=1)
_FIXED_TIME = re.compile(r"@\s*(start|end)\s*\(\s*\)")
_SORTING = re.compile(r"^\s*(sort|sort_desc|topk|bottomk)\s*\(", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Equally spaced moments, in milliseconds since 1970."""

    start_ms: int
    step_ms: int
    count: int

    @property
    def end_ms(self) -> int:
        """The last moment."""
        return self.start_ms + (self.count - 1) * self.step_ms

    @property
    def times_ms(self) -> NDArray[np.int64]:
        """All moments."""
        return self.start_ms + self.step_ms * np.arange(self.count, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What a range query found: one row per series, one column per moment of the grid."""

    grid: Grid
    labels: tuple[dict[str, str], ...]
    values: Floats
    """A sample may be NaN; so is what is not there."""
    present: Flags
    """Whether there was a sample."""


def table(answer: Answer, grid: Grid) -> Table:
    """Return the matrix of a range query as arrays.

    Raises:
        HistoryError: it holds native histograms, or is no matrix on this grid.
    """
    try:
        if answer.kind != "matrix":
            raise ValueError(answer.kind)
        values = np.full((len(answer.result), grid.count), np.nan)
        present = np.zeros(values.shape, dtype=np.bool_)
        for row, series in enumerate(answer.result):
            _fill(values[row], present[row], series, grid)
        labels = tuple(dict(series["metric"]) for series in answer.result)
    except (KeyError, TypeError, ValueError, IndexError):
        raise HistoryError("Prometheus answered a range in an unknown form; is this a Prometheus?") from None
    return Table(grid=grid, labels=labels, values=values, present=present)


def _fill(values: Floats, present: Flags, series: Any, grid: Grid) -> None:
    if series.get("histograms"):
        raise HistoryError("the result has native histograms, which are no numbers; use histogram_quantile() or histogram_avg()")
    moments = np.array([sample[0] for sample in series["values"]], dtype=np.float64)
    columns = np.rint((moments * 1000 - grid.start_ms) / grid.step_ms).astype(np.int64)
    if columns.size and (columns.min() < 0 or columns.max() >= grid.count):
        raise ValueError("a sample outside the range that was asked for")
    values[columns] = [float(sample[1]) for sample in series["values"]]
    present[columns] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """How a metric's past is asked for: measured at every moment of `moments`, from samples on `samples`.

    A measurement sees `window` samples of each series, from column `number of the moment * stride` on; more than one only for a
    metric with a `rangeQuery`.
    """

    query: str
    moments: Grid
    samples: Grid
    window: int = 1
    stride: int = 1
    order: str = ""
    """How an instant query would have sorted its vector, a range query does not: "ascending", "descending" or not at all."""

    @property
    def is_ranged(self) -> bool:
        """Whether each measurement is a range by itself."""
        return self.window > 1 or self.samples != self.moments


def interval_of(metric: Metric) -> timedelta:
    """Return the time between two measurements of a metric, and between two would-be runs of it."""
    return metric.interval or WITHOUT_INTERVAL


def question(metric: Metric, *, end: datetime, since: timedelta) -> Question:
    """Return what to ask for the measurements that the metric would have made in the time `since` before `end`.

    Raises:
        HistoryError: the past of such a query cannot be asked for, or there is too much of it.
    """
    query = str(metric.provider_spec.get("query") or "")
    if _FIXED_TIME.search(query):
        raise HistoryError("the query has @ start() or @ end(), which mean something else over a range; it cannot be replayed")
    step_ms = max(1, interval_of(metric) // _MILLISECOND)
    end_ms = int(end.timestamp()) * 1000
    moments = _grid(end_ms=end_ms, since=since, step_ms=step_ms)
    if metric.provider_spec.get("rangeQuery"):
        return _ranged(query, metric.provider_spec["rangeQuery"], moments)
    return Question(query=query, moments=moments, samples=moments, order=_order(query))


def refined(asked: Question) -> Question:
    """Return the same question at the moments that retries after an Error would reach too: 10 s after it (spec/analysis.md 1.4).

    A ranged one stays as it is: its samples are not on those moments. So does one that would become too large.
    """
    step_ms = gcd(asked.moments.step_ms, ERROR_RETRY // _MILLISECOND)
    finer = _between(asked.moments.start_ms, asked.moments.end_ms, step_ms)
    if asked.is_ranged or finer.count > MAXIMUM_MOMENTS:
        return asked
    return replace(asked, moments=finer, samples=finer)


def _grid(*, end_ms: int, since: timedelta, step_ms: int) -> Grid:
    grid = _between(end_ms - since // _MILLISECOND // step_ms * step_ms, end_ms, step_ms)
    if grid.count > MAXIMUM_MOMENTS:
        raise HistoryError(f"{grid.count} measurements are too many to replay; ask for less than {MAXIMUM_MOMENTS} with --since")
    return grid


def _between(start_ms: int, end_ms: int, step_ms: int) -> Grid:
    return Grid(start_ms=start_ms, step_ms=step_ms, count=(end_ms - start_ms) // step_ms + 1)


def _ranged(query: str, spec: Any, moments: Grid) -> Question:
    if not isinstance(spec, dict):
        raise HistoryError("rangeQuery must be an object with start, end and step")
    try:
        step_ms = times.step(str(spec.get("step") or "")) // _MILLISECOND
        bounds = [_bounds(spec, at_ms) for at_ms in (moments.start_ms, moments.end_ms)]
    except ExpressionError as error:
        raise HistoryError(str(error)) from None
    (start, end), last = bounds
    if last != (start, end):
        raise HistoryError("rangeQuery.start and .end are not relative to now(); every measurement would see the same time")
    if end < start or not step_ms:
        raise HistoryError("rangeQuery.end is before rangeQuery.start, or its step is under a millisecond")
    if moments.count > 1 and moments.step_ms % step_ms:
        raise HistoryError("the interval is not a multiple of rangeQuery.step, so one range does not hold all measurements")
    samples = _between(moments.start_ms + start, moments.end_ms + end, step_ms)
    return Question(
        query=query, moments=moments, samples=samples, window=(end - start) // step_ms + 1, stride=moments.step_ms // step_ms
    )


def _bounds(spec: Any, at_ms: int) -> tuple[int, int]:
    """Return how long before or after a measurement its range starts and ends."""
    now = datetime.fromtimestamp(at_ms / 1000, UTC)
    start, end = (times.moment(str(spec.get(field) or ""), field=field, now=now) - now for field in ("start", "end"))
    return start // _MILLISECOND, end // _MILLISECOND


def _order(query: str) -> str:
    found = _SORTING.match(query)
    if not found or not _closes_at_the_end(query, found.end()):
        return ""
    return "descending" if found[1].lower() in ("sort_desc", "topk") else "ascending"


def _closes_at_the_end(query: str, at: int) -> bool:
    """Tell whether the parenthesis opened just before `at` is the last thing closed; parentheses in quotes do not count."""
    bare = re.sub(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`", lambda quoted: " " * len(quoted[0]), query)
    steps = ({"(": 1, ")": -1}.get(character, 0) for character in bare[at:].rstrip())
    depths = list(accumulate(steps, initial=1))
    return depths[-1] == 0 and 0 not in depths[:-1]


def sorted_as(values: Sequence[float], order: str) -> list[float]:
    """Sort a vector as an instant query does; NaN comes last either way."""
    if not order:
        return list(values)
    numbers = sorted((value for value in values if value == value), reverse=order == "descending")
    return [*numbers, *(value for value in values if value != value)]
