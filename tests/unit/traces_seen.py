"""Spans as whoever looks at traces sees them: kept in memory, as a tree, and with everything that they say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

from rollouts.otlp import OpenTelemetry


class Seen:
    """A tracer, and the spans that it told."""

    def __init__(self, sampler: Sampler = ALWAYS_ON) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = OpenTelemetry(provider)

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """Every span that has ended."""
        return self._exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def path(self, span: ReadableSpan) -> tuple[str, ...]:
        """Return the names of a span and of those around it, the outermost first."""
        by_id = {one.context.span_id: one for one in self.spans if one.context}
        around = by_id.get(span.parent.span_id) if span.parent else None
        return (*(self.path(around) if around else ()), span.name)

    def paths(self, name: str) -> set[tuple[str, ...]]:
        return {self.path(span) for span in self.named(name)}

    def outcomes(self, name: str) -> list[tuple[Any, str]]:
        """Return how the spans of a name ended, and their status."""
        return [(attributes(span)["rollouts.outcome"], span.status.status_code.name) for span in self.named(name)]

    def texts(self) -> Iterator[str]:
        """Yield everything that is told."""
        for span in self.spans:
            yield span.to_json()


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})
