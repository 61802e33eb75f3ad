"""What the real libraries answer: outcomes observed on expr-lang v1.17.8, embedded as upstream does, and on client-go's JSONPath.

`expressions_upstream.json` holds rows of (expression, type of result, result, outcome) and of (path, outcome). An outcome is
"compile" or "run" (an error at that stage), or the value, tagged with its kind; floats are texts, so that NaN can be written.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from analysis.expressions import Duration, ExpressionError, compile, from_json
from analysis.expressions.values import Kind, Location, kind_of
from analysis.jsonpath import JSONPathError, find

OBSERVED: dict[str, Any] = json.loads(Path(__file__).with_name("expressions_upstream.json").read_text(encoding="utf-8"))
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def the_result(static_type: str, written: Any) -> Any:
    """A row writes NaN and infinities as texts, and whole numbers without a fraction."""
    match static_type:
        case "float64":
            return float(written)
        case "[]float64":
            return [float(sample) for sample in written]
        case _:
            return from_json(written)


def tagged(value: Any) -> list[Any]:
    match kind_of(value), value:
        case Kind.NIL, _:
            return ["nil"]
        case Kind.FLOAT, _:
            return ["float", value]
        case Kind.INT, _:
            return ["int", str(value)]
        case Kind.ARRAY, _:
            return ["list", *map(tagged, value)]
        case Kind.MAP, _:
            return ["map", sorted(([tagged(key), tagged(item)] for key, item in value.items()), key=str)]
        case _, Duration(nanoseconds):
            return ["duration", str(nanoseconds)]
        case _, Location(name, _):
            return ["location", name]
        case Kind.TIME, _:
            return ["time", value]
        case kind, _:
            return [kind.value, value]


def expected(written: list[Any]) -> list[Any]:
    match written:
        case ["float", text]:
            return ["float", float(text)]
        case ["uint", digits]:
            return ["int", digits]
        case ["list", *items]:
            return ["list", *map(expected, items)]
        case ["map", pairs]:
            return ["map", sorted(([expected(key), expected(item)] for key, item in pairs), key=str)]
        case ["time", text]:
            return ["time", datetime.fromisoformat(text.replace("123456789", "123456"))]
        case _:
            return written


def same(left: Any, right: Any) -> bool:
    match left, right:
        case list(), list():
            return len(left) == len(right) and all(map(same, left, right))
        case float(), float() if math.isnan(right):
            return math.isnan(left)
        case float(), float():
            return math.isclose(left, right, rel_tol=4e-15) and math.copysign(1, left) == math.copysign(1, right)
        case _:
            return bool(left == right)


def outcome(expression: str, static_type: str, result: Any) -> str | list[Any]:
    try:
        compiled = compile(expression, result_type=static_type)
    except ExpressionError:
        return "compile"
    try:
        return tagged(compiled.evaluate(the_result(static_type, result), now=NOW))
    except ExpressionError:
        return "run"


@pytest.mark.parametrize(
    ("expression", "static_type", "result", "observed"),
    [pytest.param(*row, id=f"{number}: {row[0][:60]!a} of {row[1]}") for number, row in enumerate(OBSERVED["conditions"])],
)
def test_a_condition_has_the_outcome_that_upstream_has(expression: str, static_type: str, result: Any, observed: Any) -> None:
    found = outcome(expression, static_type, result)
    wanted = observed if isinstance(observed, str) else expected(observed)
    assert same(found, wanted), f"{expression} of {static_type} is {found!r}, upstream {wanted!r}"


@pytest.mark.parametrize(
    ("path", "observed"), [pytest.param(*row, id=f"{number}: {row[0]!a}") for number, row in enumerate(OBSERVED["paths"])]
)
def test_a_path_leads_where_it_leads_upstream(path: str, observed: Any) -> None:
    document = from_json(OBSERVED["document"])
    if observed == "error":
        with pytest.raises(JSONPathError):
            find(path, document)
    else:
        assert same([tagged(value) for value in find(path, document)], [expected(value) for value in observed])
