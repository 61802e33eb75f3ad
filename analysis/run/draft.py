"""A run while its next status is worked out: counting what came back, then assessing metrics and run.

Pure. Must not: write a status or ask for anything; that is `plan`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from analysis.errors import InvalidAnalysis
from analysis.run.metrics import Metric
from analysis.run.phases import Assessment, Phase, assess
from analysis.run.snapshot import Skipped, Snapshot, Unmeasurable, effect_id
from analysis.run.status import Result, read_results
from kube.objects import known_time
from kube.plan import Observation

ERROR_RETRY = timedelta(seconds=10)
"""After an Error, whatever the interval says; and between measurements of a metric without an interval."""

SHORTEST_INTERVAL = timedelta(seconds=1)
"""Stored times have whole seconds; with a shorter interval measurements would follow each other without a pause."""


def due_at(metric: Metric, result: Result | None, started_at: datetime) -> datetime:
    """Return when the metric's next measurement is due (spec/analysis.md 1.4)."""
    finished_at = result.last_finished_at if result else None
    if result is None or finished_at is None:
        return started_at + metric.initial_delay
    erred = result.counters.consecutive_error > 0 and finished_at != result.skips[1]
    return finished_at + (ERROR_RETRY if erred or metric.interval is None else max(metric.interval, SHORTEST_INTERVAL))


@dataclass(slots=True, kw_only=True)
class Draft:
    """The run as it will be. Made from a snapshot, changed by `fold` and `assess`, then only read."""

    snapshot: Snapshot
    metrics: tuple[Metric, ...]
    now: datetime
    started_at: datetime
    terminate: bool
    results: dict[str, Result]
    phase: Phase = Phase.RUNNING
    message: str = ""
    changed: set[str] = field(default_factory=set)
    """Metrics whose phase moved."""

    @staticmethod
    def of(snapshot: Snapshot, metrics: tuple[Metric, ...], now: datetime) -> Draft:
        """Start from what the status says."""
        status = snapshot.run.get("status") or {}
        return Draft(
            snapshot=snapshot,
            metrics=metrics,
            now=now,
            started_at=known_time(status.get("startedAt")) or now.replace(microsecond=0),
            terminate=bool((snapshot.run.get("spec") or {}).get("terminate")),
            results=read_results(status),
        )

    def next_number(self, metric: Metric) -> int:
        """Return the number of the metric's next measurement, from 1."""
        result = self.results.get(metric.name)
        return 1 + (result.counters.measurements if result else 0)

    def fold(self, observations: Sequence[Observation]) -> None:
        """Count the measurements that came back. Answers to other measurements than the next one were counted before.

        Raises:
            InvalidAnalysis: a measurement found that it can never be made.
        """
        answers = {observation.effect_id: observation.answer for observation in observations}
        for metric in self.metrics:
            while (answer := answers.get(effect_id(metric.name, self.next_number(metric)))) and not self._is_completed(metric):
                if isinstance(answer, Unmeasurable):
                    raise InvalidAnalysis(answer.message)
                result = self.results.get(metric.name) or self._new_result(metric)
                if isinstance(answer, Skipped):
                    self.results[metric.name] = result.skipping(answer)
                    break  # not counted: the next measurement has the same number
                self.results[metric.name] = result.plus(answer, retention=metric.retention)
                self._settle(metric, terminating=False)

    def _new_result(self, metric: Metric) -> Result:
        metadata = self.snapshot.providers[metric.provider].metadata(metric.provider_spec)
        return Result(name=metric.name, dry_run=metric.dry_run, metadata=metadata)

    def _is_completed(self, metric: Metric) -> bool:
        result = self.results.get(metric.name)
        return result is not None and result.phase.is_completed

    def assess(self) -> None:
        """Settle every metric, then the run (spec/analysis.md 1.5 and 1.6)."""
        for metric in self.metrics:
            self._settle(metric, terminating=False)
        if self.is_terminating:
            for metric in self.metrics:
                if not self._is_awaited(metric):
                    self._settle(metric, terminating=True)
        if all(self._is_over(metric) for metric in self.metrics):
            self.phase, self.message = self._verdict()

    def _settle(self, metric: Metric, *, terminating: bool) -> None:
        result = self.results.get(metric.name)
        if result is None or result.phase.is_completed:
            return
        assessment = assess(metric, result.counters, terminating=terminating)
        if assessment.phase is result.phase:
            return
        text = str(result.last.get("message") or "") if result.last else ""
        if metric.dry_run and assessment.reason:
            text = f"Metric assessed {assessment.phase} due to {assessment.reason}"
        self.results[metric.name] = replace(result, phase=assessment.phase, message=text)
        self.changed.add(metric.name)

    @property
    def is_terminating(self) -> bool:
        """Whether no further measurement begins: it was asked for, or a metric that counts ended badly."""
        return self.terminate or bool(self._bad_results())

    def _bad_results(self) -> list[Result]:
        counting = (self.results.get(metric.name) for metric in self.metrics if not metric.dry_run)
        return [result for result in counting if result is not None and result.phase.is_bad]

    def to_measure(self) -> tuple[Metric, ...]:
        """Return the metrics that have measurements before them."""
        if self.phase.is_completed:
            return ()
        wanted = self._is_awaited if self.is_terminating else (lambda metric: not self._is_completed(metric))
        return tuple(metric for metric in self.metrics if wanted(metric))

    def _is_awaited(self, metric: Metric) -> bool:
        """Tell whether an ending run waits for a measurement that was under way when it began to end.

        Only where the answer still matters: Inconclusive pauses, and a sibling that turns out Failed or Error aborts.
        """
        bad = self._bad_results()
        if self.terminate or metric.dry_run or self._is_completed(metric) or not bad:
            return False
        if any(result.phase is not Phase.INCONCLUSIVE for result in bad):
            return False
        ended_at = min(result.last_finished_at or self.now for result in bad)
        return due_at(metric, self.results.get(metric.name), self.started_at) <= ended_at

    def _is_over(self, metric: Metric) -> bool:
        if self._is_completed(metric):
            return True
        return self.is_terminating and not self._is_awaited(metric)

    def _verdict(self) -> tuple[Phase, str]:
        worst, message = Phase.SUCCESSFUL, "Run Terminated" if self.terminate else ""
        for metric in self.metrics:
            result = self.results.get(metric.name)
            if result is None or metric.dry_run or result.phase.badness <= worst.badness:
                continue
            worst, message = result.phase, _explanation(metric, result)
        return worst, message


def _explanation(metric: Metric, result: Result) -> str:
    assessment: Assessment = assess(metric, result.counters, terminating=False)
    if not assessment.reason:
        return result.message
    text = f'Metric "{metric.name}" assessed {result.phase} due to {assessment.reason}'
    return f'{text}: "Error Message: {result.message}"' if result.message else text
