"""Headers that say who asks: tokens, rotating token files, passwords, impersonation, credential plugins.

The only module that imports `kubernetes`, and only for plugins (its import costs most of a second). Must not: log a secret.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kube.config import Connection
from kube.errors import InvalidConfig

TOKEN_FILE_SECONDS = 60.0
"""How long a token read from a file is used; the kubelet rotates it long before it expires."""


class Static:
    """Headers that never change."""

    slow = False

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = dict(headers)

    def headers(self, *, renew: bool = False) -> Mapping[str, str]:
        """Return the headers; there are no others to renew them with."""
        return self._headers


class Renewed:
    """Headers whose token is fetched again after a while, or when the server refuses it."""

    def __init__(
        self,
        fetch: Callable[[bool], str],
        fixed: Mapping[str, str],
        *,
        seconds: float = TOKEN_FILE_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._fixed = dict(fixed)
        self._seconds = seconds
        self._monotonic = monotonic
        self._headers: Mapping[str, str] = {}
        self._fetched_at = float("-inf")

    @property
    def slow(self) -> bool:
        """Whether the next headers have to be fetched."""
        return self._monotonic() - self._fetched_at >= self._seconds

    def headers(self, *, renew: bool = False) -> Mapping[str, str]:
        """Return the headers, fetching the token when it is due.

        Raises:
            InvalidConfig: it cannot be fetched.
        """
        if renew or self.slow:
            authorization = self._fetch(renew)
            self._headers = {**self._fixed, "authorization": authorization} if authorization else self._fixed
            self._fetched_at = self._monotonic()
        return self._headers


def credentials_of(connection: Connection) -> tuple[Static | Renewed, Connection]:
    """Return the credentials, and the connection with the client certificate that a plugin may have brought.

    Precedence is kubectl's: a token file, then a token, then name and password, then the plugin.

    Raises:
        InvalidConfig: the token file or the plugin gives nothing.
    """
    fixed = _impersonation(connection)
    if connection.token_file:
        file = Path(connection.token_file)
        return Renewed(lambda _renew: _token_in(file), fixed), connection
    if connection.token:
        return Static({**fixed, "authorization": f"Bearer {connection.token}"}), connection
    if connection.username is not None:
        pair = f"{connection.username}:{connection.password or ''}".encode()
        return Static({**fixed, "authorization": f"Basic {base64.b64encode(pair).decode()}"}), connection
    if connection.plugin:
        return _from_plugin(connection, connection.plugin, fixed)
    return Static(fixed), connection


def _impersonation(connection: Connection) -> Mapping[str, str]:
    if len(connection.impersonate_groups) > 1:
        raise InvalidConfig(f"context {connection.context}: as-groups with more than one group is not supported; name one")
    pairs = (("impersonate-user", connection.impersonate), ("impersonate-group", "".join(connection.impersonate_groups)))
    return {name: value for name, value in pairs if value}


def _token_in(file: Path) -> str:
    try:
        token = file.read_text().strip()
    except OSError as error:
        raise InvalidConfig(f"the token file {file} cannot be read: {error.strerror}") from error
    if not token:
        raise InvalidConfig(f"the token file {file} is empty")
    return f"Bearer {token}"


def _from_plugin(
    connection: Connection, plugin: Mapping[str, Any], fixed: Mapping[str, str]
) -> tuple[Static | Renewed, Connection]:
    """Let `kubernetes` run the exec program or the provider; it keeps the token until that expires."""
    source = _Plugin(connection.context, plugin)
    certificate, key = source.files()
    if certificate and key:
        connection = replace(connection, client_certificate=Path(certificate).read_bytes(), client_key=Path(key).read_bytes())
    return Renewed(source.authorization, fixed), connection


class _Plugin:
    """A configuration of `kubernetes`, made anew when the server refuses what it gave."""

    def __init__(self, context: str, kubeconfig: Mapping[str, Any]) -> None:
        self._context = context
        self._kubeconfig = dict(kubeconfig)
        self._configuration = self._configured()

    def files(self) -> tuple[str | None, str | None]:
        """Return the files of the client certificate and its key, if the plugin gave some."""
        return self._configuration.cert_file, self._configuration.key_file

    def authorization(self, renew: bool) -> str:
        if renew:
            self._configuration = self._configured()
        return str(self._configuration.get_api_key_with_prefix("BearerToken") or "")

    def _configured(self) -> Any:
        from kubernetes import client, config

        configuration = client.Configuration()
        try:
            config.load_kube_config_from_dict(  # type: ignore[no-untyped-call]
                self._kubeconfig, context=self._context, client_configuration=configuration
            )
        except (config.ConfigException, OSError, KeyError, ValueError) as error:
            raise InvalidConfig(f"context {self._context}: the credential plugin failed: {error}") from error
        if not configuration.api_key.get("BearerToken") and not configuration.cert_file:
            raise InvalidConfig(
                f"context {self._context}: the credential plugin gave neither a token nor a certificate; "
                "run its command by hand to see why, or log in again"
            )
        return configuration
