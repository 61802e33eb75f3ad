"""A small synchronous client for one command: no event loop, no aiohttp (whose import alone takes a quarter of a second).

Owns one keep-alive connection. Must not: be used by a controller.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any
from urllib.parse import urlencode, urlsplit

from kube import identity, requests, tls
from kube.answers import Listing, listing_of, object_of
from kube.config import Connection
from kube.errors import InvalidConfig, Unreachable, error_of
from kube.kinds import Kind, ObjectRef
from kube.objects import Object
from kube.requests import MERGE_PATCH, Request
from kube.transport import Response

FIELD_MANAGER = "kubectl-rollouts"


class QuickClient:
    """The verbs of `Client`, each blocking until its answer is there. Use as a context manager, from one thread."""

    def __init__(self, connection: Connection, *, field_manager: str = FIELD_MANAGER, timeout_seconds: float = 30.0) -> None:
        """Prepare; nothing is sent yet.

        Raises:
            InvalidConfig: the credentials or certificates cannot be used, or the proxy is no HTTP proxy.
        """
        self._credentials, connection = identity.credentials_of(connection)
        self._tls = tls.context_of(connection)
        self._tls_server_name = connection.tls_server_name
        self._server = connection.server.rstrip("/")
        self._proxy = connection.proxy_url
        self._manager = field_manager
        self._timeout_seconds = timeout_seconds
        self._connection: http.client.HTTPConnection | None = None

    def __enter__(self) -> QuickClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Return one object."""
        return self._object(requests.get(ObjectRef(kind, namespace, name)))

    def list(self, kind: Kind, namespace: str = "", *, label_selector: str = "", field_selector: str = "") -> Listing:
        """Return a whole collection."""
        selectors = {"labelSelector": label_selector, "fieldSelector": field_selector}
        request = requests.page(kind, namespace, selectors, limit=0, token="")
        return listing_of(request, self._send(request), kind)

    def create(self, kind: Kind, body: Object, *, dry_run: bool = False) -> Object:
        """Create an object and return it as stored."""
        return self._object(requests.create(kind, body, manager=self._manager, dry_run=dry_run))

    def patch(
        self,
        ref: ObjectRef,
        patch: Any,
        *,
        content_type: str = MERGE_PATCH,
        subresource: str | None = None,
        version: str | None = None,
        uid: str | None = None,
    ) -> Object:
        """Patch an object and return it as stored; `version` and `uid` as in `Client.patch`."""
        request = requests.patch(
            ref, patch, manager=self._manager, content_type=content_type, subresource=subresource, version=version, uid=uid
        )
        return self._object(request)

    def apply(self, kind: Kind, body: Object, *, force: bool = False) -> Object:
        """Apply fields on the server."""
        return self._object(requests.apply(kind, body, manager=self._manager, force=force))

    def replace(self, kind: Kind, body: Object, *, subresource: str | None = None) -> Object:
        """Replace an object."""
        return self._object(requests.replace(kind, body, manager=self._manager, subresource=subresource))

    def delete(
        self, ref: ObjectRef, *, uid: str | None = None, propagation: str = "Background", grace_seconds: int | None = None
    ) -> None:
        """Delete an object."""
        self._succeed(requests.delete(ref, uid=uid, propagation=propagation, grace_seconds=grace_seconds))

    def evict(self, ref: ObjectRef, *, uid: str | None = None) -> None:
        """Ask for a pod's eviction."""
        self._succeed(requests.evict(ref, uid=uid))

    def token(self, account: ObjectRef, *, seconds: int) -> str:
        """Return a new token of a ServiceAccount; the server may let it end sooner."""
        return str(self._object(requests.token(account, seconds=seconds))["status"]["token"])

    def read(self, path: str, query: Mapping[str, str] = {}) -> Any:
        """Return the JSON object at any path."""
        return self._object(Request(method="GET", path=path, query=query))

    @contextmanager
    def lines(self, path: str, query: Mapping[str, str] = {}, *, idle_seconds: float = 90.0) -> Iterator[Iterator[bytes]]:
        """Open a stream of lines: a watch (`{"watch": "true"}`) or a followed log, on a connection of its own.

        Raises:
            ApiError: the server refuses; `Unreachable` when it cannot be reached or is silent for `idle_seconds`.
        """
        request = Request(method="GET", path=path, query=query)
        connection = self._connect(idle_seconds)
        try:
            answer = self._exchange(connection, request)
            if answer.status >= 300:
                raise error_of(Response(answer.status, dict(answer.headers), answer.read()), str(request))
            yield _lines(answer, str(request))
        finally:
            connection.close()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _object(self, request: Request) -> Object:
        return object_of(request, self._send(request))

    def _succeed(self, request: Request) -> None:
        response = self._send(request)
        if response.status >= 300:
            raise error_of(response, str(request))

    def _send(self, request: Request) -> Response:
        """Send once, and once more on a fresh connection when a kept one had been closed."""
        kept = self._connection is not None
        if self._connection is None:
            self._connection = self._connect(self._timeout_seconds)
        try:
            answer = self._exchange(self._connection, request)
            body = answer.read()
        except (Unreachable, http.client.HTTPException, OSError) as error:
            self.close()
            if kept and request.repeatable:
                return self._send(request)
            if isinstance(error, Unreachable):
                raise
            raise Unreachable(f"{request}: the answer broke off: {error or type(error).__name__}") from error
        if answer.will_close:
            self.close()
        return Response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)

    def _exchange(self, connection: http.client.HTTPConnection, request: Request) -> http.client.HTTPResponse:
        base = urlsplit(self._server)
        target = base.path + request.path + ("?" + urlencode(request.query) if request.query else "")
        if self._proxy and base.scheme == "http":
            target = f"http://{base.netloc}{target}"
        headers = {"accept": "application/json", "user-agent": "rollouts", **request.headers, **self._credentials.headers()}
        try:
            if connection.sock is None:
                connection.connect()
        except OSError as error:
            raise Unreachable(f"{request}: {self._server} cannot be reached: {error}", maybe_applied=False) from error
        try:
            connection.request(request.method, target, body=request.body, headers=headers)
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{request}: {error or type(error).__name__}") from error

    def _connect(self, timeout_seconds: float) -> http.client.HTTPConnection:
        base = urlsplit(self._server)
        proxy = urlsplit(self._proxy) if self._proxy else None
        if proxy and proxy.scheme != "http":
            raise InvalidConfig(f"proxy-url {self._proxy}: only http:// proxies are supported here")
        place = proxy or base
        host, port = place.hostname or "", place.port or (443 if base.scheme == "https" and not proxy else 80)
        connection = (
            http.client.HTTPConnection(host, port, timeout=timeout_seconds)
            if self._tls is None
            else _SecureConnection(host, port, timeout_seconds, self._tls, self._tls_server_name)
        )
        if proxy and base.scheme == "https":
            connection.set_tunnel(base.hostname or "", base.port or 443)
        return connection


class _SecureConnection(http.client.HTTPSConnection):
    """HTTPS to a server whose certificate may bear another name than its address."""

    def __init__(self, host: str, port: int, timeout_seconds: float, context: ssl.SSLContext, name: str | None) -> None:
        super().__init__(host, port, timeout=timeout_seconds, context=context)
        self._tls = context
        self._name = name

    def connect(self) -> None:
        """Connect, and check the certificate against the wanted name."""
        if self._name is None:
            super().connect()
            return
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)


def _lines(answer: http.client.HTTPResponse, request: str) -> Iterator[bytes]:
    try:
        for line in answer:
            if stripped := line.rstrip(b"\r\n"):
                yield stripped
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"{request}: the stream broke: {error or type(error).__name__}") from error
