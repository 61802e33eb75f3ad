"""Evaluation of a checked syntax tree, node by node, within a budget.

Owns evaluation order, short circuits, closures' scopes and where an error is. Must not: use eval, reach attributes of Python
objects, or touch anything but the values it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .builtins import Builtin, Context
from .builtins_collections import lookup
from .builtins_time import METHODS
from .closures import CLOSURES
from .errors import ExpressionError
from .operators import BINARY, truncate, wrap
from .syntax import (
    Binary,
    Call,
    Chain,
    Closure,
    Conditional,
    Let,
    ListOf,
    Literal,
    MapOf,
    Member,
    MethodCall,
    Name,
    Node,
    Pointer,
    Sequence,
    Slice,
    Unary,
)
from .types import ANY
from .values import Kind, go_type, kind_of


@dataclass(frozen=True, slots=True)
class _Scope:
    element: Any
    index: int
    accumulator: Any


class _CutShort(Exception):
    """`?.` met nil: the chain around it is nil."""


def evaluate(node: Node, *, text: str, names: Mapping[str, Any], functions: Mapping[str, Builtin], context: Context) -> Any:
    """Return the value of a tree that `check` has accepted.

    Raises:
        ExpressionError: with its position; also when the budget is spent or the data is nested too deeply.
    """
    try:
        return _Evaluator(text, names, functions, context).value(node)
    except RecursionError:
        raise ExpressionError("the evaluation is nested too deeply", position=0, text=text) from None


class _Evaluator:
    __slots__ = ("_context", "_functions", "_names", "_scopes", "_text", "_variables")

    def __init__(self, text: str, names: Mapping[str, Any], functions: Mapping[str, Builtin], context: Context) -> None:
        self._text = text
        self._names = names
        self._functions = functions
        self._context = context
        self._scopes: list[_Scope] = []
        self._variables: dict[str, Any] = {}

    def value(self, node: Node) -> Any:
        self._context.budget.step()
        try:
            return _VALUES[type(node)](self, node)
        except ExpressionError as error:
            raise error.at(node.position, self._text) from None

    def literal(self, node: Literal) -> Any:
        return node.value

    def name(self, node: Name) -> Any:
        if node.text in self._variables:
            return self._variables[node.text]
        return dict(self._names) if node.text == "$env" else self._names[node.text]

    def let(self, node: Let) -> Any:
        outside, value = self._variables, self.value(node.value)
        self._variables = {**outside, node.name: value}
        try:
            return self.value(node.body)
        finally:
            self._variables = outside

    def sequence(self, node: Sequence) -> Any:
        return [self.value(item) for item in node.items][-1]

    def pointer(self, node: Pointer) -> Any:
        scope = self._scopes[-1]
        match node.text:
            case "":
                return scope.element
            case "index":
                return scope.index
            case _:
                return scope.accumulator

    def unary(self, node: Unary) -> Any:
        operand = self.value(node.operand)
        if node.operator == "!":
            return not _boolean(operand)
        if kind_of(operand) not in (Kind.INT, Kind.FLOAT):
            raise ExpressionError(f"invalid operation: {node.operator} {go_type(operand)}")
        if node.operator == "+":
            return operand
        return wrap(-operand) if isinstance(operand, int) else -operand

    def binary(self, node: Binary) -> Any:
        match node.operator:
            case "&&":
                return _boolean(self.value(node.left)) and _boolean(self.value(node.right))
            case "||":
                return _boolean(self.value(node.left)) or _boolean(self.value(node.right))
            case "??":
                left = self.value(node.left)
                return self.value(node.right) if left is None else left
            case "in" if _only_strings(node.right) and kind_of(needle := self.value(node.left)) not in (Kind.STRING, Kind.NIL):
                raise ExpressionError(f"cannot look for {go_type(needle)} in a list of strings; convert it with string()")
            case operator:
                return BINARY[operator](self.value(node.left), self.value(node.right), self._context.budget)

    def conditional(self, node: Conditional) -> Any:
        condition = self.value(node.condition)
        return self.value(node.then if _boolean(condition) else node.otherwise)

    def member(self, node: Member) -> Any:
        base = self.value(node.base)
        if base is None and node.optional:
            raise _CutShort
        return fetch(base, self.value(node.property))

    def slice(self, node: Slice) -> Any:
        base = self.value(node.base)
        if kind_of(base) not in (Kind.ARRAY, Kind.STRING):
            raise ExpressionError(f"cannot slice {go_type(base)}")
        start = 0 if node.start is None else _edge(self.value(node.start), len(base))
        end = len(base) if node.end is None else _edge(self.value(node.end), len(base))
        if isinstance(base, str):
            self._context.budget.characters(len(base))
        else:
            self._context.budget.elements(max(0, end - start))
        return base[start:end]

    def chain(self, node: Chain) -> Any:
        try:
            return self.value(node.body)
        except _CutShort:
            return None

    def call(self, node: Call) -> Any:
        if node.name in CLOSURES:
            return self._closure_call(node)
        arguments = [self.value(argument) for argument in node.arguments]
        return self._functions[node.name].call(self._context, arguments)

    def _closure_call(self, node: Call) -> Any:
        items = self.value(node.arguments[0])
        if kind_of(items) is not Kind.ARRAY:
            raise ExpressionError(f"builtin {node.name} takes only array (got {go_type(items)})")
        self._context.budget.step(len(items))
        predicate: Callable[[Any, int, Any], Any] | None = None
        rest: list[Any] = []
        for argument in node.arguments[1:]:
            if isinstance(argument, Closure):
                predicate = self._predicate(argument)
            else:
                rest.append(self.value(argument))
        return CLOSURES[node.name](self._context, items, predicate, tuple(rest))

    def _predicate(self, closure: Closure) -> Callable[[Any, int, Any], Any]:
        def run(element: Any, index: int, accumulator: Any) -> Any:
            self._scopes.append(_Scope(element, index, accumulator))
            try:
                return self.value(closure.body)
            finally:
                self._scopes.pop()

        return run

    def method(self, node: MethodCall) -> Any:
        base = self.value(node.base)
        if base is None and node.optional:
            raise _CutShort
        function = METHODS.get((kind_of(base), node.name))
        if function is None:
            raise ExpressionError(f"{go_type(base)} has no method {node.name}")
        arguments = [base, *(self.value(argument) for argument in node.arguments)]
        function.check([ANY] * len(arguments))
        return function.call(self._context, arguments)

    def list_of(self, node: ListOf) -> Any:
        self._context.budget.elements(len(node.items))
        return [self.value(item) for item in node.items]

    def map_of(self, node: MapOf) -> Any:
        self._context.budget.elements(len(node.pairs))
        made: dict[str, Any] = {}
        for key_node, value_node in node.pairs:
            key = self.value(key_node)
            if not isinstance(key, str):
                raise ExpressionError(f"cannot use {go_type(key)} as a map key")
            made[key] = self.value(value_node)
        return made


def _only_strings(node: Node) -> bool:
    """Whether it is `['a', 'b']`: upstream turns such a list into a map, in which only a string can be looked for."""
    return (
        isinstance(node, ListOf)
        and bool(node.items)
        and all(isinstance(i, Literal) and isinstance(i.value, str) for i in node.items)
    )


def fetch(base: Any, key: Any) -> Any:
    """Return an element, a character's code, or the value of a key (nil if missing); raises ExpressionError for anything else."""
    match kind_of(base):
        case Kind.ARRAY | Kind.STRING:
            if kind_of(key) not in (Kind.INT, Kind.FLOAT):
                raise ExpressionError(f"cannot fetch {key!r} from {go_type(base)}")
            index = truncate(key) if isinstance(key, float) else key
            if not -len(base) <= index < len(base):
                raise ExpressionError(f"index out of range: {index} (array length is {len(base)})")
            return ord(base[index]) if isinstance(base, str) else base[index]
        case Kind.MAP:
            return lookup(base, key)
        case _:
            label = key if isinstance(key, str) else go_type(key)
            raise ExpressionError(f"cannot fetch {label} from {go_type(base)}")


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ExpressionError(f"expected bool, but got {go_type(value)}")
    return value


def _edge(value: Any, length: int) -> int:
    """Return an end of a slice as an index from 0 to `length`."""
    if kind_of(value) not in (Kind.INT, Kind.FLOAT):
        raise ExpressionError(f"non-integer slice index {go_type(value)}")
    index = truncate(value) if isinstance(value, float) else int(value)
    return max(0, min(length, index + length if index < 0 else index))


_VALUES: Mapping[type, Callable[[_Evaluator, Any], Any]] = {
    Literal: _Evaluator.literal,
    Name: _Evaluator.name,
    Pointer: _Evaluator.pointer,
    Unary: _Evaluator.unary,
    Binary: _Evaluator.binary,
    Conditional: _Evaluator.conditional,
    Member: _Evaluator.member,
    Slice: _Evaluator.slice,
    Chain: _Evaluator.chain,
    Call: _Evaluator.call,
    MethodCall: _Evaluator.method,
    ListOf: _Evaluator.list_of,
    MapOf: _Evaluator.map_of,
    Let: _Evaluator.let,
    Sequence: _Evaluator.sequence,
}
