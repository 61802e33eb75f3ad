"""What a replay says of the past: points judged, runs counted, limits suggested."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analysis.history.answers import HistoryError
from analysis.history.metric import replay, together
from analysis.history.replay import PHASES, longest_stretch
from analysis.history.report import metric_data, metric_lines
from analysis.history.series import sorted_as
from analysis.no_data import NoData
from analysis.run.phases import Phase
from tests.history_sources import END, NAN, Past, a_metric, a_period, listed

SUCCESSFUL, FAILED, INCONCLUSIVE, ERROR = PHASES[:4]


def phases_of(past: Past, minutes: int, **fields: Any) -> list[Phase]:
    found = replay(a_metric(**fields), past, a_period(minutes))
    return [PHASES[code] for code in found.measured.phases]


@pytest.mark.parametrize(
    ("value", "condition", "expected"),
    [
        pytest.param(0.99, {"successCondition": "result[0] >= 0.95"}, SUCCESSFUL, id="a good value"),
        pytest.param(0.9, {"successCondition": "result[0] >= 0.95"}, FAILED, id="a bad value"),
        pytest.param(NAN, {"successCondition": "result[0] >= 0.95"}, FAILED, id="NaN fails a success condition"),
        pytest.param(NAN, {"failureCondition": "result[0] < 0.95"}, SUCCESSFUL, id="NaN passes a failure condition"),
        pytest.param(
            NAN,
            {"successCondition": "result[0] >= 0.95", "failureCondition": "result[0] < 0.9"},
            INCONCLUSIVE,
            id="NaN is inconclusive with both",
        ),
        pytest.param(None, {"successCondition": "result[0] >= 0.95"}, ERROR, id="no data is an Error where an index needs it"),
        pytest.param(None, {"successCondition": "all(result, # < 1)"}, SUCCESSFUL, id="no data passes all()"),
        pytest.param(None, {"successCondition": "len(result) == 0 || result[0] > 1"}, SUCCESSFUL, id="no data may be allowed"),
        pytest.param(1.0, {"successCondition": "result >= 0.95"}, ERROR, id="a vector is no number"),
        pytest.param(float("inf"), {"successCondition": "isInf(result[0])"}, SUCCESSFUL, id="infinity is a value"),
        pytest.param(1.0, {}, SUCCESSFUL, id="no condition accepts everything"),
    ],
)
def test_a_past_value_is_judged_as_a_measurement_would_have_been(
    value: float | None, condition: dict[str, str], expected: Phase
) -> None:
    assert phases_of(listed([value], every=60), 0, **condition) == [expected]


def test_a_scalar_query_gives_conditions_a_number() -> None:
    past = replace(listed([0.99, 0.5], every=60), kind="scalar")
    assert phases_of(past, 1, successCondition="result >= 0.95") == [SUCCESSFUL, FAILED]


def test_several_series_become_one_vector_per_moment_with_only_the_series_of_that_moment() -> None:
    past = Past({"a": lambda _: 1.0, "b": lambda seconds: 9.0 if seconds == 60 else None})
    assert phases_of(past, 2, successCondition="len(result) == 1 || result[1] < 5") == [SUCCESSFUL, FAILED, SUCCESSFUL]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        pytest.param("errors", 1.0, id="as the labels are ordered"),
        pytest.param("sort_desc(errors)", 3.0, id="sort_desc: the greatest first"),
        pytest.param('topk(2, errors{path=")"})', 3.0, id="topk, with a parenthesis in quotes"),
        pytest.param("sort(errors) + 1", 1.0, id="sort inside of something else does not sort"),
    ],
)
def test_a_sorted_query_is_sorted_at_each_moment_as_an_instant_query_is(query: str, first: float) -> None:
    past = Past({"a": lambda _: 1.0, "b": lambda _: 3.0})
    assert replay(a_metric(query=query), past, a_period(0)).measured.first.tolist() == [first]


def test_sorting_puts_nan_last_either_way() -> None:
    assert [value == value for value in sorted_as([NAN, 1.0, 2.0], "ascending")] == [True, True, False]
    assert sorted_as([1.0, NAN, 2.0], "descending")[:2] == [2.0, 1.0]


def test_a_range_query_sees_its_whole_window_at_every_measurement() -> None:
    ranged = {"start": 'now() - duration("2m")', "end": "now()", "step": "1m"}
    past = listed([5.0, 1.0, 1.0, 1.0, 5.0], every=60)
    metric = a_metric(successCondition="all(result, # < 2)", rangeQuery=ranged)
    found = replay(metric, past, a_period(2))
    assert [PHASES[code] for code in found.measured.phases] == [FAILED, SUCCESSFUL, FAILED]
    assert found.measured.sizes.tolist() == [3, 3, 3]


@pytest.mark.parametrize(
    ("fields", "kind", "says"),
    [
        pytest.param({"query": "errors @ end()"}, "vector", "cannot be replayed", id="a query fixed to the end"),
        pytest.param({"query": "errors[5m]"}, "matrix", "rate()", id="a range vector"),
        pytest.param({"query": '"text"'}, "string", "not supported: string", id="a string"),
        pytest.param({"interval": "1ms"}, "vector", "--since", id="far too many measurements"),
        pytest.param(
            {"rangeQuery": {"start": 'now() - duration("5m")', "end": "now()", "step": "7s"}},
            "vector",
            "not a multiple",
            id="a range whose step does not fit",
        ),
        pytest.param(
            {"rangeQuery": {"start": 'date("2026-01-01")', "end": "now()", "step": "1m"}},
            "vector",
            "not relative to now()",
            id="a range fixed in time",
        ),
    ],
)
def test_what_cannot_be_replayed_is_refused_with_the_reason(fields: dict[str, Any], kind: str, says: str) -> None:
    with pytest.raises(HistoryError) as refused:
        replay(a_metric(**fields), Past({"a": lambda _: 1.0}, kind=kind), a_period(60))
    assert says in str(refused.value)


def ends(values: list[float | None], **fields: Any) -> list[str]:
    metric = a_metric(**{"successCondition": "result[0] >= 1", **fields})
    found = replay(metric, listed(values, every=60), a_period(len(values) - 1, run_for=3))
    return [PHASES[code].value for code in found.runs.phases]


@pytest.mark.parametrize(
    ("values", "fields", "expected"),
    [
        pytest.param([1, 1, 0, 1], {"count": 2}, ["Successful", "Failed", "Failed"], id="every run that meets the bad point fails"),
        pytest.param([1, 1, 0, 1], {"count": 2, "failureLimit": 1}, ["Successful"] * 3, id="failureLimit forgives one"),
        pytest.param(
            [0, 1, 0, 1], {"count": 3, "failureLimit": 1}, ["Failed", "Successful"], id="failures add up, in a row or not"
        ),
        pytest.param([1, 1], {"count": 3}, [], id="no whole run fits"),
        pytest.param(
            [0, 1, 1], {"count": 3, "failureLimit": -1, "consecutiveSuccessLimit": 2}, ["Successful"], id="two good ones in a row"
        ),
        pytest.param(
            [0, 1, 0], {"count": 3, "failureLimit": -1, "consecutiveSuccessLimit": 2}, ["Failed"], id="never two good in a row"
        ),
        pytest.param([1, 1, 1, 1, 0], {}, ["Successful", "Failed"], id="without a count, a run lasts as long as asked for"),
        pytest.param(
            [0.5, 0.5, 1],
            {"count": 1, "failureCondition": "result[0] < 0.2"},
            ["Inconclusive", "Inconclusive", "Successful"],
            id="between the conditions",
        ),
    ],
)
def test_would_be_runs_end_by_the_rules_of_analysis_runs(
    values: list[float | None], fields: dict[str, Any], expected: list[str]
) -> None:
    assert ends(values, **fields) == expected


@pytest.mark.parametrize(
    ("policy", "values", "fields", "expected"),
    [
        pytest.param(None, [1, NAN, 1], {"count": 2}, ["Failed", "Failed"], id="without a policy NaN fails the condition"),
        pytest.param(NoData.SUCCESSFUL, [1, NAN, 1], {"count": 2}, ["Successful"] * 2, id="successful"),
        pytest.param(NoData.INCONCLUSIVE, [1, None, 1], {"count": 2}, ["Inconclusive"] * 2, id="inconclusive"),
        pytest.param(NoData.FAILED, [1, None, 1], {"count": 2, "failureLimit": 1}, ["Successful"] * 2, id="failed counts"),
        pytest.param(NoData.SKIP, [1, NAN, 1, 0], {"count": 2}, ["Successful", "Failed", "Failed"], id="skip measures again"),
        pytest.param(NoData.SKIP, [1, NAN, None], {"count": 2}, ["Running", "Running"], id="skip waits beyond the end"),
        pytest.param(NoData.SKIP, [NAN, None, NAN, NAN], {}, ["Successful"], id="a stopped run that skipped all is Successful"),
    ],
)
def test_measurements_without_data_are_decided_by_the_templates_policy(
    policy: NoData | None, values: list[float | None], fields: dict[str, Any], expected: list[str]
) -> None:
    metric = replace(a_metric(**{"successCondition": "result[0] >= 1", **fields}), no_data=policy)
    found = replay(metric, listed(values, every=60), a_period(len(values) - 1, run_for=3))
    assert [PHASES[code].value for code in found.runs.phases] == expected


def test_the_report_tells_the_policy_and_what_it_did_not_count() -> None:
    metric = replace(a_metric(successCondition="result[0] >= 1", count=1), no_data=NoData.SKIP)
    found = replay(metric, listed([1, NAN, 1, 1], every=60), a_period(3))
    text = "\n".join(metric_lines(found, a_period(3)))
    assert "result[0] >= 1; no data is not counted; failureLimit 0" in text
    assert "Successful 75 %, not counted 25 %" in text
    assert metric_data(found)["points"]["notCounted"] == 1


def test_after_an_error_the_next_try_is_ten_seconds_later_whatever_the_interval() -> None:
    """A gap of 30 seconds is bridged by three retries; one of a minute exceeds consecutiveErrorLimit and ends the run."""
    metric = a_metric(successCondition="result[0] >= 1", count=2)

    def gap(seconds: int) -> list[str]:
        past = Past({"a": lambda before: None if 60 - seconds < before <= 60 else 1.0})
        found = replay(metric, past, a_period(2))
        assert found.retries_are_exact
        return [PHASES[code].value for code in found.runs.phases]

    assert gap(30) == ["Successful", "Running"]  # the second begins in the gap, and would not have ended yet
    assert gap(60) == ["Error", "Error"]


def test_the_first_metric_to_end_badly_names_the_phase_of_the_whole_run() -> None:
    condition = "result[0] >= 1"
    fails_late = replay(a_metric(successCondition=condition, count=3), listed([1, 1, 0], every=60), a_period(2))
    both = {"successCondition": condition, "failureCondition": "result[0] < 0"}
    pauses_early = replay(a_metric(**both, count=3), listed([1, 0, 1], every=60), a_period(2))
    runs = together([fails_late, pauses_early])
    assert runs is not None
    assert [PHASES[code] for code in runs.phases] == [Phase.INCONCLUSIVE]


def test_a_dry_run_metric_has_no_say_in_the_whole_run() -> None:
    good = replay(a_metric(count=1), listed([1.0], every=60), a_period(0))
    dry = replay(replace(a_metric(count=1, successCondition="result[0] > 2"), dry_run=True), listed([1.0], every=60), a_period(0))
    assert together([good, dry]) is None
    assert dry.runs.ended(Phase.FAILED) == 1


def alarming(**fields: Any) -> Any:
    """Return the replay of a metric whose value is 0.9 twice in a row every 20 minutes, else 0.99."""
    past = Past({"a": lambda before: 0.9 if before // 60 % 20 in (5, 6) else 0.99})
    return replay(a_metric(**{"successCondition": "result[0] >= 0.95", "count": 5, **fields}), past, a_period(600))


def test_the_smallest_failure_limit_without_false_alarms_is_suggested_with_what_it_costs() -> None:
    limit = alarming().suggestion.limit
    assert (limit.failure_limit, limit.share, limit.detection.total_seconds()) == (2, 0.0, 120.0)
    assert alarming(failureLimit=1).runs.share(Phase.FAILED) > 0.01, "one less would not have done"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, "successCondition: result[0] >= 0.9", id="success must be less strict"),
        pytest.param({"successCondition": "result[0] > 0.95"}, "successCondition: result[0] > 0.899", id="strictly"),
        pytest.param(
            {"successCondition": None, "failureCondition": "result[0] < 0.95"}, "failureCondition: result[0] < 0.9", id="failure"
        ),
    ],
)
def test_the_nearest_threshold_without_false_alarms_is_suggested(fields: dict[str, Any], expected: str) -> None:
    assert str(alarming(**fields).suggestion.threshold.comparison) == expected


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param("result[0] >= 0.95 && result[0] < 2", id="two comparisons"),
        pytest.param("all(result, # >= 0.95)", id="a predicate"),
        pytest.param("asFloat(result[0]) >= 0.95", id="a function"),
    ],
)
def test_no_threshold_is_suggested_for_a_condition_that_is_no_simple_comparison(condition: str) -> None:
    found = alarming(successCondition=condition).suggestion
    assert found.threshold is None
    assert found.limit is not None


def test_no_threshold_helps_against_nan() -> None:
    past = Past({"a": lambda before: NAN if before // 60 % 10 == 0 else 0.99})
    found = replay(a_metric(successCondition="result[0] >= 0.95", count=3), past, a_period(100))
    assert found.suggestion.threshold is None


def test_a_metric_that_does_not_cry_wolf_gets_no_advice() -> None:
    found = replay(a_metric(successCondition="result[0] >= 0.95", count=5), Past({"a": lambda _: 0.99}), a_period(60))
    text = "\n".join(metric_lines(found, a_period(60)))
    assert "of 57 runs in the last 1h, none would have failed" in text
    assert "advice" not in text


def test_the_report_tells_false_alarms_the_longest_failure_and_what_would_help() -> None:
    period = a_period(600)
    text = "\n".join(metric_lines(alarming(), period))
    assert "points   601: Successful 90 %, Failed 10 %" in text
    assert "of 597 runs in the last 10h, 180 (30.2 %) would have failed: false alarms if nothing was wrong" in text
    assert "failing  longest 2 points in a row, 2m from 2026-08-01T02:14:00Z" in text
    assert "failureLimit: 2 (0 %)" in text
    assert "successCondition: result[0] >= 0.9 (0 %)" in text


def test_the_report_for_machines_has_the_same_numbers() -> None:
    data = metric_data(alarming())
    assert data["points"] == {
        "count": 601, "successful": 541, "failed": 60, "inconclusive": 0, "error": 0, "noData": 0, "notCounted": 0, "nan": 0.0
    }  # fmt: skip
    assert (data["runs"]["count"], data["runs"]["failed"], data["longestFailing"]["points"]) == (597, 180, 2)
    assert data["suggestion"]["failureLimit"]["value"] == 2
    assert (data["values"]["min"], data["values"]["max"]) == (0.9, 0.99)


def test_missing_data_and_warnings_of_the_server_are_told() -> None:
    past = replace(listed([1.0, None, None, 1.0], every=60), warnings=("store gone",))
    found = replay(a_metric(successCondition="result[0] >= 1"), past, a_period(3))
    text = "\n".join(metric_lines(found, a_period(3)))
    assert "Error 50 %, no data 50 %" in text
    assert "metric result is nil or empty" in text
    assert "warning  store gone" in text
    assert "none fits into 3m; ask for more with --since" in text


def test_the_finer_grid_is_asked_for_only_after_errors() -> None:
    healthy, broken = listed([1.0] * 4, every=60), listed([1.0, None, 1.0], every=60)
    for past in (healthy, broken):
        replay(a_metric(successCondition="result[0] >= 1"), past, a_period(2))
    end = int(END.timestamp()) * 1000
    assert healthy.asked == [(end - 120_000, end, 60_000)]
    assert broken.asked == [(end - 120_000, end, 60_000), (end - 120_000, end, 10_000)]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        pytest.param("", (0, 0), id="nothing"),
        pytest.param("...", (0, 0), id="none"),
        pytest.param("##.###", (3, 3), id="at the end"),
        pytest.param("##.##", (0, 2), id="the first of equal ones"),
    ],
)
def test_the_longest_stretch_is_found(flags: str, expected: tuple[int, int]) -> None:
    assert longest_stretch(np.array([flag == "#" for flag in flags], dtype=np.bool_)) == expected
