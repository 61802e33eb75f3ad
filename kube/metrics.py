"""Numbers as Prometheus reads them: histograms that parts keep, families that are gathered when somebody asks, and their text.

Owns the text format (version 0.0.4). Must not: keep a registry; whoever counts something hands it out.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

Labels: TypeAlias = Mapping[str, str]

SECONDS = (0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Bounds for what takes from a millisecond to half a minute."""


class Histogram:
    """How often something took how long, in seconds."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        """Prepare; `bounds` are the upper limits of the buckets, rising, without infinity."""
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)


class Type(Enum):
    """What a number means over time."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Sample:
    """One line: the ending of its name, its labels and its value."""

    suffix: str
    labels: Labels
    value: float


@dataclass(frozen=True, slots=True)
class Family:
    """All samples of one name."""

    name: str
    type: Type
    help: str
    samples: Sequence[Sample]


def counters(name: str, text: str, rows: Iterable[tuple[Labels, float]]) -> Family:
    """Return counters, which only rise; their name ends in `_total`."""
    return Family(name, Type.COUNTER, text, [Sample("", labels, value) for labels, value in rows])


def gauges(name: str, text: str, rows: Iterable[tuple[Labels, float]]) -> Family:
    """Return gauges, which rise and fall."""
    return Family(name, Type.GAUGE, text, [Sample("", labels, value) for labels, value in rows])


def counter(name: str, text: str, value: float) -> Family:
    """Return a counter without labels."""
    return counters(name, text, [({}, value)])


def gauge(name: str, text: str, value: float) -> Family:
    """Return a gauge without labels."""
    return gauges(name, text, [({}, value)])


def histograms(name: str, text: str, rows: Iterable[tuple[Labels, Histogram]]) -> Family:
    """Return histograms with cumulative buckets."""
    return Family(name, Type.HISTOGRAM, text, [sample for labels, histogram in rows for sample in _buckets(labels, histogram)])


def render(families: Iterable[Family]) -> str:
    """Return the text that Prometheus scrapes; families without samples are left out."""
    return "".join(line for family in families if family.samples for line in _lines(family))


def _buckets(labels: Labels, histogram: Histogram) -> Iterator[Sample]:
    reached = 0
    for bound, count in zip((*histogram.bounds, math.inf), histogram.counts, strict=True):
        reached += count
        yield Sample("_bucket", {**labels, "le": _number(bound)}, reached)
    yield Sample("_sum", labels, histogram.total)
    yield Sample("_count", labels, reached)


def _lines(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.type.value}\n"
    for sample in family.samples:
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sample.labels.items())
        yield f"{family.name}{sample.suffix}{f'{{{labels}}}' if labels else ''} {_number(sample.value)}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if float(value).is_integer() else repr(float(value))
