"""Go's time layouts: the reference time, written the way the text is written.

Owns reading and writing of times by a layout such as `2006-01-02T15:04:05Z07:00`. Must not: read a clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo

_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_ELEMENT = re.compile(
    r"January|Jan|Monday|Mon|MST|2006|Z07:00|Z0700|-07:00|-0700|-07|[.,]0+(?![0-9])|[.,]9+(?![0-9])"
    r"|01|02|03|04|05|06|15|_2|PM|pm|1|2|3|4|5"
)
_READ: Mapping[str, tuple[str, str]] = {
    "2006": ("year", r"[0-9]{4}"),
    "06": ("short_year", r"[0-9]{2}"),
    "January": ("month_name", "|".join(_MONTHS)),
    "Jan": ("month_short", "|".join(month[:3] for month in _MONTHS)),
    "01": ("month", r"[0-9]{2}"),
    "1": ("month", r"[0-9]{1,2}"),
    "Monday": ("day_name", "|".join(_DAYS)),
    "Mon": ("day_short", "|".join(day[:3] for day in _DAYS)),
    "02": ("day", r"[0-9]{2}"),
    "2": ("day", r"[0-9]{1,2}"),
    "_2": ("day", r" ?[0-9]{1,2}"),
    "15": ("hour", r"[0-9]{1,2}"),
    "03": ("half_hour", r"[0-9]{2}"),
    "3": ("half_hour", r"[0-9]{1,2}"),
    "PM": ("half", "AM|PM"),
    "pm": ("half", "am|pm"),
    "04": ("minute", r"[0-9]{2}"),
    "4": ("minute", r"[0-9]{1,2}"),
    "05": ("second", r"[0-9]{2}"),
    "5": ("second", r"[0-9]{1,2}"),
    "MST": ("zone", r"[A-Z]{3,5}"),
    "Z07:00": ("offset", r"Z|[+-][0-9]{2}:[0-9]{2}"),
    "Z0700": ("offset", r"Z|[+-][0-9]{4}"),
    "-07:00": ("offset", r"[+-][0-9]{2}:[0-9]{2}"),
    "-0700": ("offset", r"[+-][0-9]{4}"),
    "-07": ("offset", r"[+-][0-9]{2}"),
}


def parse_time(layout: str, text: str, zone: tzinfo) -> datetime | None:
    """Read `text` by a Go layout; `zone` applies when the text names none. None when it does not fit."""
    match = re.fullmatch(_pattern(layout), text)
    if match is None:
        return None
    fields = {name: value for name, value in match.groupdict().items() if value is not None}
    try:
        return _moment(fields, zone).astimezone(zone if "offset" not in fields else None or _offset(fields["offset"]))
    except (ValueError, OverflowError):
        return None


def _pattern(layout: str) -> str:
    parts: list[str] = []
    seen: set[str] = set()
    position = 0
    for element in _ELEMENT.finditer(layout):
        parts.append(re.escape(layout[position : element.start()]))
        position = element.end()
        name, pattern = _reading(element.group())
        parts.append(f"(?:{pattern})" if name in seen else f"(?P<{name}>{pattern})")
        if name == "second" and layout[position : position + 1] not in (".", ","):
            parts.append(r"(?:[.,](?P<free_fraction>[0-9]+))?")
        seen.add(name)
    return "".join(parts) + re.escape(layout[position:])


def _reading(element: str) -> tuple[str, str]:
    if element[0] in ".,":
        digits = len(element) - 1
        return "fraction", rf"[.,][0-9]{{{digits}}}" if element[1] == "0" else r"(?:[.,][0-9]+)?"
    return _READ[element]


def _moment(fields: Mapping[str, str], zone: tzinfo) -> datetime:
    year = int(fields.get("year", "1"))
    if "short_year" in fields:
        short = int(fields["short_year"])
        year = short + (1900 if short >= 69 else 2000)
    hour = int(fields.get("hour", "0"))
    if "half_hour" in fields:
        hour = int(fields["half_hour"]) % 12 + (12 if fields.get("half", "").upper() == "PM" else 0)
    fraction = (fields.get("fraction") or fields.get("free_fraction") or "").lstrip(".,")
    return datetime(
        year,
        _month(fields),
        int(fields.get("day", "1")),
        hour,
        int(fields.get("minute", "0")),
        int(fields.get("second", "0")),
        int(fraction[:6].ljust(6, "0")),
        tzinfo=_offset(fields["offset"]) if "offset" in fields else UTC if fields.get("zone") in ("UTC", "GMT") else zone,
    )


def _month(fields: Mapping[str, str]) -> int:
    if "month_name" in fields:
        return _MONTHS.index(fields["month_name"]) + 1
    if "month_short" in fields:
        return [month[:3] for month in _MONTHS].index(fields["month_short"]) + 1
    return int(fields.get("month", "1"))


def _offset(text: str) -> tzinfo:
    if text == "Z":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    span = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-span if text[0] == "-" else span)


def format_time(layout: str, moment: datetime) -> str:
    """Write a moment by a Go layout."""
    return _ELEMENT.sub(lambda element: _written(element.group(), moment), layout)


_WRITE: Mapping[str, Callable[[datetime], str]] = {
    "2006": lambda moment: f"{moment.year:04d}",
    "06": lambda moment: f"{moment.year % 100:02d}",
    "January": lambda moment: _MONTHS[moment.month - 1],
    "Jan": lambda moment: _MONTHS[moment.month - 1][:3],
    "01": lambda moment: f"{moment.month:02d}",
    "1": lambda moment: str(moment.month),
    "Monday": lambda moment: _DAYS[moment.weekday()],
    "Mon": lambda moment: _DAYS[moment.weekday()][:3],
    "02": lambda moment: f"{moment.day:02d}",
    "2": lambda moment: str(moment.day),
    "_2": lambda moment: f"{moment.day:2d}",
    "15": lambda moment: f"{moment.hour:02d}",
    "03": lambda moment: f"{moment.hour % 12 or 12:02d}",
    "3": lambda moment: str(moment.hour % 12 or 12),
    "PM": lambda moment: "PM" if moment.hour >= 12 else "AM",
    "pm": lambda moment: "pm" if moment.hour >= 12 else "am",
    "04": lambda moment: f"{moment.minute:02d}",
    "4": lambda moment: str(moment.minute),
    "05": lambda moment: f"{moment.second:02d}",
    "5": lambda moment: str(moment.second),
    "MST": lambda moment: moment.tzname() or "UTC",
    "Z07:00": lambda moment: _zone(moment, ":", zulu=True),
    "Z0700": lambda moment: _zone(moment, "", zulu=True),
    "-07:00": lambda moment: _zone(moment, ":", zulu=False),
    "-0700": lambda moment: _zone(moment, "", zulu=False),
    "-07": lambda moment: _zone(moment, "", zulu=False)[:3],
}


def _written(element: str, moment: datetime) -> str:
    if element[0] not in ".,":
        return _WRITE[element](moment)
    digits = f"{moment.microsecond:06d}000"[: len(element) - 1]
    if element[1] == "9":
        digits = digits.rstrip("0")
    return f"{element[0]}{digits}" if digits else ""


def _zone(moment: datetime, colon: str, *, zulu: bool) -> str:
    offset = moment.strftime("%z")
    if zulu and offset in ("+0000", ""):
        return "Z"
    return f"{offset[:3]}{colon}{offset[3:5]}"
