"""AnalysisRuns for tests: built in a line, and driven by plans alone as the controller would drive them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from analysis.providers import served
from analysis.run.phases import Phase
from analysis.run.plan import plan
from analysis.run.snapshot import Measure, Measured, Skipped, Snapshot, Unmeasurable, effect_id
from kube.plan import Effect, Event, Observation, Plan

START = datetime(2026, 8, 1, 12, 0, 0, tzinfo=UTC)
PROVIDERS = served(prometheus_address="http://prometheus")


def a_metric(name: str = "errors", **fields: Any) -> dict[str, Any]:
    return {"name": name, "provider": {"prometheus": {"query": f"rate({name})"}}, **fields}


def a_run(*metrics: Mapping[str, Any], status: Mapping[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    run: dict[str, Any] = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {"name": "shop-abc-2", "namespace": "web", "uid": "run-1"},
        "spec": {"metrics": [dict(metric) for metric in metrics], **spec},
    }
    return run if status is None else {**run, "status": dict(status)}


Answer = Phase | Measured | Skipped | Unmeasurable | None


@dataclass(slots=True)
class Driver:
    """Applies plans to a run and keeps a clock: every effect is answered by `answer`, None leaves it under way."""

    run: dict[str, Any]
    answer: Callable[[Measure], Answer] = lambda measure: Phase.SUCCESSFUL
    now: datetime = START
    takes: timedelta = timedelta(0)
    events: list[Event] = field(default_factory=list)
    status_writes: int = 0
    measured: list[tuple[str, int, float]] = field(default_factory=list)
    """Metric, number and seconds since the start of every measurement answered."""
    last: Plan = field(default_factory=Plan)

    @property
    def status(self) -> dict[str, Any]:
        return self.run.get("status") or {}

    def result(self, name: str = "errors") -> dict[str, Any]:
        return next(entry for entry in self.status["metricResults"] if entry["name"] == name)

    def plan(self, *observations: Observation) -> Plan:
        return plan(Snapshot(run=self.run, observations=observations, providers=PROVIDERS), self.now)

    def apply(self, made: Plan) -> None:
        if made.status is not None and made.status != self.run.get("status"):
            self.run = {**self.run, "status": copy.deepcopy(dict(made.status))}
            self.status_writes += 1
        self.events += made.events
        self.last = made

    def step(self) -> Plan:
        """Plan, apply, answer the effects at once, and plan again with what they say."""
        made = self.plan()
        self.apply(made)
        if observations := tuple(filter(None, map(self._observe, made.effects))):
            self.now += self.takes
            made = self.plan(*observations)
            self.apply(made)
        return made

    def _observe(self, effect: Effect) -> Observation | None:
        answer = self.answer(effect.request)
        if answer is None:
            return None
        if isinstance(answer, Phase):
            answer = Measured(phase=answer, started_at=self.now, finished_at=self.now + self.takes, value="[1]")
        name = effect.request.metric["name"]
        self.measured.append((name, effect.request.number, (self.now - START).total_seconds()))
        return Observation(effect.id, answer, self.now + self.takes)

    def until_done(self, *, at_most: int = 1000) -> str:
        """Step and let time pass as the plans ask, until nothing more is asked for; return the phase."""
        for _ in range(at_most):
            made = self.step()
            if self.status["phase"] not in ("Pending", "Running") or made.look_again is None:
                return str(self.status["phase"])
            self.now += made.look_again
        return str(self.status["phase"])


def says(*phases: Phase, then: Phase = Phase.SUCCESSFUL) -> Callable[[Measure], Answer]:
    """Answer measurements in turn with these phases, by their number; afterwards always with `then`."""
    return lambda measure: phases[measure.number - 1] if measure.number <= len(phases) else then


def observed(metric: str, number: int, answer: Any, at: datetime = START) -> Observation:
    return Observation(effect_id(metric, number), answer, at)
