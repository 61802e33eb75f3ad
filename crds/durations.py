"""Durations as users write them: Go's duration strings, and the pause step's bare seconds.

Owns the grammar and the limits. Must not: know a field by name or fill in a default.
"""

from __future__ import annotations

import re
from datetime import timedelta
from fractions import Fraction

_UNITS = {
    "ns": Fraction(1, 1_000),
    "us": Fraction(1),
    "µs": Fraction(1),  # U+00B5, the micro sign
    "μs": Fraction(1),  # U+03BC, the Greek letter
    "ms": Fraction(1_000),
    "s": Fraction(1_000_000),
    "m": Fraction(60_000_000),
    "h": Fraction(3_600_000_000),
}
"""Microseconds of each unit."""
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")
_LONGEST_NANOSECONDS = 2**63 - 1
_LONGEST_TEXT = 200
_LONGEST_PAUSE_SECONDS = 2**31 - 1


class BadDuration(ValueError):
    """The text is not a duration; says what would be one."""

    def __init__(self, text: object) -> None:
        shown = f'"{text[:40]}"' if isinstance(text, str) else repr(text)
        super().__init__(f'{shown} is not a duration; write for example "90s", "5m" or "1h30m"')


def parse_duration(text: str) -> timedelta:
    """Read a Go duration: signed decimal numbers, each with a unit of ns, us, ms, s, m or h.

    Finer than a microsecond is cut off.

    Raises:
        BadDuration: it is something else, or longer than Go can hold (about 292 years).

    >>> parse_duration("1h30m")
    datetime.timedelta(seconds=5400)
    >>> parse_duration("-1.5s") == -parse_duration("1500ms")
    True
    """
    if not isinstance(text, str) or len(text) > _LONGEST_TEXT:
        raise BadDuration(text)
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if digits == "0":
        return timedelta(0)
    microseconds, at = Fraction(0), 0
    for part in _PART.finditer(digits):
        if part.start() != at:
            raise BadDuration(text)
        microseconds += _decimal(part[1]) * _UNITS[part[2]]
        at = part.end()
    if not digits or at != len(digits) or microseconds * 1_000 > _LONGEST_NANOSECONDS:
        raise BadDuration(text)
    return timedelta(microseconds=sign * int(microseconds))


def parse_pause(duration: int | str) -> timedelta:
    """Read a pause step's `duration`: whole seconds as a number or as digits, or a Go duration string.

    Raises:
        BadDuration: it is something else, negative, or longer than a pause can be (2^31 - 1 seconds, about 68 years).

    >>> parse_pause(30) == parse_pause("30") == parse_pause("30s")
    True
    """
    match duration:
        case bool():
            raise BadDuration(duration)
        case int():
            seconds = Fraction(duration)
        case str() if _WHOLE_NUMBER.fullmatch(duration) and len(duration) <= _LONGEST_TEXT:
            seconds = Fraction(int(duration))
        case _:
            pause = parse_duration(duration)
            seconds = Fraction(pause // timedelta(microseconds=1), 1_000_000)
    if not 0 <= seconds <= _LONGEST_PAUSE_SECONDS:
        raise BadDuration(duration)
    return timedelta(microseconds=int(seconds * 1_000_000))


def duration_text(duration: timedelta) -> str:
    """Write a duration as Go does, without parts that are zero; `parse_duration` reads it back.

    >>> duration_text(timedelta(hours=6)), duration_text(timedelta(seconds=90)), duration_text(timedelta(milliseconds=500))
    ('6h', '1m30s', '0.5s')
    >>> duration_text(timedelta(0)), duration_text(timedelta(seconds=-90))
    ('0s', '-1m30s')
    """
    sign, left = ("-", -duration) if duration < timedelta(0) else ("", duration)
    minutes, rest = divmod(left, timedelta(minutes=1))
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest.seconds}.{rest.microseconds:06}".rstrip("0").rstrip(".") if rest else ""
    parts = (f"{hours}h" if hours else "", f"{minutes}m" if minutes else "", f"{seconds}s" if rest else "")
    return sign + "".join(parts) if duration else "0s"


def whole_seconds(duration: timedelta) -> timedelta:
    """Return the whole seconds of what is left; nothing is left of a negative duration.

    >>> duration_text(whole_seconds(timedelta(seconds=61.9))), duration_text(whole_seconds(timedelta(seconds=-5)))
    ('1m1s', '0s')
    """
    return timedelta(seconds=max(0, duration // timedelta(seconds=1)))


def _decimal(number: str) -> Fraction:
    whole, _, fraction = number.partition(".")
    return Fraction(int((whole + fraction) or "0"), 10 ** len(fraction))
