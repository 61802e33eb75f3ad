"""What people are told of an AnalysisRun: how it fares, why it failed, what keeps it from measuring."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from analysis.run.telling import progress_lines
from analysis.run.verdicts import measurements_of, one_line, short_note, why
from tests.analysis_runs import PROVIDERS, START, a_metric, a_run

ADVICE = "check that requests reach the new version, that its pods are scraped and that the query's labels fit"
FRESH = "errors: measured 0 of 5 times (must be result[0] < 0.1); failed 0, 3 more failures fail it"
EMPTY = 'could not evaluate successCondition "x": metric result is nil or empty: no data returned from the metric provider'
LIMITED: dict[str, Any] = {"count": 5, "interval": "1m", "failureLimit": 2, "successCondition": "result[0] < 0.1"}


def measured(phase: str, value: str = "", message: str = "") -> dict[str, Any]:
    return {"phase": phase, "value": value, "message": message, "finishedAt": "2026-08-01T12:00:00Z"}


def run(phase: str, *measurements: dict[str, Any], metric: dict[str, Any] | None = None, **result: Any) -> dict[str, Any]:
    results = [{"name": "errors", "phase": phase, "measurements": list(measurements), **result}]
    status = {"phase": phase, "startedAt": "2026-08-01T12:00:00Z", "metricResults": results, "message": "the run's own words"}
    return a_run(metric or a_metric(**LIMITED), status=status)


def lines(one: dict[str, Any], **seconds: float) -> list[str]:
    now = START + timedelta(**seconds)
    return list(progress_lines(one, now, served=PROVIDERS, on_failure="abort the update"))


@pytest.mark.parametrize(
    ("one", "said"),
    [
        pytest.param(
            run("Failed", measured("Failed", "[0.5]"), measured("Failed", "[0.25]"), failed=7, metric=a_metric(**LIMITED)),
            "errors was [0.500], then [0.250], but must be result[0] < 0.1 (failed 7 times, allowed: 2)",
            id="counts are of the whole run, values of what is kept",
        ),
        pytest.param(
            run("Failed", *[measured("Failed", f"[{n}]") for n in range(9)], failed=9, metric=a_metric(**LIMITED)),
            "errors was ..., [4], then [5], then [6], then [7], then [8], but must be result[0] < 0.1 (failed 9 times, allowed: 2)",
            id="of many values the last five",
        ),
        pytest.param(
            run("Failed", measured("Failed", "[0.5]"), metric=a_metric(failureCondition="result[0] > 0.1")),
            "errors was [0.500], but must not be result[0] > 0.1 (failed once, allowed: 0)",
            id="only a failure condition",
        ),
        pytest.param(
            run("Failed", measured("Failed", "[NaN]"), metric=a_metric(successCondition="result[0] > 0")),
            f"errors was [NaN], but must be result[0] > 0 (failed once, allowed: 0); no data: {ADVICE}",
            id="NaN",
        ),
        pytest.param(
            run("Error", measured("Error", "", "connection\nrefused"), consecutiveError=5),
            "errors could not be judged (5 errors in a row): connection refused",
            id="errors",
        ),
        pytest.param(
            run(
                "Error",
                measured("Error", "[]", EMPTY),
                consecutiveError=5,
            ),
            f"errors had no data (5 errors in a row); {ADVICE}",
            id="an empty result",
        ),
        pytest.param(run("Failed"), "the run's own words", id="no measurement kept"),
        pytest.param(run("Successful", measured("Successful", "[0]")) | {"status": {"phase": "Successful"}}, "", id="successful"),
    ],
)
def test_why_a_run_did_not_succeed_is_one_sentence(one: dict[str, Any], said: str) -> None:
    assert why(one) == said


def test_arguments_are_filled_in_and_secrets_are_not_shown() -> None:
    metric = a_metric(successCondition="result[0] < {{args.limit}} && '{{args.token}}' != ''")
    one = run("Failed", measured("Failed", "[1]"), metric=metric)
    secret = {"name": "token", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    one["spec"]["args"] = [{"name": "limit", "value": "0.1"}, secret]
    assert why(one) == "errors was [1], but must be result[0] < 0.1 && '*****' != '' (failed once, allowed: 0)"


def test_an_argument_that_has_no_value_leaves_the_condition_as_it_is_written() -> None:
    one = run("Failed", measured("Failed", "[1]"), metric=a_metric(successCondition="result[0] < {{args.limit}}"))
    assert [found.condition for found in measurements_of(one)] == ["result[0] < {{args.limit}}"]


def test_a_dry_run_is_not_why_a_run_failed() -> None:
    one = run("Failed", measured("Failed", "[0.5]"), dryRun=True)
    assert why(one) == "the run's own words"


@pytest.mark.parametrize(
    ("one", "seconds", "said"),
    [
        pytest.param(
            run("Running") | {"status": {"phase": "Running", "startedAt": "2026-08-01T12:00:00Z"}},
            0,
            [f"{FRESH}; is being measured now"],
            id="before the first",
        ),
        pytest.param(
            run("Running", measured("Failed", "[0.5]"), measured("Successful", "[0]"), count=4, failed=2, successful=2),
            20,
            [
                "errors: measured 4 of 5 times, last [0.500], then [0] (must be result[0] < 0.1); "
                "failed 2, one more failure fails it; next measurement in 40s"
            ],
            id="near to failing",
        ),
        pytest.param(
            run(
                "Running",
                measured("Inconclusive", "[1]"),
                inconclusive=1,
                count=1,
                metric=a_metric(interval="2m", inconclusiveLimit=2),
            ),
            0,
            [
                "errors: measured once, last [1]; failed 0, one more failure fails it, inconclusive 1, "
                "2 more make it Inconclusive; next measurement in 2m"
            ],
            id="inconclusive, without an end",
        ),
        pytest.param(
            run("Running", measured("Error", "", "refused"), error=1, consecutiveError=1),
            4,
            [
                f"{FRESH}; next measurement in 6s",
                "measuring errors does not work (an error; after 4 more the run ends in Error, which will abort the update): "
                "refused",
            ],
            id="an error",
        ),
        pytest.param(
            run("Running", metadata={"rollouts/no-data-skipped": "3, last at 2026-08-01T12:00:00Z"}),
            0,
            [
                f"{FRESH}; next measurement in 1m",
                f"errors had no data 3 times, which is not counted: {ADVICE}",
            ],
            id="no data, skipped",
        ),
        pytest.param(
            run("Running", metric=a_metric(interval="x")), 0, ["Analysis spec invalid: metrics[0]: invalid interval"], id="invalid"
        ),
    ],
)
def test_how_a_run_fares_is_told_by_metric(one: dict[str, Any], seconds: float, said: list[str]) -> None:
    told = lines(one, seconds=seconds)
    assert len(told) == len(said)
    assert all(line.startswith(expected) for line, expected in zip(told, said, strict=True)), told


def test_a_metric_that_ended_is_told_as_ended() -> None:
    one = run("Successful", measured("Successful", "[0]"))
    one["status"]["phase"] = "Running"
    assert lines(one) == ["errors: ended, Successful"]


@pytest.mark.parametrize(("text", "shown"), [("a\n  b\tc", "a b c"), ("x" * 300, "x" * 157 + "...")])
def test_longer_texts_come_on_one_line_and_are_cut(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_a_note_is_no_longer_than_fits_beside_the_counts() -> None:
    assert len(short_note(run("Error", measured("Error", "", "x" * 300)))) == 100
