"""How an AnalysisRun that goes on fares, in plain sentences: what was measured, what is allowed, when the next measurement is due.

Pure; the finished ones are told by verdicts.py. Must not: decide anything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from analysis.errors import InvalidAnalysis
from analysis.no_data import ADVICE
from analysis.run.draft import due_at
from analysis.run.metrics import Metric
from analysis.run.status import Result, read_results, written_result
from analysis.run.validation import resolve
from analysis.run.verdicts import NO_DATA_HINT, Measurement, measurements_of, one_line, skipped, times, values_text
from crds.durations import duration_text, whole_seconds
from kube.objects import Object, known_time

SHOWN_VALUES = 3
SOON = timedelta(seconds=1)


def progress_lines(run: Object, now: datetime, *, served: Collection[str], on_failure: str) -> Iterator[str]:
    """Yield one line for each metric of a run that goes on, and one more for what is wrong with measuring it.

    Args:
        run: the AnalysisRun.
        now: for how long the next measurement is off.
        served: the providers that measurements are made with.
        on_failure: what follows when the run fails, such as `abort the update`.
    """
    try:
        metrics = resolve(run.get("spec") or {}, served=served)
    except InvalidAnalysis as error:
        yield str(error)
        return
    status = run.get("status") or {}
    results, started_at = read_results(status), known_time(status.get("startedAt")) or now
    taken = list(measurements_of(run))
    for metric in metrics:
        result = results.get(metric.name)
        if result is not None and result.phase.is_completed:
            yield f"{metric.name}: ended, {result.phase}"
            continue
        own = [one for one in taken if one.metric == metric.name]
        yield _line(metric, result, own, due_at(metric, result, started_at) - now)
        yield from _troubles(metric, result, own, on_failure)


def _line(metric: Metric, result: Result | None, taken: list[Measurement], wait: timedelta) -> str:
    count = result.counters.count if result else 0
    taken_of = times(count) if metric.count is None else f"{count} of {times(metric.count)}"
    judged = [one for one in taken if one.phase != "Error"][-SHOWN_VALUES:]
    values = f", last {values_text(judged)}" if judged else ""
    wanted = judged[-1].condition if judged else str(metric.spec.get("successCondition") or "")
    parts = [
        f"measured {taken_of}{values}" + (f" (must be {wanted})" if wanted else ""),
        _allowed(metric, result),
        "dry run: does not count" if metric.dry_run else "",
        f"next measurement in {duration_text(max(whole_seconds(wait), SOON))}" if wait > timedelta(0) else "is being measured now",
    ]
    return f"{metric.name}: " + "; ".join(filter(None, parts))


def _allowed(metric: Metric, result: Result | None) -> str:
    """Say how near the metric is to failing."""
    failed, inconclusive = (result.counters.failed, result.counters.inconclusive) if result else (0, 0)
    parts = []
    if metric.failure_limit >= 0:
        parts.append(f"failed {failed}, {_more(metric.failure_limit - failed + 1, 'failure', 'failures')} it")
    if inconclusive:
        left = metric.inconclusive_limit - inconclusive + 1
        parts.append(f"inconclusive {inconclusive}, {left} more make it Inconclusive")
    if metric.consecutive_success_limit:
        row = result.counters.consecutive_success if result else 0
        parts.append(f"{row} successes in a row of the {metric.consecutive_success_limit} it needs")
    return ", ".join(parts)


def _more(left: int, one: str, many: str) -> str:
    return f"one more {one} fails" if left == 1 else f"{left} more {many} fail"


def _troubles(metric: Metric, result: Result | None, taken: list[Measurement], on_failure: str) -> Iterator[str]:
    if result is None:
        return
    errors = result.counters.consecutive_error
    if errors and taken:
        left = metric.consecutive_error_limit - errors + 1
        ends = "does not count: dry run" if metric.dry_run else f"after {left} more the run ends in Error, which will {on_failure}"
        in_a_row = f"{errors} errors in a row" if errors > 1 else "an error"
        message = NO_DATA_HINT if taken[-1].has_no_data else one_line(taken[-1].message)
        yield f"measuring {metric.name} does not work ({in_a_row}; {ends}): {message}"
        return
    if missing := skipped(written_result(result)):
        yield f"{metric.name} had no data {times(missing)}, which is not counted: {ADVICE}"
    elif taken and taken[-1].has_no_data:
        yield f"{metric.name} has {NO_DATA_HINT}"
