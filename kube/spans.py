"""Which spans there are, what they are called and what they hold: reconciles, plans, writes, effects, requests.

Where no traces were asked for, each function here returns what it was given, so that they cost nothing then. Names of spans hold
no names of objects. Spans hold no text of an error either: servers quote what they refuse, and whoever collects traces need not be
one who may read the objects. The log has those texts, and the number of the trace. Must not: change what the work does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ParamSpec, TypeAlias, TypeVar
from urllib.parse import urlsplit

from kube import logs
from kube.errors import ApiError, Conflict, Fenced, NotFound
from kube.kinds import Kind, ObjectRef
from kube.objects import Key, Object
from kube.plan import Create, Delete, Effect, Evict, NotLeading, Observation, Patch, Plan, PlanOutdated, Write
from kube.tracing import Attributes, Span, SpanKind, Tracer
from kube.transport import Response, Stream, Transport

P = ParamSpec("P")
R = TypeVar("R")

OUTCOME = "rollouts.outcome"
DONE, OUTDATED, NOT_LEADING, CANCELLED, FAILED = "done", "outdated", "not leading", "cancelled", "failed"

Reconcile: TypeAlias = Callable[[Key, Sequence[Observation], datetime], Plan | None]
Look: TypeAlias = Callable[[Key, Object], Awaitable[None]]
Perform: TypeAlias = Callable[[Key, Effect], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Beginning:
    """What is known of a piece of work when it begins."""

    name: str
    attributes: Attributes


def traced(work: Callable[P, Awaitable[R]], *, tracer: Tracer, beginning: Callable[P, Beginning]) -> Callable[P, Awaitable[R]]:
    """Return what does as `work` does, in a span that says how it ended; `work` itself where no traces were asked for."""
    if not tracer.on:
        return work

    async def told(*args: P.args, **kwargs: P.kwargs) -> R:
        begun = beginning(*args, **kwargs)
        with tracer.span(begun.name, begun.attributes) as span, _told_of_its_end(span):
            return await work(*args, **kwargs)

    return told


def reconciles(look: Look, *, tracer: Tracer, controller: str, root: Kind, waited_seconds: Callable[[Key], float]) -> Look:
    """Return what looks at an object as `look` does, in a span of its own that the log can be found by."""
    if not tracer.on:
        return look

    async def told(key: Key, obj: Object) -> None:
        attributes = {
            **_object(ObjectRef(root, *key)),
            "rollouts.controller": controller,
            "rollouts.reconcile.id": logs.reconcile_id.get(),
            "rollouts.queue.wait_seconds": waited_seconds(key),
        }
        with tracer.span(f"reconcile {root.name}", attributes) as span, _told_of_its_end(span):
            logs.trace_id.set(span.trace_id)
            await look(key, obj)

    return told


def plans(reconcile: Reconcile, *, tracer: Tracer) -> Reconcile:
    """Return what plans as `reconcile` does, and says in the current span what the plan held."""
    if not tracer.on:
        return reconcile

    def told(key: Key, observations: Sequence[Observation], now: datetime) -> Plan | None:
        plan = reconcile(key, observations, now)
        if plan is not None:
            tracer.current().note(_held(plan))
        return plan

    return told


def effects(perform: Perform, *, tracer: Tracer, root: Kind) -> Perform:
    """Return what does effects as `perform` does, each in a span below the reconcile that began it."""

    def beginning(key: Key, effect: Effect) -> Beginning:
        attributes = {**_object(ObjectRef(root, *key)), "rollouts.effect.id": effect.id}
        return Beginning(f"effect {effect.id.partition('/')[0]}", attributes)

    return traced(perform, tracer=tracer, beginning=beginning)


def of_write(write: Write) -> Beginning:
    """Name a write of a plan.

    >>> pod = ObjectRef(Kind("", "v1", "Pod", "pods"), "shop", "web-1")
    >>> of_write(Evict(ref=pod, uid="1")).name, of_write(Patch(ref=pod, patch={}, subresource="resize")).name
    ('evict pods', 'patch pods/resize')
    """
    verbs = {Create: "create", Patch: "patch", Delete: "delete", Evict: "evict"}
    subresource = write.subresource if isinstance(write, Patch) else None
    return _write(verbs[type(write)], write.ref, subresource)


def of_status(ref: ObjectRef) -> Beginning:
    """Name the write of a root object's status."""
    return _write("patch", ref, "status")


class TracedTransport:
    """Requests to the API server, each in a span that the server is told of (semantic conventions of HTTP clients).

    Watches are not spans: they last for minutes, and nobody waits for their end.
    """

    def __init__(self, transport: Transport, *, tracer: Tracer, server: str) -> None:
        """Prepare; `server` is the URL that requests go to."""
        self._transport = transport
        self._tracer = tracer
        where = urlsplit(server)
        self._server: Attributes = {
            "server.address": where.hostname or "",
            "server.port": where.port or (443 if where.scheme == "https" else 80),
        }

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] = {},
        headers: Mapping[str, str] = {},
        body: bytes | None = None,
        timeout_seconds: float = 30.0,
    ) -> Response:
        """Send a request and return the whole answer; raises as the transport below."""
        template = template_of(path)
        attributes: Attributes = {"http.request.method": method, "url.template": template, **self._server}
        with self._tracer.span(f"{method} {template}", attributes, kind=SpanKind.CLIENT) as span:
            try:
                response = await self._transport.request(
                    method,
                    path,
                    query=query,
                    headers={**headers, **self._tracer.headers()},
                    body=body,
                    timeout_seconds=timeout_seconds,
                )
            except BaseException as error:
                span.note({"error.type": type(error).__name__})
                if _outcome(error) == FAILED:
                    span.fail()
                raise
            span.note({"http.response.status_code": response.status})
            if response.status >= 400:
                span.note({"error.type": str(response.status)})
                span.fail()
            return response

    def stream(
        self, path: str, *, query: Mapping[str, str] = {}, idle_seconds: float = 90.0
    ) -> AbstractAsyncContextManager[Stream]:
        """Open a GET whose answer goes on."""
        return self._transport.stream(path, query=query, idle_seconds=idle_seconds)

    async def close(self) -> None:
        """Close every connection."""
        await self._transport.close()


def template_of(path: str) -> str:
    """Return a path without the names of objects and namespaces.

    >>> template_of("/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/web/status")
    '/apis/argoproj.io/v1alpha1/namespaces/{namespace}/rollouts/{name}/status'
    >>> template_of("/api/v1/namespaces/shop")
    '/api/v1/namespaces/{name}'
    >>> template_of("/openapi/v3/apis/apps/v1")
    '/openapi'
    """
    parts = path.strip("/").split("/")
    start = {"api": 2, "apis": 3}.get(parts[0])
    if start is None:
        return f"/{parts[0]}"
    fixed, rest = parts[:start], parts[start:]
    if len(rest) > 2 and rest[0] == "namespaces":
        fixed, rest = [*fixed, "namespaces", "{namespace}"], rest[2:]
    named = [*rest[:1], *["{name}" for _ in rest[1:2]], *rest[2:3]]
    return "/" + "/".join([*fixed, *named])


@contextmanager
def _told_of_its_end(span: Span) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        outcome = _outcome(error)
        span.note({OUTCOME: outcome})
        if outcome == FAILED:
            span.fail(_named(error))
        raise
    span.note({OUTCOME: DONE})


def _outcome(error: BaseException) -> str:
    match error:
        case NotLeading() | Fenced():
            return NOT_LEADING
        case PlanOutdated() | Conflict() | NotFound():
            return OUTDATED
        case asyncio.CancelledError():
            return CANCELLED
        case _:
            return FAILED


def _named(error: BaseException) -> str:
    """Return what an error is, without its text."""
    if isinstance(error, ApiError) and error.status:
        return f"{type(error).__name__}, answered with {error.status}"
    return type(error).__name__


def _object(ref: ObjectRef) -> Attributes:
    return {"rollouts.object.kind": ref.kind.name, "k8s.namespace.name": ref.namespace, "rollouts.object.name": ref.name}


def _write(verb: str, ref: ObjectRef, subresource: str | None) -> Beginning:
    resource = f"{ref.kind.plural}/{subresource}" if subresource else ref.kind.plural
    attributes = {"rollouts.write.verb": verb, "rollouts.write.resource": resource, **_object(ref)}
    return Beginning(f"{verb} {resource}", attributes)


def _held(plan: Plan) -> Attributes:
    held: Attributes = {
        "rollouts.plan.stages": [stage.name for stage in plan.stages],
        "rollouts.plan.writes": sum(len(stage.writes) for stage in plan.stages),
        "rollouts.plan.effects": len(plan.effects),
        "rollouts.plan.events": len(plan.events) + sum(len(stage.events) for stage in plan.stages),
    }
    if plan.look_again is None:
        return held
    return {**held, "rollouts.plan.look_again_seconds": plan.look_again.total_seconds()}
