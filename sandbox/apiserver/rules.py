"""Validation rules in the Common Expression Language: the few forms that the project's own definitions use.

Owns a small evaluator: field access, literals, comparison, `&& || !`, `has()`, `size()`, `in`, `self`, `oldSelf`.
Must not: guess; a rule outside this subset is refused when its definition is created.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.apiserver.failures import FieldError, shown

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>-?\d+(?:\.\d+)?)|(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<name>[A-Za-z_]\w*)|(?P<op>\|\||&&|[=!<>]=|[()\[\].,!<>?:]))"""
)
_COMPARE = ("==", "!=", "<=", ">=", "<", ">", "in")
_FUNCTIONS = frozenset({"has", "size"})


class UnsupportedRule(ValueError):
    """A rule uses something that this server does not evaluate."""


class _Missing(Exception):
    """A field that is not there was read."""


def _tokens(text: str) -> list[tuple[str, str]]:
    found, position = [], 0
    text = text.strip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise UnsupportedRule(f"cannot read {text[position : position + 20]!r} in rule {text!r}")
        found.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return found


class _Parser:
    """Recursive descent into nested tuples, which `_evaluate` walks."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._at = 0

    def parse(self) -> Any:
        tree = self._choice()
        if self._at < len(self._tokens):
            raise UnsupportedRule(f"{self._peek()!r} is not supported in rule {self._text!r}")
        return tree

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _take(self, *wanted: str) -> str:
        token = self._peek()
        if not token or (wanted and token not in wanted):
            raise UnsupportedRule(f"expected {' or '.join(wanted) or 'a value'} at {token!r} in rule {self._text!r}")
        self._at += 1
        return token

    def _choice(self) -> Any:
        condition = self._chain("||")
        if self._peek() != "?":
            return condition
        self._take("?")
        one = self._choice()
        self._take(":")
        return ("?", condition, one, self._choice())

    def _chain(self, operator: str) -> Any:
        def below() -> Any:
            return self._chain("&&") if operator == "||" else self._comparison()

        left = below()
        while self._peek() == operator:
            self._take()
            left = (operator, left, below())
        return left

    def _comparison(self) -> Any:
        left = self._unary()
        if self._peek() in _COMPARE:
            return (self._take(), left, self._unary())
        return left

    def _unary(self) -> Any:
        if self._peek() == "!":
            self._take()
            return ("!", self._unary())
        return self._member()

    def _member(self) -> Any:
        tree = self._primary()
        while self._peek() in (".", "["):
            if self._take() == ".":
                name = self._take()
                if self._peek() == "(":
                    if name != "size":
                        raise UnsupportedRule(f"the function {name}() is not supported in rule {self._text!r}")
                    self._take("(")
                    self._take(")")
                    tree = ("size", tree)
                else:
                    tree = (".", tree, name)
            else:
                tree = ("[]", tree, self._choice())
                self._take("]")
        return tree

    def _primary(self) -> Any:
        if self._at >= len(self._tokens):
            raise UnsupportedRule(f"rule {self._text!r} ends too early")
        kind, text = self._tokens[self._at]
        self._at += 1
        match kind, text:
            case "number", _:
                return ("=", json.loads(text))
            case "string", _:
                return ("=", text[1:-1].replace("\\" + text[0], text[0]))
            case _, "(":
                tree = self._choice()
                self._take(")")
                return tree
            case _, "[":
                return self._items()
            case "name", "true" | "false":
                return ("=", text == "true")
            case "name", "null":
                return ("=", None)
            case "name", "self" | "oldSelf":
                return ("name", text)
            case "name", _ if text in _FUNCTIONS:
                self._take("(")
                tree = (text, self._choice())
                self._take(")")
                return tree
        raise UnsupportedRule(f"{text!r} is not supported in rule {self._text!r}")

    def _items(self) -> Any:
        items = []
        while self._peek() != "]":
            items.append(self._choice())
            if self._peek() == ",":
                self._take()
        self._take("]")
        return ("list", *items)


def compiled(rule: str) -> Any:
    """Return the syntax tree of a rule.

    Raises:
        UnsupportedRule: it uses something that this server does not evaluate.
    """
    return _Parser(rule).parse()


def _evaluate(tree: Any, names: Mapping[str, Any]) -> Any:
    operator, *rest = tree
    match operator:
        case "=":
            return rest[0]
        case "name":
            return names[rest[0]]
        case "list":
            return [_evaluate(item, names) for item in rest]
        case "&&":
            return bool(_evaluate(rest[0], names)) and bool(_evaluate(rest[1], names))
        case "||":
            return bool(_evaluate(rest[0], names)) or bool(_evaluate(rest[1], names))
        case "!":
            return not _evaluate(rest[0], names)
        case "?":
            return _evaluate(rest[1] if _evaluate(rest[0], names) else rest[2], names)
        case "has":
            return _has(rest[0], names)
        case "size":
            return len(_evaluate(rest[0], names))
        case "." | "[]":
            key = rest[1] if operator == "." else _evaluate(rest[1], names)
            return _member_of(_evaluate(rest[0], names), key)
    return _compare(operator, _evaluate(rest[0], names), _evaluate(rest[1], names))


def _member_of(value: Any, key: Any) -> Any:
    try:
        return value[key]
    except (KeyError, IndexError, TypeError):
        raise _Missing(str(key)) from None


def _has(tree: Any, names: Mapping[str, Any]) -> bool:
    try:
        _evaluate(tree, names)
    except _Missing:
        return False
    return True


def _compare(operator: str, left: Any, right: Any) -> bool:
    match operator:
        case "==":
            return bool(left == right)
        case "!=":
            return bool(left != right)
        case "<":
            return bool(left < right)
        case "<=":
            return bool(left <= right)
        case ">":
            return bool(left > right)
        case ">=":
            return bool(left >= right)
    return left in right


def check(rule: Mapping[str, Any], new: Any, old: Any, path: str) -> Iterator[FieldError]:
    """Yield the error of a rule that does not hold; a rule about `oldSelf` needs an old value."""
    text = rule["rule"]
    if "oldSelf" in text and old is None and not rule.get("optionalOldSelf"):
        return
    try:
        holds = bool(_evaluate(compiled(text), {"self": new, "oldSelf": old}))
        detail = rule.get("message") or f"failed rule: {text}"
    except _Missing as error:
        holds, detail = False, f"rule evaluation error: no such key: {error}"
    except TypeError:
        holds, detail = False, f"rule evaluation error: no such overload in {text}"
    if not holds:
        field = path + str(rule.get("fieldPath", ""))
        kind = "object" if isinstance(new, Mapping) else "array" if isinstance(new, list) else None
        yield FieldError(
            field.lstrip("."), str(rule.get("reason", "FieldValueInvalid")), f"Invalid value: {shown(kind or new)}: {detail}"
        )


def unsupported_rules(schema: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the path and the complaint for every rule below a schema that this server does not evaluate."""
    if not isinstance(schema, Mapping):
        return
    for rule in schema.get("x-kubernetes-validations") or ():
        try:
            compiled(rule["rule"])
        except UnsupportedRule as error:
            yield path, str(error)
    for name, child in (schema.get("properties") or {}).items():
        yield from unsupported_rules(child, f"{path}.properties[{name}]")
    for name in ("items", "additionalProperties"):
        yield from unsupported_rules(schema.get(name), f"{path}.{name}")
