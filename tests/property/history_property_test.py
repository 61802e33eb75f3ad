"""Laws of a replay: healthy stays healthy, every run is counted, and runs laid side by side count as one run alone does."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.history.answers import chunks
from analysis.history.metric import replay
from analysis.history.replay import PHASES, Judged, runs
from analysis.history.series import Grid, Question
from analysis.run.metrics import Metric
from analysis.run.phases import Counters, Phase, assess
from tests.history_sources import Past, a_metric, a_period

MEASURED = PHASES[:4]


@given(
    value=st.floats(min_value=0.95, max_value=1e9),
    count=st.integers(1, 12),
    minutes=st.integers(0, 40),
    failure_limit=st.integers(0, 3),
)
def test_a_constant_healthy_past_never_fails_and_every_interval_that_fits_starts_a_run(
    value: float, count: int, minutes: int, failure_limit: int
) -> None:
    metric = a_metric(successCondition="result[0] >= 0.95", count=count, failureLimit=min(failure_limit, count))
    found = replay(metric, Past({"a": lambda _: value}), a_period(minutes)).runs
    assert found.count == max(0, minutes + 1 - (count - 1))
    assert found.ended(Phase.SUCCESSFUL) == found.count


@st.composite
def metrics(draw: st.DrawFn) -> Metric:
    limit = draw(st.integers(-1, 2))
    streak = draw(st.integers(1 if limit < 0 else 0, 2))
    least = max(1, limit, 0) + streak
    return a_metric(
        count=draw(st.integers(least, 6)),
        failureLimit=limit,
        consecutiveSuccessLimit=streak,
        inconclusiveLimit=draw(st.integers(0, 1)),
        consecutiveErrorLimit=draw(st.integers(0, 3)),
        interval=draw(st.sampled_from(["10s", "20s", "30s"])),
    )


def judged(phases: list[Phase]) -> Judged:
    grid = Grid(start_ms=0, step_ms=10_000, count=len(phases))
    codes = np.array([PHASES.index(phase) for phase in phases], dtype=np.int8)
    empty = np.zeros(len(phases))
    asked = Question(query="", moments=grid, samples=grid)
    return Judged(asked=asked, phases=codes, first=empty, sizes=empty.astype(np.int64), pooled=empty, blind=empty.astype(bool))


def alone(metric: Metric, phases: list[Phase], start: int, stride: int) -> Phase:
    """Measure as an AnalysisRun does, one after the other."""
    counters, at = Counters(), start
    while at < len(phases):
        counters = counters.plus(phases[at])
        if (assessed := assess(metric, counters, terminating=False).phase).is_completed:
            return assessed
        at += 1 if phases[at] is Phase.ERROR else stride
    return Phase.RUNNING


@settings(max_examples=200)
@given(metric=metrics(), phases=st.lists(st.sampled_from(MEASURED), min_size=1, max_size=60))
def test_runs_side_by_side_end_as_each_would_alone(metric: Metric, phases: list[Phase]) -> None:
    assert metric.interval is not None
    found = runs(metric, judged(phases), interval=metric.interval, run_for=timedelta(hours=1))
    stride = metric.interval // timedelta(seconds=10)
    starts = [at // 10_000 for at in found.starts_ms.tolist()]
    assert [PHASES[code] for code in found.phases] == [alone(metric, phases, start, stride) for start in starts]


@given(start=st.integers(0, 10**9), points=st.integers(1, 60_000), step=st.integers(1, 10**6))
def test_chunks_hold_every_moment_once_and_few_enough(start: int, points: int, step: int) -> None:
    end = start + (points - 1) * step
    sizes = [(last - first) // step + 1 for first, last in chunks(start, end, step)]
    assert sum(sizes) == points
    assert max(sizes) < 11_000
    assert all((first - start) % step == 0 for first, _ in chunks(start, end, step))
