"""Durations mean what they mean to Go, are written as Go would, and anything else is refused with an example."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crds.durations import BadDuration, duration_text, parse_duration, parse_pause, whole_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("90s", 90, id="seconds"),
        pytest.param("1h30m", 5400, id="several units add up"),
        pytest.param("1.5s", 1.5, id="decimals"),
        pytest.param(".5m", 30, id="no digit before the point"),
        pytest.param("1.m", 60, id="no digit after the point"),
        pytest.param("500ms", 0.5, id="milliseconds are not minutes"),
        pytest.param("3us", 3e-6, id="microseconds"),
        pytest.param("3µs", 3e-6, id="microseconds with the micro sign"),
        pytest.param("3μs", 3e-6, id="microseconds with the Greek letter"),
        pytest.param("1999ns", 1e-6, id="finer than a microsecond is cut off"),
        pytest.param("-1m30s", -90, id="the sign is of the whole"),
        pytest.param("+5s", 5, id="plus is allowed"),
        pytest.param("0", 0, id="zero needs no unit"),
        pytest.param("1m1m", 120, id="a unit may come twice"),
        pytest.param("9223372036s", 9223372036, id="as many seconds as Go can hold"),
    ],
)
def test_a_duration_is_as_long_as_go_says(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


def test_the_longest_duration_is_that_of_go_to_the_nanosecond() -> None:
    assert parse_duration("9223372036s854775807ns") == timedelta(seconds=9223372036, microseconds=854775)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "abc",
        "1d",
        "1h-3m",
        "-",
        "+",
        ".s",
        "s",
        "1e3s",
        "1 h",
        " 1h",
        "1h ",
        "1,5s",
        "--1s",
        "1H",
        "2562048h",
        "٣s",
        "9" * 500 + "h",
    ],
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadDuration, match='is not a duration; write for example "90s"'):
        parse_duration(text)


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        pytest.param(30, 30, id="a number is seconds"),
        pytest.param("30", 30, id="digits are seconds"),
        pytest.param("5m", 300, id="a duration string"),
        pytest.param(0, 0, id="zero is over at once"),
        pytest.param(2**31 - 1, 2**31 - 1, id="the longest"),
    ],
)
def test_a_pause_lasts_as_long_as_written(duration: int | str, seconds: int) -> None:
    assert parse_pause(duration) == timedelta(seconds=seconds)


@pytest.mark.parametrize("duration", [-1, "-1", "-5s", "soon", "", "1d", 2**31, "1000000h", True])
def test_a_pause_that_cannot_be_is_refused(duration: int | str) -> None:
    with pytest.raises(BadDuration):
        parse_pause(duration)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        pytest.param(timedelta(0), "0s", id="nothing"),
        pytest.param(timedelta(seconds=59), "59s", id="seconds"),
        pytest.param(timedelta(minutes=2), "2m", id="no part that is zero"),
        pytest.param(timedelta(hours=1, seconds=5), "1h5s", id="nor one between others"),
        pytest.param(timedelta(days=2), "48h", id="days are hours"),
        pytest.param(timedelta(milliseconds=1500), "1.5s", id="parts of a second"),
        pytest.param(timedelta(seconds=100), "1m40s", id="zeros that count"),
        pytest.param(timedelta(microseconds=1), "0.000001s", id="the least"),
        pytest.param(timedelta(seconds=-90), "-1m30s", id="a negative one"),
    ],
)
def test_a_duration_is_written_as_people_would_and_reads_the_same(duration: timedelta, text: str) -> None:
    assert duration_text(duration) == text
    assert parse_duration(text) == duration


@given(st.timedeltas(min_value=timedelta(days=-1000), max_value=timedelta(days=1000)))
def test_every_duration_reads_back_as_it_was_written(duration: timedelta) -> None:
    assert parse_duration(duration_text(duration)) == duration


@pytest.mark.parametrize(
    ("left", "text"),
    [
        pytest.param(61.9, "1m1s", id="what is left of a second does not count"),
        pytest.param(0.9, "0s", id="less than a second"),
        pytest.param(-3.0, "0s", id="nothing is left"),
    ],
)
def test_what_is_left_is_told_in_whole_seconds(left: float, text: str) -> None:
    assert duration_text(whole_seconds(timedelta(seconds=left))) == text
