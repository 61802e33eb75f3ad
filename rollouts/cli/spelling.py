"""Names that nobody knows: fields and kinds of a manifest, each with what was probably meant.

The API server drops such fields in silence. Pure. Must not: judge values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kube.kinds import Kind
from rollouts.cli.guessing import closest


@dataclass(frozen=True, slots=True)
class Unknown:
    """A field that nobody knows."""

    path: str
    meant: str = ""
    """The path of the field that was probably meant; empty when none is near."""

    @property
    def around(self) -> str:
        """The path of the object that it is in."""
        return self.path[: max(self.path.rfind("."), 0)]

    def __str__(self) -> str:
        """Text for people: the field, and what was probably meant."""
        return f'unknown field "{self.path}"' + (f"; did you mean {self.meant.rpartition('.')[2]}?" if self.meant else "")


def unknown_fields(value: Any, schema: Mapping[str, Any], path: str = "") -> Iterator[Unknown]:
    """Yield each field that a structural schema does not know."""
    if not schema:
        return
    if isinstance(value, list):
        for at, element in enumerate(value):
            yield from unknown_fields(element, schema.get("items") or {}, f"{path}[{at}]")
    if not isinstance(value, Mapping):
        return
    properties, more = schema.get("properties") or {}, schema.get("additionalProperties")
    free = schema.get("x-kubernetes-preserve-unknown-fields") or more is True or not (properties or more)
    for key, child in value.items():
        place = f"{path}.{key}" if path else str(key)
        if key in properties:
            yield from unknown_fields(child, properties[key], place)
        elif isinstance(more, Mapping):
            yield from unknown_fields(child, more, place)
        elif not free:
            near = closest(str(key), properties)
            yield Unknown(place, near and place.removesuffix(str(key)) + near)


def unknown_kind(document: Mapping[str, Any], kinds: Iterable[Kind]) -> str:
    """Say which of `kinds` was probably meant by apiVersion and kind; empty when they are right or something else altogether."""
    version, name = str(document["apiVersion"]), str(document["kind"])
    group = version.rpartition("/")[0]
    known = {kind.name: kind for kind in kinds}
    exact = known.get(name)
    if exact is not None and group == exact.group:
        return "" if version == exact.api_version else f"{name} of {version} is not known; write apiVersion: {exact.api_version}"
    if exact is not None:
        near = closest(group, [exact.group])
        return f"{name} of {version} is not known; write apiVersion: {exact.api_version}" if near else ""
    meant = closest(name, [kind.name for kind in known.values() if kind.group == group], least=0.8)
    return f"kind {name} is not known in {version}; did you mean {meant}?" if meant else ""
