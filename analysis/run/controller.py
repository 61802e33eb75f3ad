"""The AnalysisRun controller: which changes matter, and who does what about them.

Owns the wiring alone: gathering is `snapshot`'s, deciding is `plan`'s, measuring is `perform`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from analysis.providers.base import Provider
from analysis.run.perform import Measurer, Secrets, Transport
from analysis.run.plan import plan
from analysis.run.snapshot import gather
from analysis.run.told import told_measurements
from kube.clock import Clock
from kube.controller import Controller, Watch, own_key
from kube.executor import Executor
from kube.informer import Informer
from kube.kinds import ANALYSIS_RUN
from kube.objects import Key
from kube.plan import Observation, Plan

DEFAULT_WORKERS = 30


def analysis_controller(
    *,
    runs: Informer,
    secrets: Secrets,
    transport: Transport,
    providers: Mapping[str, Provider],
    executor: Executor,
    clock: Clock,
    workers: int = DEFAULT_WORKERS,
) -> Controller:
    """Return the controller of AnalysisRuns; run it beside its informer.

    Args:
        runs: keeps the AnalysisRuns.
        secrets: reads a Secret at the moment of a measurement; the API client.
        transport: carries requests of providers; closed by whoever made it.
        providers: what measurements can be made with, see `analysis.providers.served`.
        executor: carries out plans.
        clock: for times that users read and for waits.
        workers: runs worked on at once, and measurements under way at once (`--analysis-threads`).
    """

    def reconcile(key: Key, observations: Sequence[Observation], now: datetime) -> Plan | None:
        snapshot = gather(key, observations, runs=runs.store, providers=providers)
        return None if snapshot is None else plan(snapshot, now)

    measurer = Measurer(secrets, transport, providers, clock, concurrency=workers)
    return Controller(
        "analysis",
        root=ANALYSIS_RUN,
        watches=[Watch(runs, own_key)],
        reconcile=reconcile,
        perform=told_measurements(measurer, tracer=executor.tracer),
        executor=executor,
        clock=clock,
        workers=workers,
    )
