"""Carries out a plan: writes stage by stage, then the status difference, each with its events.

Owns the meaning of each refusal: done, look again soon, or an error. Must not: decide what should be.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from kube.client import Client
from kube.clock import Clock
from kube.differences import merge_patch, replaces_a_list
from kube.errors import AlreadyExists, ApiError, Conflict, Fenced, Forbidden, NotFound, TooManyRequests, Unreachable
from kube.expectations import Expectations, Writing
from kube.kinds import Kind, ObjectRef
from kube.objects import Object, controller_of, is_deleting, name_of, namespace_of, uid_of, version_of
from kube.plan import Create, Delete, Event, Evict, NotLeading, Patch, Plan, PlanOutdated, Stage, Write
from kube.spans import of_status, of_write, traced
from kube.tracing import Tracer, Untraced

logger = logging.getLogger(__name__)

EVICT_AGAIN_SECONDS = 10.0


class NameTaken(Exception):
    """The name of an object to create belongs to something else."""

    def __init__(self, ref: ObjectRef, owner: str) -> None:
        super().__init__(f"{ref} is there already and belongs to {owner}; delete or rename it")


class Recorder(Protocol):
    """Takes events; never blocks, never fails."""

    def record(self, event: Event, *, uid: str = "") -> None:
        """Record an event about an object, whose uid may be known."""
        ...


@dataclass(slots=True)
class Outcome:
    """What carrying out a plan led to."""

    settled: bool = True
    """Whether the wanted status is in the cluster: what it accounts for may be forgotten."""
    look_again_seconds: float | None = None
    writes: int = 0
    wrote_at: float | None = None
    """When the first write was sent, by the monotonic clock; None when there was none."""


@dataclass(slots=True)
class _Run:
    """One plan being carried out."""

    root: Object
    ref: ObjectRef
    outcome: Outcome = field(default_factory=Outcome)
    root_version: str | None = None
    """The version to guard the status with; None once somebody else may have changed the root under our own patch."""


class Executor:
    """The only place that changes the cluster on behalf of controllers."""

    def __init__(
        self,
        client: Client,
        *,
        recorder: Recorder,
        expectations: Expectations,
        clock: Clock,
        guard: Callable[[], bool] = lambda: True,
        tracer: Tracer | None = None,
    ) -> None:
        """Prepare.

        Args:
            client: where writes go.
            recorder: where events go.
            expectations: what our writes must have brought into the stores.
            clock: for status writes that may wait.
            guard: asked before each write; False when this replica may have lost its lease.
            tracer: told of each write, and of what the controllers do that use this executor; nobody is by default.
        """
        self._client = client
        self.recorder = recorder
        self.expectations = expectations
        self._clock = clock
        self._guard = guard
        self.tracer = tracer or Untraced()
        self._write = traced(self._send, tracer=self.tracer, beginning=lambda run, write: of_write(write))
        self._write_status = traced(self._patch_status, tracer=self.tracer, beginning=lambda run, patch: of_status(run.ref))
        self._without_status: set[Kind] = set()
        self._due_since: dict[str, float] = {}
        self.writes = 0
        self.conflicts = 0

    async def execute(self, root: Object, plan: Plan, *, kind: Kind, gives_way: Callable[[], bool] = lambda: False) -> Outcome:
        """Carry out a plan for its root object.

        Args:
            root: the object as it was when the plan was made.
            plan: what to do.
            kind: of the root object.
            gives_way: asked after a stage with `others_first`; True leaves the rest to another plan, as soon as there is time.

        Raises:
            PlanOutdated: the cluster has changed; make another plan soon.
            NameTaken: an object to create belongs to somebody else.
            ApiError: the server refused otherwise, or did not answer.
        """
        run = _Run(root, ObjectRef(kind, namespace_of(root), name_of(root)), root_version=version_of(root))
        try:
            for stage in plan.stages:
                await self._stage(run, stage)
                if stage.others_first and gives_way():
                    run.outcome.settled, run.outcome.look_again_seconds = False, 0.0
                    return run.outcome
            if plan.status is not None:
                await self._status(run, plan)
        except (Conflict, NotFound) as error:
            self.conflicts += 1
            raise PlanOutdated(str(error)) from error
        except Fenced as error:
            raise NotLeading(str(error)) from error
        self._tell(run, plan.events)
        return run.outcome

    def forget(self, root: ObjectRef, uid: str) -> None:
        """The root object is gone."""
        self.expectations.forget(root)
        self._due_since.pop(uid, None)

    async def _stage(self, run: _Run, stage: Stage) -> None:
        """Send the writes of a stage together; all of them are finished when this returns or raises."""
        if len(stage.writes) == 1:
            await self._write(run, stage.writes[0])
        else:
            results = await asyncio.gather(*(self._write(run, write) for write in stage.writes), return_exceptions=True)
            failures = [result for result in results if isinstance(result, BaseException)]
            if failures:
                raise next((one for one in failures if not isinstance(one, Conflict | NotFound | PlanOutdated)), failures[0])
        self._tell(run, stage.events)

    def _tell(self, run: _Run, events: Iterable[Event]) -> None:
        for event in events:
            self.recorder.record(event, uid=uid_of(run.root) if event.about == run.ref else "")

    async def _send(self, run: _Run, write: Write) -> None:
        ref = write.ref
        with self.expectations.writing(ref) as note:
            self._permit(run)
            try:
                match write:
                    case Create():
                        self.expectations.wrote(run.ref, note, await self._create(write))
                    case Patch():
                        await self._patch(run, write, note)
                    case Delete() | Evict():
                        await self._remove(run, write, note)
            except Unreachable as error:
                if error.maybe_applied:
                    self.expectations.uncertain(run.ref, note)
                raise

    async def _create(self, write: Create) -> Object:
        """Create an object, or find that an earlier attempt of ours did."""
        try:
            return await self._client.create(write.kind, write.body)
        except AlreadyExists:
            pass
        except NotFound as error:
            raise ApiError(f"{write.ref} cannot be created: {error}", status=404, reason="NotFound") from error
        except Forbidden as error:
            if any(cause.get("reason") == "NamespaceTerminating" for cause in error.details.get("causes") or ()):
                raise PlanOutdated(str(error)) from error
            raise
        found = await self._client.get(write.kind, write.ref.namespace, write.ref.name)
        ours, owner = controller_of(write.body) or {}, controller_of(found) or {}
        if ours.get("uid") != owner.get("uid"):
            raise NameTaken(write.ref, f"{owner['kind']} {owner['name']}" if owner else "nobody")
        if is_deleting(found):
            raise PlanOutdated(f"{write.ref} of an earlier life is still being deleted")
        return found

    async def _patch(self, run: _Run, write: Patch, note: Writing) -> None:
        answer = await self._client.patch(write.ref, write.patch, subresource=write.subresource, version=write.version)
        self.expectations.wrote(run.ref, note, answer)  # the Scale that `scale` answers bears uid and version of the object
        if write.ref == run.ref:
            run.root_version = version_of(answer) if write.version else None

    async def _remove(self, run: _Run, write: Delete | Evict, note: Writing) -> None:
        try:
            if isinstance(write, Evict):
                await self._client.evict(write.ref, uid=write.uid)
            else:
                await self._client.delete(write.ref, uid=write.uid)
        except (NotFound, Conflict):
            pass  # gone, or another object has the name by now: the one that was meant is deleted
        except TooManyRequests as error:
            if not isinstance(write, Evict):
                raise
            logger.info("%s is not evicted now: %s", write.ref, error)
            run.outcome.look_again_seconds = EVICT_AGAIN_SECONDS
            return
        self.expectations.deleted(run.ref, note, write.uid)

    def _permit(self, run: _Run) -> None:
        if not self._guard():
            raise NotLeading("the lease may be lost: nothing is written until it is held again")
        self.writes += 1
        if not run.outcome.writes:
            run.outcome.wrote_at = self._clock.monotonic()
        run.outcome.writes += 1

    async def _status(self, run: _Run, plan: Plan) -> None:
        """Send what differs in the status, once, or let it wait for company."""
        uid = uid_of(run.root)
        patch = merge_patch(run.root.get("status") or {}, plan.status or {})
        if not patch:
            self._due_since.pop(uid, None)
            return
        patience = plan.status_may_wait.total_seconds()
        if patience > 0 and not plan.events:  # they are told once only if the status says that they were
            now = self._clock.monotonic()
            left = self._due_since.setdefault(uid, now) + patience - now
            if left > 0:
                run.outcome.settled = False
                run.outcome.look_again_seconds = left
                return
        with self.expectations.writing(run.ref) as note:
            self._permit(run)
            try:
                answer = await self._write_status(run, {"status": patch})
            except Unreachable as error:
                if error.maybe_applied:
                    self.expectations.uncertain(run.ref, note)
                raise
            self.expectations.wrote(run.ref, note, answer)
        self._due_since.pop(uid, None)

    async def _patch_status(self, run: _Run, patch: dict[str, Any]) -> Object:
        """Patch the status where the kind keeps it: its subresource, or the object itself.

        A "not found" is believed only when the object then takes the status: servers and proxies say so in passing, and an object
        with the subresource answers that all is well while it ignores the status.
        """
        kind, uid = run.ref.kind, uid_of(run.root)
        version = run.root_version if replaces_a_list(patch) else None
        if kind not in self._without_status:
            try:
                return await self._client.patch(run.ref, patch, subresource="status", uid=uid, version=version)
            except NotFound:
                pass  # no such subresource, or no such object: the object itself will tell
        answer = await self._client.patch(run.ref, patch, uid=uid, version=version)
        if (answer.get("status") or {}) == (run.root.get("status") or {}):
            self._without_status.discard(kind)
            raise PlanOutdated(f"the status of {run.ref} was not taken")
        self._without_status.add(kind)
        return answer
