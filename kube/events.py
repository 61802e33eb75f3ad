"""Kubernetes Events: what people see under `kubectl describe`.

Owns aggregation, limits and order. Must not: block or fail whoever records; an event is news, never state.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any
from zlib import crc32

from kube.client import Client
from kube.clock import Clock
from kube.errors import ApiError, NotFound
from kube.kinds import CORE_EVENT, ObjectRef
from kube.objects import format_time
from kube.pacing import Lane, lane
from kube.plan import Event

logger = logging.getLogger(__name__)

COMPONENT = "rollouts-controller"
BURST = 25
SECONDS_PER_EVENT = 10.0
"""An object may send a burst of events, then one in this time; repetitions of one event count, too. Warnings are counted by
themselves, so that a busy object does not lose the one event that matters."""
MOST_WAITING = 4000
SENDERS = 4
"""Each sends the events of its own share of the objects, so that those of one object stay in order and are counted right."""
MOST_REMEMBERED = 4096
FLUSH_SECONDS = 5.0
MESSAGE_LENGTH = 1024
"""The API server refuses longer messages."""


@dataclass(slots=True)
class _Posted:
    """An event that the cluster has."""

    ref: ObjectRef
    count: int


@dataclass(slots=True)
class _Allowance:
    tokens: float
    at: float


@dataclass(frozen=True, slots=True)
class _Waiting:
    event: Event
    uid: str
    moment: datetime


class EventRecorder:
    """Takes events at any rate and sends them in order, repetitions as a count on the first."""

    def __init__(
        self,
        client: Client,
        *,
        clock: Clock,
        component: str = COMPONENT,
        instance: str = "",
        new_id: Callable[[datetime], str] | None = None,
    ) -> None:
        """Prepare.

        Args:
            client: the API server.
            clock: for times and limits.
            component: who `kubectl describe` says it comes from.
            instance: which replica of the component; the component itself when empty.
            new_id: makes the end of an event's name from its moment; by default so that names sort as the events came.
        """
        self._client = client
        self._clock = clock
        self._component = component
        self._instance = instance or component
        self._new_id = new_id or self._next_id
        self._numbers = count()
        self._queues: Sequence[asyncio.Queue[_Waiting]] = [asyncio.Queue() for _ in range(SENDERS)]
        self._posted: OrderedDict[tuple[ObjectRef, str, str], _Posted] = OrderedDict()
        self._allowances: OrderedDict[tuple[ObjectRef, bool], _Allowance] = OrderedDict()
        self.recorded: Counter[tuple[str, bool, str]] = Counter()
        """Events by kind of the object, whether they warn, and reason."""
        self.sent = 0
        self.dropped = 0

    def record(self, event: Event, *, uid: str = "") -> None:
        """Take an event about an object; too many about one object, or at once, are dropped and counted."""
        self.recorded[(event.about.kind.name, event.warning, event.reason)] += 1
        if self._waiting() >= MOST_WAITING or not self._allowed(event):
            self.dropped += 1
            return
        share = self._queues[crc32(str(event.about).encode()) % SENDERS]
        share.put_nowait(_Waiting(event, uid, self._clock.now()))

    async def run(self) -> None:
        """Send until cancelled; what waits then is sent by `flush`."""
        lane.set(Lane.LAST)
        async with asyncio.TaskGroup() as group:
            for queue in self._queues:
                group.create_task(self._send_for_ever(queue))

    async def flush(self) -> None:
        """Send what waits, for a few seconds at most. Call it when `run` has ended."""
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await asyncio.gather(*map(self._send_all, self._queues))
        except TimeoutError:
            logger.warning("%d events, or a few more, could not be sent in time", self._waiting() + 1)

    def _waiting(self) -> int:
        return sum(queue.qsize() for queue in self._queues)

    async def _send_for_ever(self, queue: asyncio.Queue[_Waiting]) -> None:
        while True:
            await self._send(await queue.get())

    async def _send_all(self, queue: asyncio.Queue[_Waiting]) -> None:
        while not queue.empty():
            await self._send(queue.get_nowait())

    async def _send(self, waiting: _Waiting) -> None:
        try:
            await self._post(waiting)
            self.sent += 1
        except ApiError as error:
            self.dropped += 1
            logger.info("an event %s of %s was not recorded: %s", waiting.event.reason, waiting.event.about, error)
        except Exception:
            self.dropped += 1
            logger.exception("an event %s of %s was not recorded", waiting.event.reason, waiting.event.about)

    async def _post(self, waiting: _Waiting) -> None:
        event = waiting.event
        same = (event.about, event.reason, event.message)
        posted = self._posted.get(same)
        if posted is not None:
            self._posted.move_to_end(same)
            patch = {"count": posted.count + 1, "lastTimestamp": format_time(waiting.moment)}
            try:
                await self._client.patch(posted.ref, patch)
            except NotFound:
                pass  # it has expired: tell it anew
            else:
                posted.count += 1
                return
        body = self._body(waiting)
        created = await self._client.create(CORE_EVENT, body)
        metadata = created["metadata"]
        self._posted[same] = _Posted(ObjectRef(CORE_EVENT, metadata["namespace"], metadata["name"]), 1)
        if len(self._posted) > MOST_REMEMBERED:
            self._posted.popitem(last=False)

    def _body(self, waiting: _Waiting) -> dict[str, Any]:
        event, about = waiting.event, waiting.event.about
        moment = format_time(waiting.moment)
        involved = {"apiVersion": about.kind.api_version, "kind": about.kind.name, "name": about.name}
        if about.namespace:
            involved["namespace"] = about.namespace
        if waiting.uid:
            involved["uid"] = waiting.uid
        return {
            "metadata": {"name": f"{about.name[:230]}.{self._new_id(waiting.moment)}", "namespace": about.namespace or "default"},
            "involvedObject": involved,
            "reason": event.reason,
            "message": event.message[:MESSAGE_LENGTH],
            "type": "Warning" if event.warning else "Normal",
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "reportingInstance": self._instance,
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
        }

    def _next_id(self, moment: datetime) -> str:
        """Return microseconds and a running number: `kubectl get events` lists by name, and so in the order they came."""
        return f"{round(moment.timestamp() * 1e6):014x}{next(self._numbers) & 0xFFF:03x}"

    def _allowed(self, event: Event) -> bool:
        now = self._clock.monotonic()
        key = (event.about, event.warning)
        allowance = self._allowances.setdefault(key, _Allowance(BURST, now))
        self._allowances.move_to_end(key)
        if len(self._allowances) > MOST_REMEMBERED:
            self._allowances.popitem(last=False)
        allowance.tokens = min(BURST, allowance.tokens + (now - allowance.at) / SECONDS_PER_EVENT)
        allowance.at = now
        if allowance.tokens < 1:
            return False
        allowance.tokens -= 1
        return True
