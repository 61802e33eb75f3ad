"""Phases of measurements, metrics and runs, and how a metric is assessed (spec/analysis.md 1.5).

Pure. Must not: know schedules.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.run.metrics import Metric


class Phase(StrEnum):
    """A phase as it stands in the status."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    ERROR = "Error"
    INCONCLUSIVE = "Inconclusive"

    @staticmethod
    def read(text: object, *, otherwise: Phase) -> Phase:
        """Return the phase that a status tells; `otherwise` when it tells none, or one that is not known here."""
        return next((phase for phase in Phase if phase.value == text), otherwise)

    @property
    def is_completed(self) -> bool:
        """Whether nothing changes it any more."""
        return self not in (Phase.PENDING, Phase.RUNNING)

    @property
    def is_bad(self) -> bool:
        """Whether it ends the run that the metric belongs to."""
        return self in (Phase.FAILED, Phase.ERROR, Phase.INCONCLUSIVE)

    @property
    def badness(self) -> int:
        """The higher, the worse (spec/analysis.md 1.6)."""
        return _ORDER.index(self)


_ORDER = (Phase.SUCCESSFUL, Phase.RUNNING, Phase.PENDING, Phase.INCONCLUSIVE, Phase.ERROR, Phase.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What has been counted for a metric since the run started, whatever was trimmed from its history."""

    count: int = 0
    """Completed measurements that were no errors."""
    successful: int = 0
    failed: int = 0
    inconclusive: int = 0
    error: int = 0
    consecutive_error: int = 0
    consecutive_success: int = 0

    @property
    def measurements(self) -> int:
        """All measurements taken, errors included."""
        return self.count + self.error

    def plus(self, phase: Phase) -> Counters:
        """Return the counters after one more measurement (spec/analysis.md 1.4)."""
        succeeded, erred = phase is Phase.SUCCESSFUL, phase is Phase.ERROR
        return Counters(
            count=self.count + (not erred),
            successful=self.successful + succeeded,
            failed=self.failed + (phase is Phase.FAILED),
            inconclusive=self.inconclusive + (phase is Phase.INCONCLUSIVE),
            error=self.error + erred,
            consecutive_error=self.consecutive_error + 1 if erred else 0,
            consecutive_success=self.consecutive_success + 1 if succeeded else 0,
        )


@dataclass(frozen=True, slots=True)
class Assessment:
    """The phase of a metric and, for one that ended badly, why."""

    phase: Phase
    reason: str = ""


def assess(metric: Metric, counters: Counters, *, terminating: bool) -> Assessment:
    """Return the phase of a metric that has not ended yet.

    The limits are looked at in upstream's order; of those exceeded, the last one names the phase.
    """
    if not counters.measurements:
        return Assessment(Phase.SUCCESSFUL if terminating else Phase.PENDING)
    if exceeded := _exceeded_limit(metric, counters):
        return exceeded
    if 0 < metric.consecutive_success_limit <= counters.consecutive_success:
        return Assessment(Phase.SUCCESSFUL)
    if metric.count is not None and counters.count >= metric.count:
        return _count_reached(metric, counters)
    return Assessment(Phase.SUCCESSFUL if terminating else Phase.RUNNING)


def _exceeded_limit(metric: Metric, counters: Counters) -> Assessment | None:
    found = None
    if 0 <= metric.failure_limit < counters.failed:
        found = Assessment(Phase.FAILED, f"failed ({counters.failed}) > failureLimit ({metric.failure_limit})")
    if counters.inconclusive > metric.inconclusive_limit:
        text = f"inconclusive ({counters.inconclusive}) > inconclusiveLimit ({metric.inconclusive_limit})"
        found = Assessment(Phase.INCONCLUSIVE, text)
    if counters.consecutive_error > metric.consecutive_error_limit:
        text = f"consecutiveErrors ({counters.consecutive_error}) > consecutiveErrorLimit ({metric.consecutive_error_limit})"
        found = Assessment(Phase.ERROR, text)
    return found


def _count_reached(metric: Metric, counters: Counters) -> Assessment:
    """All measurements are taken without `consecutiveSuccessLimit` in a row, where that is asked for."""
    if not metric.consecutive_success_limit:
        return Assessment(Phase.SUCCESSFUL)
    reason = (
        f"count ({metric.count}) reached with consecutiveSuccesses ({counters.consecutive_success}) "
        f"< consecutiveSuccessLimit ({metric.consecutive_success_limit})"
    )
    return Assessment(Phase.INCONCLUSIVE if metric.failure_limit >= 0 else Phase.FAILED, reason)
