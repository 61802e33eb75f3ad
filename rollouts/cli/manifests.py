"""YAML and JSON as kubectl reads them, with the line that each part came from.

Owns the syntax: what is no YAML, keys that are there twice, text that grows without end. Must not: open files or judge objects.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from rollouts.engine.mending import path_parts

LARGEST_NODES = 1_000_000
"""How many values a document may have once its aliases are written out; a bigger one is no manifest."""

DEEPEST = 200
"""How many values may be inside each other. The C library that reads YAML crashes at some thousands."""

_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_BASE):  # type: ignore[misc]
    """YAML as kubectl understands it: a time or a `1:30` without quotes is text."""


_NOT_SPECIAL = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")
_CLOCK = ("tag:yaml.org,2002:str", re.compile(r"^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?$"))
_Loader.yaml_implicit_resolvers = {
    first: [*([_CLOCK] if first in "-+0123456789" else []), *(one for one in resolvers if one[0] not in _NOT_SPECIAL)]
    for first, resolvers in _BASE.yaml_implicit_resolvers.items()
}


class BadManifest(Exception):
    """A text that is no YAML, or no manifest; each of `problems` begins with file and line."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Document:
    """One object of a file, or whatever stands where one should be."""

    content: Any
    file: str
    node: yaml.Node | None = None
    """Where it was read from; None if that is not known."""

    def place(self, path: str = "") -> str:
        """Return file and line of a field, or of the nearest part around it that is there.

        >>> Document({"spec": {}}, "shop.yaml").place("spec.replicas")
        'shop.yaml'
        """
        line = self.line(path)
        return f"{self.file}:{line}" if line else self.file

    def line(self, path: str = "") -> int:
        """Return the line of a field, or of the nearest part around it that is there; 0 if it is not known."""
        node = self.node
        if node is None:
            return 0
        line = _line(node)
        for key in path_parts(path):
            inside = _inside(node, key)
            if inside is None:
                break
            line, node = inside
        return line + 1


def _line(part: yaml.Node | yaml.Event) -> int:
    """Return the line, counted from 0, where something begins."""
    mark = part.start_mark
    return mark.line if mark is not None else 0


def _inside(node: yaml.Node, key: str | int) -> tuple[int, yaml.Node] | None:
    """Return the line where a field or an item begins, and its value."""
    match node:
        case yaml.MappingNode():
            return next(((_line(name), value) for name, value in node.value if name.value == key), None)
        case yaml.SequenceNode() if isinstance(key, int) and key < len(node.value):
            return _line(node.value[key]), node.value[key]
    return None


def parse(text: str, file: str) -> list[Document]:
    """Return the documents of a text; empty ones are left out, `List`s are taken apart.

    Raises:
        BadManifest: it is no YAML and no JSON, has a key twice, or is nested or multiplied beyond any manifest.
    """
    try:
        return [document for one in _documents(text, file) for document in _items(one)]
    except yaml.YAMLError as error:
        try:
            return list(_items(Document(json.loads(text), file)))  # JSON that YAML cannot read, such as one with odd escapes
        except (ValueError, RecursionError):
            raise BadManifest([_where(error, file)]) from error


def _documents(text: str, file: str) -> Iterator[Document]:
    _check_depth(text, file)
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            _check_size(node, file)
            twice = [f"{file}:{line + 1}: {text}" for line, text in _repeated(node)]
            if twice:
                raise BadManifest(twice)
            content = loader.construct_document(node)
            if content is not None:
                yield Document(content, file, node)
    finally:
        loader.dispose()


def _items(document: Document) -> Iterator[Document]:
    content, node = document.content, document.node
    items = content.get("items") if isinstance(content, dict) and content.get("kind") == "List" else None
    if not isinstance(items, list):
        yield document
        return
    found = _inside(node, "items") if node is not None else None
    nodes = found[1].value if found else [None] * len(items)
    yield from (Document(item, document.file, at) for item, at in zip(items, nodes, strict=True))


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    match node:
        case yaml.MappingNode():
            yield from (one for pair in node.value for one in pair)
        case yaml.SequenceNode():
            yield from node.value


def _check_depth(text: str, file: str) -> None:
    """Refuse what is nested so deeply that reading it fails.

    Raises:
        BadManifest: it is.
    """
    depth = 0
    for event in yaml.parse(text, Loader=_BASE):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            raise BadManifest([f"{file}:{_line(event) + 1}: is nested more than {DEEPEST} levels deep"])


def _check_size(root: yaml.Node, file: str) -> None:
    """Refuse what aliases make endless, huge or deep.

    Raises:
        BadManifest: they do.
    """
    measured: dict[int, tuple[int, int] | None] = {}

    def measure(node: yaml.Node) -> tuple[int, int]:
        if id(node) not in measured:
            measured[id(node)] = None
            inside = [measure(child) for child in _children(node)]
            measured[id(node)] = 1 + sum(size for size, _ in inside), 1 + max((depth for _, depth in inside), default=0)
        found = measured[id(node)]
        if found is None:
            raise BadManifest([f"{file}:{_line(node) + 1}: an alias refers to what it is part of"])
        return found

    size, depth = measure(root)
    if size > LARGEST_NODES or depth > DEEPEST:
        what = f"more than {LARGEST_NODES} values" if size > LARGEST_NODES else f"more than {DEEPEST} levels"
        raise BadManifest([f"{file}:{_line(root) + 1}: has {what} when its aliases are written out"])


def _repeated(root: yaml.Node) -> Iterator[tuple[int, str]]:
    """Yield line and sentence for each key that its mapping has already."""
    pending, seen = [root], set()
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        pending += reversed(list(_children(node)))
        lines: dict[str, int] = {}
        for name, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(name, yaml.ScalarNode):
                continue
            line = _line(name)
            if name.value in lines:
                yield (
                    line,
                    f'key "{name.value}" is there twice, first in line {lines[name.value] + 1}; one would be lost',
                )
            lines.setdefault(name.value, line)


def _where(error: yaml.YAMLError, file: str) -> str:
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return f"{file}: is no YAML: {str(error).splitlines()[0]}"
    mark, context = error.problem_mark, f" {error.context}" if error.context else ""
    return f"{file}:{mark.line + 1}:{mark.column + 1}: is no YAML: {error.problem}{context}"
