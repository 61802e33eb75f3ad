"""Verbs of the Kubernetes API on raw dictionaries.

Owns retries of requests that are safe to repeat. Must not: cache, decide, or know what the objects mean.
"""

from __future__ import annotations

import json
import random as randomness
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from kube import requests
from kube.answers import Listing, Transform, listing_of, object_of
from kube.clock import Clock, SystemClock
from kube.counting import NO_ANSWER, Counted, RequestCounts
from kube.errors import Gone, TooManyRequests, Unreachable, error_of
from kube.kinds import Kind, ObjectRef
from kube.objects import Object
from kube.pacing import Pace
from kube.requests import APPLY_PATCH, FIELD_MANAGER, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Request
from kube.transport import Response, Stream, Transport

__all__ = ["APPLY_PATCH", "JSON_PATCH", "MERGE_PATCH", "STRATEGIC_PATCH", "Client", "Listing"]

ATTEMPTS = 4
LONGEST_WAIT_SECONDS = 5.0
"""A server that wants more than this is not waited for here: the caller's own back-off is the better place."""
PAGE_SIZE = 500


class Client:
    """The API server, as verbs. Every method raises `ApiError` or a subclass (kube/errors.py)."""

    def __init__(
        self,
        transport: Transport,
        *,
        field_manager: str = FIELD_MANAGER,
        clock: Clock | None = None,
        random: randomness.Random | None = None,
        pace: Pace | None = None,
    ) -> None:
        """Prepare; with `pace`, no request but a watch is sent before its turn."""
        self._transport = transport
        self._manager = field_manager
        self._clock = clock or SystemClock()
        self._random = random or randomness.Random()
        self._pace = pace or Pace(self._clock, per_second=0, burst=0)
        self.requests = RequestCounts()
        self.retries = 0
        """How often a request was sent again."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Return one object as the server has it now."""
        return await self._object(requests.get(ObjectRef(kind, namespace, name)))

    async def list(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = PAGE_SIZE,
        transform: Transform | None = None,
    ) -> Listing:
        """Return a whole collection, fetched in pages of `limit`; an empty namespace means all of them.

        When a page expires on the way, the list is fetched again in one piece.
        """
        selectors = {"labelSelector": label_selector, "fieldSelector": field_selector}
        items: list[Object] = []
        token = ""
        while True:
            request = requests.page(kind, namespace, selectors, limit=limit, token=token)
            try:
                listing = listing_of(request, await self._send(request), kind, transform)
            except Gone:
                if not token:
                    raise
                items, token, limit = [], "", 0
                continue
            items += listing.items
            token = listing.token
            if not token:
                return Listing(items, listing.resource_version)

    @asynccontextmanager
    async def watch(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        resource_version: str,
        label_selector: str = "",
        server_timeout_seconds: int = 300,
        idle_seconds: float = 90.0,
    ) -> AsyncIterator[Stream]:
        """Open a stream of changes since a resource version, with bookmarks; the caller reads status and lines."""
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(server_timeout_seconds),
        }
        if label_selector:
            query["labelSelector"] = label_selector
        path, status = kind.path(namespace), NO_ANSWER
        try:
            async with self._transport.stream(path, query=query, idle_seconds=idle_seconds) as stream:
                status = stream.status
                yield Counted(stream, self.requests)
        finally:
            self.requests.note_watch(path, status)

    async def create(self, kind: Kind, body: Object, *, dry_run: bool = False) -> Object:
        """Create an object and return it as stored."""
        return await self._object(requests.create(kind, body, manager=self._manager, dry_run=dry_run))

    async def patch(
        self,
        ref: ObjectRef,
        patch: Any,
        *,
        content_type: str = MERGE_PATCH,
        subresource: str | None = None,
        version: str | None = None,
        uid: str | None = None,
    ) -> Object:
        """Patch an object and return it as stored.

        `version` and `uid` make the server refuse with `Conflict` when the object has changed, or is another one.
        """
        request = requests.patch(
            ref, patch, manager=self._manager, content_type=content_type, subresource=subresource, version=version, uid=uid
        )
        return await self._object(request)

    async def apply(self, kind: Kind, body: Object, *, field_manager: str | None = None, force: bool = False) -> Object:
        """Apply the fields that `body` names on the server (`Conflict` when another manager owns one and not `force`)."""
        return await self._object(requests.apply(kind, body, manager=field_manager or self._manager, force=force))

    async def replace(self, kind: Kind, body: Object, *, subresource: str | None = None) -> Object:
        """Replace an object; the resourceVersion in `body` is the precondition."""
        return await self._object(requests.replace(kind, body, manager=self._manager, subresource=subresource))

    async def delete(
        self, ref: ObjectRef, *, uid: str | None = None, propagation: str = "Background", grace_seconds: int | None = None
    ) -> None:
        """Delete an object; with `uid`, only that one (`Conflict` otherwise)."""
        await self._send(requests.delete(ref, uid=uid, propagation=propagation, grace_seconds=grace_seconds))

    async def evict(self, ref: ObjectRef, *, uid: str | None = None) -> None:
        """Ask for a pod's eviction; `TooManyRequests` when a disruption budget forbids it now."""
        await self._send(requests.evict(ref, uid=uid), slow_down=False)

    async def read(self, path: str, query: Mapping[str, str] = {}) -> Any:
        """Return the JSON at any path: versions, discovery, OpenAPI."""
        request = Request(method="GET", path=path, query=query)
        return json.loads((await self._send(request)).body)

    async def close(self) -> None:
        """Close the transport."""
        await self._transport.close()

    async def _object(self, request: Request) -> Object:
        return object_of(request, await self._send(request))

    async def _send(self, request: Request, *, slow_down: bool = True) -> Response:
        """Send a request, again if that can do no harm, and return its successful answer."""
        for attempt in range(ATTEMPTS):
            last = attempt == ATTEMPTS - 1
            try:
                response = await self._attempt(request)
            except Unreachable as error:
                if last or (error.maybe_applied and not request.repeatable):
                    raise
                wait = self._jittered(attempt)
            else:
                if response.status < 300:
                    return response
                failure = error_of(response, str(request))
                wait = max(failure.retry_after_seconds or 0.0, self._jittered(attempt))
                if last or not slow_down or not isinstance(failure, TooManyRequests) or wait > LONGEST_WAIT_SECONDS:
                    raise failure
            self.retries += 1
            await self._clock.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(self, request: Request) -> Response:
        """Send a request once, and count it whatever becomes of it."""
        await self._pace.turn()
        began, status = self._clock.monotonic(), NO_ANSWER
        try:
            response = await self._transport.request(
                request.method, request.path, query=request.query, headers=request.headers, body=request.body
            )
            status = response.status
            self.requests.bytes_read += len(response.body)
            return response
        finally:
            self.requests.note(request.method, request.path, status, seconds=self._clock.monotonic() - began)

    def _jittered(self, attempt: int) -> float:
        return float(0.1 * 2**attempt * self._random.uniform(0.5, 1.5))
