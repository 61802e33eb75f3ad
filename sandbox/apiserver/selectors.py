"""Label and field selectors: text to predicate.

Owns the grammar and what it matches. Must not: know where objects come from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from sandbox.apiserver.failures import bad_request

Predicate: TypeAlias = Callable[[Mapping[str, Any]], bool]

_KEY = r"[A-Za-z0-9](?:[A-Za-z0-9_./-]*[A-Za-z0-9])?"
_SET = re.compile(rf"^({_KEY})\s+(in|notin)\s*\(([^()]*)\)$")
_COMPARE = re.compile(rf"^({_KEY})\s*(==|=|!=|>|<)\s*([A-Za-z0-9_.\-]*)$")
_EXISTS = re.compile(rf"^(!?)\s*({_KEY})$")


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


def _split(text: str) -> list[str]:
    """Split at commas outside parentheses."""
    parts, depth, start = [], 0, 0
    for position, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    return [*parts, text[start:]]


def _requirement(text: str) -> Requirement:
    if found := _SET.match(text):
        values = frozenset(value.strip() for value in found[3].split(","))
        return Requirement(found[1], found[2], values)
    if found := _COMPARE.match(text):
        operator = {"=": "in", "==": "in", "!=": "notin", ">": "gt", "<": "lt"}[found[2]]
        if operator in ("gt", "lt") and not re.fullmatch(r"-?\d+", found[3]):
            raise bad_request(
                f'unable to parse requirement: values[0][{found[1]}]: Invalid value: "{found[3]}": must be an integer'
            )
        return Requirement(found[1], operator, frozenset({found[3]}))
    if found := _EXISTS.match(text):
        return Requirement(found[2], "absent" if found[1] else "exists")
    raise bad_request(f"unable to parse requirement: {text!r} is not a label selector")


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """Read a label selector such as `app=web,tier in (a, b),!legacy`.

    Raises:
        Refusal: 400 when it cannot be read.
    """
    if not text.strip():
        return ()
    return tuple(_requirement(part.strip()) for part in _split(text))


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


def field_predicate(text: str, allowed: frozenset[str]) -> Predicate | None:
    """Read a field selector such as `spec.nodeName=n1,status.phase!=Failed`; None when everything matches.

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
            raise bad_request(
                f'Unable to find "{path}" that match label selector "", field selector "{text}": field label not supported: {path}'
            )
        terms.append((path, found[2] != "!=", found[3].strip()))
    if not terms:
        return None
    return lambda obj: all((field_value(obj, path) == value) is equal for path, equal, value in terms)


def both(one: Predicate | None, other: Predicate | None) -> Predicate | None:
    """Return the conjunction of two optional tests."""
    if one is None or other is None:
        return one or other
    return lambda obj: one(obj) and other(obj)
