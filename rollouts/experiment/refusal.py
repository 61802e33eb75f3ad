"""Says in the status of every Experiment that nothing will come of it, so that nobody waits (spec/rollout.md 1.6).

Must not: touch an Experiment that another controller has finished.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from analysis.run.phases import Phase
from kube.clock import Clock
from kube.controller import Controller, Watch, own_key
from kube.effects import no_effects
from kube.executor import Executor
from kube.informer import Informer
from kube.kinds import EXPERIMENT, ObjectRef
from kube.objects import Key, Object
from kube.plan import Event, Observation, Plan
from rollouts.engine import conditions as condition

REFUSAL = "Experiment is not served yet; compare versions with an analysis step of a Rollout instead"
FINISHED = frozenset(phase.value for phase in Phase if phase.is_completed)


def refuse(experiment: Object, now: datetime) -> Plan:
    """Return the status that says so, with an event; nothing when it was said, or when another controller has finished it."""
    status = dict(experiment.get("status") or {})
    if status.get("phase") in FINISHED:
        return Plan()
    conditions = condition.put(
        status.get("conditions") or (), "InvalidSpec", "True", reason="InvalidSpec", message=REFUSAL, now=now
    )
    metadata = experiment["metadata"]
    about = ObjectRef(EXPERIMENT, metadata.get("namespace", ""), metadata["name"])
    return Plan(
        status={**status, "phase": "Error", "message": f"InvalidSpec: {REFUSAL}", "conditions": conditions},
        events=(Event(about=about, reason="InvalidSpec", message=REFUSAL, warning=True),),
    )


def experiment_controller(*, experiments: Informer, executor: Executor, clock: Clock) -> Controller:
    """Return the controller that refuses Experiments; run it beside its informer."""

    def reconcile(key: Key, _observations: Sequence[Observation], now: datetime) -> Plan | None:
        experiment = experiments.store.get(*key)
        return refuse(experiment, now) if experiment is not None else None

    return Controller(
        "experiment",
        root=EXPERIMENT,
        watches=[Watch(experiments, own_key)],
        reconcile=reconcile,
        perform=no_effects,
        executor=executor,
        clock=clock,
        workers=1,
    )
