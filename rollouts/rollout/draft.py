"""A plan in the making: what the stages of the Rollout's plan read and add to.

Owns the order in which kinds of writes go out. Must not: decide anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Self

from kube.kinds import REPLICA_SET, ROLLOUT, ObjectRef
from kube.objects import Object, name_of, namespace_of
from kube.plan import Create, Event, Patch, Plan, Reason, Stage, Write
from rollouts.engine import conditions as condition
from rollouts.rollout.settings import Settings
from rollouts.rollout.snapshot import ReplicaSet, Snapshot
from routers.base import Split


class Order(Enum):
    """The stages of writes, first to last: users first, then capacity up, then capacity down."""

    BACK = "take traffic back"
    REVISION = "name the revision"
    NOTE = "note the revision"
    """On the Rollout, for people: they wait for the ReplicaSet, not for this."""
    SERVICE = "switch services"
    ROUTE = "move traffic"
    ANALYSIS = "run analyses"
    GROW = "scale up"
    SHRINK = "scale down"
    TIDY = "tidy up"


@dataclass(slots=True)
class Draft:
    """The one mutable thing of a plan. `status` starts as the stored status and becomes the wanted one."""

    snapshot: Snapshot
    now: datetime
    settings: Settings
    status: dict[str, Any]
    new: ReplicaSet | None = None
    stable: ReplicaSet | None = None
    others: tuple[ReplicaSet, ...] = ()
    new_hash: str = ""
    revision: int = 0
    observed: Split | None = None
    """The split that the routers' objects express; None without routing, or while they disagree."""
    wanted: Split | None = None
    invalid: str = ""
    """What is wrong with the objects that the spec refers to; empty when nothing is."""
    fast_track: str = ""
    """Why steps, pauses and analyses are skipped; empty when they are not."""
    writes: dict[Order, list[Write]] = field(default_factory=lambda: {order: [] for order in Order})
    events: list[Event] = field(default_factory=list)
    stage_events: dict[Order, list[Event]] = field(default_factory=dict)
    reasons: list[Reason] = field(default_factory=list)
    waits: list[timedelta] = field(default_factory=list)

    @classmethod
    def of(cls, snapshot: Snapshot, now: datetime) -> Self:
        """Start a draft for a Rollout whose spec is valid."""
        settings = snapshot.reading.settings
        assert settings is not None, "a refused spec has no plan"
        return cls(snapshot, now, settings, copy_of(snapshot.rollout.get("status") or {}))

    # -- what is known ---------------------------------------------------------------------------------------------------

    @property
    def rollout(self) -> Object:
        """The Rollout as stored."""
        return self.snapshot.rollout

    @property
    def name(self) -> str:
        """Its name."""
        return name_of(self.rollout)

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return namespace_of(self.rollout)

    @property
    def ref(self) -> ObjectRef:
        """The Rollout."""
        return self.ref_of(self.rollout)

    @staticmethod
    def ref_of(rollout: Object) -> ObjectRef:
        """Return the reference of a Rollout."""
        return ObjectRef(ROLLOUT, namespace_of(rollout), name_of(rollout))

    @property
    def canary_status(self) -> dict[str, Any]:
        """`status.canary`, created when it is first used."""
        section = self.status.setdefault("canary", {})
        assert isinstance(section, dict)
        return section

    @property
    def index(self) -> int:
        """The current step, never past the end."""
        return max(0, min(int(self.status.get("currentStepIndex") or 0), len(self.settings.steps)))

    @property
    def aborted(self) -> bool:
        """Whether the update was given up."""
        return bool(self.status.get("abort"))

    @property
    def is_first(self) -> bool:
        """Whether nothing was ever promoted: there is no stable version to protect."""
        return not self.status.get("stableRS") or self.stable is None

    @property
    def fully_promoted(self) -> bool:
        """Whether the wanted template is the stable one."""
        return bool(self.new_hash) and self.status.get("stableRS") == self.new_hash

    @property
    def was_promoted(self) -> bool:
        """Whether the wanted template was the stable one already when this plan began."""
        return self.fully_promoted and (self.rollout.get("status") or {}).get("stableRS") == self.new_hash

    @property
    def new_available(self) -> int:
        """Available pods of the wanted revision that are to stay."""
        return self.new.side.sure if self.new else 0

    @property
    def stable_available(self) -> int:
        """Available pods of the stable revision that are to stay."""
        return self.stable.side.sure if self.stable else 0

    @property
    def all_sets(self) -> tuple[ReplicaSet, ...]:
        """Every ReplicaSet of the Rollout, each once."""
        return tuple({one.uid: one for one in (self.new, self.stable, *self.others) if one}.values())

    # -- what is added ---------------------------------------------------------------------------------------------------

    def write(self, order: Order, *writes: Write) -> None:
        """Add writes to a stage."""
        self.writes[order] += writes

    def patch_replica_set(self, order: Order, replica_set: ReplicaSet, patch: Mapping[str, Any]) -> None:
        """Patch a ReplicaSet, joining what this plan wants of it already; but no shrink goes out before its turn."""
        ref = ObjectRef(REPLICA_SET, self.namespace, replica_set.name)
        for stage in Order:
            if order is Order.SHRINK and stage is not order:
                continue
            for at, one in enumerate(self.writes[stage]):
                if isinstance(one, Patch) and one.ref == ref:
                    self.writes[stage][at] = replace(one, patch=merged(one.patch, patch))
                    return
        self.write(order, Patch(ref=ref, patch=patch))

    def event(self, reason: str, message: str, *, warning: bool = False, after: Order | None = None) -> None:
        """Tell about something in an event of the Rollout: once a stage of writes is done or, with none, the status is stored."""
        event = Event(about=self.ref, reason=reason, message=message, warning=warning)
        (self.events if after is None else self.stage_events.setdefault(after, [])).append(event)

    def because(self, text: str, *, until: datetime | None = None) -> None:
        """Note why something is done or waited for; a known end of the wait is also when to look again."""
        self.reasons.append(Reason(text, until))
        if until is not None:
            self.look_again(until - self.now)

    def look_again(self, after: timedelta) -> None:
        """Ask for another plan at the latest after this long."""
        self.waits.append(max(after, timedelta(0)))

    def condition(self, kind: str, status: str, *, reason: str, message: str, touch: bool = False) -> None:
        """Set a condition of the status."""
        self.status["conditions"] = condition.put(
            self.status.get("conditions") or (), kind, status, reason=reason, message=message, now=self.now, touch=touch
        )

    def plan(self) -> Plan:
        """Return the finished plan."""
        return Plan(
            stages=tuple(self._stage(order) for order in Order if self.writes[order] or order in self.stage_events),
            status=self.status,
            status_may_wait=STATUS_MAY_WAIT if self._only_counters_moved() else timedelta(0),
            events=tuple(self.events),
            look_again=min(self.waits) if self.waits else None,
            reasons=tuple(self.reasons),
        )

    def _stage(self, order: Order) -> Stage:
        writes = tuple(self.writes[order])
        creates = any(isinstance(one, Create) and one.kind == REPLICA_SET for one in writes)
        return Stage(order.value, writes, tuple(self.stage_events.get(order, ())), others_first=creates)

    def _only_counters_moved(self) -> bool:
        """Tell whether the status can wait for company: nothing that people or the next plan depend on changed."""
        stored, wanted = _urgent_part(self.rollout.get("status") or {}), _urgent_part(self.status)
        return stored == wanted


STATUS_MAY_WAIT = timedelta(seconds=1)
SAME_PROGRESS = frozenset({"NewReplicaSetCreated", "FoundNewReplicaSet", "ReplicaSetUpdated"})
PATIENT_FIELDS = frozenset({"replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "HPAReplicas", "message"})


def _urgent_part(status: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what may come with the next write: counters, the record of weights (the routers' objects hold the truth) but for
    the version that the canary's weight is for, and conditions that only say again that pods come and go."""
    canary = {key: value for key, value in (status.get("canary") or {}).items() if key != "weights"}
    weights = (status.get("canary") or {}).get("weights") or {}
    canary["version"] = (weights.get("canary") or {}).get("podTemplateHash")
    conditions = {_fact(one) for one in status.get("conditions") or () if one.get("type") != "Available"}
    rest = {key: value for key, value in status.items() if key not in PATIENT_FIELDS and value is not None}
    return {**rest, "canary": canary, "conditions": conditions}


def _fact(one: Mapping[str, Any]) -> tuple[str, str, str]:
    reason = str(one.get("reason"))
    return str(one.get("type")), str(one.get("status")), "ReplicaSetUpdated" if reason in SAME_PROGRESS else reason


def copy_of(value: Any) -> Any:
    """Return a JSON value that may be changed without changing this one."""
    match value:
        case dict():
            return {key: copy_of(one) for key, one in value.items()}
        case list():
            return [copy_of(one) for one in value]
        case _:
            return value


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Join two merge patches; the second wins."""
    result = dict(first)
    for key, value in second.items():
        known = result.get(key)
        result[key] = merged(known, value) if isinstance(known, Mapping) and isinstance(value, Mapping) else value
    return result
