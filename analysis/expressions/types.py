"""What is known of a value before it is there, and which types fit an operator.

Owns the static types and the rules of expr-lang's checker for operators (spec/analysis.md 1.8, "static typing matters"):
`any` fits everything and is checked when evaluated. Must not: know the syntax tree or values' contents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import ExpressionError
from .values import Kind, kind_of


@dataclass(frozen=True, slots=True)
class Type:
    """A static type; `element` of a list or map, `fields` of a struct."""

    kind: Kind
    element: Type | None = None
    fields: Mapping[str, Type] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        match self.kind:
            case Kind.FLOAT:
                return "float64"
            case Kind.ARRAY:
                return f"[]{_inner(self.element)}"
            case Kind.MAP:
                return f"map[string]{_inner(self.element)}"
            case Kind.STRUCT:
                return "types.MetricDataResult"
            case _:
                return str(self.kind.value)


def _inner(element: Type | None) -> str:
    return "interface {}" if element is None or element.kind is Kind.ANY else str(element)


ANY = Type(Kind.ANY)
NIL = Type(Kind.NIL)
BOOL = Type(Kind.BOOL)
INT = Type(Kind.INT)
FLOAT = Type(Kind.FLOAT)
STRING = Type(Kind.STRING)
ARRAY = Type(Kind.ARRAY, ANY)
MAP = Type(Kind.MAP, ANY)
TIME = Type(Kind.TIME)
DURATION = Type(Kind.DURATION)
LOCATION = Type(Kind.LOCATION)

_METRIC_DATA_RESULT = Type(
    Kind.STRUCT,
    fields={
        "Id": STRING,
        "Label": STRING,
        "Messages": ARRAY,
        "StatusCode": STRING,
        "Timestamps": Type(Kind.ARRAY, TIME),
        "Values": Type(Kind.ARRAY, FLOAT),
    },
)

_NAMED: Mapping[str, Type] = {
    "any": ANY,
    "interface {}": ANY,
    "nil": NIL,
    "bool": BOOL,
    "int": INT,
    "int64": INT,
    "float": FLOAT,
    "float64": FLOAT,
    "string": STRING,
    "map": MAP,
    "map[string]any": MAP,
    "time.Time": TIME,
    "MetricDataResult": _METRIC_DATA_RESULT,
    "types.MetricDataResult": _METRIC_DATA_RESULT,
}


def type_named(name: str) -> Type:
    """Return the type a provider gives its samples: "float64", "[]float64", "string", "bool", "any", "[]MetricDataResult", ...

    Raises:
        ExpressionError: no such type.
    """
    if name.startswith("[]"):
        return Type(Kind.ARRAY, type_named(name[2:]))
    if name not in _NAMED:
        raise ExpressionError(f"unknown result type {name!r}; known are {', '.join(_NAMED)}, and [] before each")
    return _NAMED[name]


def type_of(value: Any) -> Type:
    """Return what Go knows of a value held in an interface: its own type, nothing of what is inside."""
    match kind_of(value):
        case Kind.ARRAY:
            return ARRAY
        case Kind.MAP:
            return MAP
        case kind:
            return Type(kind)


def is_kind(found: Type, *kinds: Kind) -> bool:
    """Whether a static type is one of `kinds`; `any` is none of them."""
    return found.kind in kinds


def may_be(found: Type, *kinds: Kind) -> bool:
    """Whether a value of this type can turn out to be one of `kinds`."""
    return found.kind is Kind.ANY or found.kind in kinds


def comparable(left: Type, right: Type) -> bool:
    """Whether `==` between the two is allowed."""
    loose = (Kind.ANY, Kind.NIL)
    return left.kind in loose or right.kind in loose or left.kind is right.kind or (_number(left) and _number(right))


def _number(found: Type) -> bool:
    return found.kind in (Kind.INT, Kind.FLOAT)


_ORDERED = frozenset({Kind.STRING, Kind.TIME, Kind.DURATION})
_ADD: Mapping[tuple[Kind, Kind], Type] = {
    (Kind.STRING, Kind.STRING): STRING,
    (Kind.TIME, Kind.DURATION): TIME,
    (Kind.DURATION, Kind.TIME): TIME,
    (Kind.DURATION, Kind.DURATION): DURATION,
}
_SUBTRACT: Mapping[tuple[Kind, Kind], Type] = {
    (Kind.TIME, Kind.TIME): DURATION,
    (Kind.TIME, Kind.DURATION): TIME,
    (Kind.DURATION, Kind.DURATION): DURATION,
}
_MULTIPLY: Mapping[tuple[Kind, Kind], Type] = {
    (Kind.DURATION, Kind.DURATION): DURATION,
    (Kind.DURATION, Kind.INT): DURATION,
    (Kind.DURATION, Kind.FLOAT): DURATION,
    (Kind.INT, Kind.DURATION): DURATION,
    (Kind.FLOAT, Kind.DURATION): DURATION,
}
_ARITHMETIC: Mapping[str, tuple[Mapping[tuple[Kind, Kind], Type], frozenset[Kind]]] = {
    "+": (_ADD, frozenset({Kind.INT, Kind.FLOAT, Kind.STRING, Kind.TIME, Kind.DURATION})),
    "-": (_SUBTRACT, frozenset({Kind.INT, Kind.FLOAT, Kind.TIME, Kind.DURATION})),
    "*": (_MULTIPLY, frozenset({Kind.INT, Kind.FLOAT, Kind.DURATION})),
}


def binary_type(operator: str, left: Type, right: Type) -> Type | None:
    """Return the type of `left operator right`, or None if the operands do not fit."""
    match operator:
        case "==" | "!=":
            return BOOL if comparable(left, right) else None
        case "||" | "&&":
            return _both(left, right, BOOL, Kind.BOOL)
        case "<" | ">" | "<=" | ">=":
            same = (_number(left) and _number(right)) or (left.kind is right.kind and left.kind in _ORDERED)
            return BOOL if same or _unknown_fits(left, right, _ORDERED | {Kind.INT, Kind.FLOAT}) else None
        case "+" | "-" | "*":
            return _arithmetic(operator, left, right)
        case "/" | "**":
            return _both(left, right, FLOAT, Kind.INT, Kind.FLOAT)
        case "%":
            return _both(left, right, INT, Kind.INT)
        case "..":
            return _both(left, right, Type(Kind.ARRAY, INT), Kind.INT)
        case "matches" | "contains" | "startsWith" | "endsWith":
            return _both(left, right, BOOL, Kind.STRING)
        case "in":
            return BOOL if _fits_in(left, right) else None
        case _:
            return _coalesced(left, right)


def _both(left: Type, right: Type, result: Type, *kinds: Kind) -> Type | None:
    return result if may_be(left, *kinds) and may_be(right, *kinds) else None


def _unknown_fits(left: Type, right: Type, kinds: frozenset[Kind]) -> bool:
    if left.kind is not Kind.ANY and right.kind is not Kind.ANY:
        return False
    return may_be(left, *kinds) and may_be(right, *kinds)


def _arithmetic(operator: str, left: Type, right: Type) -> Type | None:
    if _number(left) and _number(right):
        return INT if left.kind is right.kind is Kind.INT else FLOAT
    table, kinds = _ARITHMETIC[operator]
    return table.get((left.kind, right.kind)) or (ANY if _unknown_fits(left, right, kinds) else None)


def _fits_in(left: Type, right: Type) -> bool:
    match right.kind:
        case Kind.ANY:
            return True
        case Kind.MAP | Kind.STRUCT:
            return may_be(left, Kind.STRING)
        case Kind.ARRAY:
            return comparable(left, right.element or ANY)
        case _:
            return False


def _coalesced(left: Type, right: Type) -> Type:
    if left.kind is Kind.NIL:
        return right
    return left if right.kind is Kind.NIL or left == right or left.kind is right.kind is Kind.ARRAY else ANY
