"""The window of a range query, as a template's author writes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from analysis.expressions import ExpressionError
from analysis.times import moment, step

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("now()", NOW, id="now"),
        pytest.param('now() - duration("5m")', NOW - timedelta(minutes=5), id="five minutes ago"),
        pytest.param('now() + duration("1h30m")', NOW + timedelta(minutes=90), id="in an hour and a half"),
        pytest.param('now() - 2 * duration("10s")', NOW - timedelta(seconds=20), id="a multiple"),
        pytest.param('date("2025-12-31")', datetime(2025, 12, 31, tzinfo=UTC), id="a day"),
        pytest.param('date("2025-12-31T23:00:00+02:00")', datetime(2025, 12, 31, 21, tzinfo=UTC), id="RFC 3339 with an offset"),
        pytest.param(
            'date("31.12.2025 15:04", "02.01.2006 15:04", "Europe/Zurich")',
            datetime(2025, 12, 31, 14, 4, tzinfo=UTC),
            id="a layout and a zone",
        ),
        pytest.param('date("3:04PM Jan 2 2025", "3:04PM Jan 2 2006")', datetime(2025, 1, 2, 15, 4, tzinfo=UTC), id="half days"),
    ],
)
def test_start_and_end_are_moments(text: str, expected: datetime) -> None:
    assert moment(text, field="start", now=NOW) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("5", "expected time, but got int", id="a number"),
        pytest.param('duration("5m")', "expected time, but got time.Duration", id="a duration"),
        pytest.param("result", "unknown name result", id="the result is not there yet"),
        pytest.param("now() -", "unexpected token EOF", id="unfinished"),
        pytest.param('date("31/12/2025")', "invalid date", id="an unknown layout"),
        pytest.param('date("2025-13-01")', "invalid date", id="no such month"),
        pytest.param('date("9999-12-31") + duration("48h")', "outside the years 1 to 9999", id="beyond time"),
    ],
)
def test_what_is_no_moment_names_the_field(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message) as caught:
        moment(text, field="end", now=NOW)
    assert "rangeQuery.end" in caught.value.message


def test_a_step_is_a_positive_duration() -> None:
    assert step("1m30s") == timedelta(seconds=90)
    for wrong in ("0s", "-1m", "1 minute", ""):
        with pytest.raises(ExpressionError, match=r"rangeQuery\.step"):
            step(wrong)
