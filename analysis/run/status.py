"""An AnalysisRun's status: read into values, and written back (spec/rollout.md 1.5).

Pure. Must not: decide anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from analysis.run.metrics import Metric
from analysis.run.phases import Counters, Phase
from analysis.run.snapshot import Measured, Skipped
from analysis.run.verdicts import SKIPPED
from kube.objects import format_time, known_time

MAXIMUM_VALUE_CHARACTERS = 8192
"""A longer value or message is cut when it is stored: a run must fit into etcd."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One entry of `metricResults`. Measurements stay as they are written."""

    name: str
    phase: Phase = Phase.RUNNING
    message: str = ""
    counters: Counters = field(default_factory=Counters)
    measurements: tuple[Mapping[str, Any], ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False

    @property
    def last(self) -> Mapping[str, Any] | None:
        """The newest measurement that is kept."""
        return self.measurements[-1] if self.measurements else None

    @property
    def last_finished_at(self) -> datetime | None:
        """When the newest measurement ended, counted or not."""
        finished_at, (_, skipped_at) = known_time(self.last.get("finishedAt")) if self.last else None, self.skips
        return max((moment for moment in (finished_at, skipped_at) if moment), default=None)

    def plus(self, measured: Measured, *, retention: int) -> Result:
        """Return the result after one more measurement; the oldest beyond `retention` are dropped.

        While measuring errs, the message is that of the last error, so that it is seen without looking at measurements.
        """
        return replace(
            self,
            message=_cut(measured.message) if measured.phase is Phase.ERROR else "",
            counters=self.counters.plus(measured.phase),
            measurements=(*self.measurements, written_measurement(measured))[-retention:],
        )

    def skipping(self, skipped: Skipped) -> Result:
        """Return the result after a measurement without data that is not counted; only its metadata tells of it."""
        count, _ = self.skips
        note = f"{count + 1}, last at {format_time(skipped.finished_at)}"
        return replace(self, message=_cut(skipped.message), metadata={**self.metadata, SKIPPED: note})

    @property
    def skips(self) -> tuple[int, datetime | None]:
        """How many measurements without data were not counted, and when the last of them ended."""
        count, _, last = str(self.metadata.get(SKIPPED) or "").partition(", last at ")
        try:
            return int(count or 0), known_time(last)
        except ValueError:
            return 0, None


def read_results(status: Mapping[str, Any]) -> dict[str, Result]:
    """Return the results by metric name, in their order."""
    return {str(entry["name"]): _read_result(entry) for entry in status.get("metricResults") or ()}


def _read_result(entry: Mapping[str, Any]) -> Result:
    return Result(
        name=str(entry["name"]),
        phase=Phase.read(entry.get("phase"), otherwise=Phase.RUNNING),
        message=str(entry.get("message") or ""),
        counters=Counters(
            count=int(entry.get("count") or 0),
            successful=int(entry.get("successful") or 0),
            failed=int(entry.get("failed") or 0),
            inconclusive=int(entry.get("inconclusive") or 0),
            error=int(entry.get("error") or 0),
            consecutive_error=int(entry.get("consecutiveError") or 0),
            consecutive_success=int(entry.get("consecutiveSuccess") or 0),
        ),
        measurements=tuple(entry.get("measurements") or ()),
        metadata=entry.get("metadata") or {},
        dry_run=bool(entry.get("dryRun")),
    )


def written_result(result: Result) -> dict[str, Any]:
    """Return the entry of `metricResults`; zeros and empty texts are left out, as upstream does."""
    counters = result.counters
    entry = {
        "name": result.name,
        "phase": result.phase.value,
        "message": result.message,
        "measurements": list(result.measurements),
        "count": counters.count,
        "successful": counters.successful,
        "failed": counters.failed,
        "inconclusive": counters.inconclusive,
        "error": counters.error,
        "consecutiveError": counters.consecutive_error,
        "consecutiveSuccess": counters.consecutive_success,
        "dryRun": result.dry_run,
        "metadata": dict(result.metadata),
    }
    return {key: value for key, value in entry.items() if value or key in ("name", "phase")}


def written_measurement(measured: Measured) -> dict[str, Any]:
    """Return the entry of `measurements`."""
    entry = {
        "phase": measured.phase.value,
        "message": _cut(measured.message),
        "startedAt": format_time(measured.started_at),
        "finishedAt": format_time(measured.finished_at),
        "value": _cut(measured.value),
        "metadata": {key: _cut(value) for key, value in measured.metadata.items()},
    }
    return {key: value for key, value in entry.items() if value}


def _cut(text: str) -> str:
    return text if len(text) <= MAXIMUM_VALUE_CHARACTERS else text[:MAXIMUM_VALUE_CHARACTERS] + "..."


def summary(metrics: Iterable[Metric], results: Mapping[str, Result]) -> dict[str, int]:
    """Return how many metrics there are and how many ended in each phase; zeros are left out."""
    counted = {"count": 0, "successful": 0, "failed": 0, "inconclusive": 0, "error": 0}
    for metric in metrics:
        counted["count"] += 1
        result = results.get(metric.name)
        if result is not None and result.phase.is_completed:
            counted[result.phase.value.lower()] += 1
    return {key: value for key, value in counted.items() if value}
