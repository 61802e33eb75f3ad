"""The controllers of Rollouts and of what they leave behind: which changes touch which object.

Must not: decide anything; `plan.py` and `release.py` do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from kube.clock import Clock
from kube.controller import Controller, Watch, own_key
from kube.effects import no_effects
from kube.executor import Executor
from kube.informer import Informer
from kube.kinds import ANALYSIS_RUN, ROLLOUT, Kind
from kube.objects import Key, Object, key_of, labels_of
from kube.plan import Observation, Plan
from rollouts.engine.names import INSTANCE_ID
from rollouts.rollout.analyses import is_finished
from rollouts.rollout.gather import Stores, gather, mappers
from rollouts.rollout.plan import plan
from rollouts.rollout.reading import Readings
from rollouts.rollout.release import asking, managed_by, reconciler


@dataclass(frozen=True, slots=True, kw_only=True)
class Machinery:
    """What every controller of the process shares."""

    informers: Mapping[Kind, Informer]
    readings: Readings
    """What the informers' indices were made with."""
    executor: Executor
    clock: Clock
    instance_id: str = ""

    @property
    def stores(self) -> Stores:
        """The informers' stores."""
        return Stores({kind: informer.store for kind, informer in self.informers.items()}, self.readings)


def never(_old: Object | None, _new: Object) -> bool:
    """Nobody waits for a change of this kind."""
    return False


def asks_for_something(old: Object | None, rollout: Object) -> bool:
    """Tell whether somebody changed the spec, or gave a command through the status; a pause of the controller's own is none."""
    if old is None or old["metadata"].get("generation") != rollout["metadata"].get("generation"):
        return True
    before, after = old.get("status") or {}, rollout.get("status") or {}
    is_resumed = bool(before.get("pauseConditions")) and not after.get("pauseConditions") and bool(after.get("controllerPause"))
    return is_resumed or any(before.get(field) != after.get(field) for field in COMMANDS)


def has_a_verdict(old: Object | None, run: Object) -> bool:
    """Tell whether an analysis just ended: with a bad verdict, users are on a bad version until that is heard."""
    return is_finished(run) and (old is None or not is_finished(old))


COMMANDS = ("abort", "promoteFull")
URGENT: Mapping[Kind, Callable[[Object | None, Object], bool]] = {ROLLOUT: asks_for_something, ANALYSIS_RUN: has_a_verdict}


def rollout_controller(machinery: Machinery, *, workers: int = 10, resync_seconds: float = 900.0) -> Controller:
    """Return the controller that keeps every Rollout as planned."""
    stores, informers = machinery.stores, machinery.informers

    def reconcile(key: Key, _observations: Sequence[Observation], now: datetime) -> Plan | None:
        snapshot = gather(stores, key)
        if snapshot is None or labels_of(snapshot.rollout).get(INSTANCE_ID, "") != machinery.instance_id:
            return None
        return plan(snapshot, now)

    def forget(old: Object | None, new: Object | None) -> None:
        if old is not None and new is None:
            machinery.readings.forget(key_of(old))

    informers[ROLLOUT].on_change(forget)
    return Controller(
        "rollout",
        root=ROLLOUT,
        watches=[Watch(informers[kind], keys, URGENT.get(kind, never)) for kind, keys in mappers(stores).items()],
        reconcile=reconcile,
        perform=no_effects,
        executor=machinery.executor,
        clock=machinery.clock,
        workers=workers,
        resync_seconds=resync_seconds,
    )


def release_controller(kind: Kind, machinery: Machinery) -> Controller:
    """Return the controller that takes versions out of objects of a kind which no Rollout uses any more."""
    stores, informers = machinery.stores, machinery.informers
    return Controller(
        f"release-{kind.plural}",
        root=kind,
        watches=[Watch(informers[kind], own_key), Watch(informers[ROLLOUT], managed_by(stores, kind))],
        reconcile=reconciler(stores, kind),
        perform=asking(informers[ROLLOUT]),
        executor=machinery.executor,
        clock=machinery.clock,
        workers=1,
    )
