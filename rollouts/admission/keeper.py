"""Keeps the webhook's certificate: shared by all replicas in a Secret, renewed in time, trusted by the API server.

Owns that Secret, the `caBundle` of the ValidatingWebhookConfiguration, and the file that the server reads. Every replica does the
same, and whoever comes first writes. The order is that of trust: an authority is in the configuration before anything that it has
signed is served. Must not: matter to anything else; whatever fails here is told, and tried again.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kube.client import JSON_PATCH, Client
from kube.clock import Clock
from kube.errors import AlreadyExists, ApiError, Conflict, NotFound
from kube.kinds import SECRET, Kind, ObjectRef
from kube.objects import Object, version_of
from rollouts.admission.certificates import AUTHORITIES, BadCertificate, Certificate, is_due, issue

logger = logging.getLogger(__name__)

CONFIGURATION = Kind(
    "admissionregistration.k8s.io",
    "v1",
    "ValidatingWebhookConfiguration",
    "validatingwebhookconfigurations",
    namespaced=False,
)
DEFAULT_NAME = "rollouts-webhook"
LOOK_SECONDS = 60.0
AGAIN_SECONDS = 10.0


@dataclass(slots=True)
class Keeper:
    """The certificate of one replica. Service, Secret and configuration have the same name."""

    client: Client
    clock: Clock
    namespace: str
    folder: Path
    """Where the file is written; nobody else may read it."""
    name: str = DEFAULT_NAME
    _written: asyncio.Event = field(default_factory=asyncio.Event)
    _told: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """What the API server calls the server."""
        service = f"{self.name}.{self.namespace}.svc"
        return (service, f"{service}.cluster.local", f"{self.name}.{self.namespace}", "localhost")

    async def file(self) -> Path:
        """Wait until there is a certificate that is trusted; return the file with it and its key, which is replaced in time."""
        await self._written.wait()
        return self._path

    async def run(self) -> None:
        """Look after it until cancelled."""
        while True:
            try:
                await self.look()
            except (Conflict, AlreadyExists):
                continue  # another replica was faster: see what it has written
            except (ApiError, BadCertificate, OSError) as error:
                logger.warning("the webhook's certificate cannot be looked after: %s", error)
                await self.clock.sleep(AGAIN_SECONDS)
            except Exception:
                logger.exception("the webhook's certificate cannot be looked after")
                await self.clock.sleep(AGAIN_SECONDS)
            else:
                await self.clock.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Make, renew, publish and store the certificate, as far as that is needed.

        Raises:
            ApiError: the server refused, or did not answer.
            BadCertificate: what is stored cannot be used.
            OSError: the file cannot be written.
        """
        certificate = await self._stored()
        if await self._publish(certificate):
            self._store(certificate)

    async def _stored(self) -> Certificate:
        """Return the certificate of the Secret, after it was made anew if need be."""
        ref, now = ObjectRef(SECRET, self.namespace, self.name), self.clock.now()
        try:
            secret = await self.client.get(SECRET, self.namespace, self.name)
        except NotFound:
            made = issue(self.names, now)
            metadata = {"name": self.name, "namespace": self.namespace}
            body = {"metadata": metadata, "type": "kubernetes.io/tls", "data": made.data()}
            await self.client.create(SECRET, body)
            logger.info("made a certificate for the webhook, in Secret %s/%s", self.namespace, self.name)
            return made
        found = _certificate_of(secret)
        if found is not None and not is_due(found, self.names, now):
            return found
        made = issue(self.names, now, known=found.authorities if found else b"")
        await self.client.patch(ref, {"data": made.data()}, version=version_of(secret))
        logger.info("renewed the certificate of the webhook, in Secret %s/%s", self.namespace, self.name)
        return made

    async def _publish(self, certificate: Certificate) -> bool:
        """Let the API server trust the authorities; False when there is no configuration to say so in."""
        try:
            configuration = await self.client.get(CONFIGURATION, "", self.name)
        except NotFound:
            self._tell(f"there is no ValidatingWebhookConfiguration {self.name}: nothing is checked when it is applied")
            return False
        bundle = certificate.data()[AUTHORITIES]
        paths = [path for path, known in self._ours(configuration) if known != bundle]
        if paths:
            guard = {"op": "test", "path": "/metadata/resourceVersion", "value": version_of(configuration)}
            patch = [guard, *({"op": "add", "path": path, "value": bundle} for path in paths)]
            await self.client.patch(ObjectRef(CONFIGURATION, "", self.name), patch, content_type=JSON_PATCH)
        self._tell(f"objects are checked when they are applied, by ValidatingWebhookConfiguration {self.name}")
        return True

    def _ours(self, configuration: Object) -> Iterator[tuple[str, str]]:
        """Yield path and value of the bundle of each webhook that leads to us."""
        for at, hook in enumerate(configuration.get("webhooks") or ()):
            client = hook.get("clientConfig") or {}
            service = client.get("service") or {}
            if (service.get("namespace"), service.get("name")) == (self.namespace, self.name):
                yield f"/webhooks/{at}/clientConfig/caBundle", client.get("caBundle") or ""

    @property
    def _path(self) -> Path:
        return self.folder / "webhook.pem"

    def _store(self, certificate: Certificate) -> None:
        content = certificate.key + certificate.certificate
        if not self._path.exists() or self._path.read_bytes() != content:
            written(self.folder / "webhook.pem.new", content).rename(self._path)
        self._written.set()

    def _tell(self, text: str) -> None:
        if text != self._told:
            logger.info("%s", text)
            self._told = text


def written(path: Path, content: bytes) -> Path:
    """Write a file that nobody else may read; return its path."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    return path


def _certificate_of(secret: Object) -> Certificate | None:
    try:
        return Certificate.of(secret.get("data") or {})
    except BadCertificate as error:
        logger.warning("Secret %s is of no use and is written anew: %s", secret["metadata"]["name"], error)
        return None
