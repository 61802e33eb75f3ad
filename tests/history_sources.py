"""A Prometheus for tests of the past: values by moment, as its API would write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from analysis.history.answers import Answer
from analysis.history.metric import Period
from analysis.run.metrics import Metric, read_metrics

END = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)
NAN = float("nan")


@dataclass(slots=True)
class Past:
    """Series by their `pod` label: functions from seconds before the end to a value, None for no sample."""

    series: Mapping[str, Callable[[int], float | None]]
    kind: str = "vector"
    warnings: tuple[str, ...] = ()
    asked: list[tuple[int, int, int]] = field(default_factory=list)

    def instant(self, query: str, *, at_ms: int) -> Answer:
        return Answer(self.kind, [])

    def range(self, query: str, *, start_ms: int, end_ms: int, step_ms: int) -> Answer:
        self.asked.append((start_ms, end_ms, step_ms))
        end = int(END.timestamp()) * 1000
        moments = range(start_ms, end_ms + 1, step_ms)
        matrix: list[dict[str, Any]] = []
        for pod, value in self.series.items():
            values = [[at / 1000, str(one)] for at in moments if (one := value((end - at) // 1000)) is not None]
            matrix += [{"metric": {"pod": pod}, "values": values}] if values else []
        return Answer("matrix", matrix, self.warnings)


def listed(values: Sequence[float | None], *, every: int) -> Past:
    """Return one series with these values, the last one at the end; before and between them nothing."""
    newest_first = list(reversed(values))

    def value(seconds: int) -> float | None:
        at, rest = divmod(seconds, every)
        return newest_first[at] if not rest and at < len(newest_first) else None

    return Past({"a": value})


def a_metric(*, query: str = "errors", name: str = "errors", **fields: Any) -> Metric:
    prometheus = {"query": query} | ({"rangeQuery": fields.pop("rangeQuery")} if "rangeQuery" in fields else {})
    spec = {"name": name, "interval": "1m", "provider": {"prometheus": prometheus}, **fields}
    return read_metrics([{key: value for key, value in spec.items() if value is not None}], served=["prometheus"])[0]


def a_period(minutes: int, *, run_for: int = 60) -> Period:
    return Period(end=END, since=timedelta(minutes=minutes), run_for=timedelta(minutes=run_for))
