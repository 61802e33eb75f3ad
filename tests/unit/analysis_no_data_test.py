"""The annotation `rollouts/no-data`: what an empty result, or NaN, counts as."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from typing import Any

import pytest

from analysis.errors import InvalidAnalysis
from analysis.no_data import NoData, is_no_data
from analysis.providers.base import HttpResponse
from analysis.run.measuring import Prepared, conclude, prepare
from analysis.run.phases import Phase
from analysis.run.snapshot import Measure, Measured, Skipped
from analysis.run.validation import validate_templates
from analysis.run.verdicts import never_measured
from analysis.templates import build_run
from tests.analysis_runs import PROVIDERS, START, Answer, Driver, a_metric, a_run, says

EMPTY: dict[str, Any] = {"status": "success", "data": {"resultType": "vector", "result": []}}
NAN: dict[str, Any] = {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [0, "NaN"]}]}}
ADVICE = "check that requests reach the new version, that its pods are scraped and that the query's labels fit"


def measured(body: dict[str, Any], policy: NoData | None, **fields: Any) -> Measured | Skipped:
    metric = a_metric(**{"successCondition": "result[0] > 0.9", **fields})
    measure = Measure(namespace="web", metric=metric, arguments=(), number=1, no_data=policy)
    prepared = prepare(measure, secrets={}, providers=PROVIDERS, now=START)
    assert isinstance(prepared, Prepared)
    return conclude(prepared, HttpResponse(200, {}, json.dumps(body).encode()), now=START)


@pytest.mark.parametrize("body", [pytest.param(EMPTY, id="empty"), pytest.param(NAN, id="NaN")])
@pytest.mark.parametrize("condition", ["result[0] > 0.9", "len(result) == 0 || isNaN(result[0])"])
@pytest.mark.parametrize(
    ("policy", "phase"),
    [
        (NoData.ERROR, Phase.ERROR),
        (NoData.FAILED, Phase.FAILED),
        (NoData.INCONCLUSIVE, Phase.INCONCLUSIVE),
        (NoData.SUCCESSFUL, Phase.SUCCESSFUL),
    ],
)
def test_the_policy_decides_whatever_the_conditions_say(body: dict[str, Any], condition: str, policy: NoData, phase: Phase) -> None:
    found = measured(body, policy, successCondition=condition)
    assert isinstance(found, Measured)
    what = "the result is NaN" if body is NAN else "the result is empty"
    assert (found.phase, found.message) == (phase, f"no data: {what} (counts as {policy} by rollouts/no-data); {ADVICE}")


@pytest.mark.parametrize(
    ("body", "phase"), [pytest.param(EMPTY, Phase.ERROR, id="empty"), pytest.param(NAN, Phase.FAILED, id="NaN")]
)
def test_without_a_policy_the_conditions_judge_as_upstream(body: dict[str, Any], phase: Phase) -> None:
    found = measured(body, None)
    assert isinstance(found, Measured)
    assert found.phase is phase


def test_a_policy_leaves_measurements_with_data_alone() -> None:
    body = {"status": "success", "data": {"resultType": "scalar", "result": [0, "0.95"]}}
    found = measured(body, NoData.FAILED, successCondition="result > 0.9")
    assert isinstance(found, Measured)
    assert (found.phase, found.message) == (Phase.SUCCESSFUL, "")


@pytest.mark.parametrize(
    ("value", "no_data"),
    [
        (None, True),
        ([], True),
        ("", True),
        ({}, True),
        (math.nan, True),
        ([math.nan, math.nan], True),
        ([0.5, math.nan], False),
        (0.0, False),
        (False, False),
        ("NaN", False),
        ({"a": None}, False),
    ],
)
def test_no_data_is_nothing_empty_or_only_nan(value: Any, no_data: bool) -> None:
    assert is_no_data(value) is no_data


def annotated(run: dict[str, Any], **annotations: str) -> dict[str, Any]:
    return {**run, "metadata": {**run["metadata"], "annotations": annotations}}


def skipping(*numbers: int, then: Phase = Phase.SUCCESSFUL, every: timedelta = timedelta(minutes=1)) -> Any:
    """Answer the asked-for measurements in turn: those in `numbers` have no data; each is made so long after the one before."""
    asked: list[int] = []

    def answer(measure: Measure) -> Answer:
        asked.append(measure.number)
        if len(asked) in numbers:
            return Skipped(finished_at=START + every * (len(asked) - 1), message="no data: none")
        return then

    return answer


def test_a_skipped_measurement_is_not_counted_and_made_again_at_the_next_interval() -> None:
    run = annotated(a_run(a_metric(count=2, interval="1m")), **{"rollouts/no-data": "skip"})
    driver = Driver(run, answer=skipping(1, 3))
    assert driver.until_done() == "Successful"
    assert [at for _, _, at in driver.measured] == [0, 60, 120, 180]
    assert [number for _, number, _ in driver.measured] == [1, 1, 2, 2]
    result = driver.result()
    assert (result["count"], result.get("error"), len(result["measurements"])) == (2, None, 2)
    assert result["metadata"]["rollouts/no-data-skipped"] == "2, last at 2026-08-01T12:02:00Z"


def test_a_metric_without_interval_is_measured_again_ten_seconds_after_a_skip() -> None:
    run = annotated(a_run(a_metric()), **{"rollouts/no-data": "skip"})
    driver = Driver(run, answer=skipping(1))
    assert driver.until_done() == "Successful"
    assert [at for _, _, at in driver.measured] == [0, 10]


def test_errors_in_a_row_stay_as_they_are_over_a_skip() -> None:
    run = annotated(a_run(a_metric(count=2, interval="1m", consecutiveErrorLimit=1)), **{"rollouts/no-data": "skip"})
    driver = Driver(run, answer=skipping(2, then=Phase.ERROR, every=timedelta(seconds=10)))
    assert driver.until_done() == "Error"
    assert [at for _, _, at in driver.measured] == [0, 10, 70]


def test_a_run_that_is_stopped_after_nothing_but_skips_says_that_it_never_measured() -> None:
    run = annotated(a_run(a_metric(interval="1m")), **{"rollouts/no-data": "skip"})
    driver = Driver(run, answer=skipping(*range(1, 10)))
    for _ in range(3):
        driver.step()
        driver.now += timedelta(seconds=61)
    driver.run["spec"]["terminate"] = True
    driver.step()
    assert driver.status["phase"] == "Successful"
    assert never_measured(driver.run) == f"errors was never measured: no data for that time: {ADVICE}"


@pytest.mark.parametrize(
    ("annotations", "asked"),
    [
        pytest.param({"rollouts/no-data": "failed"}, {"a": "failed", "b": "failed"}, id="for all metrics"),
        pytest.param({"rollouts/no-data.b": "skip"}, {"a": None, "b": "skip"}, id="for one metric"),
        pytest.param({"rollouts/no-data": "failed", "rollouts/no-data.a": "error"}, {"a": "error", "b": "failed"}, id="both"),
        pytest.param({"other": "skip"}, {"a": None, "b": None}, id="none"),
    ],
)
def test_annotations_are_for_all_metrics_or_for_one(annotations: dict[str, str], asked: dict[str, str | None]) -> None:
    made = Driver(annotated(a_run(a_metric("a"), a_metric("b")), **annotations)).plan()
    assert {effect.request.metric["name"]: effect.request.no_data for effect in made.effects} == asked


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        pytest.param(
            {"rollouts/no-data": "ignore"},
            "annotation rollouts/no-data is 'ignore'; use one of error, failed, inconclusive, successful, skip",
            id="an unknown value",
        ),
        pytest.param(
            {"rollouts/no-data.eror": "skip"},
            "annotation rollouts/no-data.eror is for a metric that is not there; there are errors",
            id="an unknown metric",
        ),
    ],
)
def test_an_annotation_that_cannot_be_meant_is_refused(annotations: dict[str, str], message: str) -> None:
    run = annotated(a_run(a_metric()), **annotations)
    driver = Driver(run, answer=says())
    driver.step()
    assert (driver.status["phase"], driver.status["message"]) == ("Error", message)
    template = {"metadata": {"name": "t", "annotations": annotations}, "spec": run["spec"]}
    assert validate_templates([template], for_background=True, served=PROVIDERS) == (f"AnalysisTemplate t: {message}",)


def template(name: str, *metrics: str, **annotations: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "annotations": annotations}, "spec": {"metrics": [a_metric(one) for one in metrics]}}


SKIP, FAIL = {"rollouts/no-data": "skip"}, {"rollouts/no-data": "failed"}


@pytest.mark.parametrize(
    ("templates", "carried"),
    [
        pytest.param([template("a", "a")], None, id="without annotations nothing is added"),
        pytest.param([template("a", "a b", **SKIP)], SKIP, id="one template"),
        pytest.param([template("a", "a", **SKIP), template("b", "b", **SKIP)], SKIP, id="the same for all"),
        pytest.param(
            [template("a", "a", **SKIP), template("b", "b")], {"rollouts/no-data.a": "skip"}, id="only the template's own metrics"
        ),
        pytest.param(
            [template("a", "a", **SKIP), template("b", "b", **FAIL)],
            {"rollouts/no-data.a": "skip", "rollouts/no-data.b": "failed"},
            id="each its own",
        ),
    ],
)
def test_a_run_carries_the_policies_of_its_templates(templates: list[dict[str, Any]], carried: dict[str, str] | None) -> None:
    assert build_run(metadata={"name": "r"}, templates=templates)["metadata"].get("annotations") == carried


def test_annotations_of_the_rollouts_analysis_win() -> None:
    metadata = {"name": "r", "annotations": {"rollouts/no-data": "error", "team": "x"}}
    made = build_run(metadata=metadata, templates=[template("a", "a", **SKIP)])
    assert made["metadata"]["annotations"] == {"rollouts/no-data": "error", "team": "x"}


def test_a_metric_whose_name_is_no_annotation_needs_one_policy_for_all() -> None:
    with pytest.raises(InvalidAnalysis, match="metric 'a b' cannot have its own annotation rollouts/no-data"):
        build_run(metadata={}, templates=[template("a", "a b", **SKIP), template("b", "b")])
