"""Everything that is wrong with an object whose check stops at the first thing: tell it, mend a copy there, check again.

Pure. Must not: judge; whoever calls brings the check. What is mended is thrown away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeAlias

from kube.objects import Object

MOST_ROUNDS = 50
_PARTS = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong, and at which field; without a path it is known of the object alone."""

    path: str
    text: str


Check: TypeAlias = Callable[[Object], Sequence[Trouble]]
Sound: TypeAlias = Mapping[str, Callable[[Any, int], Any]]
"""By the name of a list: what to put in the place of an entry and its position, so that nothing is wrong with it."""


def all_troubles(obj: Object, check: Check, *, sound: Sound) -> tuple[list[Trouble], Object]:
    """Return what a check finds in an object, again and again without what it found in the spec before, and the mended copy.

    What turns up at, around or inside a mended field is taken to come of the mending, and is not told.
    """
    told: list[Trouble] = []
    tried: set[str] = set()
    for _ in range(MOST_ROUNDS):
        found = list(dict.fromkeys(check(obj)))
        before = [one.path for one in told]
        told += [one for one in found if one not in told and not is_related(one.path, before)]
        better = obj
        for path in dict.fromkeys(one.path for one in found if one.path.startswith("spec.")):
            better = _mended(better, path_parts(path), sound=sound, whole=path in tried)
            tried.add(path)
        if better == obj:
            break
        obj = better
    return told, obj


def is_related(path: str, others: Iterable[str]) -> bool:
    """Tell whether a field is one of `others`, is inside one or around one.

    >>> is_related("spec.a", ["spec.a[1].b"]), is_related("spec.a.b", ["spec.a"]), is_related("spec.ab", ["spec.a"])
    (True, True, False)
    """
    return bool(path) and any(other and (is_within(path, other) or is_within(other, path)) for other in others)


def is_within(path: str, other: str) -> bool:
    """Tell whether a field is another, or inside it."""
    return path == other or path.startswith((f"{other}.", f"{other}["))


def path_parts(path: str) -> list[str | int]:
    """Return the keys and positions that a path is made of.

    >>> path_parts("spec.steps[2].setWeight")
    ['spec', 'steps', 2, 'setWeight']
    """
    return [key or int(index) for index, key in _PARTS.findall(path)]


def _mended(obj: Object, keys: Sequence[str | int], *, sound: Sound, whole: bool) -> Object:
    """Return a copy without a field; where that cannot be, or with `whole`, with a sound entry in the nearest list."""
    copy = deepcopy(obj)
    if not whole and not isinstance(keys[-1], int):
        around = _at(copy, keys[:-1])
        if isinstance(around, dict) and keys[-1] in around:
            del around[keys[-1]]
            return copy
    for end in range(len(keys) - 1, 0, -1):
        key, name = keys[end], str(keys[end - 1])
        entries = _at(copy, keys[:end])
        if isinstance(key, int) and name in sound and isinstance(entries, list) and key < len(entries):
            entries[key] = sound[name](entries[key], key)
            return copy
    return obj


def _at(value: Any, keys: Iterable[str | int]) -> Any:
    """Return what is inside a value; None when it is not there."""
    for key in keys:
        match value:
            case dict():
                value = value.get(key)
            case list() if isinstance(key, int) and key < len(value):
                value = value[key]
            case _:
                return None
    return value
