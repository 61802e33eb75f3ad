"""What the account must be allowed to do for the webhook, asked before anything is served.

A right that is missing stays missing until somebody grants it, so it is told at the start, all of it at once, and not every few
seconds in a log. Must not: do any of it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from kube.client import Client
from kube.errors import ApiError, InvalidConfig
from kube.kinds import SECRET, Kind
from rollouts.admission.keeper import CONFIGURATION

logger = logging.getLogger(__name__)

REVIEW = Kind("authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", namespaced=False)
"""The question whether one may do something. Everybody who is known to the API server may ask it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """One verb on one object; on every object of the kind when it has no name."""

    verb: str
    kind: Kind
    name: str = ""
    namespace: str = ""
    """Empty for what belongs to the whole cluster."""

    @property
    def place(self) -> str:
        """What it is on, for people: `Secret rollouts-webhook in namespace shop`."""
        where = f"in namespace {self.namespace}" if self.namespace else "of the cluster"
        return " ".join(filter(None, (self.kind.name, self.name, where)))


def rights_of_keeper(namespace: str, name: str) -> tuple[Right, ...]:
    """Return what is needed to look after a certificate of our own; config/rbac/webhook grants it."""
    return (
        Right(verb="create", kind=SECRET, namespace=namespace),
        *(Right(verb=verb, kind=SECRET, name=name, namespace=namespace) for verb in ("get", "patch")),
        *(Right(verb=verb, kind=CONFIGURATION, name=name) for verb in ("get", "patch")),
    )


def rights_of_reader(namespace: str, name: str) -> tuple[Right, ...]:
    """Return what is needed to serve the certificate of a Secret that somebody else looks after."""
    return (Right(verb="get", kind=SECRET, name=name, namespace=namespace),)


async def require(client: Client, rights: Iterable[Right], *, advice: str) -> None:
    """Make sure of every right; while nobody can be asked they count as granted, and are told when they turn out to be missing.

    Args:
        client: of the account.
        rights: those that are needed.
        advice: what to do without one, as a sentence.

    Raises:
        InvalidConfig: something is missing; the text names all of it.
    """
    try:
        missing = [right for right in rights if not await _granted(client, right)]
    except ApiError as error:
        logger.warning("it is not known whether the account may do what the webhook needs: %s", error)
        return
    if missing:
        raise InvalidConfig(f"--admission: the account may not {_listed(missing)}. {advice}")


async def _granted(client: Client, right: Right) -> bool:
    named = {"group": right.kind.group, "name": right.name, "namespace": right.namespace}
    asked = {"verb": right.verb, "resource": right.kind.plural, **{key: value for key, value in named.items() if value}}
    answer = await client.create(REVIEW, {"metadata": {}, "spec": {"resourceAttributes": asked}})
    status = answer.get("status") or {}
    return status.get("allowed") is not False or bool(status.get("evaluationError"))  # an API server that starts knows no roles yet


def _listed(rights: Sequence[Right]) -> str:
    """Return the rights as one phrase: `get, patch Secret a in namespace b, or get ...`."""
    return ", or ".join(f"{', '.join(one.verb for one in same)} {place}" for place, same in groupby(rights, lambda one: one.place))
