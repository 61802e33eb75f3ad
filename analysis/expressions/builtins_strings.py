"""Built-in functions on strings, and to and from text formats.

Positions count characters. Must not: read a clock or the environment.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from .builtins import ANYTHING, INTEGER, LIST, TEXT, Builtin, Context, table
from .errors import ExpressionError
from .layouts import format_time
from .limits import MAX_DEPTH, Budget
from .types import ANY, INT, STRING, Type
from .values import Duration, Kind, from_json, go_type, kind_of, show, show_float

_BOOL = Type(Kind.BOOL)
_STRINGS = Type(Kind.ARRAY, STRING)
_NO_NEWLINES = str.maketrans("", "", "\r\n")
_SPACE = " \t\n\v\f\r\x85\xa0"


def _split(after: bool) -> Callable[..., list[str]]:
    def run(context: Context, text: str, separator: str, limit: int = -1) -> list[str]:
        if limit == 0:
            return []
        if not separator:
            characters = list(text) if limit < 0 or limit > len(text) else [*text[: limit - 1], text[limit - 1 :]]
            context.budget.elements(len(characters))
            return characters
        context.budget.elements(text.count(separator) + 1 + len(text) // 8)
        parts = text.split(separator, limit - 1 if limit > 0 else -1)
        return [part + separator for part in parts[:-1]] + parts[-1:] if after else parts

    return run


def _replace(context: Context, text: str, old: str, new: str, limit: int = -1) -> str:
    times = text.count(old) if limit < 0 else min(limit, text.count(old))
    context.budget.characters(len(text) + times * len(new))
    return text.replace(old, new, limit if limit >= 0 else -1)


def _repeat(context: Context, text: str, times: int) -> str:
    if times < 0:
        raise ExpressionError(f"invalid argument for repeat (expected positive integer, got {times})")
    context.budget.elements(times)
    context.budget.characters(times * len(text))
    return text * times


def _join(context: Context, items: list[Any], separator: str = "") -> str:
    for item in items:
        if kind_of(item) is not Kind.STRING:
            raise ExpressionError(f"invalid argument for join (type {go_type(item)})")
    context.budget.elements(len(items))
    context.budget.characters(sum(map(len, items)) + len(separator) * len(items))
    return separator.join(items)


def _join_type(arguments: Sequence[Type]) -> Type:
    element = arguments[0].element
    if element is not None and element.kind not in (Kind.ANY, Kind.STRING):
        raise ExpressionError(f"invalid argument for join (type {arguments[0]}); convert the elements with string()")
    return STRING


def _string(context: Context, value: Any) -> str:
    return show(value, context.budget)


def _to_json(context: Context, value: Any) -> str:
    """Indented by two, keys sorted, as upstream writes it; NaN and infinities are errors."""
    return _encode(value, context.budget, 0)


def _encode(value: Any, budget: Budget, depth: int) -> str:
    budget.step()
    if depth > MAX_DEPTH:
        raise ExpressionError(f"toJSON: the value is nested deeper than {MAX_DEPTH} levels")
    inner, outer = "\n" + "  " * (depth + 1), "\n" + "  " * depth
    budget.characters(len(inner))
    match value:
        case float():
            if math.isnan(value) or math.isinf(value):
                raise ExpressionError(f"json: unsupported value: {show_float(value)}")
            return show_float(value, lower=-6).replace("e-0", "e-")
        case str():
            budget.characters(len(value))
            return _quote(value)
        case list():
            items = [inner + _encode(item, budget, depth + 1) for item in value]
            return f"[{','.join(items)}{outer}]" if items else "[]"
        case dict():
            pairs = sorted((str(key), key) for key in value)
            items = [f"{inner}{_quote(name)}: {_encode(value[key], budget, depth + 1)}" for name, key in pairs]
            return f"{{{','.join(items)}{outer}}}" if items else "{}"
        case Duration():
            return str(value.nanoseconds)
        case bool() | int() | None:
            return json.dumps(value)
        case datetime():
            return f'"{format_time("2006-01-02T15:04:05.999999999Z07:00", value)}"'
        case _:
            return _quote(show(value, budget))


def _quote(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return (
        quoted.replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("&", "\\u0026")
        .replace("\u2028", "\\u2028")
        .replace("\u2029", "\\u2029")
    )


def _from_json(context: Context, text: str) -> Any:
    context.budget.elements(sum(map(text.count, ",:[{")) + len(text) // 8)

    def refuse(constant: str) -> float:
        raise ValueError(f"invalid number {constant}")

    def number(digits: str) -> float:
        value = float(digits)
        return refuse(digits) if math.isinf(value) else value

    try:
        return from_json(json.loads(text, parse_int=number, parse_float=number, parse_constant=refuse))
    except RecursionError:
        raise ExpressionError("fromJSON: exceeded max depth") from None
    except ValueError as error:
        raise ExpressionError(f"fromJSON: {error}") from None


def _to_base64(context: Context, text: str) -> str:
    context.budget.characters(len(text) * 2)
    return base64.b64encode(text.encode("utf-8", "replace")).decode()


def _from_base64(context: Context, text: str) -> str:
    context.budget.characters(len(text))
    try:
        return base64.b64decode(text.translate(_NO_NEWLINES).encode("ascii"), validate=True).decode("utf-8", "replace")
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ExpressionError(f"fromBase64: illegal base64 data: {error}") from None


def _simple_case(convert: Callable[[str], str]) -> Callable[[str], str]:
    """Convert character by character; one that would become several is reduced to the first, or stays if that is another letter."""

    def run(text: str) -> str:
        if text.isascii():
            return convert(text)
        return "".join(_one_character(character, convert(character)) for character in text)

    return run


def _one_character(before: str, after: str) -> str:
    if len(after) == 1:
        return after
    return after[0] if unicodedata.normalize("NFD", before)[0] == after[0].upper() else before


def _cased(convert: Callable[[str], str]) -> Callable[[Context, str], str]:
    def run(context: Context, text: str) -> str:
        context.budget.characters(len(text))
        return convert(text)

    return run


_TWO = (TEXT, TEXT)

STRINGS: Mapping[str, Builtin] = table(
    Builtin("string", _string, (ANYTHING,), 1, STRING),
    Builtin("trim", lambda _, text, marks=_SPACE: text.strip(marks) if marks else text, _TWO, 1, STRING),
    Builtin("trimPrefix", lambda _, text, prefix=" ": text.removeprefix(prefix), _TWO, 1, STRING),
    Builtin("trimSuffix", lambda _, text, suffix=" ": text.removesuffix(suffix), _TWO, 1, STRING),
    Builtin("upper", _cased(_simple_case(str.upper)), (TEXT,), 1, STRING),
    Builtin("lower", _cased(_simple_case(str.lower)), (TEXT,), 1, STRING),
    Builtin("split", _split(after=False), (TEXT, TEXT, INTEGER), 2, _STRINGS),
    Builtin("splitAfter", _split(after=True), (TEXT, TEXT, INTEGER), 2, _STRINGS),
    Builtin("replace", _replace, (TEXT, TEXT, TEXT, INTEGER), 3, STRING),
    Builtin("repeat", _repeat, (TEXT, INTEGER), 2, STRING),
    Builtin("join", _join, (LIST, TEXT), 1, _join_type),
    Builtin("indexOf", lambda _, text, part: text.find(part), _TWO, 2, INT),
    Builtin("lastIndexOf", lambda _, text, part: text.rfind(part), _TWO, 2, INT),
    Builtin("hasPrefix", lambda _, text, prefix: text.startswith(prefix), _TWO, 2, _BOOL),
    Builtin("hasSuffix", lambda _, text, suffix: text.endswith(suffix), _TWO, 2, _BOOL),
    Builtin("toJSON", _to_json, (ANYTHING,), 1, STRING),
    Builtin("fromJSON", _from_json, (TEXT,), 1, ANY),
    Builtin("toBase64", _to_base64, (TEXT,), 1, STRING),
    Builtin("fromBase64", _from_base64, (TEXT,), 1, STRING),
)
