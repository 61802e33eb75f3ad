"""Leader election on a Lease: of several replicas one writes.

Owns who may write, and until when. Must not: trust the wall clock of anybody, or go on after the lease may be lost.
"""

from __future__ import annotations

import asyncio
import logging
import random as randomness
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kube.client import Client
from kube.clock import Clock
from kube.errors import AlreadyExists, ApiError, Conflict, NotFound
from kube.kinds import LEASE, ObjectRef
from kube.objects import Object, version_of

logger = logging.getLogger(__name__)

LEASE_NAME = "argo-rollouts-controller-lock"
"""As upstream, so that the two never lead at once; `-<instance id>` follows where there is one (spec/rollout.md 5.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long things may take, in seconds."""

    lease: float = 15.0
    """A leader that was not heard for this long is taken for dead."""
    renew: float = 10.0
    """A leader that could not renew for this long stops."""
    retry: float = 2.0
    """Between two attempts, plus some chance."""

    def __post_init__(self) -> None:
        if not self.lease > self.renew > self.retry > 0:
            got = f"{self.lease} > {self.renew} > {self.retry}"
            raise ValueError(f"leader election needs lease duration > renew deadline > retry period > 0, got {got}")


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
    ) -> None:
        """Prepare.

        Args:
            client: one without long retries of its own is best.
            namespace: where the Lease is.
            identity: the name of this replica, different from all others: the pod's name and something random.
            clock: durations are measured by its monotonic time only.
            name: of the Lease.
            times: the three durations.
            random: so that replicas do not compete in step.
        """
        self._client = client
        self._ref = ObjectRef(LEASE, namespace, name)
        self._identity = identity
        self._clock = clock
        self._times = times or Times()
        self._random = random or randomness.Random()
        self._renewed_at = float("-inf")
        self._seen: Object | None = None
        self._seen_at = 0.0
        self.leader = ""
        """Who leads as far as is known."""

    def guard(self) -> bool:
        """Tell whether this replica may write now; false at the latest before another one may."""
        return self._clock.monotonic() - self._renewed_at < self._times.renew

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Wait for the lease, lead while it can be renewed, and give it back.

        Returns when `lead` returns or when the lease was lost; the process should then start anew. Whatever ends it, `lead`
        has been cancelled and has finished.
        """
        while not await self._try():
            await self._clock.sleep(self._times.retry * self._random.uniform(1.0, 1.5))
        logger.info("%s leads now (%s)", self._identity, self._ref)
        leading = asyncio.ensure_future(lead())
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

    async def _renew(self) -> None:
        """Renew until that fails for too long."""
        while self.guard():
            left = self._renewed_at + self._times.renew - self._clock.monotonic()
            await self._clock.sleep(min(self._times.retry * self._random.uniform(0.9, 1.1), left))
            try:
                async with asyncio.timeout(max(self._renewed_at + self._times.renew - self._clock.monotonic(), 0)):
                    if not await self._try() and self.leader not in ("", self._identity):
                        break
            except TimeoutError:
                break
        self._renewed_at = float("-inf")
        if self.leader in ("", self._identity):
            reason = f"it could not be renewed for {self._times.renew:g} s, so that another replica may take it"
        else:
            reason = f"{self.leader} holds it now"
        logger.error("%s has lost the lease %s: %s", self._identity, self._ref, reason)

    async def _try(self) -> bool:
        """Take or renew the lease; False when somebody else has it or the server cannot be asked."""
        asked_at = self._clock.monotonic()  # before the request: the server may carry it out late, never early
        try:
            held = await self._take()
        except (Conflict, AlreadyExists):
            return False  # somebody else was faster; the next attempt sees who
        except ApiError as error:
            logger.warning("the lease %s cannot be asked for: %s", self._ref, error)
            return False
        if held:
            self._renewed_at = asked_at
            self.leader = self._identity
        return held

    async def _take(self) -> bool:
        try:
            current = await self._client.get(LEASE, self._ref.namespace, self._ref.name)
        except NotFound:
            metadata = {"name": self._ref.name, "namespace": self._ref.namespace}
            await self._client.create(LEASE, {"metadata": metadata, "spec": self._spec({}, took=True)})
            return True
        spec = current.get("spec") or {}
        self.leader = str(spec.get("holderIdentity") or "")
        ours = self.leader == self._identity
        if not ours and self.leader and not self._expired(current):
            return False
        patch = {"spec": self._spec(spec, took=not ours)}
        await self._client.patch(self._ref, patch, version=version_of(current))
        return True

    def _expired(self, current: Object) -> bool:
        """Tell whether the holder has been silent for a whole lease, by our own clock since we saw its last change."""
        now = self._clock.monotonic()
        if self._seen is None or version_of(self._seen) != version_of(current):
            self._seen, self._seen_at = current, now
        duration = (current.get("spec") or {}).get("leaseDurationSeconds") or self._times.lease
        return now - self._seen_at > float(duration)

    def _spec(self, current: Object, *, took: bool) -> dict[str, Any]:
        now = format_micro_time(self._clock.now())
        spec: dict[str, Any] = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, round(self._times.lease)),
            "renewTime": now,
        }
        if took:
            changes = int(current.get("leaseTransitions") or 0)
            spec |= {"acquireTime": now, "leaseTransitions": changes + 1 if current else 0}
        return spec

    async def _release(self) -> None:
        """Give the lease back, so that the next replica need not wait for it to run out."""
        held, self._renewed_at = self.guard(), float("-inf")
        if not held:
            return
        try:
            current = await self._client.get(LEASE, self._ref.namespace, self._ref.name)
            if (current.get("spec") or {}).get("holderIdentity") == self._identity:
                patch = {"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}}
                await self._client.patch(self._ref, patch, version=version_of(current))
                logger.info("%s has given back the lease %s", self._identity, self._ref)
        except ApiError as error:
            logger.warning("the lease %s was not given back: %s", self._ref, error)


def format_micro_time(moment: datetime) -> str:
    """Write a time as `metav1.MicroTime` does: UTC, six digits of fraction, `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
