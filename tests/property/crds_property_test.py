"""Whatever the API server holds, reading and writing it back loses nothing, and reading never raises."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crds.analysis import AnalysisRun, AnalysisTemplate
from crds.common import JsonSchema, Model, Resource
from crds.durations import BadDuration, parse_duration, parse_pause
from crds.experiment import Experiment
from crds.reading import read
from crds.rollout import Rollout
from crds.schema import structural_schema

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
SCALARS = {
    "string": st.text(max_size=5),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "boolean": st.booleans(),
}


def objects_of(schema: JsonSchema) -> st.SearchStrategy[Any]:
    """Objects that a schema admits, each with some of its fields and one that it does not know."""
    if schema.get("x-kubernetes-int-or-string"):
        return SCALARS["integer"] | SCALARS["string"]
    if schema["type"] == "array":
        return st.lists(objects_of(schema["items"]), max_size=2)
    if schema["type"] != "object":
        return SCALARS[schema["type"]]
    if "additionalProperties" in schema:
        return st.dictionaries(st.text(max_size=5), objects_of(schema["additionalProperties"]), max_size=2)
    if "properties" not in schema:
        return st.dictionaries(st.text(max_size=5), JSON, max_size=2)
    return st.deferred(lambda: _object_of(schema))


def _object_of(schema: JsonSchema) -> st.SearchStrategy[Any]:
    fields = {name: objects_of(child) for name, child in schema["properties"].items()}
    wanted = set(schema.get("required", ()))

    @st.composite
    def some_fields(draw: st.DrawFn) -> dict[str, Any]:
        chosen = wanted | set(draw(st.lists(st.sampled_from(sorted(fields)), max_size=4)))
        made = {name: draw(fields[name]) for name in sorted(chosen)}
        unknown = draw(st.dictionaries(st.sampled_from(["x_new", "set_weight", "xNew", "spec_", "stable_rs"]), JSON, max_size=1))
        return made | {name: value for name, value in unknown.items() if name not in fields}

    return some_fields() if fields else st.just({})


@pytest.mark.parametrize("model", [Rollout, AnalysisTemplate, AnalysisRun, Experiment])
def test_reading_and_writing_back_loses_nothing(model: type[Resource]) -> None:
    schema = structural_schema(model)

    @given(objects_of(schema))
    def holds(raw: dict[str, Any]) -> None:
        read_back = read(model, raw)
        assert isinstance(read_back, Model), [str(one) for one in read_back]
        assert read_back.dump() == raw

    holds()


@given(JSON)
def test_reading_never_raises_and_says_where(raw: Any) -> None:
    result = read(Rollout, raw)
    assert isinstance(result, Rollout) or all(one.path and one.message for one in result)


@given(st.integers(0, 10**6), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999_999))
def test_a_duration_is_the_sum_of_its_parts(hours: int, minutes: int, seconds: int, micros: int) -> None:
    text = f"{hours}h{minutes}m{seconds}s{micros}us"
    assert parse_duration(text) == timedelta(hours=hours, minutes=minutes, seconds=seconds, microseconds=micros)
    assert parse_duration(f"-{text}") == -parse_duration(text)


@given(st.text() | st.text(alphabet="0123456789.+-hmsnuµ", max_size=12))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    for parse in (parse_duration, parse_pause):
        with contextlib.suppress(BadDuration):
            assert isinstance(parse(text), timedelta)
