"""Tokens to a syntax tree, by precedence climbing.

Owns the grammar of expr-lang v1.17 (spec/analysis.md 1.8) with its quirks: `not` binds tighter than comparisons, `-2 ** 2` is -4,
comparisons chain, `??` binds tightest and does not mix. Must not: know types or values.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from .errors import ExpressionError
from .limits import MAX_DEPTH, MAX_NODES
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
from .tokens import WORD_OPERATORS, Token, TokenKind, tokens

_UNARY: Mapping[str, int] = {"not": 50, "!": 50, "-": 90, "+": 90}
_BINARY: Mapping[str, int] = {
    "|": 0,
    "or": 10,
    "||": 10,
    "and": 15,
    "&&": 15,
    "==": 20,
    "!=": 20,
    "<": 20,
    ">": 20,
    "<=": 20,
    ">=": 20,
    "in": 20,
    "matches": 20,
    "contains": 20,
    "startsWith": 20,
    "endsWith": 20,
    "..": 25,
    "+": 30,
    "-": 30,
    "*": 60,
    "/": 60,
    "%": 60,
    "**": 100,
    "^": 100,
    "??": 500,
}
_RIGHT_ASSOCIATIVE = frozenset({"**", "^"})
_COMPARISONS = frozenset({"<", ">", "<=", ">="})
_NEGATABLE = frozenset({"in", "matches", "contains", "startsWith", "endsWith"})
_SPELLING: Mapping[str, str] = {"or": "||", "and": "&&", "^": "**", "not": "!"}
_FLOAT_FUNCTIONS = frozenset({"isNaN", "isInf"})
"""They take a float64 and nothing else, but integer literals in their argument are read as floats."""
_CONSTANTS: Mapping[str, bool | None] = {"true": True, "false": False, "nil": None}


class _Takes(Enum):
    VALUE = "value"
    CLOSURE = "closure"
    OPTIONAL_VALUE = "optional value"
    OPTIONAL_CLOSURE = "optional closure"


_ONE_CLOSURE = (_Takes.VALUE, _Takes.CLOSURE)
_CLOSURES: Mapping[str, tuple[_Takes, ...]] = {
    **dict.fromkeys(
        ("all", "none", "any", "one", "filter", "map", "find", "findIndex", "findLast", "findLastIndex", "groupBy"), _ONE_CLOSURE
    ),
    "count": (_Takes.VALUE, _Takes.OPTIONAL_CLOSURE),
    "sum": (_Takes.VALUE, _Takes.OPTIONAL_CLOSURE),
    "sortBy": (_Takes.VALUE, _Takes.CLOSURE, _Takes.OPTIONAL_VALUE),
    "reduce": (_Takes.VALUE, _Takes.CLOSURE, _Takes.OPTIONAL_VALUE),
}


def parse(text: str) -> Node:
    """Return the syntax tree of an expression.

    Raises:
        ExpressionError: with the position of the offending token; also when the text is too long, too deep or has too many nodes.
    """
    try:
        return _Parser(text).whole()
    except RecursionError:
        raise ExpressionError("the expression is nested too deeply", position=0, text=text) from None


class _Parser:
    __slots__ = ("_at", "_closures", "_depth", "_nodes", "_text", "_tokens")

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._at = 0
        self._depth = 0
        self._closures = 0
        self._nodes = 0

    # --- tokens

    @property
    def _current(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        if token.kind is not TokenKind.END:
            self._at += 1
        return token

    def _is(self, text: str) -> bool:
        token = self._current
        return token.text == text and token.kind in (TokenKind.OPERATOR, TokenKind.BRACKET)

    def _take(self, text: str) -> bool:
        if self._is(text):
            self._at += 1
            return True
        return False

    def _expect(self, text: str) -> Token:
        if not self._is(text):
            raise self._unexpected()
        return self._next()

    def _unexpected(self) -> ExpressionError:
        return self._error(f"unexpected token {self._current}", self._current)

    def _error(self, message: str, token: Token) -> ExpressionError:
        return ExpressionError(message, position=token.position, text=self._text)

    def _count(self, token: Token) -> int:
        """Count a node and return its position."""
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._error(f"compilation failed: expression exceeds maximum allowed nodes ({MAX_NODES})", token)
        return token.position

    # --- expressions

    def whole(self) -> Node:
        node = self._sequence()
        if self._current.kind is not TokenKind.END:
            raise self._unexpected()
        return node

    def _expression(self, precedence: int) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"the expression is nested deeper than {MAX_DEPTH} levels", self._current)
        if precedence == 0 and self._is("let"):
            node = self._let()
        elif precedence == 0 and self._is("if"):
            node = self._if()
        else:
            node = self._binaries(self._primary(), precedence)
            if precedence == 0:
                node = self._conditional(node)
        self._depth -= 1
        return node

    def _sequence(self) -> Node:
        """Expressions between semicolons; one may stand last at the end of the text."""
        first = self._current
        items = [self._expression(0)]
        while self._take(";") and self._current.kind is not TokenKind.END:
            items.append(self._expression(0))
        return items[0] if len(items) == 1 else Sequence(tuple(items), self._count(first))

    def _let(self) -> Node:
        self._expect("let")
        name = self._next()
        if name.kind is not TokenKind.NAME:
            raise self._error(f"unexpected token {name}", name)
        self._expect("=")
        value = self._expression(0)
        self._expect(";")
        return Let(name.text, value, self._sequence(), self._count(name))

    def _if(self) -> Node:
        token = self._expect("if")
        condition = self._expression(0)
        then = self._block()
        self._expect("else")
        otherwise = self._if() if self._is("if") else self._block()
        return Conditional(condition, then, otherwise, self._count(token))

    def _block(self) -> Node:
        self._expect("{")
        node = self._sequence()
        self._expect("}")
        return node

    def _binaries(self, left: Node, precedence: int) -> Node:
        """Take every operator that binds at least as tightly as `precedence`."""
        last = ""
        while (operator := self._operator(precedence)) is not None:
            token, negated = operator
            if last == "??" and token.text not in ("??", "|"):
                text = f"Operator ({token.text}) and coalesce expressions (??) cannot be mixed. Wrap either by parentheses."
                raise self._error(text, token)
            left = self._binary(left, token)
            if negated:
                left = Unary("!", left, self._count(token))
            last = token.text
        return left

    def _operator(self, precedence: int) -> tuple[Token, bool] | None:
        """Consume and return the next binary operator and whether `not` stood before it; None if it belongs further out."""
        negated = self._is("not")
        token = self._tokens[self._at + 1] if negated else self._current
        if token.kind is not TokenKind.OPERATOR or (negated and token.text not in _NEGATABLE):
            if negated:
                raise self._error(f"unexpected token {token}", token)
            return None
        if _BINARY.get(token.text, -1) < precedence:
            return None
        self._at += 2 if negated else 1
        return token, negated

    def _binary(self, left: Node, token: Token) -> Node:
        operator = token.text
        if operator == "|":
            name = self._current
            if name.kind is not TokenKind.NAME:
                raise self._unexpected()
            self._next()
            return self._postfix(self._call(name, (left,)))
        if operator in _COMPARISONS:
            return self._comparisons(left, token)
        right = self._expression(_BINARY[operator] + (operator not in _RIGHT_ASSOCIATIVE))
        return Binary(_SPELLING.get(operator, operator), left, right, self._count(token))

    def _comparisons(self, left: Node, token: Token) -> Node:
        """`a < b < c` means `a < b && b < c`."""
        chain: Node | None = None
        while True:
            right = self._expression(_BINARY[token.text] + 1)
            link = Binary(token.text, left, right, self._count(token))
            chain = link if chain is None else Binary("&&", chain, link, self._count(token))
            if self._current.kind is not TokenKind.OPERATOR or self._current.text not in _COMPARISONS:
                return chain
            left, token = right, self._next()

    def _conditional(self, node: Node) -> Node:
        while self._is("?"):
            token = self._next()
            if self._take(":"):
                node = Conditional(node, node, self._expression(0), self._count(token))
                continue
            then = self._expression(0)
            self._expect(":")
            node = Conditional(node, then, self._expression(0), self._count(token))
        return node

    # --- operands

    def _primary(self) -> Node:
        token = self._current
        if token.kind is TokenKind.OPERATOR and token.text in _UNARY:
            self._next()
            operand = self._expression(_UNARY[token.text])
            return self._postfix(Unary(_SPELLING.get(token.text, token.text), operand, self._count(token)))
        if self._take("("):
            node = self._sequence()
            self._expect(")")
            return self._postfix(node)
        if self._closures and (self._is("#") or self._is(".")):
            return self._postfix(self._pointer(token))
        if self._take("::"):
            if self._current.kind is not TokenKind.NAME:
                raise self._unexpected()
            return self._postfix(self._call(self._next(), ()))
        return self._postfix(self._operand(token))

    def _pointer(self, token: Token) -> Node:
        name = ""
        if self._take("#") and self._current.kind is TokenKind.NAME:
            name = self._next().text
        return Pointer(name, self._count(token))

    def _operand(self, token: Token) -> Node:
        match token.kind:
            case TokenKind.NUMBER | TokenKind.STRING:
                self._next()
                return Literal(token.value, self._count(token))
            case TokenKind.NAME if token.text in _CONSTANTS:
                self._next()
                return Literal(_CONSTANTS[token.text], self._count(token))
            case TokenKind.NAME:
                self._next()
                return self._call(token, ()) if self._is("(") else Name(token.text, self._count(token))
            case TokenKind.BRACKET if token.text == "[":
                self._next()
                return ListOf(self._until("]"), self._count(token))
            case TokenKind.BRACKET if token.text == "{":
                self._next()
                return self._map(token)
            case _:
                raise self._unexpected()

    def _until(self, closing: str) -> tuple[Node, ...]:
        """Expressions between commas up to the closing bracket; a comma may stand last."""
        items: list[Node] = []
        while not self._take(closing):
            if items:
                self._expect(",")
                if self._take(closing):
                    break
            items.append(self._expression(0))
        return tuple(items)

    def _map(self, token: Token) -> Node:
        pairs: list[tuple[Node, Node]] = []
        while not self._take("}"):
            if pairs:
                self._expect(",")
                if self._take("}"):
                    break
            key = self._map_key()
            self._expect(":")
            pairs.append((key, self._expression(0)))
        return MapOf(tuple(pairs), self._count(token))

    def _map_key(self) -> Node:
        token = self._current
        if self._take("("):
            key = self._expression(0)
            self._expect(")")
            return key
        if token.kind is TokenKind.STRING:
            return Literal(self._next().value, self._count(token))
        if token.kind in (TokenKind.NUMBER, TokenKind.NAME):
            return Literal(self._next().text, self._count(token))
        raise self._error(
            "a map key must be a quoted string, a number, a identifier, or an expression enclosed in parentheses", token
        )

    # --- calls and what follows an operand

    def _call(self, name: Token, first: tuple[Node, ...]) -> Node:
        self._expect("(")
        takes = _CLOSURES.get(name.text)
        arguments = (*first, *self._until(")")) if takes is None else self._closure_arguments(takes, first)
        if name.text in _FLOAT_FUNCTIONS:
            arguments = tuple(map(_as_float, arguments))
        return Call(name.text, arguments, self._count(name))

    def _closure_arguments(self, takes: tuple[_Takes, ...], first: tuple[Node, ...]) -> tuple[Node, ...]:
        arguments = list(first)
        for take in takes[len(first) :]:
            if take in (_Takes.OPTIONAL_VALUE, _Takes.OPTIONAL_CLOSURE) and self._is(")"):
                break
            if len(arguments) > len(first):
                self._expect(",")
            closure = take in (_Takes.CLOSURE, _Takes.OPTIONAL_CLOSURE)
            arguments.append(self._closure() if closure else self._expression(0))
        self._take(",")
        self._expect(")")
        required = sum(take in (_Takes.VALUE, _Takes.CLOSURE) for take in takes)
        if len(arguments) < required:
            raise self._unexpected()
        return tuple(arguments)

    def _closure(self) -> Node:
        start = self._current
        braces = self._take("{")
        self._closures += 1
        body = self._sequence() if braces else self._expression(0)
        self._closures -= 1
        if braces:
            self._expect("}")
        return Closure(body, self._count(start))

    def _postfix(self, node: Node) -> Node:
        """Members, indices, slices and calls; in a closure `.name` comes here as a pointer with its dot still to be read.

        What `?.` may cut short reaches over the names that follow, but not over `[index]`: `a?.b[0]` fails when a is nil.
        """
        while True:
            token = self._current
            if self._is(".") or self._is("?."):
                self._next()
                optional = token.text == "?."
                node = self._index(node, optional=True) if optional and self._take("[") else self._member(node, optional=optional)
            elif self._take("["):
                node = self._index(node, optional=False)
            else:
                return node

    def _member(self, base: Node, *, optional: bool) -> Node:
        name = self._next()
        if name.kind is not TokenKind.NAME and name.text not in WORD_OPERATORS:
            raise self._error("expected name", name)
        chained = isinstance(base, Chain)
        inner = base.body if isinstance(base, Chain) else base
        node: Node
        if self._take("("):
            node = MethodCall(inner, name.text, self._until(")"), optional, self._count(name))
        else:
            node = Member(inner, Literal(name.text, self._count(name)), optional, self._count(name))
        return Chain(node, self._count(name)) if chained or optional else node

    def _index(self, base: Node, *, optional: bool) -> Node:
        token = self._current
        if self._take(":"):
            end = None if self._is("]") else self._expression(0)
            self._expect("]")
            return Slice(base, None, end, self._count(token))
        start = self._expression(0)
        if self._take(":"):
            end = None if self._is("]") else self._expression(0)
            self._expect("]")
            return Slice(base, start, end, self._count(token))
        self._expect("]")
        node = Member(base, start, optional, self._count(token))
        return Chain(node, self._count(token)) if optional else node


def _as_float(node: Node) -> Node:
    """Turn the integer literals of a sum or product into floats, where a function wants a float."""
    match node:
        case Literal(int() as value, position) if not isinstance(value, bool):
            return Literal(float(value), position)
        case Unary(operator, operand, position) if operator != "!":
            return Unary(operator, _as_float(operand), position)
        case Binary("+" | "-" | "*" as operator, left, right, position):
            return Binary(operator, _as_float(left), _as_float(right), position)
        case _:
            return node
