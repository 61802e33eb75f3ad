"""An AnalysisRun from its first plan to its end: one row per sentence of the reference."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from analysis.run.phases import Phase
from analysis.run.snapshot import Measure, Measured
from kube.plan import Delete
from tests.analysis_runs import START, Answer, Driver, a_metric, a_run, observed, says

S, F, I, E = Phase.SUCCESSFUL, Phase.FAILED, Phase.INCONCLUSIVE, Phase.ERROR  # noqa: E741


def seconds(driver: Driver, name: str = "errors") -> list[float]:
    return [at for metric, _, at in driver.measured if metric == name]


def test_the_first_plan_starts_the_run_and_measures_at_once() -> None:
    made = Driver(a_run(a_metric(), args=[{"name": "x", "value": "1"}])).plan()
    assert made.status == {
        "phase": "Running",
        "startedAt": "2026-08-01T12:00:00Z",
        "metricResults": [],
        "runSummary": {"count": 1},
        "dryRunSummary": {},
    }
    assert [(effect.id, effect.request) for effect in made.effects] == [
        (
            "measure/errors/1",
            Measure(namespace="web", metric=a_metric(), arguments=({"name": "x", "value": "1"},), number=1),
        )
    ]


def test_a_metric_without_count_and_interval_is_measured_once() -> None:
    driver = Driver(a_run(a_metric()), takes=timedelta(seconds=2))
    assert driver.until_done() == "Successful"
    assert driver.status == {
        "phase": "Successful",
        "startedAt": "2026-08-01T12:00:00Z",
        "completedAt": "2026-08-01T12:00:02Z",
        "runSummary": {"count": 1, "successful": 1},
        "dryRunSummary": {},
        "metricResults": [
            {
                "name": "errors",
                "phase": "Successful",
                "count": 1,
                "successful": 1,
                "consecutiveSuccess": 1,
                "metadata": {"ResolvedPrometheusQuery": "rate(errors)"},
                "measurements": [
                    {
                        "phase": "Successful",
                        "startedAt": "2026-08-01T12:00:00Z",
                        "finishedAt": "2026-08-01T12:00:02Z",
                        "value": "[1]",
                    }
                ],
            }
        ],
    }
    assert [(event.reason, event.message, event.warning) for event in driver.events] == [
        ("MetricSuccessful", "Metric 'errors' Completed. Result: Successful", False),
        ("AnalysisRunSuccessful", "Analysis Completed. Result: Successful", False),
    ]


@pytest.mark.parametrize(
    ("metric", "answer", "at"),
    [
        pytest.param(a_metric(interval="20s", count=3), says(), [0, 20, 40], id="interval after the end of the one before"),
        pytest.param(a_metric(initialDelay="30s"), says(), [30], id="the first after the initial delay"),
        pytest.param(a_metric(interval="5m", count=2, initialDelay="1m"), says(), [60, 360], id="initial delay, then interval"),
        pytest.param(a_metric(interval="5m", count=2), says(E), [0, 10, 310], id="10 s after an error, whatever the interval"),
        pytest.param(a_metric(interval="2s", count=2), says(E), [0, 10, 12], id="10 s after an error even if the interval is less"),
        pytest.param(a_metric(interval="0s", count=3), says(), [0, 1, 2], id="at most one in a second, with an interval of 0 too"),
        pytest.param(
            a_metric(interval="1ns", count=3), says(), [0, 1, 2], id="at most one in a second, however short the interval"
        ),
        pytest.param(a_metric(), says(E, E), [0, 10, 20], id="errors of a single measurement are retried"),
        pytest.param(a_metric(count="2", interval="1h"), says(), [0, 3600], id="a count may be a text"),
    ],
)
def test_measurements_are_taken_when_due(metric: Any, answer: Any, at: list[float]) -> None:
    driver = Driver(a_run(metric), answer=answer)
    assert driver.until_done() == "Successful"
    assert seconds(driver) == at


def test_an_interval_alone_measures_for_ever() -> None:
    driver = Driver(a_run(a_metric(interval="1m")))
    assert driver.until_done(at_most=50) == "Running"
    assert driver.result()["count"] == 50


def test_intervals_count_from_the_end_of_a_measurement() -> None:
    driver = Driver(a_run(a_metric(interval="20s", count=3)), takes=timedelta(seconds=5))
    driver.until_done()
    assert seconds(driver) == [0, 25, 50]


FIVE: dict[str, Any] = {"count": 5, "interval": "1m"}


@pytest.mark.parametrize(
    ("fields", "phases", "ends", "after", "message"),
    [
        pytest.param({}, [F], "Failed", 1, "failed (1) > failureLimit (0)", id="one failure is too many by default"),
        pytest.param(
            {**FIVE, "failureLimit": 2}, [F, S, F, S, F], "Failed", 5, "failed (3) > failureLimit (2)", id="above, not at"
        ),
        pytest.param({**FIVE, "failureLimit": 2}, [F, S, F, S, S], "Successful", 5, "", id="failures at the limit are allowed"),
        pytest.param({**FIVE, "failureLimit": 5}, [F, F, F, F, F], "Successful", 5, "", id="the trap: as many as count never fail"),
        pytest.param({}, [I], "Inconclusive", 1, "inconclusive (1) > inconclusiveLimit (0)", id="one inconclusive by default"),
        pytest.param({**FIVE, "inconclusiveLimit": 1}, [I, S, S, S, S], "Successful", 5, "", id="inconclusive at the limit"),
        pytest.param(
            {**FIVE, "failureLimit": 5},
            [E] * 5,
            "Error",
            5,
            "consecutiveErrors (5) > consecutiveErrorLimit (4)",
            id="the way out of the trap: the fifth error in a row ends it",
        ),
        pytest.param({"consecutiveErrorLimit": 0}, [E], "Error", 1, "consecutiveErrors (1)", id="no error allowed"),
        pytest.param({**FIVE}, [E, E, E, E, S, E, E, E, E, S, S, S, S], "Successful", 13, "", id="errors in a row start over"),
        pytest.param(
            {**FIVE, "failureLimit": 1}, [F, E, S, F], "Failed", 4, "failed (2)", id="an error leaves failures as they are"
        ),
        pytest.param(
            {"interval": "1m", "failureLimit": -1, "consecutiveSuccessLimit": 3},
            [F, S, S, F, S, S, S],
            "Successful",
            7,
            "",
            id="three in a row, failures do not matter",
        ),
        pytest.param(
            {"interval": "1m", "consecutiveSuccessLimit": 2}, [S, E, S, S], "Successful", 4, "", id="an error breaks a row"
        ),
        pytest.param(
            {**FIVE, "failureLimit": -1, "consecutiveSuccessLimit": 3},
            [S, S, F, S, S],
            "Failed",
            5,
            "consecutiveSuccesses (2) < consecutiveSuccessLimit (3)",
            id="count reached with only the success limit in force is Failed",
        ),
        pytest.param(
            {**FIVE, "failureLimit": 1, "consecutiveSuccessLimit": 3},
            [S, S, F, S, S],
            "Inconclusive",
            5,
            "consecutiveSuccesses (2) < consecutiveSuccessLimit (3)",
            id="count reached with both limits in force is Inconclusive",
        ),
        pytest.param(
            {**FIVE, "failureLimit": 0, "consecutiveSuccessLimit": 1}, [F], "Failed", 1, "failed (1)", id="limits before success"
        ),
    ],
)
def test_limits_decide_the_phase(fields: Any, phases: list[Phase], ends: str, after: int, message: str) -> None:
    driver = Driver(a_run(a_metric(**fields)), answer=says(*phases))
    assert driver.until_done() == ends
    assert len(driver.measured) == after
    assert message in driver.status.get("message", "")
    assert bool(driver.status.get("message")) == bool(message)


def erred(text: str) -> Measured:
    return Measured(phase=E, started_at=START, finished_at=START, message=text)


def test_the_message_names_metric_limit_and_last_error() -> None:
    driver = Driver(a_run(a_metric(consecutiveErrorLimit=0)), answer=lambda _: erred("no route to host"))
    driver.until_done()
    assert driver.status["message"] == (
        'Metric "errors" assessed Error due to consecutiveErrors (1) > consecutiveErrorLimit (0): "Error Message: no route to host"'
    )
    assert driver.result()["message"] == "no route to host"
    assert [(event.reason, event.warning) for event in driver.events] == [("MetricError", True), ("AnalysisRunError", True)]


def test_due_metrics_are_measured_together_and_written_once() -> None:
    driver = Driver(a_run(a_metric("a", interval="1m"), a_metric("b", interval="1m")))
    driver.step()
    assert driver.status_writes == 2, "one that starts the run, one for both measurements"
    assert [measured[0] for measured in driver.measured] == ["a", "b"]


def test_a_status_that_only_counts_waits_for_company() -> None:
    driver = Driver(a_run(a_metric("a", interval="1m"), a_metric("b", interval="1m")))
    assert driver.plan().status_may_wait == timedelta(0), "users see at once that the run started"
    driver.step()
    driver.now += timedelta(minutes=1)
    counting = driver.plan(observed("a", 2, Measured(phase=S, started_at=driver.now, finished_at=driver.now)))
    assert counting.status_may_wait > timedelta(0)
    assert [effect.id for effect in counting.effects] == ["measure/b/2"], "the other stays asked for"
    failing = driver.plan(observed("a", 2, Measured(phase=F, started_at=driver.now, finished_at=driver.now)))
    assert failing.status_may_wait == timedelta(0), "an end is never held back"


def by_name(**phases: Answer) -> Any:
    return lambda measure: phases[measure.metric["name"]]


LONG: dict[str, Any] = {"interval": "1m", "count": 10}


@pytest.mark.parametrize(
    ("phases", "ends"),
    [
        pytest.param({"a": S, "b": S}, "Successful", id="all good"),
        pytest.param({"a": F, "b": S}, "Failed", id="one failed"),
        pytest.param({"a": I, "b": E}, "Error", id="error is worse than inconclusive"),
        pytest.param({"a": F, "b": E}, "Failed", id="failed is worse than error"),
        pytest.param({"a": I, "b": S}, "Inconclusive", id="inconclusive is worse than successful"),
    ],
)
def test_the_worst_metric_names_the_phase_of_the_run(phases: dict[str, Phase], ends: str) -> None:
    run = a_run(a_metric("a", consecutiveErrorLimit=0), a_metric("b", consecutiveErrorLimit=0))
    driver = Driver(run, answer=by_name(**phases))
    assert driver.until_done() == ends


def test_a_bad_metric_ends_the_others_without_further_measurements() -> None:
    driver = Driver(a_run(a_metric("a"), a_metric("b", **LONG), a_metric("c", initialDelay="1h")), answer=by_name(a=F, b=S, c=S))
    assert driver.until_done() == "Failed"
    assert driver.result("b")["phase"] == "Successful"
    assert driver.status["runSummary"] == {"count": 3, "successful": 1, "failed": 1}
    assert [entry["name"] for entry in driver.status["metricResults"]] == ["a", "b"], "c was never measured"
    assert driver.plan().effects == ()


def test_a_failed_run_does_not_wait_for_measurements_under_way() -> None:
    driver = Driver(a_run(a_metric("a"), a_metric("slow", **LONG)), answer=by_name(a=F, slow=None))
    assert driver.until_done() == "Failed"


def test_an_inconclusive_run_waits_for_a_measurement_under_way_that_could_turn_it_to_failed() -> None:
    driver = Driver(a_run(a_metric("a"), a_metric("slow", **LONG)), answer=by_name(a=I, slow=None))
    made = driver.step()
    assert driver.status["phase"] == "Running"
    assert [effect.id for effect in made.effects] == ["measure/slow/1"]
    driver.apply(driver.plan(observed("slow", 1, Measured(phase=F, started_at=START, finished_at=START))))
    assert driver.status["phase"] == "Failed"


def test_an_inconclusive_run_does_not_wait_for_measurements_that_had_not_begun() -> None:
    driver = Driver(a_run(a_metric("a"), a_metric("b", initialDelay="5s")), answer=by_name(a=I, b=F))
    assert driver.until_done() == "Inconclusive"


@pytest.mark.parametrize(
    ("phases", "metric", "ends", "message"),
    [
        pytest.param([S, S], a_metric(**LONG), "Successful", "Run Terminated", id="without a bad result it is Successful"),
        pytest.param([F, S], a_metric(**LONG, failureLimit=3), "Successful", "Run Terminated", id="failures within the limit too"),
        pytest.param([], a_metric(initialDelay="1h"), "Successful", "Run Terminated", id="before the first measurement too"),
    ],
)
def test_a_terminated_run_ends(phases: list[Phase], metric: Any, ends: str, message: str) -> None:
    driver = Driver(a_run(metric), answer=says(*phases))
    for _ in phases:
        made = driver.step()
        driver.now += made.look_again or timedelta(0)
    driver.step() if not phases else None
    driver.run["spec"]["terminate"] = True
    before = len(driver.measured)
    assert driver.until_done() == ends
    assert driver.status["message"] == message
    assert len(driver.measured) == before, "nothing more is measured"


def test_a_dry_run_metric_never_influences_the_run() -> None:
    run = a_run(a_metric("good"), a_metric("trial", **LONG), dryRun=[{"metricName": "tri.*"}])
    driver = Driver(run, answer=by_name(good=S, trial=F))
    assert driver.until_done() == "Successful"
    assert driver.status["runSummary"] == {"count": 1, "successful": 1}
    assert driver.status["dryRunSummary"] == {"count": 1, "failed": 1}
    assert driver.result("trial")["dryRun"] is True
    assert driver.result("trial")["message"] == "Metric assessed Failed due to failed (1) > failureLimit (0)"
    assert "message" not in driver.status


def test_a_run_goes_on_until_its_dry_run_metrics_are_over() -> None:
    run = a_run(a_metric("good"), a_metric("trial", interval="1m", count=3), dryRun=[{"metricName": "trial"}])
    driver = Driver(run)
    driver.until_done()
    assert [name for name, _, _ in driver.measured] == ["good", "trial", "trial", "trial"]


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        pytest.param([], 10, id="ten by default"),
        pytest.param([{"metricName": "err.*", "limit": 3}], 3, id="a rule's limit"),
        pytest.param([{"metricName": "errors", "limit": 25}], 25, id="more than ten"),
    ],
)
def test_history_is_trimmed_and_counters_are_not(rules: list[Any], kept: int) -> None:
    driver = Driver(a_run(a_metric(interval="1m", count=30, failureLimit=30), measurementRetention=rules), answer=says(F, F))
    assert driver.until_done() == "Successful"
    assert len(driver.result()["measurements"]) == kept
    assert (driver.result()["count"], driver.result()["failed"]) == (30, 2)


def test_arguments_fill_counts_and_intervals() -> None:
    run = a_run(
        a_metric(count="{{args.n}}", interval="{{ args.every }}"),
        args=[{"name": "n", "value": "3"}, {"name": "every", "value": "30s"}],
    )
    driver = Driver(run)
    assert driver.until_done() == "Successful"
    assert seconds(driver) == [0, 30, 60]


def test_a_secret_is_not_in_the_plan() -> None:
    secret = {"name": "t", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    run = a_run({"name": "m", "provider": {"prometheus": {"query": "up{t='{{args.t}}'}"}}}, args=[secret])
    driver = Driver(run)
    driver.until_done()
    assert driver.result("m")["metadata"] == {"ResolvedPrometheusQuery": "up{t='*****'}"}


FINISHED = {"startedAt": "2026-08-01T11:00:00Z", "completedAt": "2026-08-01T11:59:00Z"}


@pytest.mark.parametrize(
    ("phase", "strategy", "left"),
    [
        pytest.param("Successful", {"secondsAfterCompletion": 90}, 30, id="any phase after completion"),
        pytest.param("Successful", {"secondsAfterSuccess": 90, "secondsAfterCompletion": 1}, 30, id="success has its own key"),
        pytest.param("Failed", {"secondsAfterFailure": 90, "secondsAfterCompletion": 1}, 30, id="failure has its own key"),
        pytest.param("Error", {"secondsAfterFailure": 1, "secondsAfterCompletion": 90}, 30, id="error has only the common key"),
        pytest.param("Inconclusive", {"secondsAfterFailure": 1, "secondsAfterSuccess": 1}, None, id="inconclusive too"),
        pytest.param("Successful", {}, None, id="for ever by default"),
    ],
)
def test_a_finished_run_is_deleted_after_its_time_to_live(phase: str, strategy: Any, left: float | None) -> None:
    driver = Driver(a_run(a_metric(), status={"phase": phase, **FINISHED}, ttlStrategy=strategy))
    waiting = driver.plan()
    assert waiting.look_again == (None if left is None else timedelta(seconds=left))
    assert (waiting.stages, waiting.status, waiting.effects) == ((), None, ())
    if left is not None:
        driver.now += timedelta(seconds=left)
        (delete,) = driver.plan().stages[0].writes
        assert isinstance(delete, Delete)
        assert (str(delete.ref), delete.uid) == ("AnalysisRun web/shop-abc-2", "run-1")


def test_a_finished_run_costs_nothing_and_forgets_late_answers() -> None:
    driver = Driver(a_run(a_metric(), status={"phase": "Failed", **FINISHED}))
    late = driver.plan(observed("errors", 2, erred("late")))
    assert (late.status, late.effects, late.look_again, late.consumed) == (None, (), None, ("measure/errors/2",))


def test_an_answer_that_was_counted_before_is_forgotten() -> None:
    driver = Driver(a_run(a_metric(interval="1m")))
    driver.step()
    again = driver.plan(observed("errors", 1, erred("twice")))
    assert again.consumed == ("measure/errors/1",)
    assert again.status == driver.status


def test_planning_again_without_news_changes_nothing() -> None:
    driver = Driver(a_run(a_metric(interval="1m"), a_metric("b", interval="7s", failureLimit=-1, consecutiveSuccessLimit=9)))
    for _ in range(4):
        driver.step()
        assert driver.plan().status == driver.status
        driver.now += driver.last.look_again or timedelta(0)


def test_a_run_being_deleted_is_left_alone() -> None:
    run = a_run(a_metric())
    run["metadata"]["deletionTimestamp"] = "2026-08-01T12:00:00Z"
    made = Driver(run).plan()
    assert (made.status, made.effects, made.look_again) == (None, (), None)


def test_the_plan_says_what_it_waits_for() -> None:
    driver = Driver(a_run(a_metric(interval="1m")))
    driver.step()
    (reason,) = driver.last.reasons
    assert (reason.text, reason.until) == ("metric errors waits for its next measurement", START + timedelta(minutes=1))


def test_the_last_error_is_told_with_the_metric_while_measuring_errs_and_not_after() -> None:
    def answer(measure: Measure) -> Answer:
        phase, message = (E, "connection refused") if measure.number == 1 else (S, "")
        return Measured(phase=phase, message=message, started_at=START, finished_at=START + timedelta(seconds=10 * measure.number))

    driver = Driver(a_run(a_metric(count=3, interval="10s")), answer=answer)
    driver.step()
    assert driver.result()["message"] == "connection refused"
    driver.now += timedelta(seconds=20)
    driver.step()
    assert "message" not in driver.result()


@pytest.mark.parametrize(
    ("phases", "warnings"),
    [
        pytest.param(
            [E, E],
            [
                "Successful without a verdict: errors was never measured: all 2 attempts were errors, the last one: no text",
            ],
            id="only errors",
        ),
        pytest.param([E, S], [], id="measured once"),
        pytest.param([], [], id="stopped before the first measurement"),
    ],
)
def test_a_stopped_run_that_never_measured_counts_as_successful_with_a_warning(phases: list[Phase], warnings: list[str]) -> None:
    """Upstream's rule for the phase; but nobody is to take it for a good verdict."""
    driver = Driver(a_run(a_metric(interval="1m", initialDelay="1s")), answer=says(*phases))
    driver.step()
    for _ in phases:
        driver.now += timedelta(seconds=61)
        driver.step()
    driver.run["spec"]["terminate"] = True
    driver.step()
    assert (driver.status["phase"], driver.status["message"]) == ("Successful", "Run Terminated")
    told = [event for event in driver.events if event.reason == "AnalysisRunNeverMeasured"]
    assert [(event.message, event.warning) for event in told] == [(text, True) for text in warnings]


@pytest.mark.parametrize(
    "edited",
    [
        pytest.param({"phase": "Weird"}, id="a phase that there is not"),
        pytest.param({"phase": "Running", "startedAt": "yesterday"}, id="a start that is no time"),
        pytest.param(
            {"phase": "Running", "metricResults": [{"name": "errors", "phase": "Odd", "measurements": [{"finishedAt": "soon"}]}]},
            id="a result that cannot be read",
        ),
    ],
)
def test_a_status_that_hands_made_unreadable_is_mended_by_measuring(edited: dict[str, Any]) -> None:
    driver = Driver(a_run(a_metric(), status=edited))
    assert driver.until_done() == "Successful"
    assert driver.status["startedAt"] == "2026-08-01T12:00:00Z"
    assert driver.result()["phase"] == "Successful"


def test_a_finished_run_whose_end_is_no_time_is_kept() -> None:
    ended = {"phase": "Successful", "completedAt": "tomorrow"}
    made = Driver(a_run(a_metric(), status=ended, ttlStrategy={"secondsAfterCompletion": 1})).plan()
    assert (made.stages, made.status, made.effects) == ((), None, ())
