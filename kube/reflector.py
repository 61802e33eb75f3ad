"""LIST, then WATCH, for ever, through every fault: the feed of an informer from one namespace, or from all.

Owns when to list, when to resume and how long to wait. Must not: keep objects; it reports them to its `Sink`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random as randomness
from collections.abc import Mapping
from typing import Any, Protocol

from kube.answers import Transform
from kube.client import Client
from kube.clock import Clock
from kube.errors import ApiError, BadAnswer, Forbidden, Gone, NotFound, error_of, error_of_status
from kube.kinds import Kind
from kube.lines import lines
from kube.objects import Object
from kube.transport import Response, Stream

logger = logging.getLogger(__name__)

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
NOT_SERVED_SECONDS = 60.0
"""How often a kind that the server does not have is asked for again."""
MISSING_BEFORE_GONE = 3
"""A kind that was there is taken for uninstalled only after this many answers that it is not: servers say so while they start."""
RELIST_AFTER_FAILURES = 5
"""Fruitless attempts to resume after which the state is fetched afresh."""
QUICK_END_SECONDS = 1.0
"""A stream that brings nothing and ends sooner counts as a failure."""
LINES_BETWEEN_YIELDS = 8
"""A wave of 1,000 events must not hold up the workers that wait for its first ones."""
_ERROR_BYTES = 65536


class Sink(Protocol):
    """Where a reflector reports."""

    def listing(self, namespace: str) -> None:
        """A list is about to be asked for."""
        ...

    async def replace(self, namespace: str, items: list[Object]) -> None:
        """These are all the objects there are."""
        ...

    def put(self, obj: Object) -> None:
        """An object is there, or has changed."""
        ...

    def remove(self, obj: Object) -> None:
        """An object is gone."""
        ...


class Reflector:
    """One stream of one kind."""

    def __init__(
        self,
        client: Client,
        kind: Kind,
        *,
        namespace: str,
        label_selector: str,
        transform: Transform,
        sink: Sink,
        clock: Clock,
        random: randomness.Random,
        idle_seconds: float,
        optional: bool = False,
    ) -> None:
        """Prepare; with `optional`, a kind that may not be listed counts as empty, as one that is not served does."""
        self._client = client
        self._kind = kind
        self._namespace = namespace
        self._label_selector = label_selector
        self._transform = transform
        self._sink = sink
        self._clock = clock
        self._random = random
        self._idle_seconds = idle_seconds
        self._optional = optional
        self._version = ""
        self._stale = False
        self._failures = 0
        self._missing = 0
        self._limit: asyncio.Timeout | None = None
        self.synced = asyncio.Event()
        self.served = True
        self.heard_at = clock.monotonic()
        """When the server was last heard, by the monotonic clock."""
        self.lists = 0
        self.events = 0

    async def run(self) -> None:
        """Feed the sink until cancelled."""
        while True:
            try:
                if self._stale or not self._version:
                    await self._list()
                await self._watch()
            except Gone as error:
                logger.info("%s: too old to resume, listing again: %s", self._place, error)
                await self._fail(relist=True, longest=1.0)
            except NotFound:
                await self._do_without("not served by this cluster")
            except ApiError as error:
                if isinstance(error, Forbidden) and self._optional and not self.lists:
                    await self._do_without(f"taken for empty: {error}")
                    continue
                level = logging.WARNING if self._failures or isinstance(error, Forbidden) else logging.INFO
                logger.log(level, "%s: %s", self._place, error)
                await self._fail(relist=isinstance(error, BadAnswer))
            except Exception:
                logger.exception("%s: the watch failed; listing again", self._place)
                await self._fail(relist=True)

    def refresh(self) -> None:
        """List again as soon as possible: what is known may be older than what was written."""
        self._stale = True
        if self._limit is not None:
            self._limit.reschedule(0.0)
            self._limit = None

    @property
    def _place(self) -> str:
        return f"{self._kind.name} in {self._namespace or 'all namespaces'}"

    async def _list(self) -> None:
        self._stale = False
        self._sink.listing(self._namespace)
        found = await self._client.list(self._kind, self._namespace, label_selector=self._label_selector, transform=self._transform)
        self._version = found.resource_version
        self.lists += 1
        self.served = True
        self._missing = 0
        self._hear()
        await self._sink.replace(self._namespace, found.items)
        self.synced.set()

    async def _watch(self) -> None:
        """Follow changes from the last known version until the stream ends."""
        if self._stale:
            return  # a refresh was asked for while the list was taken in
        started, before = self._clock.monotonic(), self.events
        opened = self._client.watch(
            self._kind,
            self._namespace,
            resource_version=self._version,
            label_selector=self._label_selector,
            server_timeout_seconds=int(self._random.uniform(290, 360)),
            idle_seconds=self._idle_seconds,
        )
        try:
            async with asyncio.timeout(None) as self._limit, opened as stream:
                await self._follow(stream)
        except TimeoutError:
            logger.debug("%s: asked to list again", self._place)
            return
        finally:
            self._limit = None
            if self._clock.monotonic() - started >= QUICK_END_SECONDS:
                self._failures = 0
        if self._clock.monotonic() - started < QUICK_END_SECONDS and self.events == before:
            await self._fail(relist=False)  # a server that ends every stream at once must not be hammered

    async def _follow(self, stream: Stream) -> None:
        if stream.status != 200:
            raise await _refusal(stream, f"WATCH {self._kind.path(self._namespace)}")
        self._hear()
        count = 0
        async for batch in lines(stream.chunks()):
            for line in batch:
                if line:
                    self._take(line)
                count += 1
                if not count % LINES_BETWEEN_YIELDS:
                    await asyncio.sleep(0)

    def _take(self, line: bytes) -> None:
        try:
            event = json.loads(line)
            kind, obj = event["type"], event["object"]
        except (ValueError, KeyError, TypeError):
            raise BadAnswer(f"{self._place}: expected a watch event, got {line[:80]!r}") from None
        match kind:
            case "ADDED" | "MODIFIED":
                self._sink.put(self._transform(obj))
            case "DELETED":
                self._sink.remove(self._transform(obj))
            case "BOOKMARK":
                pass
            case "ERROR":
                raise _in_stream(obj, self._place)
            case _:
                raise BadAnswer(f"{self._place}: unknown watch event {kind!r}")
        self._version = str(obj["metadata"]["resourceVersion"])
        self.events += 1
        self._failures = 0
        self._hear()

    def _hear(self) -> None:
        self.heard_at = self._clock.monotonic()

    async def _do_without(self, why: str) -> None:
        """Take the kind for empty; somebody may install or permit it later."""
        self._missing += 1
        if self.lists and self.served and self._missing < MISSING_BEFORE_GONE:
            await self._fail(relist=True)
            return
        if self.served:
            logger.info("%s: %s; asking again every %.0f s", self._place, why, NOT_SERVED_SECONDS)
        self.served = False
        self._version = ""
        await self._sink.replace(self._namespace, [])
        self._hear()
        self.synced.set()
        await self._clock.sleep(NOT_SERVED_SECONDS * self._random.uniform(0.8, 1.2))

    async def _fail(self, *, relist: bool, longest: float = LONGEST_WAIT_SECONDS) -> None:
        """Wait before the next attempt, longer each time, never in step with others."""
        self._failures += 1
        if relist or self._failures % RELIST_AFTER_FAILURES == 0:
            self._version = ""
        wait = min(FIRST_WAIT_SECONDS * 2 ** min(self._failures - 1, 10), longest)
        await self._clock.sleep(wait * self._random.uniform(0.5, 1.0))


def _in_stream(status: Mapping[str, Any], place: str) -> ApiError:
    code = int(status.get("code") or 500)
    return error_of_status(status, code=code, request=f"{place}: in the watch")


async def _refusal(stream: Stream, request: str) -> ApiError:
    body = b""
    async for chunk in stream.chunks():
        body += chunk
        if len(body) > _ERROR_BYTES:
            break
    return error_of(Response(stream.status, stream.headers, body), request)
