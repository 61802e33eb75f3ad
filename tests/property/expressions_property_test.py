"""The condition language under arbitrary texts, values and numbers."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.conditions import Phase, judge
from analysis.expressions import ExpressionError, compile
from analysis.jsonpath import JSONPathError, find

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WORDS = [
    *("result", "#", ".", ".a", "?.", "??", "?", ":", "(", ")", "[", "]", "{", "}", ",", "|", "..", "+", "-", "*", "/", "%", "**"),
    *("!", "not", "in", "and", "or", "==", "!=", "<", ">", "<=", ">=", "matches", "contains"),
    *("1", "0", "2.5", "-1", "'a'", "nil", "true", "false", "now()", "#acc", "#index"),
    *("all(", "any(", "map(", "filter(", "reduce(", "sum(", "len(", "max(", "sort(", "sortBy(", "groupBy(", "count(", "take("),
    *("get(", "keys(", "toJSON(", "fromJSON(", "split(", "repeat(", "asInt(", "asFloat(", "isNaN(", "default(", "duration("),
    *("date(", "int(", "float(", "string(", "type(", "abs(", "round(", "flatten(", "first("),
]
INT64 = st.integers(-(2**63) + 1, 2**63 - 1)
FLOATS = st.floats(allow_nan=True, allow_infinity=True)
JSON = st.recursive(
    st.none() | st.booleans() | FLOATS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


def run(text: str, result: Any = None) -> Any:
    return compile(text).evaluate(result, now=NOW)


@given(text=st.text(max_size=60) | st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join), result=JSON)
@settings(max_examples=600, deadline=None)
def test_any_text_gives_a_value_or_an_expression_error(text: str, result: Any) -> None:
    with suppress(ExpressionError):
        run(text, result)


@given(
    success=st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join),
    failure=st.sampled_from(("", "result > 1", "len(result) == 0")),
    value=JSON,
)
@settings(max_examples=300, deadline=None)
def test_any_measurement_gets_a_verdict_and_every_error_a_message(success: str, failure: str, value: Any) -> None:
    verdict = judge(value, success_condition=success, failure_condition=failure, now=NOW)
    assert (verdict.phase is Phase.ERROR) == bool(verdict.message)


def int64(value: int) -> int:
    low = value & (2**64 - 1)
    return low - 2**64 if low >= 2**63 else low


@given(left=INT64, right=INT64)
@settings(deadline=None)
def test_integers_compute_as_int64_does(left: int, right: int) -> None:
    values = {"a": left, "b": right}
    assert run("[result.a + result.b, result.a - result.b, result.a * result.b]", values) == [
        int64(left + right),
        int64(left - right),
        int64(left * right),
    ]
    assert run("[result.a < result.b, result.a == result.b]", values) == [left < right, left == right]


@given(left=INT64, right=INT64.filter(bool))
@settings(deadline=None)
def test_the_remainder_rebuilds_the_dividend(left: int, right: int) -> None:
    rest = run("result.a % result.b", {"a": left, "b": right})
    assert (left - rest) % right == 0
    assert abs(rest) < abs(right)
    assert rest == 0 or (rest < 0) == (left < 0)


@given(left=FLOATS | INT64, right=FLOATS | INT64)
@settings(deadline=None)
def test_division_never_raises_and_is_always_a_float(left: float, right: float) -> None:
    quotient = run("result.a / result.b", {"a": left, "b": right})
    assert type(quotient) is float
    if float(right) != 0 and math.isfinite(left) and math.isfinite(right):
        assert quotient == float(left) / float(right)
    else:
        assert math.isnan(quotient) or math.isinf(quotient) or quotient == 0


@given(left=FLOATS | INT64, right=FLOATS | INT64)
@settings(deadline=None)
def test_power_never_raises_and_is_always_a_float(left: float, right: float) -> None:
    assert type(run("result.a ** result.b", {"a": left, "b": right})) is float


@given(value=FLOATS)
@settings(deadline=None)
def test_every_comparison_with_nan_is_false_and_numbers_are_totally_ordered_otherwise(value: float) -> None:
    assert run("result < 0/0 || result >= 0/0 || result == 0/0", value) is False
    if not math.isnan(value):
        assert run("count([result < 1, result == 1, result > 1])", value) == 1


@given(value=FLOATS.filter(math.isfinite))
@settings(deadline=None)
def test_a_float_survives_text_and_back(value: float) -> None:
    assert run("float(string(result)) == result && fromJSON(toJSON(result)) == result", value) is True


@given(items=st.lists(FLOATS, max_size=20), limit=FLOATS)
@settings(deadline=None)
def test_closures_agree_with_each_other(items: list[float], limit: float) -> None:
    value = {"items": items, "limit": limit}
    assert run("len(filter(result.items, # < result.limit)) == count(result.items, # < result.limit)", value) is True
    assert run("all(result.items, # < result.limit) == none(result.items, !(# < result.limit))", value) is True
    assert run("any(result.items, # < result.limit) == (find(result.items, # < result.limit) != nil)", value) is True


@pytest.mark.parametrize(
    "closure", ["all(X, Y)", "map(X, Y)", "filter(X, Y)", "sum(X, 1) > 0 && any(X, !Y)", "sortBy(X, Y ? 1 : 2)"]
)
@given(size=st.integers(2, 3_000), depth=st.integers(2, 5))
@settings(max_examples=4, deadline=None)
def test_nested_loops_stay_within_the_budget(closure: str, size: int, depth: int) -> None:
    text = "true"
    for _ in range(depth):
        text = f"(type({closure.replace('X', f'1..{size}').replace('Y', text)}) != '')"
    stopped = ""
    try:
        assert run(text) is True
    except ExpressionError as error:
        stopped = error.message
    assert not stopped or "budget" in stopped or "steps" in stopped


@given(path=st.text(alphabet="$.ab[]'*0-1:,?(@)=<\"\\{} ", max_size=25), data=JSON)
@settings(max_examples=500, deadline=None)
def test_any_path_finds_a_list_or_says_what_is_wrong(path: str, data: Any) -> None:
    with suppress(JSONPathError):
        assert isinstance(find(path, data), list)
