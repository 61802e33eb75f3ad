"""A certificate that somebody else looks after, such as cert-manager: read from its Secret, and written where the server reads it.

For a controller that has Roles only: it makes and renews nothing, and never asks for the ValidatingWebhookConfiguration, which
whoever makes the certificate tells whom to trust. Must not: write to the cluster.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from kube.client import Client
from kube.clock import Clock
from kube.errors import ApiError, NotFound
from kube.kinds import SECRET
from kube.objects import Object
from rollouts.admission.certificates import CERTIFICATE, KEY, BadCertificate
from rollouts.admission.keeper import AGAIN_SECONDS, LOOK_SECONDS, written

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Reader:
    """The certificate of a Secret of the type `kubernetes.io/tls`."""

    client: Client
    clock: Clock
    namespace: str
    folder: Path
    """Where the file is written; nobody else may read it."""
    name: str
    """Of the Secret."""
    _read: asyncio.Event = field(default_factory=asyncio.Event)
    _told: str = ""

    async def file(self) -> Path:
        """Wait until there is a certificate; return the file with it and its key, which is replaced when the Secret changes."""
        await self._read.wait()
        return self._path

    async def run(self) -> None:
        """Look at the Secret until cancelled. What was good is served until something else is."""
        while True:
            try:
                await self.look()
            except (ApiError, BadCertificate, OSError) as error:
                self._tell(logging.WARNING, _reason(error, f"Secret {self.namespace}/{self.name}"))
                await self.clock.sleep(AGAIN_SECONDS)
            else:
                await self.clock.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Read the Secret, and write what it holds when that is new.

        Raises:
            ApiError: there is no Secret, or the server refused or did not answer.
            BadCertificate: the Secret holds no certificate with its key.
            OSError: the file cannot be written.
        """
        content = _content(await self.client.get(SECRET, self.namespace, self.name))
        if not self._path.exists() or self._path.read_bytes() != content:
            new = written(self.folder / "webhook.pem.new", content)
            _check(new)
            new.rename(self._path)
        self._read.set()
        self._tell(logging.INFO, f"the webhook serves the certificate of Secret {self.namespace}/{self.name}")

    @property
    def _path(self) -> Path:
        return self.folder / "webhook.pem"

    def _tell(self, level: int, text: str) -> None:
        if text != self._told:
            logger.log(level, "%s", text)
            self._told = text


def _reason(error: Exception, secret: str) -> str:
    if isinstance(error, NotFound):
        return f"{secret} is not there yet: nothing is checked when it is applied until somebody makes it"
    return f"the webhook's certificate cannot be read from {secret}: {error}"


def _content(secret: Object) -> bytes:
    """Return key and certificate as one file."""
    data = secret.get("data") or {}
    try:
        return b"\n".join(base64.b64decode(data[name], validate=True) for name in (KEY, CERTIFICATE))
    except KeyError as error:
        raise BadCertificate(f"it has no {error}; it must be of the type kubernetes.io/tls") from None
    except (TypeError, binascii.Error) as error:
        raise BadCertificate(f"it is no base64: {error}") from None


def _check(path: Path) -> None:
    """Raise unless a server can be started with the file."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path, password="")  # or a key with a password asks the terminal
    except (ssl.SSLError, ValueError) as error:
        raise BadCertificate(f"certificate and key do not fit: {getattr(error, 'reason', None) or error}") from None
