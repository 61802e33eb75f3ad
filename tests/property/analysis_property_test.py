"""Laws of analyses: verdicts do not depend on history kept, follow the reference, and never show a secret."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.providers.base import HttpRequest, HttpResponse, TransportError
from analysis.run.perform import Measurer
from analysis.run.phases import Phase
from analysis.run.snapshot import Measured
from kube.clock import SystemClock
from kube.kinds import Kind
from kube.objects import Object
from tests.analysis_runs import PROVIDERS, START, Driver, a_run, observed

OUTCOMES = [Phase.SUCCESSFUL, Phase.FAILED, Phase.INCONCLUSIVE, Phase.ERROR]
WIDE = {"failureLimit": st.integers(-1, 4), "inconclusiveLimit": st.integers(0, 3), "consecutiveErrorLimit": st.integers(0, 4)}
FINITE = st.fixed_dictionaries({}, optional={"interval": st.just("10s"), "count": st.integers(0, 8), **WIDE})
IN_A_ROW = st.fixed_dictionaries(
    {"interval": st.sampled_from(["10s", "1m"]), "consecutiveSuccessLimit": st.integers(1, 4)},
    optional={"count": st.integers(0, 8), **WIDE},
)
LIMITS = FINITE | IN_A_ROW


def prometheus(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "provider": {"prometheus": {"query": "up"}}, **fields}


def reference(limits: Mapping[str, Any], outcomes: Sequence[Phase]) -> tuple[Phase, int]:
    """Play one metric as the reference tells it, line by line; return its phase and how many measurements it took."""
    count = limits.get("count", 0) or (None if "interval" in limits else 1)
    failure_limit, success_limit = limits.get("failureLimit", 0), limits.get("consecutiveSuccessLimit", 0)
    seen: list[Phase] = []
    for outcome in outcomes:
        seen.append(outcome)
        errors_in_a_row = next((at for at, phase in enumerate(reversed(seen)) if phase is not Phase.ERROR), len(seen))
        successes_in_a_row = next((at for at, phase in enumerate(reversed(seen)) if phase is not Phase.SUCCESSFUL), len(seen))
        phase = Phase.RUNNING
        if failure_limit != -1 and seen.count(Phase.FAILED) > failure_limit:
            phase = Phase.FAILED
        if seen.count(Phase.INCONCLUSIVE) > limits.get("inconclusiveLimit", 0):
            phase = Phase.INCONCLUSIVE
        if errors_in_a_row > limits.get("consecutiveErrorLimit", 4):
            phase = Phase.ERROR
        if phase is Phase.RUNNING and success_limit and successes_in_a_row >= success_limit:
            phase = Phase.SUCCESSFUL
        if phase is Phase.RUNNING and count is not None and len(seen) - seen.count(Phase.ERROR) >= count:
            phase = Phase.SUCCESSFUL
            if success_limit:
                phase = Phase.FAILED if failure_limit == -1 else Phase.INCONCLUSIVE
        if phase is not Phase.RUNNING:
            return phase, len(seen)
    return Phase.RUNNING, len(seen)


def drive(limits: Mapping[str, Any], outcomes: Sequence[Phase], **spec: Any) -> Driver:
    """Run a metric on these outcomes until it ends or they are used up."""
    driver = Driver(
        a_run(prometheus("m", **limits), **spec),
        answer=lambda measure: outcomes[measure.number - 1] if measure.number <= len(outcomes) else None,
    )
    driver.until_done()
    return driver


def is_valid(limits: Mapping[str, Any]) -> bool:
    driver = Driver(a_run(prometheus("m", **limits)), answer=lambda _: None)
    driver.step()
    return bool(driver.status["phase"] != "Error")


@given(limits=LIMITS.filter(is_valid), outcomes=st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=15))
@settings(deadline=None, max_examples=300)
def test_a_metric_ends_as_the_reference_says(limits: dict[str, Any], outcomes: list[Phase]) -> None:
    phase, taken = reference(limits, outcomes)
    driver = drive(limits, outcomes)
    assert (driver.status["phase"], len(driver.measured)) == (phase, taken)


@given(
    limits=LIMITS.filter(is_valid),
    outcomes=st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=15),
    kept=st.integers(1, 30),
)
@settings(deadline=None)
def test_trimming_history_never_changes_the_verdict(limits: dict[str, Any], outcomes: list[Phase], kept: int) -> None:
    plain = drive(limits, outcomes)
    trimmed = drive(limits, outcomes, measurementRetention=[{"metricName": "m", "limit": kept}])
    assert len(trimmed.result("m")["measurements"]) <= kept
    for driver in (plain, trimmed):
        driver.result("m").pop("measurements")
    assert trimmed.status == plain.status


@given(
    phases=st.lists(st.sampled_from(OUTCOMES), min_size=2, max_size=4),
    dry=st.integers(0, 3),
    order=st.randoms(use_true_random=False),
)
@settings(deadline=None)
def test_the_order_in_which_answers_arrive_does_not_matter_to_a_good_or_inconclusive_run(
    phases: list[Phase], dry: int, order: Any
) -> None:
    """Failed and Error end a run at once and both abort; which of them names it may depend on who came first."""
    names = [f"m{at}" for at in range(len(phases))]
    dry_name = names[dry % len(names)]
    run = a_run(*(prometheus(name, consecutiveErrorLimit=0) for name in names), dryRun=[{"metricName": dry_name}])
    counting = [phase for name, phase in zip(names, phases, strict=True) if name != dry_name]
    worst = max(counting, key=lambda phase: phase.badness)
    driver = Driver(run, answer=lambda _: None)
    arrivals = list(zip(names, phases, strict=True))
    order.shuffle(arrivals)
    driver.step()
    for name, phase in arrivals:
        driver.apply(driver.plan(observed(name, 1, measured(phase))))
    aborting = (Phase.FAILED, Phase.ERROR)
    assert driver.status["phase"] == worst or (driver.status["phase"] in aborting and worst in aborting)


def measured(phase: Phase) -> Measured:
    return Measured(phase=phase, started_at=START, finished_at=START)


@given(limits=LIMITS.filter(is_valid), outcomes=st.lists(st.sampled_from(OUTCOMES), max_size=6), skip=st.integers(0, 5))
@settings(deadline=None)
def test_planning_again_leaves_nothing_to_do(limits: dict[str, Any], outcomes: list[Phase], skip: int) -> None:
    driver = drive(limits, outcomes)
    driver.now += timedelta(seconds=skip)
    again = driver.plan()
    assert again.status in (None, driver.status)
    assert (again.stages, again.events) == ((), ())


SECRETS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=4, max_size=24).map(
    lambda text: f"Zq9{text}xK7"
)


@dataclass(slots=True)
class Vault:
    """Gives every Secret the same value."""

    secret: str

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        return {"data": {"key": base64.b64encode(self.secret.encode()).decode()}}


@dataclass(slots=True)
class Echo:
    """A server that repeats what it was sent, in every way servers do."""

    mood: str

    async def send(self, request: HttpRequest) -> HttpResponse:
        body = (request.body or b"").decode()
        match self.mood:
            case "json":
                text = json.dumps({"url": request.url, "headers": dict(request.headers), "body": body, "n": 1})
            case "page":
                text = f"<html>{quote(request.url)} {body}</html>"
            case "broken connection":
                raise TransportError(f"cannot connect to {request.url}")
            case _:
                text = f"{'x' * len(self.mood) * 20}{request.url} {request.headers!r} {body}"
        return HttpResponse(403 if self.mood == "refusal" else 200, {"content-type": "text/plain"}, text.encode())

    def known_secrets(self) -> tuple[str, ...]:
        return ()


def strings(value: Any) -> Iterator[str]:
    """Yield every text of a JSON value, keys included."""
    match value:
        case str():
            yield value
        case Mapping():
            for key, item in value.items():
                yield from strings(key)
                yield from strings(item)
        case list() | tuple():
            for item in value:
                yield from strings(item)


def at_once(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that never has to wait, without an event loop."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits for something")


METRIC = {
    "name": "m",
    "consecutiveErrorLimit": 0,
    "provider": {
        "web": {
            "method": "POST",
            "url": "http://checks/{{args.token}}?key={{ args.token }}",
            "headers": [{"key": "X-Key", "value": "Bearer {{args.token}}"}],
            "body": '{"password": "{{args.token}}"}',
        }
    },
}


@given(
    secret=SECRETS,
    mood=st.sampled_from(["json", "page", "broken connection", "refusal", "text"]),
    condition=st.sampled_from(
        ["", "result.n > 1", "result > 1", "result.url == '{{args.token}}'", "result contains {{args.token}}"]
    ),
    path=st.sampled_from(["", "{$.headers}", "{$.none}", "{$['{{args.token}}']}"]),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_secret_is_never_seen(caplog: pytest.LogCaptureFixture, secret: str, mood: str, condition: str, path: str) -> None:
    """Whatever the server repeats and whichever step fails: not in status, events, plans or logs."""
    caplog.clear()
    argument = {"name": "token", "valueFrom": {"secretKeyRef": {"name": "creds", "key": "key"}}}
    metric = {**METRIC, "provider": {"web": {**METRIC["provider"]["web"], "jsonPath": path}}, "successCondition": condition}  # type: ignore[index]
    measurer = Measurer(Vault(secret), Echo(mood), PROVIDERS, SystemClock())
    driver = Driver(a_run(metric, args=[argument]))
    first = driver.plan()
    driver.apply(first)
    with caplog.at_level(logging.DEBUG):
        answer = at_once(measurer(("web", "run"), first.effects[0]))
    second = driver.plan(observed("m", 1, answer))
    driver.apply(second)
    assert driver.status["metricResults"], "it was measured"
    shown = [
        *strings(driver.status),
        *(event.message for event in driver.events),
        caplog.text,
        repr(first),
        repr(second),
        repr(answer),
    ]
    for text in shown:
        for spelling in (secret, repr(secret)[1:-1], quote(secret), json.dumps(secret)[1:-1]):
            assert spelling not in text
