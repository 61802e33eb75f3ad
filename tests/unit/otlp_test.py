"""Sending spans: troubles of a collector are told once, it is not waited for at the end, and the process has a name."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from rollouts.otlp import Observed, OpenTelemetry, resource

TAKEN, LOST = SpanExportResult.SUCCESS, SpanExportResult.FAILURE


class Scripted(SpanExporter):
    """Takes batches or loses them, as told; keeps the sender waiting until it is closed when told nothing more."""

    def __init__(self, *answers: SpanExportResult) -> None:
        self._answers = list(answers)
        self.closed = threading.Event()
        self.batches = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.batches += 1
        if self._answers:
            return self._answers.pop(0)
        self.closed.wait()
        return LOST

    def shutdown(self) -> None:
        self.closed.set()


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        pytest.param([TAKEN, TAKEN], [], id="all is well"),
        pytest.param([LOST, LOST, LOST], ["takes no spans"], id="gone"),
        pytest.param([LOST, TAKEN, TAKEN], ["takes no spans", "takes spans again"], id="gone for a while"),
        pytest.param([LOST, TAKEN, LOST], ["takes no spans", "takes spans again", "takes no spans"], id="gone twice"),
    ],
)
def test_that_a_collector_is_gone_is_told_once(
    answers: list[SpanExportResult], said: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    exporter = Observed(Scripted(*answers), "collector:4318")
    for _ in answers:
        exporter.export([])
    assert len(caplog.messages) == len(said)
    assert [part for part, message in zip(said, caplog.messages, strict=True) if part in message] == said
    assert [message for message in caplog.messages if "collector:4318" not in message] == []


async def test_at_the_end_what_waits_is_sent() -> None:
    script = Scripted(TAKEN)
    tracer = _tracer(script)
    with tracer.span("reconcile Rollout", {}):
        pass
    await tracer.close()
    assert (script.batches, script.closed.is_set()) == (1, True)


async def test_at_the_end_a_collector_that_took_nothing_is_let_be(caplog: pytest.LogCaptureFixture) -> None:
    """It would keep the sender waiting for ever."""
    script = Scripted(LOST)
    observed = Observed(script, "collector:4318")
    observed.export([])
    caplog.clear()
    tracer = _tracer(script, observed)
    with tracer.span("reconcile Rollout", {}):
        pass
    await tracer.close()
    assert script.closed.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name == "traces-end"], "nothing is left to be waited for"
    assert caplog.messages == []


def _tracer(script: Scripted, observed: Observed | None = None) -> OpenTelemetry:
    exporter = observed or Observed(script, "collector:4318")
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=3_600_000))
    return OpenTelemetry(provider, ending=exporter.end)


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        pytest.param({}, "rollouts-controller", id="nothing said"),
        pytest.param({"OTEL_SERVICE_NAME": "delivery"}, "delivery", id="a name"),
        pytest.param({"OTEL_RESOURCE_ATTRIBUTES": "service.name=delivery,team=shop"}, "delivery", id="among other things"),
    ],
)
def test_the_environment_says_what_the_process_is_called(
    environment: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert resource().attributes["service.name"] == name


async def test_outside_of_a_span_no_server_is_told_anything() -> None:
    tracer = _tracer(Scripted(TAKEN))
    assert tracer.headers() == {}
    assert tracer.current().trace_id == ""
    await tracer.close()
