"""What a trace tells of a measurement: which metric, by which provider, how it ended. And nothing that may hold a secret."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from traces_seen import Seen, attributes

from analysis.run.phases import Phase
from analysis.run.snapshot import Measure, Measured, Skipped, Unmeasurable
from analysis.run.told import told_measurements
from kube.kinds import ANALYSIS_RUN
from kube.objects import Key
from kube.plan import Effect
from kube.spans import effects

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SECRET = "sesame-open"
WEB = {"web": {"url": f"https://user:{SECRET}@shop", "headers": [{"key": "Authorization", "value": SECRET}]}}


def measured(phase: Phase, *, value: str = "", message: str = "") -> Measured:
    return Measured(phase=phase, started_at=NOW, finished_at=NOW, value=value, message=message)


async def told_of(answer: Any, *, provider: Mapping[str, Any] = WEB) -> tuple[dict[str, Any], str, str]:
    """Return what the span of a measurement says, its status, and all of it as text."""
    seen = Seen()

    async def measure(key: Key, effect: Effect) -> Any:
        return answer

    metric = {"name": "errors", "provider": provider, "successCondition": f"result == '{SECRET}'"}
    request = Measure(namespace="shop", metric=metric, arguments=({"name": "token", "value": SECRET},), number=3)
    perform = effects(told_measurements(measure, tracer=seen.tracer), tracer=seen.tracer, root=ANALYSIS_RUN)
    assert await perform(("shop", "web-2"), Effect("measure/errors/3", request)) is answer
    [span] = seen.spans
    assert span.name == "effect measure"
    return attributes(span), span.status.status_code.name, span.to_json()


@pytest.mark.parametrize(
    ("answer", "phase", "status"),
    [
        pytest.param(measured(Phase.SUCCESSFUL, value=SECRET), "Successful", "UNSET", id="good"),
        pytest.param(measured(Phase.FAILED, value=SECRET), "Failed", "UNSET", id="bad, which is no error of the measurement"),
        pytest.param(measured(Phase.ERROR, message=f"at {SECRET}"), "Error", "ERROR", id="an error"),
        pytest.param(Skipped(finished_at=NOW, message=SECRET), "Skipped", "UNSET", id="no data"),
        pytest.param(Unmeasurable(f"no {SECRET}"), "Unmeasurable", "ERROR", id="never to be had"),
    ],
)
async def test_a_measurement_tells_its_metric_and_its_end_and_no_secret(answer: Any, phase: str, status: str) -> None:
    said, found, text = await told_of(answer)
    assert found == status
    assert SECRET not in text
    assert {name: value for name, value in said.items() if name.startswith("rollouts.measurement")} == {
        "rollouts.measurement.metric": "errors",
        "rollouts.measurement.provider": "web",
        "rollouts.measurement.number": 3,
        "rollouts.measurement.phase": phase,
    }


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        pytest.param({"prometheus": None, "web": {}}, "web", id="the one that is not null"),
        pytest.param({}, "", id="none"),
        pytest.param("prometheus", "", id="of the wrong type"),
    ],
)
async def test_the_provider_is_the_one_that_is_asked(provider: Any, name: str) -> None:
    said, _, _ = await told_of(measured(Phase.ERROR), provider=provider)
    assert said["rollouts.measurement.provider"] == name
