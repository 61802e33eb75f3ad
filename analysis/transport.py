"""Carrying measurements over HTTP: connections, time and size limits, retries, redirects, proxies and certificates.

The only module that imports httpx. Proxies and certificates come from the environment (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`,
`SSL_CERT_FILE`, `SSL_CERT_DIR`). Must not: know a provider, or put a query, a credential or user information of a URL into an
error text.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TypeAlias

import httpx

from analysis.addresses import AddressDenied, check_host, check_peer
from analysis.credentials import Credentials, CredentialsRefused, TokenRequest, digest
from analysis.providers.base import HttpRequest, HttpResponse, TransportError

_BUSY = frozenset({429, 503})
_NO_POST = frozenset({405, 501})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ClientKey: TypeAlias = tuple[str, bool, str]


class _Unreached(TransportError):
    """No connection was made, so nothing was sent: safe to try again whatever the method."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportOptions:
    """Limits that hold for every measurement."""

    maximum_body_bytes: int = 16 * 1024 * 1024
    maximum_attempts: int = 4
    first_retry_seconds: float = 0.25
    """Wait before the second attempt, doubled for each further one, with jitter; never beyond the metric's timeout."""
    maximum_redirects: int = 10
    maximum_clients: int = 64
    """Connection pools kept; the longest unused one is closed for another."""
    allow_link_local: bool = False
    """Let metrics reach 169.254.0.0/16, fe80::/10 and the metadata services of clouds."""


@dataclass(slots=True)
class _Pool:
    client: httpx.AsyncClient
    users: int = 0


@dataclass(slots=True)
class HttpTransport:
    """Sends requests of providers. Reuses connections per address, TLS setting and credentials; close it in the end."""

    options: TransportOptions = field(default_factory=TransportOptions)
    jitter: Callable[[], float] = random.random
    _pools: OrderedDict[_ClientKey, _Pool] = field(default_factory=OrderedDict)
    _contexts: dict[bool, ssl.SSLContext] = field(default_factory=dict)
    _credentials: Credentials = field(default_factory=Credentials)

    def __post_init__(self) -> None:
        """Keep the libraries' own logs quiet: they write whole URLs and headers, with the secrets in them."""
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Send a request and return the answer, whatever its HTTP status, within `timeout_seconds` in all.

        Raises:
            TransportError: no answer, or an address or authentication that is not allowed or not served.
        """
        try:
            async with asyncio.timeout(request.timeout_seconds):
                return await self._authenticated(request)
        except TimeoutError:
            raise TransportError(
                f"no complete answer from {_origin_text(request.url)} within {request.timeout_seconds:g} s; "
                "check the address, or give the metric a longer timeout"
            ) from None
        except CredentialsRefused as refused:
            raise TransportError(str(refused)) from None

    def known_secrets(self) -> tuple[str, ...]:
        """Return the access tokens held now, for a redactor."""
        return self._credentials.known_tokens()

    async def close(self) -> None:
        """Close every connection; the transport cannot be used afterwards."""
        pools, self._pools = list(self._pools.values()), OrderedDict()
        for pool in pools:
            await pool.client.aclose()

    async def _authenticated(self, request: HttpRequest) -> HttpResponse:
        header = await self._credentials.header(request, self._fetch_token)
        response = await self._attempts(_with_authorization(request, header))
        if response.status == 401 and self._credentials.forget_token(request):
            header = await self._credentials.header(request, self._fetch_token)
            response = await self._attempts(_with_authorization(request, header))
        return response

    async def _fetch_token(self, token: TokenRequest) -> HttpResponse:
        request = HttpRequest(
            method="POST", url=token.url, form=token.form, headers=token.headers, timeout_seconds=token.timeout_seconds,
            insecure=token.insecure,
        )  # fmt: skip
        return await self._attempts(request)

    async def _attempts(self, request: HttpRequest) -> HttpResponse:
        deadline = asyncio.get_running_loop().time() + request.timeout_seconds
        for attempt in range(1, self.options.maximum_attempts + 1):
            is_last = attempt == self.options.maximum_attempts
            wait = self.options.first_retry_seconds * 2 ** (attempt - 1) * (0.5 + self.jitter())
            try:
                response = await self._with_redirects(request)
            except _Unreached:
                if is_last or self._too_late(deadline, wait):
                    raise
            else:
                wait = max(wait, _retry_after(response))
                if response.status not in _BUSY or not request.idempotent or is_last or self._too_late(deadline, wait):
                    return response
            await asyncio.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    @staticmethod
    def _too_late(deadline: float, wait_seconds: float) -> bool:
        return asyncio.get_running_loop().time() + wait_seconds >= deadline

    async def _with_redirects(self, request: HttpRequest) -> HttpResponse:
        for _ in range(self.options.maximum_redirects + 1):
            response = await self._once(request)
            if response.status in _NO_POST and request.method == "POST" and request.form is not None and request.idempotent:
                request = replace(request, method="GET", params={**request.params, **request.form}, form=None)
                response = await self._once(request)
            if response.status not in _REDIRECTS or "location" not in response.headers:
                return response
            request = _redirected(request, response)
        raise TransportError(f"{_origin_text(request.url)} redirects in a circle; put the final address into the metric")

    async def _once(self, request: HttpRequest) -> HttpResponse:
        url = _url_of(request)
        try:
            await check_host(url.host, allow_link_local=self.options.allow_link_local)
            async with self._client(url, request) as client:
                return await self._exchange(client, url, request)
        except AddressDenied as denied:
            raise TransportError(str(denied)) from None
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            raise _Unreached(f"cannot connect to {_origin(url)}: {_cause(error)}{_advice(error)}") from None
        except httpx.LocalProtocolError:  # its text quotes the header
            raise TransportError(
                f"{request.method} to {_origin(url)} failed: a header has characters that HTTP does not allow"
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise TransportError(f"{request.method} to {_origin(url)} failed: {_cause(error)}") from None

    async def _exchange(self, client: httpx.AsyncClient, url: httpx.URL, request: HttpRequest) -> HttpResponse:
        async with client.stream(
            request.method, url, headers=list(request.headers), data=request.form, content=request.body
        ) as response:
            stream = response.extensions.get("network_stream")
            check_peer(stream.get_extra_info("server_addr") if stream else None, allow_link_local=self.options.allow_link_local)
            body, truncated = await self._read(response)
            return HttpResponse(response.status_code, dict(response.headers), body, truncated)

    async def _read(self, response: httpx.Response) -> tuple[bytes, bool]:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > self.options.maximum_body_bytes:
                return bytes(body[: self.options.maximum_body_bytes]), True
        return bytes(body), False

    @asynccontextmanager
    async def _client(self, url: httpx.URL, request: HttpRequest) -> AsyncIterator[httpx.AsyncClient]:
        key = (_origin(url), request.insecure, digest(request.authentication))
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = _Pool(self._new_client(request.insecure))
        self._pools.move_to_end(key)
        pool.users += 1
        try:
            await self._close_surplus()
            yield pool.client
        finally:
            pool.users -= 1

    async def _close_surplus(self) -> None:
        idle = [key for key, pool in self._pools.items() if not pool.users]
        for key in idle[: max(0, len(self._pools) - self.options.maximum_clients)]:
            await self._pools.pop(key).client.aclose()

    def _new_client(self, insecure: bool) -> httpx.AsyncClient:
        if insecure not in self._contexts:
            self._contexts[insecure] = httpx.create_ssl_context(verify=not insecure, trust_env=True)
        no_cookies = CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
        return httpx.AsyncClient(
            verify=self._contexts[insecure],
            trust_env=True,
            follow_redirects=False,
            timeout=None,  # `send` bounds the whole of it
            cookies=no_cookies,
            headers={"user-agent": "rollouts"},
            limits=httpx.Limits(max_connections=20, max_keepalive_connections=4, keepalive_expiry=60.0),
        )


def _url_of(request: HttpRequest) -> httpx.URL:
    try:
        url = httpx.URL(request.url)
    except (httpx.InvalidURL, ValueError, TypeError):
        raise TransportError("the address is not a URL; it must read like http://prometheus.monitoring:9090") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise TransportError("the address must begin with http:// or https:// and name a host")
    return url.copy_merge_params(dict(request.params)) if request.params else url


def _origin(url: httpx.URL) -> str:
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"{url.scheme}://{host}:{url.port}" if url.port else f"{url.scheme}://{host}"


def _origin_text(address: str) -> str:
    """Return scheme, host and port alone: paths, queries and user information may hold secrets."""
    try:
        return _origin(httpx.URL(address))
    except (httpx.InvalidURL, ValueError, TypeError):
        return "the address"


def _with_authorization(request: HttpRequest, header: str | None) -> HttpRequest:
    return replace(request, headers=(*request.headers, ("Authorization", header))) if header else request


def _redirected(request: HttpRequest, response: HttpResponse) -> HttpRequest:
    """Follow a redirect on the same host, as browsers and Go do: 303, and 301 and 302 after a POST, become a GET."""
    here = _url_of(request)
    try:
        there = here.join(response.headers["location"])
    except (httpx.InvalidURL, ValueError):
        raise TransportError(f"{_origin(here)} redirects to something that is not a URL") from None
    if there.host != here.host or (there.port != here.port and there.scheme == here.scheme) or _is_downgrade(here, there):
        raise TransportError(
            f"{_origin(here)} redirects to {_origin(there)}, which is not followed; put that address into the metric if it is meant"
        )
    becomes_get = response.status == 303 or (response.status in (301, 302) and request.method == "POST")
    if becomes_get:
        return replace(request, method="GET", url=str(there), params={}, form=None, body=None)
    return replace(request, url=str(there), params={})


def _is_downgrade(here: httpx.URL, there: httpx.URL) -> bool:
    return here.scheme == "https" and there.scheme != "https"


def _retry_after(response: HttpResponse) -> float:
    """Return the seconds that the server asks to wait; dates and nonsense count as none."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0


def _cause(error: Exception) -> str:
    return str(error) or type(error).__name__


def _advice(error: Exception) -> str:
    if "certificate" in str(error).lower():
        return "; let the controller trust its certificate with SSL_CERT_FILE, or set insecure: true on the metric"
    return "; check the address and that something listens there"
