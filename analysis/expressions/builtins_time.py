"""Built-in functions on time, and the methods that times and durations have.

`now` is the moment of the evaluation, given from outside. Must not: read a clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from .builtins import INTEGER, TEXT, Builtin, Context, table
from .errors import ExpressionError
from .layouts import format_time, parse_time
from .operators import between, shift
from .types import DURATION, FLOAT, INT, LOCATION, STRING, TIME, Type
from .values import Duration, Kind, Location, show_duration, show_time

_UNITS: Mapping[str, int] = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)")
_YEAR_ONE = datetime(1, 1, 1, tzinfo=UTC)
_LAYOUTS = (
    "2006-01-02",
    "15:04:05",
    "2006-01-02 15:04:05",
    "2006-01-02T15:04:05Z07:00",
    "02 Jan 06 15:04 MST",
    "Monday, 02-Jan-06 15:04:05 MST",
    "Mon, 02 Jan 2006 15:04:05 MST",
)


def parse_duration(text: str) -> Duration:
    """Read a Go duration ("1h30m", "-1.5s", "0").

    Raises:
        ExpressionError: in the words of Go's time.ParseDuration.
    """
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return Duration(0)
    total, position = 0, 0
    while position < len(rest):
        part = _PART.match(rest, position)
        if part is None or not (part[1] or part[2]):
            break
        if len(part[0]) > 40:
            raise ExpressionError(f'time: invalid duration "{text}"')
        unit = _UNITS[part[3]]
        total += int(part[1] or 0) * unit + int(part[2] or 0) * unit // 10 ** len(part[2] or "")
        position = part.end()
    if not rest or position < len(rest) or total - text.startswith("-") >= 2**63:
        raise ExpressionError(f'time: invalid duration "{text}"')
    return Duration(-total if text.startswith("-") else total)


def _now(context: Context, location: Location | None = None) -> datetime:
    return context.now if location is None else _in(context, context.now, location)


def _date(context: Context, given: Any, layout: str | None = None, zone_name: str | None = None) -> datetime:
    """Read a time: text, layout and zone name; or a zone first, then text and layout."""
    if isinstance(given, Location):
        if layout is None:
            raise ExpressionError("date: the text is missing after the time zone")
        return _date(context, layout, zone_name, given.name)
    if isinstance(given, datetime):
        return given
    zone = zone_named(zone_name).zone if zone_name is not None else UTC
    for candidate in (layout,) if layout is not None else _LAYOUTS:
        found = parse_time(candidate, given, zone)
        if found is not None:
            return found
    expected = f'; it does not fit the layout "{layout}"' if layout is not None else ""
    raise ExpressionError(f"invalid date {given}{expected}")


def zone_named(name: str) -> Location:
    """Return a time zone of the IANA database; raises ExpressionError when there is none of that name."""
    if name in ("", "UTC", "Local"):
        return Location("UTC" if name != "Local" else name, UTC)
    try:
        return Location(name, ZoneInfo(name))
    except (KeyError, ValueError, OSError):
        raise ExpressionError(f"unknown time zone {name}") from None


def _unix(per_second: int) -> Callable[[Context, datetime], int]:
    def run(_: Context, moment: datetime) -> int:
        since = moment - datetime(1970, 1, 1, tzinfo=UTC)
        microseconds = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        return microseconds * per_second // 1_000_000

    return run


def _in(_: Context, moment: datetime, location: Location) -> datetime:
    try:
        return moment.astimezone(location.zone)
    except OverflowError:
        raise ExpressionError("the time is outside the years 1 to 9999") from None


_TIME = frozenset({Kind.TIME})
_DURATION = frozenset({Kind.DURATION})
_LOCATION = frozenset({Kind.LOCATION})
_DATE_ARGUMENT = frozenset({Kind.STRING, Kind.TIME, Kind.LOCATION})

TIMES: Mapping[str, Builtin] = table(
    Builtin("now", _now, (_LOCATION,), 0, TIME),
    Builtin("duration", lambda _, text: parse_duration(text), (TEXT,), 1, DURATION),
    Builtin("date", _date, (_DATE_ARGUMENT, TEXT, TEXT), 1, TIME),
    Builtin("timezone", lambda _, name: zone_named(name), (TEXT,), 1, LOCATION),
)

_BOOL = Type(Kind.BOOL)


def _whole(nanoseconds: int, unit: Duration) -> int:
    """Cut to a multiple of the unit, towards zero; a unit that is not positive changes nothing."""
    size = unit.nanoseconds
    return nanoseconds if size <= 0 else (abs(nanoseconds) // size) * size * (-1 if nanoseconds < 0 else 1)


def _nearest(nanoseconds: int, unit: Duration) -> int:
    """Round to a multiple of the unit, half away from zero."""
    size = unit.nanoseconds
    return nanoseconds if size <= 0 else ((2 * abs(nanoseconds) + size) // (2 * size)) * size * (-1 if nanoseconds < 0 else 1)


def _since_year_one(moment: datetime) -> int:
    return (moment - _YEAR_ONE) // timedelta(microseconds=1) * 1_000


def _truncated(_: Context, moment: datetime, unit: Duration) -> datetime:
    since = _since_year_one(moment)
    return shift(moment, Duration(_whole(since, unit) - since))


def _rounded(_: Context, moment: datetime, unit: Duration) -> datetime:
    since = _since_year_one(moment)
    return shift(moment, Duration(_nearest(since, unit) - since))


def _add_date(_: Context, moment: datetime, years: int, months: int, days: int) -> datetime:
    """Add to the calendar; a day that the month does not have runs into the next month."""
    whole_years, month = divmod(moment.month - 1 + months, 12)
    try:
        return moment.replace(year=moment.year + years + whole_years, month=month + 1, day=1) + timedelta(
            days=moment.day - 1 + days
        )
    except (ValueError, OverflowError):
        raise ExpressionError("the time is outside the years 1 to 9999") from None


def _of_time(name: str, run: Callable[..., Any], result: Type, *parameters: frozenset[Kind]) -> Builtin:
    return Builtin(name, run, (_TIME, *parameters), 1 + len(parameters), result)


def _of_duration(name: str, run: Callable[..., Any], result: Type) -> Builtin:
    return Builtin(name, run, (_DURATION,), 1, result)


_TIME_METHODS = (
    _of_time("Year", lambda _, moment: moment.year, INT),
    _of_time("Month", lambda _, moment: moment.month, INT),
    _of_time("Day", lambda _, moment: moment.day, INT),
    _of_time("Hour", lambda _, moment: moment.hour, INT),
    _of_time("Minute", lambda _, moment: moment.minute, INT),
    _of_time("Second", lambda _, moment: moment.second, INT),
    _of_time("Nanosecond", lambda _, moment: moment.microsecond * 1_000, INT),
    _of_time("Weekday", lambda _, moment: moment.isoweekday() % 7, INT),
    _of_time("YearDay", lambda _, moment: moment.timetuple().tm_yday, INT),
    _of_time("Unix", _unix(1), INT),
    _of_time("UnixMilli", _unix(1_000), INT),
    _of_time("UnixMicro", _unix(1_000_000), INT),
    _of_time("UnixNano", _unix(1_000_000_000), INT),
    _of_time("UTC", lambda context, moment: _in(context, moment, Location("UTC", UTC)), TIME),
    _of_time("In", _in, TIME, _LOCATION),
    _of_time("Add", lambda _, moment, by: shift(moment, by), TIME, _DURATION),
    _of_time("Sub", lambda _, moment, other: between(moment, other), DURATION, _TIME),
    _of_time("Before", lambda _, moment, other: moment < other, _BOOL, _TIME),
    _of_time("After", lambda _, moment, other: moment > other, _BOOL, _TIME),
    _of_time("Equal", lambda _, moment, other: moment == other, _BOOL, _TIME),
    _of_time("Truncate", _truncated, TIME, _DURATION),
    _of_time("Round", _rounded, TIME, _DURATION),
    _of_time("AddDate", _add_date, TIME, INTEGER, INTEGER, INTEGER),
    _of_time("Compare", lambda _, moment, other: (moment > other) - (moment < other), INT, _TIME),
    _of_time("IsZero", lambda _, moment: moment == _YEAR_ONE, _BOOL),
    _of_time("Location", lambda _, moment: Location(moment.tzname() or "UTC", moment.tzinfo or UTC), LOCATION),
    _of_time("String", lambda _, moment: show_time(moment), STRING),
    _of_time("Format", lambda _, moment, layout: format_time(layout, moment), STRING, TEXT),
)
_DURATION_METHODS = (
    _of_duration("Hours", lambda _, span: span.nanoseconds / 3.6e12, FLOAT),
    _of_duration("Minutes", lambda _, span: span.nanoseconds / 6e10, FLOAT),
    _of_duration("Seconds", lambda _, span: span.nanoseconds / 1e9, FLOAT),
    _of_duration("Milliseconds", lambda _, span: int(span.nanoseconds / 10**6), INT),
    _of_duration("Microseconds", lambda _, span: int(span.nanoseconds / 10**3), INT),
    _of_duration("Nanoseconds", lambda _, span: span.nanoseconds, INT),
    _of_duration("String", lambda _, span: show_duration(span), STRING),
    _of_duration("Abs", lambda _, span: Duration(abs(span.nanoseconds)), DURATION),
    Builtin("Truncate", lambda _, span, unit: Duration(_whole(span.nanoseconds, unit)), (_DURATION, _DURATION), 2, DURATION),
    Builtin("Round", lambda _, span, unit: Duration(_nearest(span.nanoseconds, unit)), (_DURATION, _DURATION), 2, DURATION),
)
METHODS: Mapping[tuple[Kind, str], Builtin] = {
    **{(Kind.TIME, method.name): method for method in _TIME_METHODS},
    **{(Kind.DURATION, method.name): method for method in _DURATION_METHODS},
}
"""By the kind they belong to and their name; the object itself is the first argument."""
