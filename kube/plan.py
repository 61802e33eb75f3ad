"""What a reconcile wants done, as data: writes in stages, effects, status, events, when to look again.

Shared by every controller's pure `plan` and by the executor that carries it out. Must not: do anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from kube.kinds import Kind, ObjectRef
from kube.objects import Object


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Create an object. Whoever finds it already there, made by the same owner, counts that as done."""

    kind: Kind
    body: Object

    @property
    def ref(self) -> ObjectRef:
        """The object to be."""
        metadata = self.body["metadata"]
        return ObjectRef(self.kind, metadata.get("namespace") or "", metadata["name"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """Merge-patch an object, or its subresource (`status`, `scale`).

    `version`, when given, is the resourceVersion the patch was computed from: the server refuses it with a conflict when
    the object has changed since. Give it whenever the patch replaces a list somebody else may edit.
    """

    ref: ObjectRef
    patch: Object
    subresource: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Delete an object, only if it still has this uid. One that is gone already counts as done."""

    ref: ObjectRef
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evict:
    """Ask for a pod's eviction. A refusal by a disruption budget (429) is not an error: the plan will ask again."""

    ref: ObjectRef
    uid: str


Write: TypeAlias = Create | Patch | Delete | Evict


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A Kubernetes event about an object."""

    about: ObjectRef
    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Stage:
    """Writes that may go out together. The next stage starts only when all of them succeeded."""

    name: str
    writes: tuple[Write, ...]
    events: tuple[Event, ...] = ()
    """What to tell once they succeeded, whatever becomes of later stages and of the status."""
    others_first: bool = False
    """Whether the rest of the plan may be left for another one while others wait for their first writes: only where another
    plan decides the same without the status that is not written then."""


@dataclass(frozen=True, slots=True)
class Effect:
    """Slow or outside work asked for. One with the same id that is already under way is not started again."""

    id: str
    request: Any
    """What to do, understood by the controller's effect handler."""


@dataclass(frozen=True, slots=True)
class Observation:
    """The answer to an effect, kept until a plan says that it was consumed."""

    effect_id: str
    answer: Any
    """What the handler returned. A handler turns expected failures into answers; it does not raise them."""
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something was decided or what is being waited for, in a plain sentence."""

    text: str
    until: datetime | None = None
    """When the wait ends by itself, if it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything to do about one root object now; empty when it is as wanted."""

    stages: tuple[Stage, ...] = ()
    effects: tuple[Effect, ...] = ()
    status: Mapping[str, Any] | None = None
    """The whole wanted status, sent as a difference once all stages succeeded; None leaves it alone."""
    status_may_wait: timedelta = timedelta(0)
    """How long the status write may wait for company: set when nothing but counters moved."""
    events: tuple[Event, ...] = ()
    """What to tell once the status is stored, which is why a status with events never waits."""
    look_again: timedelta | None = None
    reasons: tuple[Reason, ...] = ()
    consumed: tuple[str, ...] = ()
    """Ids of the observations that `status` accounts for; forgotten once it is written."""


class PlanOutdated(Exception):
    """The cluster is no longer what the plan was made from: not an error, make another plan."""


class NotLeading(PlanOutdated):
    """Another replica may be at work: nothing may be written."""
