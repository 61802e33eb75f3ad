"""Leader election on a Lease: of several replicas one writes.

Owns who may write, and until when. Must not: trust the wall clock of anybody, or go on after the lease may be lost.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random as randomness
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kube.client import Client
from kube.clock import Clock
from kube.errors import AlreadyExists, ApiError, Conflict, InvalidConfig, NotFound
from kube.kinds import LEASE, ObjectRef
from kube.objects import Object, version_of

logger = logging.getLogger(__name__)

LEASE_NAME = "argo-rollouts-controller-lock"
"""As upstream, so that the two never lead at once; `-<instance id>` follows where there is one (spec/rollout.md 5.4)."""
OURS = "rollouts/"
"""How the identity of each of our replicas begins. Upstream's is a host name, `_` and a UUID: no host name has a slash, and every
holder writes its own identity, so the two cannot be taken for each other, whoever held the lease before."""
SOONEST_SECONDS = 0.02
"""At least between two attempts, also right before a deadline."""
SETTLE_SECONDS = 0.25
"""Between taking the lease and working: the stores have the last writes of the former leader by then: nothing is told twice."""


class HeldByStranger(Exception):
    """Another controller of the same objects is alive, and holds a lease that says so."""

    def __init__(self, ref: ObjectRef, holder: str, *, advice: str = "") -> None:
        self.ref, self.holder = ref, holder
        mine = holder.startswith(OURS)
        who = "another replica of this controller" if mine else "another controller, most likely Argo Rollouts,"
        super().__init__(
            f"{who} is at work: {holder!r} renews the lease {ref}. Two of them must not look after the same objects. "
            + (
                advice
                or "Stop it (kubectl scale deployment argo-rollouts --replicas=0 in its namespace) and start again, or start "
                "with --take-over, which takes the lease from it: it then stops by itself"
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long things may take, in seconds."""

    lease: float = 15.0
    """A leader that was not heard for this long is taken for dead."""
    renew: float = 10.0
    """A leader that could not renew for this long stops."""
    retry: float = 2.0
    """At most between two attempts, less some chance: a replica that waits has the lease within this time of its release."""

    def __post_init__(self) -> None:
        if not self.lease > self.renew > self.retry > 0:
            got = f"{self.lease} > {self.renew} > {self.retry}"
            raise ValueError(f"leader election needs lease duration > renew deadline > retry period > 0, got {got}")


def is_ours(identity: str) -> bool:
    """Tell whether a holder is a replica of this controller."""
    return identity.startswith(OURS)


def holder_of(lease: Object) -> str:
    """Return who holds a Lease; empty when nobody does."""
    return str((lease.get("spec") or {}).get("holderIdentity") or "")


class Sightings:
    """What one replica saw of a Lease it does not hold. Ages are by our own clock since the last change that we saw."""

    def __init__(self, clock: Clock, *, otherwise_seconds: float) -> None:
        """Prepare; `otherwise_seconds` is the duration of a lease that names none."""
        self._clock = clock
        self._otherwise = otherwise_seconds
        self._last: Object | None = None
        self._changed_at = 0.0
        self.renewed = False
        """Whether the holder was seen to renew: it is alive."""

    def note(self, lease: Object) -> None:
        """Take in what the Lease is now."""
        if self._last is not None and version_of(self._last) == version_of(lease):
            return
        if self._last is not None:
            self.renewed = bool(holder_of(lease)) and holder_of(self._last) == holder_of(lease)
        self._last, self._changed_at = lease, self._clock.monotonic()

    @property
    def holder(self) -> str:
        """Who held it when it was last seen; empty when nobody did."""
        return holder_of(self._last) if self._last is not None else ""

    def left_seconds(self) -> float:
        """Return after how long the holder counts as dead; 0 when it does, or nobody holds the lease."""
        if self._last is None or not holder_of(self._last):
            return 0.0
        duration = (self._last.get("spec") or {}).get("leaseDurationSeconds") or self._otherwise
        return max(self._changed_at + float(duration) - self._clock.monotonic(), 0.0)


class Elector:
    """Competes for one Lease on behalf of one replica."""

    def __init__(
        self,
        client: Client,
        *,
        namespace: str,
        identity: str,
        clock: Clock,
        name: str = LEASE_NAME,
        times: Times | None = None,
        random: randomness.Random | None = None,
        take_over: bool = False,
    ) -> None:
        """Prepare.

        Args:
            client: one without long retries of its own is best, and one that is not fenced by this elector.
            namespace: where the Lease is.
            identity: the name of this replica, different from all others: `OURS`, the pod's name and something random.
            clock: durations are measured by its monotonic time only.
            name: of the Lease.
            times: the three durations.
            random: so that replicas do not compete in step.
            take_over: take the lease from a holder that is not ours, even one that is alive.

        Raises:
            ValueError: the identity does not begin as ours do.
        """
        if not is_ours(identity):
            raise ValueError(f"the identity of a replica begins with {OURS!r}, got {identity!r}")
        self._client = client
        self._ref = ObjectRef(LEASE, namespace, name)
        self._identity = identity
        self._clock = clock
        self._times = times or Times()
        self._random = random or randomness.Random()
        self._take_over = take_over
        self._renewed_at = float("-inf")
        self._held: Object | None = None
        """The Lease as we wrote it last: renewing is one request as long as nobody else touches it."""
        self._seen = Sightings(clock, otherwise_seconds=self._times.lease)
        self._warned = ""
        self._asks = False
        """Whether a write of the Lease may have been carried out without our hearing of it."""
        self._robbed_seconds = 0.0
        self._followed = False
        """Whether another replica had the lease before."""
        self.leader = ""
        """Who leads as far as is known."""
        self.leading = False
        """Whether `lead` runs."""

    @property
    def ref(self) -> ObjectRef:
        """The Lease."""
        return self._ref

    def guard(self) -> bool:
        """Tell whether this replica may write now; false at the latest before another one may."""
        return self.left_seconds() > 0

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Wait for the lease, lead while it can be renewed, and give it back.

        Returns when `lead` returns or when the lease was lost; the process should then start anew. Whatever ends it, `lead`
        has been cancelled and has finished.

        Raises:
            HeldByStranger: another controller is alive, and was not to be taken over.
        """
        try:
            while not await self._try(within=min(self._times.renew, 2 * self._times.retry)):
                self._look_at_stranger()
                await self._clock.sleep(self._pause())
        except asyncio.CancelledError:
            if self._asks:  # the lease may be ours without our knowing
                await self._give_back(within=self._times.retry)
            raise
        leading = asyncio.ensure_future(self._lead(lead))
        renewing = asyncio.ensure_future(self._renew())
        try:
            done, _ = await asyncio.wait((leading, renewing), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            leading.cancel()
            await asyncio.gather(leading, return_exceptions=True)
            renewing.cancel()  # only now: the last writes of `lead` need the lease
            await asyncio.gather(renewing, return_exceptions=True)
            await self._release()

    async def _lead(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Lead; after a robbery only when the other one must have noticed, which by the rules it does within its lease."""
        if self._robbed_seconds:
            logger.warning(
                "the lease %s was taken over; working in %g s, when its holder has stopped", self._ref, self._robbed_seconds
            )
            await self._clock.sleep(self._robbed_seconds)
        elif self._followed:
            await self._clock.sleep(SETTLE_SECONDS)
        logger.info("%s leads now (%s)", self._identity, self._ref)
        self.leading = True
        try:
            await lead()
        finally:
            self.leading = False

    def left_seconds(self) -> float:
        """For how long this replica may still write."""
        return self._renewed_at + self._times.renew - self._clock.monotonic()

    def _patience(self) -> float:
        """Return how long to wait for one answer: half of what is left, so that a dead connection does not cost the lease."""
        left = self.left_seconds()
        return max(left / 2, min(left, self._times.retry))

    def _pause(self) -> float:
        """Return how long to wait for the lease: less than the retry period, or until its holder counts as dead."""
        wait = self._times.retry * self._random.uniform(0.5, 0.8)
        dies = self._seen.left_seconds()
        return max(min(wait, dies), SOONEST_SECONDS) if dies else wait

    def _look_at_stranger(self) -> None:
        """Tell of a holder that is not ours, once; refuse to wait beside one that is alive."""
        if not self.leader or is_ours(self.leader):
            return
        if self._seen.renewed:
            raise HeldByStranger(self._ref, self.leader)
        if self._warned != self.leader:
            self._warned = self.leader
            seconds = self._seen.left_seconds()
            logger.warning(
                "%r, which is none of ours, holds %s; looking for up to %.0f s if it is alive", self.leader, self._ref, seconds
            )

    async def _renew(self) -> None:
        """Renew until that fails for too long."""
        while True:
            pause = self._times.retry * self._random.uniform(0.9, 1.1)
            await self._clock.sleep(max(min(pause, self.left_seconds()), SOONEST_SECONDS))
            if not self.guard():  # asked again after every wait: who was frozen in it must not even renew
                break
            if not await self._try(within=self._patience()) and self.leader not in ("", self._identity):
                break
        self._renewed_at = float("-inf")
        if self.leader in ("", self._identity):
            reason = f"it could not be renewed for {self._times.renew:g} s, so that another replica may take it"
        else:
            reason = f"{self.leader} holds it now"
        logger.error("%s has lost the lease %s: %s", self._identity, self._ref, reason)

    async def _try(self, *, within: float) -> bool:
        """Take or renew the lease; False when somebody else has it, or the server cannot be asked in so many seconds."""
        asked_at = self._clock.monotonic()  # before the request: the server may carry it out late, never early
        try:
            async with asyncio.timeout(within):
                held = await self._take()
        except (Conflict, AlreadyExists):
            return False  # somebody else was faster; the next attempt sees who
        except (ApiError, InvalidConfig, TimeoutError) as error:  # credentials that fail once may work again in time
            logger.warning("the lease %s cannot be asked for: %s", self._ref, str(error) or f"no answer in {within:.1f} s")
            return False
        if held:
            self._renewed_at = asked_at
            self.leader = self._identity
        return held

    async def _take(self) -> bool:
        if self._held is not None:
            try:
                return await self._write(self._held, took=False)
            except (Conflict, NotFound):
                self._held = None  # somebody has touched it: see who
        try:
            current = await self._client.get(LEASE, self._ref.namespace, self._ref.name)
        except NotFound:
            if self._seen.holder != self._identity and self._seen.left_seconds():
                return False  # somebody has deleted it, and whoever held it may not have noticed yet
            metadata = {"name": self._ref.name, "namespace": self._ref.namespace}
            return await self._hold(self._client.create(LEASE, {"metadata": metadata, "spec": self._spec({}, took=True)}))
        self._seen.note(current)
        self.leader = holder_of(current)
        ours, left = self.leader == self._identity, self._seen.left_seconds()
        self._followed = not ours
        robs = bool(self.leader) and self._take_over and not is_ours(self.leader)
        if not ours and left and not robs:
            return False
        if robs and left:  # noted before it is done: the answer may be lost
            self._robbed_seconds = float((current.get("spec") or {}).get("leaseDurationSeconds") or self._times.lease)
        return await self._write(current, took=not ours)

    async def _write(self, current: Object, *, took: bool) -> bool:
        patch = {"spec": self._spec(current.get("spec") or {}, took=took)}
        return await self._hold(self._client.patch(self._ref, patch, version=version_of(current)))

    async def _hold(self, writing: Awaitable[Object]) -> bool:
        self._asks = True
        self._held = await writing
        self._asks = False
        return True

    def _spec(self, current: Object, *, took: bool) -> dict[str, Any]:
        now = format_micro_time(self._clock.now())
        spec: dict[str, Any] = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": math.ceil(self._times.lease),
            "renewTime": now,
        }
        if took:
            changes = int(current.get("leaseTransitions") or 0)
            spec |= {"acquireTime": now, "leaseTransitions": changes + 1 if current else 0}
        return spec

    async def _release(self) -> None:
        """Give the lease back, so that the next replica need not wait for it to run out."""
        left, self._renewed_at = self.left_seconds(), float("-inf")
        if left > 0:
            await self._give_back(within=left)

    async def _give_back(self, *, within: float) -> None:
        """Give the lease back if it is ours; once more when a renewal on its way has touched it meanwhile."""
        try:
            async with asyncio.timeout(within):
                try:
                    await self._give_back_once()
                except Conflict:
                    await self._give_back_once()
        except (ApiError, InvalidConfig, TimeoutError) as error:
            logger.warning("the lease %s was not given back: %s", self._ref, str(error) or "no answer in time")

    async def _give_back_once(self) -> None:
        current = await self._client.get(LEASE, self._ref.namespace, self._ref.name)
        if holder_of(current) == self._identity:
            patch = {"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}}
            await self._client.patch(self._ref, patch, version=version_of(current))
            logger.info("%s has given back the lease %s", self._identity, self._ref)


def format_micro_time(moment: datetime) -> str:
    """Write a time as `metav1.MicroTime` does: UTC, six digits of fraction, `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
