"""Spans through OpenTelemetry, sent as OTLP over HTTP by a thread of its own.

The only module that imports OpenTelemetry; imported only when traces were asked for. Owns the provider of spans: it is the
process's own, nothing is registered globally. Must not: wait for a collector longer than it takes to end a process, or log the
collector's address and headers: they may hold secrets.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from kube.tracing import Attributes, Span, SpanKind

logger = logging.getLogger(__name__)

SERVICE = "rollouts-controller"
"""What traces call the process, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` say otherwise."""
FLUSH_SECONDS = 3.0
"""How long the end of the process waits for spans to be taken. One that took none lately is not waited for."""
TALKATIVE = ("opentelemetry.exporter", "opentelemetry.sdk._shared_internal", "opentelemetry.util")
"""Loggers that would say for every batch that it was not taken, with the address, and quote headers they cannot read."""


class OpenTelemetrySpan:
    """A span of OpenTelemetry."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def trace_id(self) -> str:
        """Its trace, if that is sampled."""
        context = self._span.get_span_context()
        return trace.format_trace_id(context.trace_id) if context.trace_flags.sampled else ""

    def note(self, attributes: Attributes) -> None:
        """Set attributes."""
        self._span.set_attributes(attributes)

    def fail(self, why: str = "") -> None:
        """Set the status to error."""
        self._span.set_status(trace.StatusCode.ERROR, why or None)


class OpenTelemetry:
    """A tracer over a provider of spans, which it owns."""

    def __init__(self, provider: TracerProvider, *, ending: Callable[[], None] = lambda: None) -> None:
        """Take over a provider, which `close` shuts down; `ending` is called before."""
        self._provider = provider
        self._ending = ending
        self._tracer = provider.get_tracer("rollouts", _version())

    @property
    def on(self) -> bool:
        """It is on."""
        return True

    @contextmanager
    def span(self, name: str, attributes: Attributes, *, kind: SpanKind = SpanKind.INTERNAL) -> Iterator[Span]:
        """Tell of the work inside the `with`. Texts of exceptions are not told."""
        side = trace.SpanKind.CLIENT if kind is SpanKind.CLIENT else trace.SpanKind.INTERNAL
        span = self._tracer.start_span(name, kind=side, attributes=attributes)
        with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            yield OpenTelemetrySpan(span)

    def current(self) -> Span:
        """Return the span of the current task."""
        return OpenTelemetrySpan(trace.get_current_span())

    def headers(self) -> Mapping[str, str]:
        """Return `traceparent`; nothing outside of a span."""
        context = trace.get_current_span().get_span_context()
        if not context.is_valid:
            return {}
        numbers = (trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id))
        return {"traceparent": f"00-{'-'.join(numbers)}-{context.trace_flags:02x}"}

    async def close(self) -> None:
        """Send what waits, for a few seconds at most; what is not taken by then is dropped."""
        self._ending()
        sending = threading.Thread(target=self._provider.shutdown, name="traces-end", daemon=True)
        sending.start()
        await asyncio.to_thread(sending.join, FLUSH_SECONDS)


class Observed(SpanExporter):
    """An exporter whose troubles are told once, and which is not asked again at the end if it has any."""

    def __init__(self, exporter: SpanExporter, collector: str) -> None:
        self._exporter = exporter
        self._collector = collector
        self._failing = False
        self._ending = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch; one that is not taken is lost."""
        result = self._exporter.export(spans)
        failed = result is not SpanExportResult.SUCCESS
        if failed and not self._failing and not self._ending.is_set():
            logger.warning(
                "the collector of traces at %s takes no spans, they are dropped until it does; see whether"
                " OTEL_EXPORTER_OTLP_ENDPOINT names it, it takes OTLP over HTTP there (port 4318 as a rule), and"
                " OTEL_EXPORTER_OTLP_HEADERS, if it asks for any, are written as name=value",
                self._collector,
            )
        if self._failing and not failed:
            logger.info("the collector of traces at %s takes spans again", self._collector)
        self._failing = failed
        return result

    def end(self) -> None:
        """The process ends: let a collector that takes nothing be."""
        self._ending.set()
        if self._failing:
            self._exporter.shutdown()

    def shutdown(self) -> None:
        """Close the connections."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing waits here."""
        return True


def open_telemetry(collector: str) -> OpenTelemetry:
    """Return a tracer that sends spans as the environment says (OTEL_EXPORTER_OTLP_*, OTEL_TRACES_SAMPLER, OTEL_BSP_*, ...).

    `collector` is what messages call the place that they are sent to.

    Raises:
        ValueError: variables contradict each other.
    """
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    exporter = Observed(OTLPSpanExporter(), collector)
    provider = TracerProvider(resource=resource(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    logger.info("traces go to the collector at %s", collector)
    return OpenTelemetry(provider, ending=exporter.end)


def resource() -> Resource:
    """Return what is said of the process; what the environment says of it goes first."""
    ours = {"service.name": SERVICE, "service.version": _version(), "service.instance.id": socket.gethostname()}
    said = OTELResourceDetector().detect().attributes
    return Resource.create({name: value for name, value in ours.items() if name not in said})


def _version() -> str:
    try:
        return version("rollouts")
    except PackageNotFoundError:
        return "unknown"
