"""Built-in functions on numbers, and conversions to numbers.

Owns Go's rounding, conversion and parsing of numbers. Must not: read a clock or the environment.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .builtins import ANYTHING, INTEGER, NUMBER, Builtin, Context, table
from .errors import ExpressionError
from .limits import MAX_DEPTH
from .operators import ordered, truncate, wrap
from .types import ANY, FLOAT, INT, Type
from .values import Kind, go_float, go_type, kind_of

_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(
    r"[+-]?(?:(?:D(?:\.D?)?|\.D)(?:[eE][+-]?D)?|inf(?:inity)?|nan)".replace("D", r"(?:[0-9](?:_?[0-9])*)"), re.IGNORECASE | re.ASCII
)
_HEX_FLOAT = re.compile(r"[+-]?0[xX][0-9a-fA-F]*\.?[0-9a-fA-F]*[pP][+-]?[0-9]+")


def parse_integer(text: str) -> int:
    """Read a decimal int64 as Go's strconv does; raises ExpressionError in its words."""
    if not _INTEGER.fullmatch(text):
        raise ExpressionError(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if len(text) > 25 or not -(2**63) <= int(text) < 2**63:
        raise ExpressionError(f'strconv.ParseInt: parsing "{text}": value out of range')
    return int(text)


def parse_float(text: str) -> float:
    """Read a float64 as Go's strconv does ("NaN", "+Inf", "1e3"); raises ExpressionError in its words."""
    try:
        if _FLOAT.fullmatch(text):
            value = float(text)
        elif _HEX_FLOAT.fullmatch(text):
            value = float.fromhex(text)
        else:
            raise ExpressionError(f'strconv.ParseFloat: parsing "{text}": invalid syntax')
    except (OverflowError, ValueError):
        raise ExpressionError(f'strconv.ParseFloat: parsing "{text}": value out of range') from None
    if math.isinf(value) and "inf" not in text.lower():
        raise ExpressionError(f'strconv.ParseFloat: parsing "{text}": value out of range')
    return value


def _int(_: Context, value: Any) -> int:
    match kind_of(value):
        case Kind.INT:
            return int(value)
        case Kind.FLOAT:
            return truncate(value)
        case Kind.DURATION:
            return int(value.nanoseconds)
        case Kind.STRING if _INTEGER.fullmatch(value):
            return parse_integer(value)
        case Kind.STRING:
            raise ExpressionError(f"invalid operation: int({value})")
        case _:
            raise ExpressionError(f"invalid operation: int({go_type(value)})")


def _float(_: Context, value: Any) -> float:
    match kind_of(value):
        case Kind.INT | Kind.FLOAT:
            return go_float(value)
        case Kind.STRING:
            return parse_float(value)
        case _:
            raise ExpressionError(f"invalid operation: float({go_type(value)})")


def _abs(_: Context, value: Any) -> Any:
    return wrap(abs(value)) if isinstance(value, int) else -value if value < 0 else value


def _rounded(by: Callable[[float], float]) -> Callable[[Context, Any], float]:
    def run(_: Context, value: Any) -> float:
        number = go_float(value)
        return number if math.isnan(number) or math.isinf(number) else math.copysign(by(number), number)

    return run


def _half_away_from_zero(value: float) -> float:
    whole = math.trunc(value)
    return float(whole + math.copysign(1, value)) if abs(value - whole) >= 0.5 else float(whole)


def numbers_in(context: Context, name: str, arguments: Sequence[Any], depth: int = 0) -> Iterator[Any]:
    """Yield the numbers among `arguments`, lists and lists in lists included; raises ExpressionError for anything else."""
    if depth > MAX_DEPTH:
        raise ExpressionError(f"the arguments of {name} are nested deeper than {MAX_DEPTH} levels")
    for argument in arguments:
        context.budget.step()
        match kind_of(argument):
            case Kind.ARRAY:
                yield from numbers_in(context, name, argument, depth + 1)
            case Kind.INT | Kind.FLOAT:
                yield argument
            case _:
                raise ExpressionError(f"invalid argument for {name} (type {go_type(argument)})")


def _extreme(name: str, operator: str) -> Callable[..., Any]:
    def run(context: Context, *arguments: Any) -> Any:
        best: Any = None
        for number in numbers_in(context, name, arguments):
            if best is None or ordered(operator, number, best):
                best = number
        return best

    return run


def _mean(context: Context, *arguments: Any) -> float:
    numbers = [go_float(number) for number in numbers_in(context, "mean", arguments)]
    return sum(numbers, 0.0) / len(numbers) if numbers else 0.0


def _nan_first(number: float) -> tuple[bool, float]:
    """Go sorts NaN before every other number."""
    return not math.isnan(number), 0.0 if math.isnan(number) else number


def _median(context: Context, *arguments: Any) -> float:
    numbers = sorted((go_float(number) for number in numbers_in(context, "median", arguments)), key=_nan_first)
    if not numbers:
        return 0.0
    middle = len(numbers) // 2
    return numbers[middle] if len(numbers) % 2 else (numbers[middle - 1] + numbers[middle]) / 2


def _shift(name: str, by: Callable[[int, int], int]) -> Builtin:
    def run(_: Context, value: int, count: int) -> int:
        if count < 0:
            raise ExpressionError(f"invalid operation: negative shift count {count} (type int)")
        return wrap(by(value, min(count, 64)))

    return Builtin(name, run, (INTEGER, INTEGER), 2, INT)


def _bits(name: str, by: Callable[[int, int], int]) -> Builtin:
    return Builtin(name, lambda _, left, right: by(left, right), (INTEGER, INTEGER), 2, INT)


def _of_first(arguments: Sequence[Type]) -> Type:
    return arguments[0]


def _aggregate_type(arguments: Sequence[Type]) -> Type:
    """A list among the arguments leaves the type open; else it is that of the first."""
    return arguments[0] if all(one.kind in NUMBER for one in arguments) else ANY


_NUMBERS_OR_LISTS = frozenset({*NUMBER, Kind.ARRAY})
_CONVERTIBLE = frozenset({*NUMBER, Kind.STRING, Kind.DURATION})

NUMBERS: Mapping[str, Builtin] = table(
    Builtin("abs", _abs, (NUMBER,), 1, _of_first),
    Builtin("ceil", _rounded(lambda value: float(math.ceil(value))), (NUMBER,), 1, FLOAT),
    Builtin("floor", _rounded(lambda value: float(math.floor(value))), (NUMBER,), 1, FLOAT),
    Builtin("round", _rounded(_half_away_from_zero), (NUMBER,), 1, FLOAT),
    Builtin("int", _int, (_CONVERTIBLE,), 1, INT),
    Builtin("float", _float, (frozenset({*NUMBER, Kind.STRING}),), 1, FLOAT),
    Builtin("max", _extreme("max", ">"), (_NUMBERS_OR_LISTS,), 1, _aggregate_type, variadic=True),
    Builtin("min", _extreme("min", "<"), (_NUMBERS_OR_LISTS,), 1, _aggregate_type, variadic=True),
    Builtin("mean", _mean, (_NUMBERS_OR_LISTS,), 1, _aggregate_type, variadic=True),
    Builtin("median", _median, (_NUMBERS_OR_LISTS,), 1, _aggregate_type, variadic=True),
    _bits("bitand", lambda left, right: left & right),
    _bits("bitor", lambda left, right: left | right),
    _bits("bitxor", lambda left, right: left ^ right),
    _bits("bitnand", lambda left, right: left & ~right),
    _shift("bitshl", lambda value, count: value << count),
    _shift("bitshr", lambda value, count: value >> count),
    _shift("bitushr", lambda value, count: (value % 2**64) >> count),
    Builtin("bitnot", lambda _, value: ~value, (INTEGER,), 1, INT),
)


def _as_int(_: Context, value: Any) -> int:
    match kind_of(value):
        case Kind.INT:
            return int(value)
        case Kind.FLOAT:
            return truncate(value)
        case Kind.STRING:
            return parse_integer(value)
        case Kind.DURATION:
            return int(value.nanoseconds)
        case _:
            raise ExpressionError(f"asInt() not supported on type {go_type(value)}")


def _as_float(_: Context, value: Any) -> float:
    match kind_of(value):
        case Kind.INT | Kind.FLOAT:
            return go_float(value)
        case Kind.STRING:
            return parse_float(value)
        case Kind.DURATION:
            return go_float(value.nanoseconds)
        case _:
            raise ExpressionError(f"asFloat() not supported on type {go_type(value)}")


def _result_is_nil(context: Context, _: Any) -> bool:
    """The argument is ignored: upstream looks at `result` itself."""
    return context.result is None


def _default(context: Context, _: Any, otherwise: Any) -> Any:
    """The first argument is ignored: upstream looks at `result` itself."""
    return otherwise if context.result is None else context.result


def _is_nan(_: Context, value: Any) -> bool:
    return math.isnan(_only_float(value))


def _is_infinite(_: Context, value: Any) -> bool:
    return math.isinf(_only_float(value))


def _only_float(value: Any) -> float:
    """The functions of the environment take Go's float64; literals have been made floats by the parser."""
    if not isinstance(value, float):
        raise ExpressionError(f"interface conversion: interface {{}} is {go_type(value)}, not float64; convert it with asFloat()")
    return value


def _bool_type(_: Sequence[Type]) -> Type:
    return Type(Kind.BOOL)


ENVIRONMENT: Mapping[str, Builtin] = table(
    Builtin("asInt", _as_int, (ANYTHING,), 1, INT),
    Builtin("asFloat", _as_float, (ANYTHING,), 1, FLOAT),
    Builtin("isNaN", _is_nan, (NUMBER,), 1, _bool_type),
    Builtin("isInf", _is_infinite, (NUMBER,), 1, _bool_type),
    Builtin("isNil", _result_is_nil, (ANYTHING,), 1, _bool_type),
    Builtin("default", _default, (ANYTHING, ANYTHING), 2, ANY),
)
"""The functions that conditions have beside the built-ins (spec/rollout.md 2.9)."""
