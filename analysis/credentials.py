"""What a metric's `authentication` block becomes: an Authorization header, with OAuth2 tokens fetched once and kept.

Must not: send requests itself (the transport lends it a function), or name a secret in an error.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import quote_plus, urlsplit
from weakref import WeakValueDictionary

from analysis.providers.base import HttpRequest, HttpResponse

_EXPIRES_EARLY_SECONDS = 10.0
_MAXIMUM_TOKENS = 256
_Grant: TypeAlias = tuple[str, str, str, tuple[str, ...]]
"""Address, client, its secret and scopes: what a token is asked for with."""


class CredentialsRefused(Exception):
    """The authentication cannot be carried out; the text says why and never shows a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """What to ask a token endpoint."""

    url: str
    form: Mapping[str, str]
    headers: tuple[tuple[str, str], ...]
    timeout_seconds: float
    insecure: bool


Fetch: TypeAlias = Callable[[TokenRequest], Awaitable[HttpResponse]]


@dataclass(frozen=True, slots=True)
class _Token:
    header: str = field(repr=False)
    secret: str = field(repr=False)
    expires_at: float | None
    """By the event loop's clock."""


@dataclass(slots=True)
class Credentials:
    """Headers for requests; OAuth2 tokens are cached per endpoint, client and scopes until shortly before they expire."""

    _tokens: dict[str, _Token] = field(default_factory=dict)
    """By digest, since who asks is known by a secret."""
    _locks: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    """Each lives as long as somebody waits for its token."""

    async def header(self, request: HttpRequest, fetch: Fetch) -> str | None:
        """Return the Authorization header for this request; None when it asks for no authentication.

        Raises:
            CredentialsRefused: the block is contradictory or not served, or no token was given.
        """
        blocks = {kind: block for kind, block in request.authentication.items() if _is_set(block)}
        if len(blocks) > 1:
            raise CredentialsRefused(f"authentication has several of {', '.join(sorted(blocks))}; keep one")
        match blocks:
            case {"sigv4": _}:
                raise CredentialsRefused("authentication.sigv4 is not served yet; use basicAuth, oauth2 or a signing proxy")
            case {"basicAuth": basic}:
                return _basic(str(basic.get("username") or ""), str(basic.get("password") or ""))
            case {"oauth2": oauth2}:
                return (await self._token(oauth2, request, fetch)).header
        return None

    def forget_token(self, request: HttpRequest) -> bool:
        """Drop the token that a server has just refused; tells whether there was one."""
        oauth2 = request.authentication.get("oauth2")
        return isinstance(oauth2, Mapping) and self._tokens.pop(digest(_grant(oauth2)), None) is not None

    def known_tokens(self) -> tuple[str, ...]:
        """Return the tokens held now."""
        return tuple(token.secret for token in self._tokens.values())

    async def _token(self, oauth2: Mapping[str, Any], request: HttpRequest, fetch: Fetch) -> _Token:
        grant = _grant(oauth2)
        if not all(grant[:3]):
            raise CredentialsRefused("authentication.oauth2 needs tokenUrl, clientId and clientSecret")
        key = digest(grant)
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            token = self._tokens.get(key)
            now = asyncio.get_running_loop().time()
            if token is None or (token.expires_at is not None and now >= token.expires_at):
                token = await self._fetch(grant, request, fetch)
                self._remember(key, token)
            return token

    def _remember(self, key: str, token: _Token) -> None:
        self._tokens.pop(key, None)
        self._tokens[key] = token
        for oldest in list(self._tokens)[:-_MAXIMUM_TOKENS]:
            del self._tokens[oldest]

    async def _fetch(self, grant: _Grant, request: HttpRequest, fetch: Fetch) -> _Token:
        """Ask with the client in the header, then, if that is refused, in the form: servers know one or the other."""
        url, client, secret, scopes = grant
        form = {"grant_type": "client_credentials"} | ({"scope": " ".join(scopes)} if scopes else {})
        in_header = (("Authorization", _basic(quote_plus(client), quote_plus(secret))),)
        tries = ((form, in_header), (form | {"client_id": client, "client_secret": secret}, ()))
        status = 0
        for fields, headers in tries:
            response = await fetch(
                TokenRequest(
                    url=url, form=fields, headers=headers, timeout_seconds=request.timeout_seconds, insecure=request.insecure
                )
            )
            status = response.status
            if 200 <= status < 300:
                return _read_token(response, url)
            if status not in (400, 401):
                break
        raise CredentialsRefused(
            f"no OAuth2 token from {_host(url)}: it answered {status}; check tokenUrl, clientId and clientSecret"
        )


def _is_set(block: Any) -> bool:
    return isinstance(block, Mapping) and any(block.values())


def digest(value: Any) -> str:
    """Return a text that is the same for the same credentials and does not show them."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def _grant(oauth2: Mapping[str, Any]) -> _Grant:
    scopes = tuple(map(str, oauth2.get("scopes") or ()))
    return str(oauth2.get("tokenUrl") or ""), str(oauth2.get("clientId") or ""), str(oauth2.get("clientSecret") or ""), scopes


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _read_token(response: HttpResponse, url: str) -> _Token:
    try:
        answer = json.loads(response.body)
        secret = answer["access_token"]
        lifetime = answer.get("expires_in")
        expires_at = None if lifetime is None else asyncio.get_running_loop().time() + float(lifetime) - _EXPIRES_EARLY_SECONDS
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise CredentialsRefused(f"no OAuth2 token from {_host(url)}: its answer has no access_token") from None
    if not isinstance(secret, str) or not secret:
        raise CredentialsRefused(f"no OAuth2 token from {_host(url)}: its access_token is not a text")
    return _Token(f"Bearer {secret}", secret, expires_at)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "tokenUrl"
    except ValueError:
        return "tokenUrl"
