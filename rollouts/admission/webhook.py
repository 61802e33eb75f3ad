"""The webhook of a controller process: what it is asked, and what it needs for that.

Owns its options and that nothing else fails with it. Must not: decide (checks.py), or know who serves it (kube/shell.py).
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from kube.client import Client
from kube.clock import Clock
from kube.errors import InvalidConfig
from kube.kinds import Kind
from kube.objects import Object
from kube.shell import Judge, Webhook
from rollouts.admission.checks import KINDS, judge
from rollouts.admission.given import Reader
from rollouts.admission.keeper import DEFAULT_NAME, Keeper
from rollouts.admission.rights import require, rights_of_keeper, rights_of_reader
from rollouts.rollout.gather import Stores

logger = logging.getLogger(__name__)

_GRANT_KEEPING = (
    "Grant that as config/rbac/webhook does. With Roles only, let somebody else make the certificate and the configuration, "
    "and name the Secret with --admission-secret (docs/installing.md); or leave --admission out."
)
_GRANT_READING = "Grant that in a Role of that namespace, or leave --admission out."


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What a person may choose about the webhook."""

    name: str = DEFAULT_NAME
    """Of Service, Secret and ValidatingWebhookConfiguration."""
    host: str = "0.0.0.0"
    port: int = 9443
    secret: str = ""
    """A Secret whose certificate somebody else looks after, as well as the configuration; empty: both are looked after here."""


@asynccontextmanager
async def admission_webhook(
    asked: Admission | None, client: Client, *, namespace: str, clock: Clock, stores: Stores | None
) -> AsyncIterator[Webhook | None]:
    """Look after the certificate as long as the context lasts, and yield what is to be served; None when nothing was asked for.

    Args:
        asked: the options.
        client: may write although another replica leads: each looks after the certificate.
        namespace: where its Service and its Secret are.
        clock: for renewals.
        stores: what is in the cluster, for warnings; None when not all of it is known.

    Raises:
        InvalidConfig: a right is missing, or the library that makes certificates.
    """
    if asked is None:
        yield None
        return
    if not asked.secret and find_spec("cryptography") is None:
        raise InvalidConfig("--admission needs the package cryptography: pip install cryptography")
    if asked.secret:
        await require(client, rights_of_reader(namespace, asked.secret), advice=_GRANT_READING)
    else:
        await require(client, rights_of_keeper(namespace, asked.name), advice=_GRANT_KEEPING)
    with tempfile.TemporaryDirectory(prefix="rollouts-webhook-") as folder:
        source: Keeper | Reader = (
            Reader(client, clock, namespace, Path(folder), asked.secret)
            if asked.secret
            else Keeper(client, clock, namespace, Path(folder), asked.name)
        )
        task = asyncio.create_task(source.run(), name="webhook-certificate")
        try:
            yield Webhook(kinds=KINDS, judge=_judge(stores), certificate=source.file, host=asked.host, port=asked.port)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _judge(stores: Stores | None) -> Judge:
    """Return what judges, and lets in what it fails to judge."""

    def let_in_unless_refused(kind: Kind, new: Object, old: Object | None) -> tuple[str, Sequence[str]]:
        try:
            verdict = judge(kind, new, old, stores=stores)
        except Exception:
            logger.exception("%s could not be checked, and is let in", kind.name)
            return "", ()
        if verdict.refusal:
            logger.info("%s refused: %s", kind.name, verdict.refusal)
        return verdict.refusal, verdict.warnings

    return let_in_unless_refused
