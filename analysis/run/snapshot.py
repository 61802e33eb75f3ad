"""What a plan for an AnalysisRun is made from, and how it is gathered from the store.

Must not: wait, or call the API server; everything comes from the store and the controller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from analysis.no_data import NoData
from analysis.providers.base import Provider
from analysis.run.phases import Phase
from kube.objects import Key, Object
from kube.plan import Observation
from kube.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One AnalysisRun, and the measurements that came back since its status was written."""

    run: Object
    observations: tuple[Observation, ...] = ()
    providers: Mapping[str, Provider] = field(default_factory=dict)
    """The providers that are served; their pure side only is used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """The request of an effect: take one measurement. Arguments are not filled in, so no secret is in it."""

    namespace: str
    metric: Mapping[str, Any]
    """The entry of `spec.metrics` as written."""
    arguments: tuple[Mapping[str, Any], ...]
    no_data: NoData | None = None
    """What it counts as when there is no data; None lets the conditions judge it."""
    number: int
    """The how-manieth measurement of the metric this is, errors included, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The answer to a `Measure`: a finished measurement. Secrets in its texts are redacted already."""

    phase: Phase
    started_at: datetime
    finished_at: datetime
    value: str = ""
    message: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """The answer to a `Measure` that had no data where such a measurement is not counted."""

    finished_at: datetime
    message: str


@dataclass(frozen=True, slots=True)
class Unmeasurable:
    """The answer to a `Measure` that can never succeed: what the run refers to is not there. The run ends with this text."""

    message: str


def effect_id(metric: str, number: int) -> str:
    """Return the id of the effect that takes a metric's measurement of this number."""
    return f"measure/{metric}/{number}"


def gather(key: Key, observations: Sequence[Observation], *, runs: Store, providers: Mapping[str, Provider]) -> Snapshot | None:
    """Return the snapshot of one run; None when there is none of that name."""
    run = runs.get(*key)
    return None if run is None else Snapshot(run=run, observations=tuple(observations), providers=providers)
