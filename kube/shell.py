"""The process around the controllers, by kopf: start-up, clean-up, signals, credentials, admission webhooks.

The only module that imports kopf, and only when it runs (that import takes a second). kopf has no handler for a resource: it
watches nothing, posts nothing, and writes nothing into objects. Must not: know what is being managed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from kube import identity
from kube.config import Connection
from kube.kinds import Kind
from kube.objects import Object

if TYPE_CHECKING:
    import kopf

logger = logging.getLogger(__name__)

Manage: TypeAlias = Callable[[], Awaitable[None]]

Judge: TypeAlias = Callable[[Kind, Object, Object | None], tuple[str, Sequence[str]]]
"""Is given a kind, an object and what it replaces; returns why it is refused (empty: it is not), and warnings. Never raises."""

MANAGER_STOPS_SECONDS = 20.0
"""How long the manager may take to finish writes under way and to give back its lease."""


WEBHOOK_PATH = "specs"
"""The URL path of the webhook."""
CERTIFICATE_LOOK_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A validating webhook at `https://host:port/specs`. It is served from when its certificate is there."""

    kinds: Sequence[Kind]
    """Those that are judged, also when their definition comes later than the process; all else is let in."""
    judge: Judge
    certificate: Callable[[], Awaitable[Path]]
    """Waits for a file with certificate and key, PEM; when it is replaced, the new one is served soon after."""
    host: str
    port: int


@dataclass(slots=True)
class _Managed:
    """The manager while it runs."""

    stop: asyncio.Event
    task: asyncio.Future[None] | None = None
    failure: BaseException | None = field(default=None, repr=False)


async def operate(
    manage: Manage,
    *,
    connection: Connection,
    namespaces: Sequence[str] = (),
    webhook: Webhook | None = None,
    ready: asyncio.Event | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Run the manager inside a kopf operator until it ends, `stop` is set, or the process is told to terminate.

    Args:
        manage: runs until cancelled, and cleans up then.
        connection: the cluster, for what kopf itself asks (versions and kinds, once).
        namespaces: those we work in; empty for all.
        webhook: to serve beside; nothing else ends when it cannot be served.
        ready: set once the manager was started.
        stop: set it to end.

    Raises:
        Exception: whatever ended the manager, after everything was cleaned up.
    """
    kopf = _kopf_alone()
    managed = _Managed(stop or asyncio.Event())
    registry, settings = _registry(manage, managed, connection), _settings()
    if webhook is not None:
        settings.admission.server = _server(webhook)
    await kopf.operator(
        registry=registry,
        settings=settings,
        standalone=True,
        clusterwide=not namespaces,
        namespaces=list(namespaces),
        ready_flag=ready,
        stop_flag=managed.stop,
    )
    if managed.failure is not None:
        raise managed.failure


def _kopf_alone() -> Any:
    """Import kopf without `kubernetes`, whose models it looks for and nobody uses: 10 MiB.

    Whoever needs `kubernetes` for credentials still imports it then.
    """
    hidden = "kubernetes" not in sys.modules
    if hidden:
        sys.modules["kubernetes"] = None  # type: ignore[assignment]
    try:
        import kopf
    finally:
        if hidden:
            del sys.modules["kubernetes"]
    return kopf


def _settings() -> kopf.OperatorSettings:
    """Return settings under which kopf keeps out of the cluster's objects."""
    import kopf

    class NoDifferences(kopf.DiffBaseStorage):
        """Remembers nothing in objects."""

        def build(self, *, body: Any, extra_fields: Any = None) -> Any:
            return {}

        def fetch(self, *, body: Any) -> Any:
            return {}

        def store(self, *, body: Any, patch: Any, essence: Any) -> None:
            return None

    class NoProgress(kopf.ProgressStorage):
        """Remembers nothing in objects."""

        def fetch(self, *, key: Any, body: Any) -> Any:
            return None

        def store(self, *, key: Any, record: Any, body: Any, patch: Any) -> None:
            return None

        def purge(self, *, key: Any, body: Any, patch: Any) -> None:
            return None

        def touch(self, *, body: Any, patch: Any, value: Any) -> None:
            return None

        def clear(self, *, essence: Any) -> Any:
            return essence

    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.persistence.diffbase_storage = NoDifferences()
    settings.persistence.progress_storage = NoProgress()
    return settings


def _registry(manage: Manage, managed: _Managed, connection: Connection) -> kopf.OperatorRegistry:
    import kopf

    registry = kopf.OperatorRegistry()

    @kopf.on.startup(registry=registry)
    async def start(**_: Any) -> None:
        managed.task = asyncio.ensure_future(_supervise(manage, managed))

    @kopf.on.cleanup(registry=registry)
    async def finish(**_: Any) -> None:
        if managed.task is not None:
            managed.task.cancel()
            await asyncio.wait([managed.task], timeout=MANAGER_STOPS_SECONDS)

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return await asyncio.to_thread(_connection_info, connection)

    return registry


def _server(webhook: Webhook) -> Callable[[Any], AsyncIterator[Any]]:
    """Return what serves the webhook for kopf: its server, with its reloading of the certificate, and our answers.

    kopf's own answers would be for the kinds it finds when it starts, would remember each object, and log each refusal as an error.
    Its management of the configuration stays off too: ours is shared by several replicas.
    """
    import kopf

    async def answer(request: Any, **_: Any) -> Any:
        return _answered(webhook, request)

    async def serve(_: Any) -> AsyncIterator[Any]:
        path = await webhook.certificate()
        server = kopf.WebhookServer(
            addr=webhook.host,
            port=webhook.port,
            certfile=path,
            pkeyfile=path,
            file_check_interval=CERTIFICATE_LOOK_SECONDS,
        )
        try:
            async for config in server(answer):
                yield config
        except OSError as error:
            logger.error("the webhook cannot be served at port %d, so nothing is checked: %s", webhook.port, error)
            await asyncio.Event().wait()

    return serve


def _answered(webhook: Webhook, review: Any) -> Any:
    """Answer an AdmissionReview; what nobody judges is let in."""
    match review:
        case {"request": {"uid": str(uid), "resource": {"group": group, "version": version, "resource": plural}} as request}:
            place = (group, version, plural)
        case _:
            raise json.JSONDecodeError("no AdmissionReview", "", 0)  # which kopf answers with 400
    kind = next((one for one in webhook.kinds if (one.group, one.version, one.plural) == place), None)
    new = request.get("object")
    refusal, warnings = webhook.judge(kind, new, request.get("oldObject")) if kind and isinstance(new, dict) else ("", ())
    response: dict[str, Any] = {"uid": uid, "allowed": not refusal}
    if refusal:
        response["status"] = {"message": refusal, "code": 422}
    if warnings:
        response["warnings"] = list(warnings)
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}


async def _supervise(manage: Manage, managed: _Managed) -> None:
    """Run the manager; when it ends by itself the process has nothing left to do."""
    try:
        await manage()
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # handed to whoever called `operate`
        managed.failure = error
    finally:
        managed.stop.set()


def _connection_info(connection: Connection) -> kopf.ConnectionInfo:
    import kopf

    credentials, connection = identity.credentials_of(connection)
    scheme, _, secret = credentials.headers().get("authorization", "").partition(" ")
    return kopf.ConnectionInfo(
        server=connection.server,
        ca_path=connection.ca_file,
        ca_data=connection.ca_data,
        insecure=connection.insecure or None,
        scheme=scheme or None,
        token=secret or None,
        certificate_data=connection.client_certificate,
        private_key_data=connection.client_key,
        proxy_url=connection.proxy_url,
        default_namespace=connection.namespace,
    )
