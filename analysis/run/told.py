"""What traces tell of a measurement: of which metric, by which provider, and how it ended.

Must not: tell an address, a query, a value or a message: those may hold secrets, or come from somebody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.run.phases import Phase
from analysis.run.snapshot import Measure, Measured, Skipped, Unmeasurable
from kube.effects import Perform
from kube.objects import Key
from kube.plan import Effect
from kube.tracing import Span, Tracer

SKIPPED, UNMEASURABLE = "Skipped", "Unmeasurable"


def told_measurements(perform: Perform, *, tracer: Tracer) -> Perform:
    """Return what measures as `perform` does, and says in the current span what; `perform` itself where there are no traces."""
    if not tracer.on:
        return perform

    async def told(key: Key, effect: Effect) -> Any:
        span = tracer.current()
        measure: Measure = effect.request
        span.note(
            {
                "rollouts.measurement.metric": str(measure.metric.get("name") or ""),
                "rollouts.measurement.provider": _provider(measure.metric),
                "rollouts.measurement.number": measure.number,
            }
        )
        answer: Measured | Skipped | Unmeasurable = await perform(key, effect)
        _end(span, answer)
        return answer

    return told


def _provider(metric: Mapping[str, Any]) -> str:
    """Return the key of the provider that is used."""
    blocks = metric.get("provider")
    return next((str(name) for name, block in blocks.items() if block is not None), "") if isinstance(blocks, Mapping) else ""


def _end(span: Span, answer: Measured | Skipped | Unmeasurable) -> None:
    match answer:
        case Measured(phase=phase):
            span.note({"rollouts.measurement.phase": str(phase)})
            if phase is Phase.ERROR:
                span.fail("the measurement is an error; its message is in the status of the AnalysisRun")
        case Skipped():
            span.note({"rollouts.measurement.phase": SKIPPED})
        case Unmeasurable():
            span.note({"rollouts.measurement.phase": UNMEASURABLE})
            span.fail("the metric cannot be measured; the status of the AnalysisRun says why")
