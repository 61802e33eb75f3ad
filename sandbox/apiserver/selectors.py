"""Label and field selectors: text to predicate.

Owns the grammar and what it matches. Must not: know where objects come from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from sandbox.apiserver.failures import bad_request, invalid
from sandbox.apiserver.naming import key_errors, label_errors

Predicate: TypeAlias = Callable[[Mapping[str, Any]], bool]

_WORD = re.compile(r"==|!=|[=<>!(),]|[^\s=<>!(),]+")
_SYMBOLS = frozenset({"=", "==", "!=", "<", ">", "!", "(", ")", ","})
_OPERATORS = {"in": "in", "notin": "notin", "=": "in", "==": "in", "!=": "notin", ">": "gt", "<": "lt"}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label: the operator is one of `in notin exists absent gt lt`."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels meet the condition; `!=` and `notin` also match where the label is missing."""
        value = labels.get(self.key)
        match self.operator:
            case "exists":
                return self.key in labels
            case "absent":
                return self.key not in labels
            case "in":
                return value in self.values
            case "notin":
                return value is None or value not in self.values
            case _:
                return self._ordered(value)

    def _ordered(self, value: str | None) -> bool:
        (bound,) = self.values
        try:
            number = int(value or "")
        except ValueError:
            return False
        return number > int(bound) if self.operator == "gt" else number < int(bound)


class _Words:
    """The words of a selector, read one by one."""

    def __init__(self, text: str) -> None:
        self._words = _WORD.findall(text)

    def next(self) -> str:
        """Return the next word without taking it; empty at the end."""
        return self._words[0] if self._words else ""

    def take(self) -> str:
        """Take the next word."""
        return self._words.pop(0) if self._words else ""

    def name(self) -> str:
        """Take a key or a value.

        Raises:
            Refusal: 400 when there is something else.
        """
        word = self.take()
        if not word or word in _SYMBOLS:
            raise bad_request(f"unable to parse requirement: found '{word}', expected: identifier")
        return word


def _requirement(words: _Words) -> Requirement:
    absent = words.next() == "!"
    if absent:
        words.take()
    key = words.name()
    if errors := key_errors("<nil>", key):
        raise bad_request(f"unable to parse requirement: {errors[0]}")
    if absent or words.next() in ("", ","):
        return Requirement(key, "absent" if absent else "exists")
    word = words.take()
    operator = _OPERATORS.get(word)
    if operator is None:
        raise bad_request(f"unable to parse requirement: found '{word}', expected: in, notin, =, ==, !=, gt, lt")
    values = _several(words) if word in ("in", "notin") else ["" if words.next() in ("", ",") else words.name()]
    _check_values(key, operator, values)
    return Requirement(key, operator, frozenset(values))


def _several(words: _Words) -> list[str]:
    if words.take() != "(":
        raise bad_request("unable to parse requirement: expected: '('")
    values = [""]
    while (word := words.take()) != ")":
        if word == ",":
            values.append("")
        elif not word or word in _SYMBOLS or values[-1]:
            raise bad_request(f"unable to parse requirement: found '{word}', expected: ',', ')' or identifier")
        else:
            values[-1] = word
    return values


def _check_values(key: str, operator: str, values: list[str]) -> None:
    for index, value in enumerate(values):
        field = f"values[{index}][{key}]"
        errors = label_errors(field, {key: value})
        if operator in ("gt", "lt") and not re.fullmatch(r"-?\d+", value):
            errors = [invalid(field, value, "for 'Gt', 'Lt' operators, the value must be an integer")]
        if errors:
            raise bad_request(f"unable to parse requirement: {errors[0]}")


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """Read a label selector such as `app=web,tier in (a, b),!legacy`.

    Raises:
        Refusal: 400 when it cannot be read.
    """
    words, found = _Words(text), []
    while words.next():
        found.append(_requirement(words))
        word = words.take()
        if word not in ("", ","):
            raise bad_request(f"found '{word}', expected: ',' or 'end of string'")
        if word == "," and (not words.next() or words.next() in _SYMBOLS - {"!"}):
            raise bad_request(f"found '{words.next()}', expected: identifier after ','")
    return tuple(found)


def label_predicate(text: str) -> Predicate | None:
    """Return a test for whole objects, None when everything matches."""
    requirements = parse_labels(text)
    if not requirements:
        return None

    def matches(obj: Mapping[str, Any]) -> bool:
        labels = obj["metadata"].get("labels") or {}
        return all(requirement.matches(labels) for requirement in requirements)

    return matches


def field_value(obj: Mapping[str, Any], path: str) -> str:
    """Return the text at a dotted path as field selectors compare it: missing is empty, booleans are lower case."""
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def field_predicate(text: str, allowed: frozenset[str], *, plain: bool = False) -> Predicate | None:
    """Read a field selector such as `spec.nodeName=n1,status.phase!=Failed`; None when everything matches.

    Args:
        text: the selector.
        allowed: the fields that may be selected by.
        plain: the kind has no fields of its own to select by; the refusal then names those that all kinds have.

    Raises:
        Refusal: 400 for a field outside `allowed`, or text that cannot be read.
    """
    terms: list[tuple[str, bool, str]] = []
    for part in filter(None, text.split(",")):
        found = re.match(r"^([^=!]+)(==|!=|=)(.*)$", part.strip())
        if not found:
            raise bad_request(f"invalid selector: {part!r}; can't understand {part!r}")
        path = found[1].strip()
        if path not in allowed:
            raise bad_request(_unknown(path, allowed, plain=plain))
        terms.append((path, found[2] != "!=", found[3].strip()))
    if not terms:
        return None
    return lambda obj: all((field_value(obj, path) == value) is equal for path, equal, value in terms)


def _unknown(path: str, allowed: frozenset[str], *, plain: bool) -> str:
    known = ", ".join(f'"{name}"' for name in sorted(allowed))
    return f'"{path}" is not a known field selector: only {known}' if plain else f"field label not supported: {path}"


def both(one: Predicate | None, other: Predicate | None) -> Predicate | None:
    """Return the conjunction of two optional tests."""
    if one is None or other is None:
        return one or other
    return lambda obj: one(obj) and other(obj)
