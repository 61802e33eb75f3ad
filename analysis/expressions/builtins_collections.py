"""Built-in functions on lists and maps, and `len` and `type`.

They never change their arguments. Must not: take closures (see closures.py), read a clock or the environment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cmp_to_key
from typing import Any

from .builtins import ANYTHING, INTEGER, LIST, TABLE, TEXT, Builtin, Context, table
from .errors import ExpressionError
from .limits import MAX_DEPTH
from .operators import equal, ordered, truncate
from .types import ANY, ARRAY, INT, MAP, STRING, Type, may_be
from .values import Kind, go_type, kind_of


def _len(_: Context, value: Any) -> int:
    return len(value)


def _type(_: Context, value: Any) -> str:
    return kind_of(value).value


def _get(_: Context, holder: Any, key: Any) -> Any:
    match kind_of(holder):
        case Kind.MAP:
            return lookup(holder, key)
        case Kind.ARRAY | Kind.STRING:
            if kind_of(key) not in (Kind.INT, Kind.FLOAT):
                raise ExpressionError(f"invalid argument for get (expected an integer, got {go_type(key)})")
            index = truncate(key)
            if not -len(holder) <= index < len(holder):
                return None
            return ord(holder[index]) if isinstance(holder, str) else holder[index]
        case _:
            return None


def _get_type(arguments: Sequence[Type]) -> Type:
    holder, key = arguments
    wanted = Kind.INT if holder.kind is Kind.ARRAY else Kind.STRING
    if holder.kind is Kind.ARRAY and not may_be(key, Kind.INT):
        raise ExpressionError(f"non-integer slice index {key}")
    if holder.kind is Kind.MAP and not may_be(key, wanted) and holder.element is not None:
        raise ExpressionError(f"cannot use {key} to get an element from {holder}")
    return holder.element or ANY


def _end(at: int) -> Callable[[Context, Any], Any]:
    """`first` and `last`: nil for an empty list, and for what is no list at all."""
    return lambda _, items: items[at] if isinstance(items, list) and items else None


def lookup(holder: Mapping[Any, Any], key: Any) -> Any:
    """Return the value under a key, or nil if it is missing; raises ExpressionError for a key that such a map cannot have."""
    texts = all(isinstance(known, str) for known in holder)
    if kind_of(key) in (Kind.ARRAY, Kind.MAP) or (texts and key is not None and kind_of(key) is not Kind.STRING):
        raise ExpressionError(f"cannot use {go_type(key)} as a map key")
    if key in holder and any(kind_of(found) is kind_of(key) for found in holder):
        return holder[key]
    return None


def _take(context: Context, items: list[Any], count: int) -> list[Any]:
    if count < 0:
        raise ExpressionError(f"invalid argument for take (expected a positive integer, got {count})")
    context.budget.elements(min(count, len(items)))
    return items[:count]


def _keys(context: Context, holder: dict[Any, Any]) -> list[Any]:
    context.budget.elements(len(holder))
    return sorted(holder, key=str)


def _values(context: Context, holder: dict[Any, Any]) -> list[Any]:
    return [holder[key] for key in _keys(context, holder)]


def _to_pairs(context: Context, holder: dict[Any, Any]) -> list[Any]:
    context.budget.elements(2 * len(holder))
    return [[key, holder[key]] for key in _keys(context, holder)]


def _from_pairs(context: Context, pairs: list[Any]) -> dict[str, Any]:
    context.budget.elements(len(pairs))
    made: dict[str, Any] = {}
    for pair in pairs:
        if kind_of(pair) is not Kind.ARRAY or len(pair) != 2 or kind_of(pair[0]) is not Kind.STRING:
            raise ExpressionError("invalid argument for fromPairs (expected pairs of a string and a value)")
        made[pair[0]] = pair[1]
    return made


def _reverse(context: Context, items: list[Any]) -> list[Any]:
    context.budget.elements(len(items))
    return items[::-1]


def _uniq(context: Context, items: list[Any]) -> list[Any]:
    kept: list[Any] = []
    for item in items:
        if not any(equal(item, known, context.budget) for known in kept):
            kept.append(item)
    context.budget.elements(len(kept))
    return kept


def _concat(context: Context, *lists: list[Any]) -> list[Any]:
    context.budget.elements(sum(map(len, lists)))
    return [item for items in lists for item in items]


def _flatten(context: Context, items: list[Any], depth: int = 0) -> list[Any]:
    if depth > MAX_DEPTH:
        raise ExpressionError(f"recursion depth exceeded: the list is nested deeper than {MAX_DEPTH} levels")
    flat: list[Any] = []
    for item in items:
        context.budget.elements(1)
        flat.extend(_flatten(context, item, depth + 1) if kind_of(item) is Kind.ARRAY else (item,))
    return flat


def sorted_by(context: Context, pairs: Sequence[tuple[Any, Any]], order: str) -> list[Any]:
    """Return the second of each pair, in the order of the first ("asc" or "desc"); stable; mixed kinds raise ExpressionError."""
    if order not in ("asc", "desc"):
        raise ExpressionError(f'invalid order {order}, expected asc or desc (write "asc" or "desc")')
    context.budget.elements(len(pairs))

    def compare(left: tuple[Any, Any], right: tuple[Any, Any]) -> int:
        context.budget.step()
        return -1 if ordered("<", left[0], right[0]) else int(ordered("<", right[0], left[0]))

    return [item for _, item in sorted(pairs, key=cmp_to_key(compare), reverse=order == "desc")]


def _sort(context: Context, items: Any, order: str = "asc") -> list[Any]:
    """What is no list sorts to an empty one, as upstream."""
    return sorted_by(context, [(item, item) for item in items] if isinstance(items, list) else [], order)


def _same(arguments: Sequence[Type]) -> Type:
    return arguments[0] if arguments[0].kind is Kind.ARRAY else ARRAY


_WITH_LENGTH = frozenset({Kind.ARRAY, Kind.MAP, Kind.STRING})
_HOLDERS = frozenset({Kind.ARRAY, Kind.MAP})

COLLECTIONS: Mapping[str, Builtin] = table(
    Builtin("len", _len, (_WITH_LENGTH,), 1, INT),
    Builtin("type", _type, (ANYTHING,), 1, STRING),
    Builtin("first", _end(0), (LIST,), 1, ANY, lenient=True),
    Builtin("last", _end(-1), (LIST,), 1, ANY, lenient=True),
    Builtin("get", _get, (_HOLDERS, ANYTHING), 2, _get_type, lenient=True),
    Builtin("take", _take, (LIST, INTEGER), 2, _same),
    Builtin("keys", _keys, (TABLE,), 1, ARRAY),
    Builtin("values", _values, (TABLE,), 1, ARRAY),
    Builtin("toPairs", _to_pairs, (TABLE,), 1, ARRAY),
    Builtin("fromPairs", _from_pairs, (LIST,), 1, MAP),
    Builtin("reverse", _reverse, (LIST,), 1, ARRAY),
    Builtin("uniq", _uniq, (LIST,), 1, ARRAY),
    Builtin("concat", _concat, (LIST,), 1, ARRAY, variadic=True),
    Builtin("flatten", _flatten, (LIST,), 1, ARRAY),
    Builtin("sort", _sort, (LIST, TEXT), 1, ARRAY, lenient=True),
)
