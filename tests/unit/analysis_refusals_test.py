"""AnalysisRuns that cannot be measured: each ends in Error at once and says what to mend."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.run.snapshot import Unmeasurable
from tests.analysis_runs import Driver, a_metric, a_run


@pytest.mark.parametrize(
    ("run", "message"),
    [
        pytest.param(a_run(), "Analysis spec invalid: no metrics specified", id="no metric"),
        pytest.param(a_run(a_metric("a"), a_metric("a")), "metrics[1]: duplicate name 'a'", id="a name twice"),
        pytest.param(a_run({"name": "a", "provider": {}}), "metrics[0]: no provider specified", id="no provider"),
        pytest.param(
            a_run({"name": "a", "provider": {"web": {}, "prometheus": {}}}), "multiple providers specified", id="two providers"
        ),
        pytest.param(
            a_run({"name": "a", "provider": {"datadog": {"query": "x"}}}),
            "provider datadog is not served yet; use one of prometheus, web",
            id="a provider that is not served yet",
        ),
        pytest.param(
            a_run({"name": "a", "provider": {"plugin": {"corp/x": {}}}}),
            "provider plugin corp/x is not served yet",
            id="a plugin",
        ),
        pytest.param(a_run({"name": "a", "provider": {"oracle": {}}}), "provider oracle is not known", id="an unknown provider"),
        pytest.param(
            a_run(a_metric(count=2.9, interval="1m")), "count is '2.9'; it must be a whole number", id="a part of a count"
        ),
        pytest.param(a_run(a_metric(count=True)), "count is 'True'; it must be a whole number", id="a count that is a yes"),
        pytest.param(a_run(a_metric(failureLimit="1_0")), "failureLimit is '1_0'; it must be", id="digits grouped as in Python"),
        pytest.param(a_run(a_metric(count="9" * 5000)), "it must be a whole number", id="a count without end"),
        pytest.param(a_run(a_metric(count=2)), "interval must be specified when count > 1", id="a count without interval"),
        pytest.param(
            a_run(a_metric(count=1, failureLimit=2)),
            "metrics[0]: count must be >= failureLimit",
            id="more failures than measurements",
        ),
        pytest.param(
            a_run(a_metric(count=3, interval="1m", failureLimit=2, consecutiveSuccessLimit=2)),
            "count must be >= failureLimit + consecutiveSuccessLimit",
            id="too few for both limits",
        ),
        pytest.param(a_run(a_metric(count=1, inconclusiveLimit=2)), "count must be >= inconclusiveLimit", id="inconclusive limit"),
        pytest.param(a_run(a_metric(failureLimit=-2)), "failureLimit must be >= -1", id="failure limit below -1"),
        pytest.param(a_run(a_metric(inconclusiveLimit=-1)), "inconclusiveLimit must be >= 0", id="negative inconclusive limit"),
        pytest.param(a_run(a_metric(consecutiveErrorLimit=-1)), "consecutiveErrorLimit must be >= 0", id="negative error limit"),
        pytest.param(a_run(a_metric(failureLimit=-1)), "cannot both be disabled", id="no limit at all"),
        pytest.param(a_run(a_metric(failureLimit="few")), "failureLimit is 'few'; it must be a whole number", id="no number"),
        pytest.param(a_run(a_metric(interval="soon")), "invalid interval string", id="an unreadable interval"),
        pytest.param(a_run(a_metric(initialDelay="-1m")), "invalid initialDelay string", id="a negative delay"),
        pytest.param(
            a_run(a_metric("a"), dryRun=[{"metricName": "b"}]),
            "Analysis spec invalid: dryRun[0]: Rule didn't match any metric name(s)",
            id="a dry-run rule that matches nothing",
        ),
        pytest.param(
            a_run(a_metric("a"), measurementRetention=[{"metricName": "b", "limit": 2}]),
            "measurementRetention[0]: Rule didn't match any metric name(s)",
            id="a retention rule that matches nothing",
        ),
        pytest.param(
            a_run(a_metric("a"), dryRun=[{"metricName": "("}]),
            "metricName is not a regular expression",
            id="a broken regular expression",
        ),
        pytest.param(
            a_run(a_metric("a", successCondition="result < {{args.max}}")),
            "Unable to resolve metric arguments: failed to resolve {{args.max}}",
            id="an argument nobody declared",
        ),
        pytest.param(
            a_run(a_metric("a"), args="x"), "Analysis spec invalid: args must be a list", id="a text where a list belongs"
        ),
        pytest.param(a_run(a_metric("a"), args=["x"]), "args[0] must be an object", id="a text where an object belongs"),
        pytest.param(a_run(a_metric("a"), args=[{"value": "x"}]), "args[0].name must be a text", id="an argument without name"),
        pytest.param(
            a_run(a_metric("a"), args=[{"name": "x", "value": 5}]), "args[0].value must be a text; put it in quotes", id="a number"
        ),
        pytest.param(
            a_run({"name": "a", "provider": {"web": "http://x"}}),
            "metrics[0].provider.web must be an object",
            id="a provider as text",
        ),
        pytest.param(
            a_run(a_metric("a"), args=[{"name": "host"}]),
            "Unable to resolve metric arguments: args.host was not resolved",
            id="an argument without a value",
        ),
    ],
)
def test_a_run_that_cannot_be_measured_ends_in_error_and_says_why(run: Any, message: str) -> None:
    driver = Driver(run)
    made = driver.step()
    assert driver.status["phase"] == "Error"
    assert message in driver.status["message"]
    assert driver.status["completedAt"] == "2026-08-01T12:00:00Z"
    assert made.effects == ()
    assert [(event.reason, event.warning) for event in driver.events] == [("AnalysisRunError", True)]


def test_a_missing_secret_ends_the_run_with_its_text() -> None:
    driver = Driver(a_run(a_metric(interval="1m")), answer=lambda _: Unmeasurable('secrets "s" not found'))
    assert driver.until_done() == "Error"
    assert driver.status["message"] == 'secrets "s" not found'
