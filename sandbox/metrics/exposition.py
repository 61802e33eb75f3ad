"""Prometheus' text format: reading what a pod exposes, writing it again with the labels people query by.

Owns the format. Must not: know where text comes from or goes to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?:\{(.*)\})?\s+(\S+)(?:\s+(-?\d+))?\s*")
LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')
COMMENT = re.compile(r"#\s*(HELP|TYPE)\s+([a-zA-Z_:][a-zA-Z0-9_:]*)\s?(.*)")
HONOURED = ("__name__",)


class BadExposition(ValueError):
    """The text is not Prometheus' text format; says which line."""


@dataclass(frozen=True, slots=True)
class Line:
    """One sample: its metric, its labels as text between the braces, and value with time as they came."""

    name: str
    labels: str
    rest: str


@dataclass(frozen=True, slots=True)
class Exposed:
    """What one target exposes: samples in order, and each metric's comment lines."""

    lines: tuple[Line, ...]
    comments: Mapping[tuple[str, str], str]


def parse(text: str) -> Exposed:
    """Read a target's text.

    Raises:
        BadExposition: a line cannot be read; like Prometheus, nothing of such a target counts.
    """
    lines: list[Line] = []
    comments: dict[tuple[str, str], str] = {}
    for raw in text.splitlines():
        line = raw.strip()
        if not line:
            continue
        if line.startswith("#"):
            found = COMMENT.fullmatch(line)
            if found:
                comments.setdefault((found[2], found[1]), line)
            continue
        lines.append(_sample(line))
    return Exposed(tuple(lines), comments)


def relabelled(exposed: Exposed, labels: Mapping[str, str]) -> Iterator[str]:
    """Yield its samples with the target's labels added; a label of the same name is kept as `exported_NAME`."""
    added = braces(labels)[1:-1]
    clash = re.compile(rf'(^|,)\s*({"|".join(map(re.escape, labels))})\s*=\s*"') if labels else None
    for line in exposed.lines:
        own = line.labels.rstrip(", ")
        if clash and clash.search(own):
            own = ",".join(f'{"exported_" if key in labels else ""}{key}="{value}"' for key, value in LABEL.findall(own))
        yield f"{line.name}{{{added}{',' if own and added else ''}{own}}} {line.rest}"


def braces(labels: Mapping[str, str]) -> str:
    """Write labels as `{a="b"}`; empty ones are left out, as they mean the same as absent ones."""
    return "{" + ",".join(f'{key}="{escape(value)}"' for key, value in labels.items() if value) + "}"


def escape(value: str) -> str:
    """Escape a label value."""
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def histogram(
    name: str, labels: Mapping[str, str], *, bounds: Sequence[float], counts: Sequence[int], total: float
) -> Iterable[str]:
    """Yield the samples of a histogram from plain (not cumulative) counts; the last count is beyond all bounds."""
    below = 0
    for bound, count in zip([*bounds, float("inf")], counts, strict=True):
        below += count
        edge = "+Inf" if bound == float("inf") else f"{bound:g}"
        yield f"{name}_bucket{braces({**labels, 'le': edge})} {below}"
    yield f"{name}_sum{braces(labels)} {total:.6f}"
    yield f"{name}_count{braces(labels)} {below}"


def _sample(line: str) -> Line:
    found = SAMPLE.fullmatch(line)
    if found is None:
        raise BadExposition(f"not a sample: {line[:120]!r}")
    name, labels, value, at = found.groups()
    try:
        float(value)
    except ValueError:
        raise BadExposition(f"not a number: {line[:120]!r}") from None
    rest, position = (labels or "").strip(), 0
    while position < len(rest):
        label = LABEL.match(rest, position)
        if label is None:
            raise BadExposition(f"labels cannot be read: {line[:120]!r}")
        position = label.end()
    return Line(name, rest, f"{value} {at}" if at else value)
