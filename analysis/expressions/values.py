"""The values of the condition language and how Go would show them.

Owns kinds, Go's type names and Go's `%v`. Values are JSON's (None, bool, int, float, str, list, dict) and datetime, Duration
and Location. int stands for int64, float for float64. Must not: compute.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import Enum
from typing import Any

from .errors import ExpressionError
from .limits import MAX_DEPTH, Budget


class Kind(Enum):
    """What a value is; the value is the name that `type()` gives."""

    ANY = "unknown"
    NIL = "nil"
    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    STRING = "string"
    ARRAY = "array"
    MAP = "map"
    STRUCT = "struct"
    TIME = "time.Time"
    DURATION = "time.Duration"
    LOCATION = "time.Location"


_PLAIN_DIGITS = 6
"""Upstream's `string` prints a float with `%g`: from a million on with an exponent (2.5e+07)."""


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A span of time, in whole nanoseconds (int64), as in Go."""

    nanoseconds: int


@dataclass(frozen=True, slots=True)
class Location:
    """A time zone by name."""

    name: str
    zone: tzinfo


_KINDS: Mapping[type, Kind] = {
    type(None): Kind.NIL,
    bool: Kind.BOOL,
    int: Kind.INT,
    float: Kind.FLOAT,
    str: Kind.STRING,
    list: Kind.ARRAY,
    dict: Kind.MAP,
    datetime: Kind.TIME,
    Duration: Kind.DURATION,
    Location: Kind.LOCATION,
}
_GO_NAMES: Mapping[Kind, str] = {
    Kind.NIL: "<nil>",
    Kind.BOOL: "bool",
    Kind.INT: "int",
    Kind.FLOAT: "float64",
    Kind.STRING: "string",
    Kind.ARRAY: "[]interface {}",
    Kind.MAP: "map[string]interface {}",
    Kind.TIME: "time.Time",
    Kind.DURATION: "time.Duration",
    Kind.LOCATION: "*time.Location",
}


def kind_of(value: Any) -> Kind:
    """Return the kind of a value; raises ExpressionError for anything that is not data of the language."""
    kind = _KINDS.get(type(value))
    if kind is not None:
        return kind
    for known, found in _KINDS.items():
        if isinstance(value, known):
            return found
    raise ExpressionError(f"a value of type {type(value).__name__} is not data the condition language knows")


def go_type(value: Any) -> str:
    """Return what Go's `%T` prints for the value."""
    return _GO_NAMES[kind_of(value)]


def from_json(value: Any, depth: int = 0) -> Any:
    """Return decoded JSON as Go decodes it: every number is a float64.

    Raises:
        ExpressionError: nested deeper than the limit, or not JSON.
    """
    match value:
        case bool() | str() | float() | None:
            return value
        case int():
            return go_float(value)
        case _ if depth > MAX_DEPTH:
            raise ExpressionError(f"the result is nested deeper than {MAX_DEPTH} levels")
        case list() | tuple():
            return [from_json(item, depth + 1) for item in value]
        case dict():
            return {str(key): from_json(item, depth + 1) for key, item in value.items()}
        case _:
            kind_of(value)
            return value


def go_float(value: float) -> float:
    """Return an int or float as float64; integers beyond its range become infinite instead of raising."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def show_float(value: float, *, lower: int = -4, upper: int = 21) -> str:
    """Return a float with its shortest digits, and an exponent below 10**lower and from 10**upper on.

    >>> show_float(5.0), show_float(1e21), show_float(float("inf"))
    ('5', '1e+21', '+Inf')
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    digits, exponent = shortest_digits(value)
    if exponent < lower or exponent >= upper:
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{fraction}e{exponent:+03d}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole, fraction = digits[: exponent + 1].ljust(exponent + 1, "0"), digits[exponent + 1 :]
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def shortest_digits(value: float) -> tuple[str, int]:
    """Return the shortest digits that read back as `value`, and the power of ten of the first.

    >>> shortest_digits(1234.5), shortest_digits(0.0)
    (('12345', 3), ('0', 0))
    """
    if value == 0:
        return "0", 0
    head, _, tail = repr(abs(value)).partition("e")
    whole, _, fraction = head.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = whole + fraction
    exponent = int(tail or 0) + len(whole) - 1
    stripped = digits.lstrip("0")
    exponent -= len(digits) - len(stripped)
    return stripped.rstrip("0"), exponent


def show(value: Any, budget: Budget, depth: int = 0) -> str:
    """Return the value as Go's `%v` prints it; lists as `[1 2]`, maps as `map[a:1]` sorted by key."""
    budget.step()
    if depth > MAX_DEPTH:
        raise ExpressionError(f"the value is nested deeper than {MAX_DEPTH} levels")
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case float():
            return show_float(value, upper=_PLAIN_DIGITS)
        case str():
            budget.characters(len(value))
            return value
        case list():
            return f"[{' '.join(show(item, budget, depth + 1) for item in value)}]"
        case dict():
            pairs = sorted(value.items(), key=lambda pair: str(pair[0]))
            return f"map[{' '.join(f'{show(key, budget, depth + 1)}:{show(item, budget, depth + 1)}' for key, item in pairs)}]"
        case Duration():
            return show_duration(value)
        case datetime():
            return show_time(value)
        case Location():
            return value.name
        case _:
            return str(value)


def show_time(moment: datetime) -> str:
    """Return a time as Go's Time.String does: `2024-01-02 03:04:05.5 +0000 UTC`."""
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    zone = moment.tzname() or "UTC"
    return f"{moment:%Y-%m-%d %H:%M:%S}{fraction} {moment:%z} {'UTC' if zone.startswith('UTC') else zone}"


def show_duration(duration: Duration) -> str:
    """Return a duration as Go's Duration.String does.

    >>> show_duration(Duration(90_500_000_000)), show_duration(Duration(1_500_000)), show_duration(Duration(0))
    ('1m30.5s', '1.5ms', '0s')
    """
    total = abs(duration.nanoseconds)
    sign = "-" if duration.nanoseconds < 0 else ""
    if total == 0:
        return "0s"
    for size, unit in ((1_000, "ns"), (1_000_000, "µs"), (1_000_000_000, "ms")):
        if total < size:
            return f"{sign}{_decimal(total, size // 1_000)}{unit}"
    minutes, nanoseconds = divmod(total, 60_000_000_000)
    seconds = f"{_decimal(nanoseconds, 1_000_000_000)}s"
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}"
    return f"{sign}{minutes}m{seconds}" if minutes else f"{sign}{seconds}"


def _decimal(amount: int, unit: int) -> str:
    whole, rest = divmod(amount, unit)
    if not rest:
        return str(whole)
    return f"{whole}.{str(rest).zfill(len(str(unit)) - 1).rstrip('0')}"
