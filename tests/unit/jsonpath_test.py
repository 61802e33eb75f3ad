"""Kubernetes JSONPath, as web metrics and printer columns write it."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.jsonpath import JSONPathError, find, first

DATA: dict[str, Any] = {
    "a": {"b": [{"n": 1, "tag": "x"}, {"n": 2, "tag": "y"}, {"n": 3, "tag": "x", "deep": {"n": 4}}]},
    "dotted.key": {"with space": "found"},
    "result": [{"data": [{"values": [1, 2]}, {"values": [3]}]}],
    "empty": None,
    "flag": False,
    "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Healthy", "status": "False"}]},
}

PATHS = [
    ("{$}", [DATA], "everything"),
    ("{.flag}", [False], "a leading dot"),
    ("$.flag", [False], "without braces"),
    (".flag", [False], "as printer columns write it"),
    ("{flag}", [False], "a bare name"),
    ("{ $.flag }", [False], "spaces inside the braces"),
    ("{$.empty}", [None], "null is a value"),
    ("{$.a.b[0].n}", [1], "an index"),
    ("{$.a.b[-1].n}", [3], "a negative index"),
    ("{$.a.b[0:2].n}", [1, 2], "a slice"),
    ("{$.a.b[::2].n}", [1, 3], "a slice with a step"),
    ("{$.a.b[:-1].n}", [1, 2], "a slice up to the last"),
    ("{$.a.b[*].n}", [1, 2, 3], "a wildcard in a list"),
    ("{$.a.b[*].deep}", [{"n": 4}], "a name that only some elements have"),
    ("{$.empty[*]}", [], "null has no elements"),
    ("{$.a.b[0].*}", [1, "x"], "a wildcard in a map"),
    ("{$.result[0].data[*].values[*]}", [1, 2, 3], "wildcards in a row"),
    ("{$['dotted.key']['with space']}", ["found"], "quoted names"),
    ('{$["dotted.key"]["with space"]}', ["found"], "names in double quotes"),
    ("{$.dotted\\.key['with space']}", ["found"], "an escaped dot"),
    ("{$.a.b[0,2].n}", [1, 3], "a union of indices"),
    ("{$.a.b[0]['tag','n']}", ["x", 1], "a union of names"),
    ("{$.a..n}", [1, 2, 3, 4], "recursive descent"),
    ("{..deep}", [{"n": 4}], "recursive descent from the root"),
    ('{$.a.b[?(@.tag=="x")].n}', [1, 3], "a filter on equality"),
    ("{$.a.b[?(@.tag=='nobody')].n}", [], "a filter that nothing passes"),
    ("{$.a.b[?(@.n>=2)].n}", [2, 3], "a filter on order"),
    ("{$.a.b[?(@.n != 2)].n}", [1, 3], "a filter on difference"),
    ("{$.a.b[?(@.deep)].n}", [3], "a filter on presence"),
    ("{$.a.b[?(@.n < @.deep.n)].n}", [3], "a filter that compares two fields"),
    ('{.status.conditions[?(@.type=="Ready")].status}', ["True"], "the status of a condition"),
]


@pytest.mark.parametrize(("path", "values"), [pytest.param(*row[:2], id=row[2]) for row in PATHS])
def test_a_path_finds_its_values_in_order(path: str, values: list[Any]) -> None:
    assert find(path, DATA) == values


WRONG = [
    ("{$.missing}", "missing is not found", "a missing key"),
    ("{$.a.b.n}", "n is not found: there is a list here", "a name on a list"),
    ("{$.a.b[9]}", "array index out of bounds: index 9, length 3", "an index beyond the end"),
    ("{$.a[0]}", "not a list", "an index on a map"),
    ("{$.a[*]}", "not a list", "all elements of a map"),
    ("{$.flag.x}", "x is not found", "a name on a value"),
    ("{$.a.b[*].nowhere}", "nowhere is not found", "a name that no element has"),
    ("{$.a.b[0:9]}", "out of bounds: index 8, length 3", "a slice beyond the end"),
    ("{$.a.b[2:1]}", "starting index 2 is greater than ending index 1", "a slice that runs backwards"),
    ("{$.a", "unclosed action", "an unclosed brace"),
    ("{$.a[}", "is missing", "an empty bracket"),
    ("{$.a[0}", "not closed", "an unclosed bracket"),
    ("{$.a.b[?(@.n ~ 2)]}", "a filter is not closed", "an unknown comparison"),
    ("{$.a.b[?(n==2)]}", "must begin with @", "a filter on nothing"),
    ("{range .items[*]}{.n}{end}", "unexpected text", "a template loop"),
    ("{$.a.b[::0]}", "must be positive", "a slice that stands still"),
    ("{$" + "[?(@" * 1_000 + "}", "nested too deeply", "filters in filters in filters"),
    ("{$" + ".a" * 5_000 + "}", "longer than", "a path without end"),
]


@pytest.mark.parametrize(("path", "message"), [pytest.param(*row[:2], id=row[2]) for row in WRONG])
def test_a_path_that_leads_nowhere_says_where_it_stopped(path: str, message: str) -> None:
    with pytest.raises(JSONPathError, match=message):
        find(path, DATA)


def test_printer_columns_take_missing_keys_as_empty() -> None:
    assert find(".spec.replicas", {}, allow_missing=True) == []


def test_the_first_of_many_is_taken_and_none_is_an_error() -> None:
    assert first("{$.a.b[*].n}", DATA) == 1
    with pytest.raises(JSONPathError, match="finds no value"):
        first("{$.a.b[?(@.n>99)].n}", DATA)


def test_a_wide_descent_is_stopped() -> None:
    with pytest.raises(JSONPathError, match="more than"):
        find("{$..*..*..*..*}", {"a": [[[1] * 50] * 50] * 50})
