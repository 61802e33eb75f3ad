"""Taking a measurement: the effect handler of the AnalysisRun controller.

Owns reading Secrets and sending requests. Must not: keep a secret, or decide what a measurement means for its run.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from analysis.arguments import secret_references
from analysis.providers.base import HttpRequest, HttpResponse, Provider, TransportError
from analysis.run.measuring import Prepared, conclude, failed, prepare
from analysis.run.phases import Phase
from analysis.run.snapshot import Measure, Measured, Skipped, Unmeasurable
from kube.clock import Clock
from kube.errors import ApiError, NotFound
from kube.kinds import SECRET, Kind
from kube.objects import Key, Object
from kube.plan import Effect

_LOG = logging.getLogger(__name__)


class Secrets(Protocol):
    """Where Secrets are read: the API client."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Return the object, or raise `kube.errors.ApiError`."""
        ...


class Transport(Protocol):
    """What carries requests: `analysis.transport.HttpTransport`."""

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Return the answer, or raise `TransportError`."""
        ...

    def known_secrets(self) -> tuple[str, ...]:
        """Return the access tokens held now."""
        ...


class SecretMissing(Exception):
    """A Secret, or its key, is not there; the text is what upstream shows."""


@dataclass(frozen=True, slots=True)
class Measurer:
    """Performs `Measure` effects, at most `concurrency` at a time."""

    secrets: Secrets
    transport: Transport
    providers: Mapping[str, Provider]
    clock: Clock
    concurrency: int = 30
    _slots: asyncio.Semaphore = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_slots", asyncio.Semaphore(self.concurrency))

    async def __call__(self, key: Key, effect: Effect) -> Measured | Skipped | Unmeasurable:
        """Take the measurement that the effect asks for; expected failures are answers, not exceptions."""
        measure: Measure = effect.request
        async with self._slots:
            answer = await self._measure(measure)
        if isinstance(answer, Measured) and answer.phase is Phase.ERROR:
            _LOG.warning("%s/%s: measurement %s failed: %s", *key, effect.id, answer.message)
        return answer

    async def _measure(self, measure: Measure) -> Measured | Skipped | Unmeasurable:
        started_at = self.clock.now()
        try:
            secrets = await self._read_secrets(measure)
        except SecretMissing as error:
            return Unmeasurable(f"Unable to resolve metric arguments: {error}")
        except ApiError as error:
            message = f"cannot read the secrets of the metric's arguments: {error}"
            return Measured(phase=Phase.ERROR, message=message, started_at=started_at, finished_at=self.clock.now())
        prepared = prepare(measure, secrets=secrets, providers=self.providers, now=started_at)
        return await self._send(prepared) if isinstance(prepared, Prepared) else prepared

    async def _send(self, prepared: Prepared) -> Measured | Skipped:
        try:
            response = await self.transport.send(prepared.request)
        except TransportError as error:
            return failed(self._with_tokens(prepared), str(error), now=self.clock.now())
        return conclude(self._with_tokens(prepared), response, now=self.clock.now())

    def _with_tokens(self, prepared: Prepared) -> Prepared:
        """Hide the access tokens too, which are known only when the request was sent."""
        return replace(prepared, redactor=prepared.redactor.knowing(self.transport.known_secrets()))

    async def _read_secrets(self, measure: Measure) -> dict[str, str]:
        """Return the values of the secret arguments by argument name, read now from the run's namespace."""
        references = secret_references(measure.arguments)
        objects = {name: await self._secret(measure.namespace, name) for name in sorted({one[0] for one in references.values()})}
        return {argument: _decoded(objects[name], name, key) for argument, (name, key) in references.items()}

    async def _secret(self, namespace: str, name: str) -> Mapping[str, Any]:
        try:
            return await self.secrets.get(SECRET, namespace, name)
        except NotFound:
            raise SecretMissing(f'secrets "{name}" not found in namespace {namespace}') from None


def _decoded(secret: Mapping[str, Any], name: str, key: str) -> str:
    encoded = (secret.get("data") or {}).get(key)
    if encoded is None:
        raise SecretMissing(f"key '{key}' does not exist in secret '{name}'")
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, TypeError, ValueError):
        raise SecretMissing(f"key '{key}' of secret '{name}' is not text") from None
