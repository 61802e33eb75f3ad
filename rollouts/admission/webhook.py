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
from rollouts.admission.keeper import DEFAULT_NAME, Keeper
from rollouts.rollout.gather import Stores

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What a person may choose about the webhook."""

    name: str = DEFAULT_NAME
    """Of Service, Secret and ValidatingWebhookConfiguration."""
    host: str = "0.0.0.0"
    port: int = 9443


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
        InvalidConfig: the library that makes certificates is missing.
    """
    if asked is None:
        yield None
        return
    if find_spec("cryptography") is None:
        raise InvalidConfig("--admission needs the package cryptography: pip install cryptography")
    with tempfile.TemporaryDirectory(prefix="rollouts-webhook-") as folder:
        keeper = Keeper(client, clock, namespace, Path(folder), asked.name)
        task = asyncio.create_task(keeper.run(), name="webhook-certificate")
        try:
            yield Webhook(kinds=KINDS, judge=_judge(stores), certificate=keeper.file, host=asked.host, port=asked.port)
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
