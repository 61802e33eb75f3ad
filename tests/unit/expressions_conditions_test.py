"""From a measured value to a verdict: what the writer of an AnalysisTemplate sees."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest

from analysis.conditions import Phase, judge

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NAN = math.nan
VECTOR = "[]float64"


def verdict(value: Any, success: str = "", failure: str = "", static_type: str = "any") -> tuple[str, str]:
    found = judge(value, static_type, success_condition=success, failure_condition=failure, now=NOW)
    return str(found.phase), found.message


@pytest.mark.parametrize(
    ("value", "success", "failure", "phase"),
    [
        pytest.param(0.5, "", "", "Successful", id="no condition is a success"),
        pytest.param(0.99, "result > 0.95", "", "Successful", id="success condition true"),
        pytest.param(0.90, "result > 0.95", "", "Failed", id="success condition false is a failure"),
        pytest.param(0.90, "", "result > 0.95", "Successful", id="failure condition false is a success"),
        pytest.param(0.99, "", "result > 0.95", "Failed", id="failure condition true"),
        pytest.param(0.5, "result > 0.9", "result < 0.1", "Inconclusive", id="neither of both is inconclusive"),
        pytest.param(0.5, "result > 0.1", "result > 0.2", "Failed", id="failure wins over success"),
        pytest.param(0.95, "result > 0.9", "result < 0.1", "Successful", id="success when only success holds"),
        pytest.param(NAN, "result > 0.9", "", "Failed", id="NaN fails a success condition"),
        pytest.param(NAN, "result > 0.9", "result <= 0.9", "Inconclusive", id="NaN with both is inconclusive"),
        pytest.param(NAN, "", "result > 0.9", "Successful", id="NaN passes a lone failure condition"),
        pytest.param([NAN], "result[0] >= 0.95", "", "Failed", id="a service with no requests is a failure, not an error"),
        pytest.param({"a": 5}, "result.a % 2 == 1", "", "Error", id="numbers of decoded JSON are floats"),
        pytest.param({"a": {"b": 5}}, "result.a.b == 5", "", "Successful", id="decoded integers equal integers"),
    ],
)
def test_two_conditions_give_one_phase(value: Any, success: str, failure: str, phase: str) -> None:
    assert verdict(value, success, failure)[0] == phase


OUT_OF_RANGE = "index out of range: 1 (array length is 1)"
NO_DATA = "metric result is nil or empty: no data returned from the metric provider"


@pytest.mark.parametrize(
    ("value", "static_type", "success", "message"),
    [
        pytest.param([], VECTOR, "result[0] >= 0.95", NO_DATA, id="empty vector"),
        pytest.param(None, "float64", "result < 5", NO_DATA, id="nil instead of a number"),
        pytest.param({}, "any", "result.a.b == 1", NO_DATA, id="empty map"),
        pytest.param([1.0], VECTOR, "result[1] > 0", f"{OUT_OF_RANGE}; the result is [1.0]", id="short vector"),
        pytest.param(1.5, "float64", "result * 2", "expected bool, but got float64; the result is 1.5", id="no boolean"),
        pytest.param(
            "abc",
            "string",
            "asFloat(result) > 1",
            'strconv.ParseFloat: parsing "abc": invalid syntax; the result is "abc"',
            id="text that is no number",
        ),
        pytest.param([1.0], VECTOR, "results[0] > 1", "unknown name results; the result is [1.0]", id="misspelt name"),
    ],
)
def test_an_error_names_the_condition_and_the_value(value: Any, static_type: str, success: str, message: str) -> None:
    phase, text = verdict(value, success, static_type=static_type)
    assert phase == "Error"
    assert text == f'could not evaluate successCondition "{success}": {message}'


def test_an_error_in_either_condition_wins_over_the_other() -> None:
    phase, text = verdict([], "true", "result[0] > 1", VECTOR)
    assert phase == "Error"
    assert text == f'could not evaluate failureCondition "result[0] > 1": {NO_DATA}'


def test_the_empty_vector_idiom_passes_without_data() -> None:
    assert verdict([], "len(result) == 0 || result[0] >= 0.95", static_type=VECTOR) == ("Successful", "")


def test_nil_from_datadog_is_answered_by_default() -> None:
    assert verdict(None, "default(result, 0) < 0.05", static_type="float64") == ("Successful", "")


def test_a_long_result_is_shown_in_part() -> None:
    text = verdict(["x" * 10_000], "result.a == 1")[1]
    assert len(text) < 300
    assert text.endswith("...")


def test_phases_are_written_as_the_status_field_wants_them() -> None:
    assert {phase.value for phase in Phase} == {"Successful", "Failed", "Inconclusive", "Error"}
