"""Static checking: what upstream's compiler refuses is refused here, before any measurement is judged.

Owns the walk over the tree with the types known before evaluation; an error means that the measurement is an Error, not Failed
(spec/analysis.md 1.8). Must not: evaluate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .builtins import Builtin
from .builtins_time import METHODS
from .closures import BOOLEAN_CLOSURES, CLOSURES, closure_type
from .errors import ExpressionError
from .operators import compiled
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
from .types import ANY, ARRAY, BOOL, INT, MAP, NIL, Type, binary_type, is_kind, may_be, type_of
from .values import Kind


def check(node: Node, *, text: str, names: Mapping[str, Type], functions: Mapping[str, Builtin]) -> Type:
    """Return the static type of the whole expression.

    Raises:
        ExpressionError: unknown name or function, operands that cannot fit, a wrong pattern; with its position.
    """
    try:
        return _Checker(text, names, functions).visit(node)
    except RecursionError:
        raise ExpressionError("the expression is nested too deeply", position=0, text=text) from None


_ELEMENT_ONLY = frozenset({""})
_POINTERS: Mapping[str, frozenset[str]] = {"map": frozenset({"", "index"}), "reduce": frozenset({"", "index", "acc"})}
"""What may follow `#` in the closure of a built-in; in all others only the element is known."""


class _Checker:
    __slots__ = ("_elements", "_functions", "_names", "_pointers", "_text")

    def __init__(self, text: str, names: Mapping[str, Type], functions: Mapping[str, Builtin]) -> None:
        self._text = text
        self._names = names
        self._functions = functions
        self._elements: list[Type] = []
        self._pointers: list[frozenset[str]] = []

    def visit(self, node: Node) -> Type:
        try:
            return _VISITS[type(node)](self, node)
        except ExpressionError as error:
            raise error.at(node.position, self._text) from None

    def literal(self, node: Literal) -> Type:
        return type_of(node.value)

    def name(self, node: Name) -> Type:
        if node.text == "$env":
            return MAP
        if node.text not in self._names:
            hint = " (it is a function: call it)" if node.text in self._functions or node.text in CLOSURES else ""
            raise ExpressionError(f"unknown name {node.text}{hint}")
        return self._names[node.text]

    def pointer(self, node: Pointer) -> Type:
        if node.text not in self._pointers[-1]:
            raise ExpressionError(f"unknown pointer #{node.text}")
        match node.text:
            case "":
                return self._elements[-1]
            case "index":
                return INT
            case _:
                return ANY

    def unary(self, node: Unary) -> Type:
        operand = self.visit(node.operand)
        kinds = (Kind.BOOL,) if node.operator == "!" else (Kind.INT, Kind.FLOAT)
        if not may_be(operand, *kinds):
            raise ExpressionError(f"invalid operation: {node.operator} (mismatched type {operand})")
        return BOOL if node.operator == "!" else operand

    def binary(self, node: Binary) -> Type:
        left, right = self.visit(node.left), self.visit(node.right)
        if node.operator == "matches" and isinstance(node.right, Literal) and isinstance(node.right.value, str):
            compiled(node.right.value)
        found = binary_type(node.operator, left, right)
        if found is None:
            raise ExpressionError(f"invalid operation: {node.operator} (mismatched types {left} and {right})")
        return found

    def conditional(self, node: Conditional) -> Type:
        condition = self.visit(node.condition)
        if not may_be(condition, Kind.BOOL):
            raise ExpressionError(f"non-bool expression (type {condition}) used as condition")
        then, otherwise = self.visit(node.then), self.visit(node.otherwise)
        if then.kind is Kind.NIL:
            return otherwise
        if otherwise.kind is Kind.NIL or then == otherwise:
            return then
        return ARRAY if then.kind is otherwise.kind is Kind.ARRAY else ANY

    def member(self, node: Member) -> Type:
        base, key = self.visit(node.base), self.visit(node.property)
        label = node.property.value if isinstance(node.property, Literal) else "..."
        if isinstance(node.base, Name) and node.base.text == "$env" and isinstance(node.property, Literal):
            return self.name(Name(str(label), node.position))
        match base.kind:
            case Kind.ANY:
                return ANY
            case Kind.MAP:
                if not may_be(key, Kind.STRING) and base.element is ANY and not isinstance(node.base, Call):
                    raise ExpressionError(f"cannot use {key} to get an element from {base}")
                return base.element or ANY
            case Kind.ARRAY:
                if not may_be(key, Kind.INT):
                    raise ExpressionError(f"array elements can only be selected using an integer (got {key})")
                return base.element or ANY
            case Kind.STRUCT if label in base.fields:
                return base.fields[str(label)]
            case _ if isinstance(node.property, Literal) and isinstance(label, str):
                raise ExpressionError(f"type {base} has no field {label}")
            case _:
                raise ExpressionError(f"type {base}[{key}] is undefined")

    def slice(self, node: Slice) -> Type:
        base = self.visit(node.base)
        if not may_be(base, Kind.ARRAY, Kind.STRING):
            raise ExpressionError(f"cannot slice {base}")
        for edge in (node.start, node.end):
            if edge is not None and not may_be(found := self.visit(edge), Kind.INT):
                raise ExpressionError(f"non-integer slice index {found}")
        return base

    def chain(self, node: Chain) -> Type:
        return self.visit(node.body)

    def call(self, node: Call) -> Type:
        if node.name in CLOSURES:
            return self._closure_call(node)
        function = self._functions.get(node.name)
        if function is None:
            raise ExpressionError(f"unknown name {node.name}")
        return function.check([self.visit(argument) for argument in node.arguments])

    def _closure_call(self, node: Call) -> Type:
        items = self.visit(node.arguments[0])
        if not may_be(items, Kind.ARRAY):
            raise ExpressionError(f"builtin {node.name} takes only array (got {items})")
        body: Type | None = None
        for argument in node.arguments[1:]:
            if isinstance(argument, Closure):
                self._elements.append(items.element or ANY)
                self._pointers.append(_POINTERS.get(node.name, _ELEMENT_ONLY))
                body = self.visit(argument.body)
                self._pointers.pop()
                self._elements.pop()
                if body.kind is Kind.NIL:
                    raise ExpressionError(f"the closure of {node.name} must give a value, but always gives nil")
            else:
                self.visit(argument)
        if node.name in BOOLEAN_CLOSURES and body is not None and not may_be(body, Kind.BOOL):
            raise ExpressionError(f"predicate should return boolean (got {body})")
        return closure_type(node.name, items, body)

    def method(self, node: MethodCall) -> Type:
        base = self.visit(node.base)
        arguments = [self.visit(argument) for argument in node.arguments]
        if base.kind is Kind.ANY:
            return ANY
        function = METHODS.get((base.kind, node.name))
        if function is None:
            raise ExpressionError(f"type {base} has no method {node.name}")
        return function.check([base, *arguments])

    def let(self, node: Let) -> Type:
        if node.name in self._names or node.name in self._functions or node.name in CLOSURES:
            raise ExpressionError(f"cannot redeclare {node.name}")
        value = self.visit(node.value)
        outside, self._names = self._names, {**self._names, node.name: value}
        found = self.visit(node.body)
        self._names = outside
        return found

    def sequence(self, node: Sequence) -> Type:
        return [self.visit(item) for item in node.items][-1]

    def closure(self, node: Closure) -> Type:
        return self.visit(node.body)

    def list_of(self, node: ListOf) -> Type:
        found = [self.visit(item) for item in node.items]
        same = bool(found) and all(one == found[0] for one in found)
        return Type(Kind.ARRAY, found[0] if same and not is_kind(found[0], NIL.kind) else ANY)

    def map_of(self, node: MapOf) -> Type:
        for key, value in node.pairs:
            if not may_be(found := self.visit(key), Kind.STRING):
                raise ExpressionError(f"cannot use {found} as a map key")
            self.visit(value)
        return MAP


_VISITS: Mapping[type, Callable[[_Checker, Any], Type]] = {
    Literal: _Checker.literal,
    Name: _Checker.name,
    Pointer: _Checker.pointer,
    Unary: _Checker.unary,
    Binary: _Checker.binary,
    Conditional: _Checker.conditional,
    Member: _Checker.member,
    Slice: _Checker.slice,
    Chain: _Checker.chain,
    Call: _Checker.call,
    MethodCall: _Checker.method,
    Closure: _Checker.closure,
    ListOf: _Checker.list_of,
    MapOf: _Checker.map_of,
    Let: _Checker.let,
    Sequence: _Checker.sequence,
}
