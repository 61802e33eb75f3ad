"""Kubernetes' JSONPath templates, as far as metric and printer-column paths use them.

Owns `{$.a.b}` and its relatives: child, quoted child, index, slice, wildcard, recursive descent, union and filter. Must not:
print templates with text around the path (`range`, `end` and several `{...}` are refused).

Compared with k8s.io/client-go/util/jsonpath. More is served here than there: the braces and the `$` may be missing (there, such a
template is plain text), names may stand in double quotes, dots in quoted names need no backslash, whole numbers compare with
JSON's numbers in filters, and elements that lack a filter's key are passed over (both are errors there). Less is served: a filter
must begin with `@`, a recursive descent needs a name, an index or `*`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import eq, ge, gt, le, lt, ne
from typing import Any, TypeAlias

MAX_PATH = 4_096
"""Characters of a path."""
MAX_MATCHES = 100_000
"""Values a path may find, and values one recursive step may visit."""


class JSONPathError(Exception):
    """The path is wrong, or leads nowhere in this data; the text says where."""


@dataclass(frozen=True, slots=True)
class _Child:
    name: str


@dataclass(frozen=True, slots=True)
class _Range:
    start: int | None
    end: int | None
    step: int


@dataclass(frozen=True, slots=True)
class _Index:
    at: int


@dataclass(frozen=True, slots=True)
class _Wildcard:
    pass


@dataclass(frozen=True, slots=True)
class _Descent:
    """Everything below, and the value itself."""


@dataclass(frozen=True, slots=True)
class _Filter:
    left: tuple[_Step, ...]
    operator: str
    right: tuple[_Step, ...] | str | float | bool | None


@dataclass(frozen=True, slots=True)
class _Union:
    parts: tuple[_Step, ...]


_Step: TypeAlias = _Child | _Range | _Index | _Wildcard | _Descent | _Filter | _Union

_NAME = re.compile(r"(?:\\.|[^\s.\[\]{}()'\"\\@,?*=<>!~])+")
_NUMBER = re.compile(r"-?[0-9]+")
_QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""")
_SLICE = re.compile(r"(-?[0-9]*):(-?[0-9]*)(?::(-?[0-9]*))?")
_OPERATOR = re.compile(r"\s*(==|!=|<=|>=|<|>)\s*")
_FLOAT = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {"==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}


def find(path: str, data: Any, *, allow_missing: bool = False) -> list[Any]:
    """Return every value the path leads to, in document order.

    `path` is `{$.a.b}`; the braces and the `$` may be left out, as printer columns do. With `allow_missing` a missing key gives
    an empty list.

    Raises:
        JSONPathError: the path is wrong; a key is not there ("a is not found"); an index is out of bounds.
    """
    found = [data]
    lenient = allow_missing
    for step in _parsed(path):
        found = _apply(step, found, lenient)
        lenient = allow_missing or isinstance(step, _Descent)
    return found


def first(path: str, data: Any) -> Any:
    """Return the first value the path leads to (the web provider takes only that).

    Raises:
        JSONPathError: as `find`, and when nothing matches.
    """
    found = find(path, data)
    if not found:
        raise JSONPathError(f"the JSONPath {path} finds no value")
    return found[0]


# --- reading a path


@lru_cache(maxsize=512)
def _parsed(path: str) -> tuple[_Step, ...]:
    if len(path) > MAX_PATH:
        raise JSONPathError(f"the JSONPath is longer than {MAX_PATH} characters")
    text = path.strip()
    if text.startswith("{"):
        if not text.endswith("}"):
            raise JSONPathError(f"unclosed action in JSONPath {path}")
        text = text[1:-1].strip()
    reader = _Reader(text)
    if not reader.skip("$"):
        reader.skip("@")
    try:
        steps = reader.steps(relative=False)
    except RecursionError:
        raise JSONPathError("the filters of the JSONPath are nested too deeply") from None
    if not reader.at_end():
        raise reader.error("unexpected text")
    return steps


class _Reader:
    __slots__ = ("_at", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def at_end(self) -> bool:
        return self._at >= len(self._text)

    def error(self, what: str) -> JSONPathError:
        return JSONPathError(f"invalid JSONPath: {what} at character {self._at + 1} of {self._text!r}")

    def skip(self, text: str) -> bool:
        if self._text.startswith(text, self._at):
            self._at += len(text)
            return True
        return False

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self._text, self._at)
        if match is not None:
            self._at = match.end()
        return match

    def steps(self, *, relative: bool) -> tuple[_Step, ...]:
        steps: list[_Step] = []
        if not relative and (name := self.take(_NAME)) is not None:
            steps.append(_Child(_unquote(name[0])))
        while not self.at_end():
            if self.skip(".."):
                steps.append(_Descent())
                if not self._text.startswith("[", self._at):
                    steps.append(self._name())
            elif self.skip("."):
                if self.at_end():
                    break
                if not self._text.startswith("[", self._at):
                    steps.append(self._name())
            elif self.skip("["):
                steps.append(self._bracket())
            else:
                break
        return tuple(steps)

    def _name(self) -> _Step:
        if self.skip("*"):
            return _Wildcard()
        match = self.take(_NAME)
        if match is None:
            raise self.error("a name is missing")
        return _Child(_unquote(match[0]))

    def _bracket(self) -> _Step:
        self._space()
        if self.skip("?("):
            step: _Step = self._filter()
        else:
            parts = [self._part()]
            while self.skip(","):
                self._space()
                parts.append(self._part())
            step = parts[0] if len(parts) == 1 else _Union(tuple(parts))
        if not self.skip("]"):
            raise self.error("a bracket is not closed")
        return step

    def _part(self) -> _Step:
        found: _Step
        if self.skip("*"):
            found = _Range(None, None, 1)
        elif (quoted := self.take(_QUOTED)) is not None:
            found = _Child(_unquote(quoted[1] if quoted[1] is not None else quoted[2]))
        elif (window := self.take(_SLICE)) is not None:
            start, end, step = (int(edge) if edge not in (None, "", "-") else None for edge in window.groups())
            if step is not None and step <= 0:
                raise self.error("the step of a slice must be positive")
            found = _Range(start, end, step or 1)
        elif (number := self.take(_NUMBER)) is not None:
            found = _Index(_integer(number[0]))
        else:
            raise self.error("an index, a quoted name, a slice, * or ?( is missing")
        self._space()
        return found

    def _filter(self) -> _Filter:
        self._space()
        if not self.skip("@"):
            raise self.error("a filter must begin with @")
        left = self.steps(relative=True)
        match = self.take(_OPERATOR)
        operator, right = ("exists", None) if match is None else (match[1], self._operand())
        self._space()
        if not self.skip(")"):
            raise self.error("a filter is not closed; it compares two values (== != < <= > >=)")
        return _Filter(left, operator, right)

    def _operand(self) -> tuple[_Step, ...] | str | float | bool | None:
        if self.skip("@"):
            return self.steps(relative=True)
        if (quoted := self.take(_QUOTED)) is not None:
            return _unquote(quoted[1] if quoted[1] is not None else quoted[2])
        if (number := self.take(_FLOAT)) is not None:
            return float(number[0])
        for word, value in (("true", True), ("false", False), ("null", None)):
            if self.skip(word):
                return value
        raise self.error("a filter compares with a quoted text, a number, true, false, null or @.path")

    def _space(self) -> None:
        while self.skip(" "):
            pass


def _integer(text: str) -> int:
    if len(text) > 18:
        raise JSONPathError(f"invalid array index {text}")
    return int(text)


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


# --- walking the data


def _apply(step: _Step, values: list[Any], lenient: bool) -> list[Any]:
    """Take a step from every value; a name may be missing in some of them, but not in all."""
    found: list[Any] = []
    strict_name = isinstance(step, _Child) and not lenient
    for value in values:
        for item in _step(step, value, lenient or strict_name):
            found.append(item)
            if len(found) > MAX_MATCHES:
                raise JSONPathError(f"the JSONPath finds more than {MAX_MATCHES} values")
    if strict_name and values and not found:
        return list(_step(step, values[0], lenient))
    return found


def _step(step: _Step, value: Any, lenient: bool) -> Iterator[Any]:
    match step:
        case _Child(name):
            return _child(name, value, lenient)
        case _Index(at):
            return _index(at, value, lenient)
        case _Range():
            return iter(_slice(step, value, lenient))
        case _Wildcard():
            return iter(_children(value))
        case _Descent():
            return _below(value)
        case _Filter():
            return (item for item in _elements(value) if _holds(step, item))
        case _Union(parts):
            return (item for part in parts for item in _step(part, value, lenient))


def _child(name: str, value: Any, lenient: bool) -> Iterator[Any]:
    if isinstance(value, Mapping):
        if name in value:
            yield value[name]
            return
        if not lenient:
            raise JSONPathError(f"{name} is not found")
    elif not lenient:
        hint = ": there is a list here; write [0] or [*] before it" if isinstance(value, list) else ""
        raise JSONPathError(f"{name} is not found{hint}")


def _index(at: int, value: Any, lenient: bool) -> Iterator[Any]:
    if not isinstance(value, list):
        if not lenient and value is not None:
            raise JSONPathError(f"[{at}] is applied to something that is not a list")
        return
    if -len(value) <= at < len(value):
        yield value[at]
    elif not lenient:
        raise JSONPathError(f"array index out of bounds: index {at}, length {len(value)}")


def _slice(window: _Range, value: Any, lenient: bool) -> list[Any]:
    """The elements of a window, which must lie inside the list unless it is empty; null has no elements."""
    if not isinstance(value, list):
        if lenient or value is None:
            return []
        raise JSONPathError("[*] or a slice is applied to something that is not a list; write .* for the values of an object")
    length = len(value)
    start, end = (edge + length if edge < 0 else edge for edge in (window.start or 0, length if window.end is None else window.end))
    if start == end or lenient:
        return value[max(start, 0) : max(end, 0) : window.step]
    for index in (start, end - 1):
        if not 0 <= index < length:
            raise JSONPathError(f"array index out of bounds: index {index}, length {length}")
    if start > end:
        raise JSONPathError(f"starting index {start} is greater than ending index {end}")
    return value[start : end : window.step]


def _children(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else []


def _below(value: Any) -> Iterator[Any]:
    """The value and all that is in it, outermost first; without recursion, so depth does not matter."""
    waiting = [value]
    for _ in range(MAX_MATCHES + 1):
        if not waiting:
            return
        current = waiting.pop()
        yield current
        waiting.extend(reversed(_children(current)))
    raise JSONPathError(f"the recursive descent visits more than {MAX_MATCHES} values")


def _elements(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _holds(test: _Filter, item: Any) -> bool:
    left = _values(test.left, item)
    if test.operator == "exists":
        return bool(left)
    right = _values(test.right, item) if isinstance(test.right, tuple) else [test.right]
    if not left or not right:
        return False
    a, b = left[0], right[0]
    if _comparable(a, b):
        return bool(_COMPARE[test.operator](a, b))
    return test.operator == "!="


def _values(steps: tuple[_Step, ...], item: Any) -> list[Any]:
    found = [item]
    for step in steps:
        found = _apply(step, found, True)
    return found


def _comparable(left: Any, right: Any) -> bool:
    numbers = all(isinstance(side, (int, float)) and not isinstance(side, bool) for side in (left, right))
    return numbers or (type(left) is type(right) and isinstance(left, str)) or (isinstance(left, bool) and isinstance(right, bool))
