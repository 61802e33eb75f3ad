"""The JSONPath of printer columns and selectable fields.

Owns dotted fields, quoted keys, indices, wildcards and equality filters. Must not: write. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_STEP = re.compile(
    r"""\.?(?:(?P<name>(?:[^.\[\]'"\\]|\\.)+)|\[(?P<index>-?\d+)\]|\[(?P<all>\*)\]|\[(?P<quote>['"])(?P<key>.*?)(?P=quote)\]"""
    r"""|\[\?\(\s*@\.(?P<field>[\w.\-]+)\s*==\s*(?P<mark>['"]?)(?P<value>.*?)(?P=mark)\s*\)\])"""
)


def find(obj: Any, path: str) -> list[Any]:
    """Return everything that `path` leads to; empty when it leads nowhere.

    Raises:
        ValueError: the path cannot be read.

    >>> find({"a": [{"n": "x", "v": 1}, {"n": "y", "v": 2}]}, '.a[?(@.n=="y")].v')
    [2]
    """
    path = path.strip().strip("{}").removeprefix("$")
    found, position = [obj], 0
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None or step.end() == position:
            raise ValueError(f"cannot read the JSONPath {path!r} from position {position}")
        found = [item for value in found for item in _follow(value, step)]
        position = step.end()
    return found


def _follow(value: Any, step: re.Match[str]) -> Iterator[Any]:
    name = step["key"] if step["quote"] else step["name"]
    if name == "*" or step["all"]:
        yield from value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    elif name is not None:
        name = name.replace("\\", "")
        if isinstance(value, Mapping) and name in value:
            yield value[name]
    elif step["index"] is not None:
        if isinstance(value, list) and -len(value) <= int(step["index"]) < len(value):
            yield value[int(step["index"])]
    elif isinstance(value, list):
        yield from (item for item in value if find(item, step["field"])[:1] and str(find(item, step["field"])[0]) == step["value"])
