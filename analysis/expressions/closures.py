"""Built-ins that take a closure: `all`, `filter`, `reduce` and their like.

Owns what each does with its list. Must not: know the syntax tree; the closure comes as a function of element, index and
accumulator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .builtins import Context
from .builtins_collections import sorted_by
from .errors import ExpressionError
from .operators import add
from .types import ANY, ARRAY, BOOL, INT, MAP, Type
from .values import Kind, go_type, kind_of

Predicate = Callable[[Any, int, Any], Any]
Run = Callable[[Context, list[Any], "Predicate | None", tuple[Any, ...]], Any]


def _verdicts(items: Sequence[Any], predicate: Predicate) -> Iterator[bool]:
    for index, item in enumerate(items):
        verdict = predicate(item, index, None)
        if not isinstance(verdict, bool):
            raise ExpressionError(f"predicate should return boolean (got {go_type(verdict)})")
        yield verdict


def _itself(item: Any, _: int, __: Any) -> Any:
    return item


def _filter(context: Context, items: list[Any], predicate: Predicate | None, _: tuple[Any, ...]) -> list[Any]:
    kept = [item for item, verdict in zip(items, _verdicts(items, predicate or _itself), strict=True) if verdict]
    context.budget.elements(len(kept))
    return kept


def _map(context: Context, items: list[Any], predicate: Predicate | None, _: tuple[Any, ...]) -> list[Any]:
    context.budget.elements(len(items))
    change = predicate or _itself
    return [change(item, index, None) for index, item in enumerate(items)]


def _find(*, backwards: bool, index: bool) -> Run:
    def run(_: Context, items: list[Any], predicate: Predicate | None, __: tuple[Any, ...]) -> Any:
        places = range(len(items) - 1, -1, -1) if backwards else range(len(items))
        for place in places:
            verdict = (predicate or _itself)(items[place], place, None)
            if not isinstance(verdict, bool):
                raise ExpressionError(f"predicate should return boolean (got {go_type(verdict)})")
            if verdict:
                return place if index else items[place]
        return None

    return run


def _sum(context: Context, items: list[Any], predicate: Predicate | None, _: tuple[Any, ...]) -> Any:
    total: Any = 0
    for index, item in enumerate(items):
        value = (predicate or _itself)(item, index, None)
        if kind_of(value) not in (Kind.INT, Kind.FLOAT):
            raise ExpressionError(f"invalid operation: int + {go_type(value)}")
        total = add(total, value, context.budget)
    return total


def _group(context: Context, items: list[Any], predicate: Predicate | None, _: tuple[Any, ...]) -> dict[Any, list[Any]]:
    context.budget.elements(2 * len(items))
    groups: dict[Any, list[Any]] = {}
    kinds: set[Kind] = set()
    for index, item in enumerate(items):
        key = (predicate or _itself)(item, index, None)
        kinds.add(kind_of(key))
        if len(kinds) > 1 or not kinds <= {Kind.STRING, Kind.INT, Kind.FLOAT, Kind.BOOL, Kind.NIL}:
            raise ExpressionError("groupBy needs keys that are all strings, all numbers of one kind, or all booleans")
        groups.setdefault(key, []).append(item)
    return groups


def _sort_by(context: Context, items: list[Any], predicate: Predicate | None, rest: tuple[Any, ...]) -> list[Any]:
    order = rest[0] if rest else "asc"
    if not isinstance(order, str):
        raise ExpressionError(f"invalid argument for sortBy (type {go_type(order)})")
    return sorted_by(context, list(zip(_map(context, items, predicate, ()), items, strict=True)), order)


def _reduce(_: Context, items: list[Any], predicate: Predicate | None, rest: tuple[Any, ...]) -> Any:
    if not items and not rest:
        raise ExpressionError("reduce of empty array with no initial value")
    accumulator, start = (rest[0], 0) if rest else (items[0], 1)
    for index in range(start, len(items)):
        accumulator = (predicate or _itself)(items[index], index, accumulator)
    return accumulator


def _count(_: Context, items: list[Any], predicate: Predicate | None, __: tuple[Any, ...]) -> int:
    return sum(_verdicts(items, predicate or _itself))


CLOSURES: Mapping[str, Run] = {
    "all": lambda _, items, predicate, __: all(_verdicts(items, predicate or _itself)),
    "any": lambda _, items, predicate, __: any(_verdicts(items, predicate or _itself)),
    "none": lambda _, items, predicate, __: not any(_verdicts(items, predicate or _itself)),
    "one": lambda context, items, predicate, rest: _count(context, items, predicate, rest) == 1,
    "filter": _filter,
    "map": _map,
    "find": _find(backwards=False, index=False),
    "findIndex": _find(backwards=False, index=True),
    "findLast": _find(backwards=True, index=False),
    "findLastIndex": _find(backwards=True, index=True),
    "count": _count,
    "sum": _sum,
    "groupBy": _group,
    "sortBy": _sort_by,
    "reduce": _reduce,
}
BOOLEAN_CLOSURES = frozenset({"all", "any", "none", "one", "filter", "find", "findIndex", "findLast", "findLastIndex", "count"})
"""Those whose closure must give a boolean."""


def closure_type(name: str, items: Type, body: Type | None) -> Type:
    """Return the type of the whole call from the types of its list and its closure's body."""
    match name:
        case "all" | "any" | "none" | "one":
            return BOOL
        case "count" | "findIndex" | "findLastIndex":
            return INT
        case "reduce":
            return body or ANY
        case "filter" | "sortBy":
            return items if items.kind is Kind.ARRAY else ARRAY
        case "map":
            return Type(Kind.ARRAY, body or ANY)
        case "groupBy":
            return MAP
        case "find" | "findLast":
            return items.element or ANY
        case "sum":
            return (body or items.element or ANY) if items.kind is Kind.ARRAY else ANY
        case _:
            return ANY
