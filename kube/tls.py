"""TLS contexts from a connection's certificates.

Must not: keep keys on disk longer than the TLS library needs to read them.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from pathlib import Path

from kube.config import Connection
from kube.errors import InvalidConfig


def context_of(connection: Connection) -> ssl.SSLContext | None:
    """Return the TLS context of a connection; None when the server speaks plain HTTP.

    Raises:
        InvalidConfig: a certificate or key cannot be used.
    """
    if not connection.server.startswith("https://"):
        return None
    context = _trust(connection)
    if connection.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if connection.client_certificate and connection.client_key:
        _identify(context, connection.client_certificate, connection.client_key)
    return context


def _trust(connection: Connection) -> ssl.SSLContext:
    if connection.insecure or not (connection.ca_data or connection.ca_file):
        return ssl.create_default_context()
    try:
        if connection.ca_data:
            return ssl.create_default_context(cadata=connection.ca_data.decode("ascii"))
        return ssl.create_default_context(cafile=connection.ca_file)
    except (OSError, ValueError) as error:
        source = "certificate-authority-data" if connection.ca_data else connection.ca_file
        raise InvalidConfig(f"context {connection.context}: the authority in {source} cannot be used: {error}") from error


def _identify(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Load a client certificate; the library reads files only, so they exist for a moment, readable to us alone."""
    with tempfile.TemporaryDirectory(prefix="rollouts-") as folder:
        path = Path(folder) / "client.pem"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(certificate.rstrip() + b"\n" + key)
        try:
            context.load_cert_chain(path)
        except (OSError, ValueError):
            raise InvalidConfig("the client certificate and its key do not belong together, or are no PEM") from None
