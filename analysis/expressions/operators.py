"""Operators on two values, with Go's numbers.

Owns int64 wrap-around, `/` that is always float, `**` that is always float, comparison across int and float, and which kinds
fit together (spec/analysis.md 1.8). Must not: know the syntax tree.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from operator import ge, gt, le, lt
from typing import Any

import re2

from .errors import ExpressionError
from .limits import MAX_DEPTH, MAX_PATTERN, Budget
from .values import Duration, Kind, go_float, go_type, kind_of

_NUMBERS = (Kind.INT, Kind.FLOAT)
_ORDERED = (Kind.INT, Kind.FLOAT, Kind.STRING, Kind.TIME, Kind.DURATION)
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {"<": lt, ">": gt, "<=": le, ">=": ge}
_MICROSECOND = 1_000


def wrap(value: int) -> int:
    """Return `value` as int64 arithmetic leaves it.

    >>> wrap(2**63)
    -9223372036854775808
    """
    return (value + 2**63) % 2**64 - 2**63


def truncate(value: float) -> int:
    """Convert a float64 to int64 towards zero; NaN and values out of range give the smallest int64, as on amd64."""
    if math.isnan(value) or not -(2.0**63) <= value < 2.0**63:
        return -(2**63)
    return int(value)


def mismatch(operator: str, left: Any, right: Any) -> ExpressionError:
    """The error for operands that do not fit the operator."""
    return ExpressionError(f"invalid operation: {go_type(left)} {operator} {go_type(right)}")


def equal(left: Any, right: Any, budget: Budget, depth: int = 0) -> bool:
    """Numbers compare across int and float, lists by element, other kinds only among themselves; NaN equals nothing."""
    budget.step()
    if depth > MAX_DEPTH:
        raise ExpressionError(f"the values are nested deeper than {MAX_DEPTH} levels")
    kinds = kind_of(left), kind_of(right)
    match kinds:
        case (Kind.INT | Kind.FLOAT, Kind.INT | Kind.FLOAT):
            return bool(left == right) if kinds[0] is kinds[1] else go_float(left) == go_float(right)
        case (Kind.ARRAY, Kind.ARRAY):
            return len(left) == len(right) and all(equal(a, b, budget, depth + 1) for a, b in zip(left, right, strict=True))
        case (Kind.MAP, Kind.MAP):
            return left.keys() == right.keys() and all(_same(left[key], right[key], budget, depth + 1) for key in left)
        case (a, b):
            return a is b and bool(left == right)


def _same(left: Any, right: Any, budget: Budget, depth: int) -> bool:
    """Values inside a map are equal only if their kinds are too (Go's DeepEqual), however deep."""
    if kind_of(left) is not kind_of(right) or not equal(left, right, budget, depth):
        return False
    return not isinstance(left, list) or all(_same(a, b, budget, depth + 1) for a, b in zip(left, right, strict=True))


def ordered(operator: str, left: Any, right: Any) -> bool:
    """Order numbers, strings, times or durations among themselves; NaN makes it false, anything else raises ExpressionError."""
    kinds = kind_of(left), kind_of(right)
    if kinds[0] is kinds[1] and kinds[0] in _ORDERED:
        return bool(_ORDER[operator](left, right))
    if kinds[0] not in _NUMBERS or kinds[1] not in _NUMBERS:
        raise mismatch(operator, left, right)
    return bool(_ORDER[operator](go_float(left), go_float(right)))


def add(left: Any, right: Any, budget: Budget) -> Any:
    """Sum of numbers, concatenation of strings, moments and spans of time."""
    match kind_of(left), kind_of(right):
        case (Kind.INT, Kind.INT):
            return wrap(left + right)
        case (Kind.INT | Kind.FLOAT, Kind.INT | Kind.FLOAT):
            return go_float(left) + go_float(right)
        case (Kind.STRING, Kind.STRING):
            budget.characters(len(left) + len(right))
            return left + right
        case (Kind.TIME, Kind.DURATION):
            return shift(left, right)
        case (Kind.DURATION, Kind.TIME):
            return shift(right, left)
        case (Kind.DURATION, Kind.DURATION):
            return Duration(wrap(left.nanoseconds + right.nanoseconds))
        case _:
            raise mismatch("+", left, right)


def subtract(left: Any, right: Any, _: Budget) -> Any:
    """Difference of numbers, moments and spans of time."""
    match kind_of(left), kind_of(right):
        case (Kind.INT, Kind.INT):
            return wrap(left - right)
        case (Kind.INT | Kind.FLOAT, Kind.INT | Kind.FLOAT):
            return go_float(left) - go_float(right)
        case (Kind.TIME, Kind.TIME):
            return between(left, right)
        case (Kind.TIME, Kind.DURATION):
            return shift(left, Duration(-right.nanoseconds))
        case (Kind.DURATION, Kind.DURATION):
            return Duration(wrap(left.nanoseconds - right.nanoseconds))
        case _:
            raise mismatch("-", left, right)


def multiply(left: Any, right: Any, _: Budget) -> Any:
    """Product of numbers, or of a duration and a number."""
    match kind_of(left), kind_of(right):
        case (Kind.INT, Kind.INT):
            return wrap(left * right)
        case (Kind.INT | Kind.FLOAT, Kind.INT | Kind.FLOAT):
            return go_float(left) * go_float(right)
        case (Kind.DURATION, Kind.INT | Kind.FLOAT):
            return Duration(truncate(go_float(left.nanoseconds) * go_float(right)))
        case (Kind.INT | Kind.FLOAT, Kind.DURATION):
            return Duration(truncate(go_float(left) * go_float(right.nanoseconds)))
        case (Kind.DURATION, Kind.DURATION):
            return Duration(wrap(left.nanoseconds * right.nanoseconds))
        case _:
            raise mismatch("*", left, right)


def divide(left: Any, right: Any, _: Budget) -> float:
    """Quotient as float64: 1/0 is +Inf, 0/0 is NaN, nothing raises."""
    if kind_of(left) not in _NUMBERS or kind_of(right) not in _NUMBERS:
        raise mismatch("/", left, right)
    above, below = go_float(left), go_float(right)
    if below != 0:
        return above / below
    if above == 0 or math.isnan(above):
        return math.nan
    return math.copysign(math.inf, above) * math.copysign(1.0, below)


def modulo(left: Any, right: Any, _: Budget) -> int:
    """Remainder of integers with the sign of the left one; zero below is an error."""
    if kind_of(left) is not Kind.INT or kind_of(right) is not Kind.INT:
        raise mismatch("%", left, right)
    if right == 0:
        raise ExpressionError("integer divide by zero")
    rest: int = abs(left) % abs(right)
    return -rest if left < 0 else rest


def power(left: Any, right: Any, _: Budget) -> float:
    """Power as float64, as Go's math.Pow: overflow is infinite, a root of a negative number NaN."""
    if kind_of(left) not in _NUMBERS or kind_of(right) not in _NUMBERS:
        raise mismatch("**", left, right)
    base, exponent = go_float(left), go_float(right)
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return -math.inf if base < 0 and exponent % 2 == 1 else math.inf
    except ValueError:
        if base != 0:
            return math.nan
        return math.copysign(math.inf, base) if exponent % 2 == 1 else math.inf


def contained(needle: Any, haystack: Any, budget: Budget) -> bool:
    """`in`: an element of a list, or a key of a map."""
    match kind_of(haystack):
        case Kind.NIL:
            return False
        case Kind.ARRAY:
            return any(equal(needle, item, budget) for item in haystack)
        case Kind.MAP:
            if kind_of(needle) not in (Kind.STRING, Kind.NIL):
                raise ExpressionError(f"cannot use {go_type(needle)} as type string in map key")
            return needle in haystack
        case _:
            raise ExpressionError(f'operator "in" not defined on {go_type(haystack)}')


def matches(left: Any, right: Any, _: Budget) -> bool:
    """Whether the RE2 pattern `right` is found in `left`; nil never matches."""
    return False if left is None or right is None else _texts("matches", left, right, lambda text, pattern: found(pattern, text))


def found(pattern: str, text: str) -> bool:
    """Search with RE2 (linear time); raises ExpressionError for a pattern that is wrong or too long."""
    return compiled(pattern).search(text.encode("utf-8", "replace")) is not None


def compiled(pattern: str) -> Any:
    """Compile an RE2 pattern; raises ExpressionError that says what is wrong with it."""
    if len(pattern) > MAX_PATTERN:
        raise ExpressionError(f"the regular expression is longer than {MAX_PATTERN} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    try:
        return re2.compile(pattern.encode("utf-8", "replace"), options)
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace") if error.args and isinstance(error.args[0], bytes) else error
        raise ExpressionError(f"error parsing regexp: {reason}: `{pattern}`") from None


def _texts(operator: str, left: Any, right: Any, test: Callable[[str, str], bool]) -> bool:
    if kind_of(left) is not Kind.STRING or kind_of(right) is not Kind.STRING:
        raise mismatch(operator, left, right)
    return test(left, right)


def _text_operator(operator: str, test: Callable[[str, str], bool]) -> Callable[[Any, Any, Budget], bool]:
    def apply(left: Any, right: Any, _: Budget) -> bool:
        return False if left is None or right is None else _texts(operator, left, right, test)

    return apply


def span(left: Any, right: Any, budget: Budget) -> list[int]:
    """`a..b`: the integers from a to b, both included; empty when b is smaller."""
    if kind_of(left) not in _NUMBERS or kind_of(right) not in _NUMBERS:
        raise mismatch("..", left, right)
    first, last = truncate(left) if isinstance(left, float) else left, truncate(right) if isinstance(right, float) else right
    budget.elements(max(0, last - first + 1))
    return list(range(first, last + 1))


def shift(moment: datetime, by: Duration) -> datetime:
    """Move a moment; raises ExpressionError when it leaves the years 1 to 9999."""
    try:
        there = moment.astimezone(UTC) + timedelta(microseconds=by.nanoseconds // _MICROSECOND)
        return there.astimezone(moment.tzinfo)
    except OverflowError:
        raise ExpressionError("the time is outside the years 1 to 9999") from None


def between(later: datetime, earlier: datetime) -> Duration:
    """Return the span between two moments, limited to int64 nanoseconds (about 292 years) as in Go."""
    nanoseconds = ((later - earlier) // timedelta(microseconds=1)) * _MICROSECOND
    return Duration(max(-(2**63), min(2**63 - 1, nanoseconds)))


def _ordering(operator: str) -> Callable[[Any, Any, Budget], bool]:
    return lambda left, right, _: ordered(operator, left, right)


BINARY: Mapping[str, Callable[[Any, Any, Budget], Any]] = {
    "==": equal,
    "!=": lambda left, right, budget: not equal(left, right, budget),
    **{operator: _ordering(operator) for operator in _ORDER},
    "in": contained,
    "matches": matches,
    "contains": _text_operator("contains", lambda text, part: part in text),
    "startsWith": _text_operator("startsWith", str.startswith),
    "endsWith": _text_operator("endsWith", str.endswith),
    "..": span,
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": modulo,
    "**": power,
}
