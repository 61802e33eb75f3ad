"""A whole metric replayed: asked for, judged, run over; and the runs of several metrics taken together.

Owns the order in which a source is asked. Must not: know what the source is, or print.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce

import numpy as np

from analysis.history.answers import Answer, HistoryError, Source
from analysis.history.replay import CODES, PHASES, Judged, Runs, judged, runs
from analysis.history.series import Question, interval_of, question, refined, table
from analysis.history.suggest import Suggestion, suggest
from analysis.run.metrics import Metric
from analysis.run.phases import Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The time to replay: `since` before `end`; a run of a metric without a count lasts `run_for`."""

    end: datetime
    since: timedelta
    run_for: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What one metric would have said."""

    metric: Metric
    measured: Judged
    """At every interval."""
    runs: Runs
    suggestion: Suggestion
    series: int
    """How many series were seen in all."""
    warnings: tuple[str, ...]
    retries_are_exact: bool
    """Whether retries after Errors were replayed at their moments, 10 s later, not at the next interval."""


def replay(metric: Metric, source: Source, period: Period) -> Replayed:
    """Ask for a metric's past and say what its analysis would have said.

    Raises:
        HistoryError: the past cannot be asked for; the text says why.
    """
    asked = question(metric, end=period.end, since=period.since)
    probe = _probe(source, asked)
    coarse, series, warnings = _measure(metric, source, asked, kind=probe.kind)
    fine, finer = coarse, refined(asked)
    erred = bool((coarse.phases == CODES[Phase.ERROR]).any())
    if erred and finer != asked:
        fine, _, _ = _measure(metric, source, finer, kind=probe.kind)
    timing = {"interval": interval_of(metric), "run_for": period.run_for}
    found = runs(metric, fine, **timing)
    return Replayed(
        metric=metric,
        measured=coarse,
        runs=found,
        suggestion=suggest(metric, fine, found, kind=probe.kind, **timing),
        series=series,
        warnings=tuple(dict.fromkeys((*probe.warnings, *warnings))),
        retries_are_exact=not erred or 10_000 % fine.asked.moments.step_ms == 0,
    )


def _probe(source: Source, asked: Question) -> Answer:
    """Find out what a measurement would get; a range query gives a matrix whatever the query is."""
    if asked.is_ranged:
        return Answer("matrix", [])
    found = source.instant(asked.query, at_ms=asked.moments.end_ms)
    match found.kind:
        case "string":
            raise HistoryError("Prometheus metric type not supported: string; every measurement would be an Error")
        case "matrix":
            raise HistoryError("the query gives a range vector, whose past cannot be asked for; use a function such as rate()")
    return found


def _measure(metric: Metric, source: Source, asked: Question, *, kind: str) -> tuple[Judged, int, tuple[str, ...]]:
    samples = asked.samples
    answer = source.range(asked.query, start_ms=samples.start_ms, end_ms=samples.end_ms, step_ms=samples.step_ms)
    found = table(answer, samples)
    return judged(metric, asked, found, kind=kind), len(found.labels), answer.warnings


def together(replayed: Sequence[Replayed]) -> Runs | None:
    """Return the runs of a whole template, where its metrics have common starts; None unless two or more metrics count.

    The first metric to end badly ends the run, and of those that do at the same moment the worst names its phase
    (spec/analysis.md 1.6).
    """
    counting = [one.runs for one in replayed if not one.metric.dry_run]
    if len(counting) < 2:
        return None
    starts = reduce(np.intersect1d, (one.starts_ms for one in counting))
    places = [np.searchsorted(one.starts_ms, starts) for one in counting]
    phases = np.array([one.phases[place] for one, place in zip(counting, places, strict=True)])
    ends = np.array([one.ends_ms[place] for one, place in zip(counting, places, strict=True)])
    bad = np.array([phase.is_bad for phase in PHASES])[phases]
    first_bad = np.where(bad, ends, np.iinfo(np.int64).max).min(axis=0)
    final = ~bad.any(axis=0)
    counts = np.where(final, True, bad & (ends == first_bad))
    badness = np.where(counts, np.array([phase.badness for phase in PHASES])[phases], -1).max(axis=0)
    by_badness = np.array([CODES[phase] for phase in sorted(PHASES, key=lambda phase: phase.badness)], dtype=np.int8)
    return Runs(starts_ms=starts, ends_ms=np.where(final, ends.max(axis=0), first_bad), phases=by_badness[badness])
