"""Who else looks after the same objects: leases of our name in other places, and whether somebody alive holds them.

Owns the look before the start. Must not: take a lease, or trust anybody's wall clock.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence

from kube.client import Client
from kube.clock import Clock
from kube.errors import ApiError, Forbidden, NotFound
from kube.kinds import LEASE, ObjectRef
from kube.leases import SOONEST_SECONDS, HeldByStranger, Sightings, holder_of, is_ours
from kube.objects import Object, namespace_of

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


class Neighbourhood:
    """The leases of other controllers in the namespaces that this one looks after."""

    def __init__(
        self,
        client: Client,
        *,
        own: ObjectRef,
        namespaces: Sequence[str],
        clock: Clock,
        elects: bool = True,
        duration_seconds: float = 15.0,
    ) -> None:
        """Prepare.

        Args:
            client: one that may list leases, or get those of `namespaces`.
            own: the lease this replica competes for, or would.
            namespaces: those it looks after; an empty one stands for all.
            clock: ages are by its monotonic time.
            elects: whether it competes at all: if not, nobody at all may hold its own lease.
            duration_seconds: of a lease that names none.
        """
        self._client = client
        self._own = own
        self._namespaces = tuple(namespaces)
        self._clock = clock
        self._elects = elects
        self._duration_seconds = duration_seconds
        self._seen: dict[ObjectRef, Sightings] = {}

    async def leave_or_stay(self) -> None:
        """Return once nobody alive looks after the same objects.

        Raises:
            HeldByStranger: somebody does.
        """
        while (seconds := await self._look()) > 0:
            await self._clock.sleep(max(min(LOOK_SECONDS, seconds), SOONEST_SECONDS))

    async def _look(self) -> float:
        """Look once, and return for how long to go on."""
        try:
            foreign = [lease for lease in await self._leases() if holder_of(lease) and self._is_foreign(lease)]
        except ApiError as error:
            logger.warning("it cannot be asked who else is at work: %s", error)
            return LOOK_SECONDS
        held = {ObjectRef(LEASE, namespace_of(lease), self._own.name) for lease in foreign}
        self._seen = {ref: seen for ref, seen in self._seen.items() if ref in held}  # the others were given back, or deleted
        for lease in foreign:
            self._note(lease)
        return max((one.left_seconds() for one in self._seen.values()), default=0.0)

    def _note(self, lease: Object) -> None:
        holder, ref = holder_of(lease), ObjectRef(LEASE, namespace_of(lease), self._own.name)
        if ref not in self._seen:
            self._seen[ref] = Sightings(self._clock, otherwise_seconds=self._duration_seconds)
            logger.warning(
                "%s is held by %r; looking for a while if it is alive. If it is gone for good, delete the lease", ref, holder
            )
        self._seen[ref].note(lease)
        if self._seen[ref].renewed:
            raise HeldByStranger(ref, holder, advice=self._advice(ref))

    def _is_foreign(self, lease: Object) -> bool:
        if namespace_of(lease) == self._own.namespace:
            return not self._elects  # otherwise the election itself sees to it
        return not is_ours(holder_of(lease))

    async def _leases(self) -> list[Object]:
        if "" in self._namespaces:
            try:
                return (await self._client.list(LEASE, field_selector=f"metadata.name={self._own.name}")).items
            except Forbidden as error:
                logger.info("only leases in %s are looked at: %s", self._own.namespace, error)
        return await self._named({self._own.namespace, *self._namespaces} - {""})

    async def _named(self, namespaces: Iterable[str]) -> list[Object]:
        found = await asyncio.gather(*(self._get(namespace) for namespace in sorted(namespaces)))
        return [lease for lease in found if lease is not None]

    async def _get(self, namespace: str) -> Object | None:
        try:
            return await self._client.get(LEASE, namespace, self._own.name)
        except (NotFound, Forbidden):
            return None

    def _advice(self, ref: ObjectRef) -> str:
        if ref == self._own:
            return "Start without --no-leader-elect, so that it is waited for, or stop the other one"
        return (
            f"Stop it (kubectl -n {ref.namespace} scale deployment argo-rollouts --replicas=0) and start again, or take its lease: "
            f"start every replica with --take-over --leader-election-namespace {ref.namespace}; the other one then stops by itself"
        )
