"""What a replay found, in plain sentences for people and as data for machines. Pure; must not judge or count."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from analysis.history.metric import Period, Replayed
from analysis.history.replay import CODES, SKIPPED, Runs, longest_stretch
from analysis.history.series import interval_of
from analysis.history.statistics import share_text, sparkline, summary
from analysis.history.suggest import TARGET, Suggestion
from analysis.no_data import NoData
from analysis.run.phases import Phase
from crds.durations import duration_text

_MEASURED = (Phase.SUCCESSFUL, Phase.FAILED, Phase.INCONCLUSIVE, Phase.ERROR)
_ENDS = {
    Phase.FAILED: "failed",
    Phase.ERROR: "ended in Error, which aborts as well",
    Phase.INCONCLUSIVE: "been Inconclusive, which pauses",
}


def metric_lines(replayed: Replayed, period: Period) -> Iterator[str]:
    """Tell what one metric would have said."""
    yield f"Metric {replayed.metric.name}{' (dry run)' if replayed.metric.dry_run else ''}: {_rule(replayed, period)}"
    for line in (*_measurement_lines(replayed), *_run_lines(replayed.runs, period), *_advice_lines(replayed)):
        yield f"  {line}"


def together_lines(runs: Runs, period: Period) -> Iterator[str]:
    """Tell how runs of all metrics together would have ended."""
    yield "All metrics together"
    for line in _run_lines(runs, period):
        yield f"  {line}"


def metric_data(replayed: Replayed) -> dict[str, Any]:
    """Return what one metric would have said as JSON: shares are 0 to 1, times RFC 3339, durations seconds."""
    measured = replayed.measured
    counts, total = _counts(replayed), len(measured.phases)
    start, length = longest_stretch(measured.phases == CODES[Phase.FAILED])
    numbers = summary(measured.pooled)
    return {
        "name": replayed.metric.name,
        "dryRun": replayed.metric.dry_run,
        "intervalSeconds": interval_of(replayed.metric).total_seconds(),
        "series": replayed.series,
        "points": {
            "count": total,
            **{phase.value.lower(): counts[phase] for phase in _MEASURED},
            "noData": _without_data(replayed),
            "notCounted": _skipped(replayed),
            "nan": numbers.nan,
        },
        "longestFailing": {
            "points": length,
            "start": _time(measured.asked.moments.start_ms + start * measured.asked.moments.step_ms) if length else None,
        },
        "values": {name: _json_number(value) for name, value in numbers.quantiles.items()},
        "runs": runs_data(replayed.runs),
        "suggestion": _suggestion_data(replayed.suggestion),
        "errors": measured.messages,
        "warnings": list(replayed.warnings),
    }


def runs_data(runs: Runs) -> dict[str, Any]:
    """Return how would-be runs ended as JSON."""
    ended = {phase.value.lower(): runs.ended(phase) for phase in (*_MEASURED, Phase.RUNNING)}
    return {"count": runs.count, **ended, "failedShare": runs.share(Phase.FAILED)}


def _rule(replayed: Replayed, period: Period) -> str:
    metric = replayed.metric
    conditions = [f"{field} {metric.spec[field]}" for field in ("successCondition", "failureCondition") if metric.spec.get(field)]
    if metric.interval is None:
        often = "measured once"
    elif metric.count is None:
        often = f"every {duration_text(metric.interval)} for {duration_text(period.run_for)}"
    else:
        often = f"{metric.count} times, every {duration_text(metric.interval)}"
    policy = "no data is not counted" if metric.no_data is NoData.SKIP else f"no data counts as {metric.no_data}"
    return "; ".join([often, *conditions, *([policy] if metric.no_data else []), f"failureLimit {metric.failure_limit}"])


def _measurement_lines(replayed: Replayed) -> Iterator[str]:
    measured = replayed.measured
    counts, total = _counts(replayed), len(measured.phases)
    numbers = summary(measured.pooled)
    shares = [f"{phase} {share_text(counts[phase] / total)}" for phase in _MEASURED if counts[phase]]
    skipped, missing = _skipped(replayed), _without_data(replayed)
    shares += [f"not counted {share_text(skipped / total)}"] if skipped else []
    shares += [f"no data {share_text(missing / total)}"] if missing else []
    shares += [f"{share_text(numbers.nan)} of the samples NaN"] if numbers.nan else []
    yield f"points   {total}: {', '.join(shares)}"
    if numbers.quantiles:
        yield "values   " + "  ".join(f"{name} {value:.5g}" for name, value in numbers.quantiles.items())
    if line := sparkline(measured.first).rstrip():
        yield f"         {line}{'' if replayed.series < 2 else f'  (result[0] of {replayed.series} series)'}"
    start, length = longest_stretch(measured.phases == CODES[Phase.FAILED])
    if length:
        moments = measured.asked.moments
        lasting = duration_text(timedelta(milliseconds=length * moments.step_ms))
        yield f"failing  longest {_points(length)} in a row, {lasting} from {_time(moments.start_ms + start * moments.step_ms)}"
    for message, count in sorted(measured.messages.items(), key=lambda entry: -entry[1])[:1]:
        yield f"errors   {' '.join(message.split())} ({_points(count)}{_others(measured.messages)})"
    for warning in replayed.warnings:
        yield f"warning  {warning}"
    if not replayed.retries_are_exact:
        yield "note     retries after an Error come 10 s later; here they are taken from the next interval"


def _run_lines(runs: Runs, period: Period) -> Iterator[str]:
    if not runs.count:
        yield f"runs     none fits into {duration_text(period.since)}; ask for more with --since"
        return
    yield "runs     " + _runs_sentence(runs, period)
    if unfinished := runs.ended(Phase.RUNNING):
        yield f"         {unfinished} would not have ended yet, because Errors, or measurements that do not count, made them longer"


def _runs_sentence(runs: Runs, period: Period) -> str:
    started = f"of {runs.count} runs in the last {duration_text(period.since)}"
    bad = [f"{_counted(runs, phase)} would have {text}" for phase, text in _ENDS.items() if runs.ended(phase)]
    if not bad:
        return f"{started}, none would have failed"
    return f"{started}, {', '.join(bad)}: false alarms if nothing was wrong"


def _advice_lines(replayed: Replayed) -> Iterator[str]:
    failed, suggestion = replayed.runs.share(Phase.FAILED), replayed.suggestion
    if failed < TARGET:
        return
    yield f"advice   it would have cried wolf in {_one_in(failed)} runs; for less than {share_text(TARGET)}:"
    if suggestion.limit:
        limit = suggestion.limit
        late = duration_text(limit.detection)
        yield (
            f"         failureLimit: {limit.failure_limit} ({share_text(limit.share)}); "
            f"a version that always fails is then taken back {late} after its first measurement"
        )
    if suggestion.threshold:
        yield f"         {suggestion.threshold.comparison} ({share_text(suggestion.threshold.share)})"
    if suggestion == Suggestion():
        yield "         no failureLimit or threshold alone would do; look at the longest failing stretch first"


def _suggestion_data(suggestion: Suggestion) -> dict[str, Any]:
    data: dict[str, Any] = {}
    if limit := suggestion.limit:
        seconds = limit.detection.total_seconds()
        data["failureLimit"] = {"value": limit.failure_limit, "failedShare": limit.share, "detectionSeconds": seconds}
    if threshold := suggestion.threshold:
        data["condition"] = {"text": str(threshold.comparison), "failedShare": threshold.share}
    return data


def _counts(replayed: Replayed) -> Mapping[Phase, int]:
    return {phase: int(np.count_nonzero(replayed.measured.phases == CODES[phase])) for phase in _MEASURED}


def _skipped(replayed: Replayed) -> int:
    """Return how many measurements are not counted by the metric's `rollouts/no-data: skip`."""
    return int(np.count_nonzero(replayed.measured.phases == SKIPPED))


def _without_data(replayed: Replayed) -> int:
    return int(np.count_nonzero(replayed.measured.sizes == 0))


def _counted(runs: Runs, phase: Phase) -> str:
    return f"{runs.ended(phase)} ({share_text(runs.share(phase))})"


def _one_in(share: float) -> str:
    return "all" if share == 1 else f"{share_text(share)} of the"


def _points(count: int) -> str:
    return "1 point" if count == 1 else f"{count} points"


def _others(messages: Sequence[str] | Mapping[str, int]) -> str:
    return f"; {len(messages) - 1} other texts" if len(messages) > 1 else ""


def _json_number(value: float) -> float | str:
    """Return a number as JSON can hold it: infinity becomes the text that Prometheus uses."""
    if math.isfinite(value):
        return value
    return "+Inf" if value > 0 else "-Inf"


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
