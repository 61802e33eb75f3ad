"""What the webhook needs is asked at the start: a right that is missing is named, with what to do, and nothing is served."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from kube.client import Client
from kube.clock import SystemClock
from kube.errors import InvalidConfig
from kube.transport import Response
from rollouts.admission.rights import REVIEW
from rollouts.admission.webhook import Admission, admission_webhook
from sandbox.apiserver.inprocess import InProcessTransport
from sandbox.apiserver.server import ApiServer

ROLES_ONLY = ("get validatingwebhookconfigurations", "patch validatingwebhookconfigurations")
"""What no Role can grant."""


class Restricted(InProcessTransport):
    """An account without some rights: the sandbox itself restricts nobody."""

    def __init__(self, missing: Collection[str], *, failing: bool = False, unsure: bool = False) -> None:
        super().__init__(ApiServer(seed=1))
        self.missing, self.failing, self.unsure = missing, failing, unsure
        self.asked: list[str] = []

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] = {},
        headers: Mapping[str, str] = {},
        body: bytes | None = None,
        timeout_seconds: float = 30.0,
    ) -> Response:
        if path == REVIEW.path():
            asked = json.loads(body or b"")["spec"]["resourceAttributes"]
            self.asked.append(" ".join(asked[name] for name in ("verb", "resource", "namespace", "name") if name in asked))
            status: dict[str, Any] = {"allowed": f"{asked['verb']} {asked['resource']}" not in self.missing}
            if self.unsure:
                status["evaluationError"] = 'clusterrole.rbac.authorization.k8s.io "rollouts-controller" not found'
            return Response(500 if self.failing else 201, {}, json.dumps({"status": status}).encode())
        return await super().request(method, path, query=query, headers=headers, body=body, timeout_seconds=timeout_seconds)


async def refusal(transport: Restricted, asked: Admission) -> str:
    """Start the webhook; return why it does not start, or nothing when it does."""
    client = Client(transport)
    try:
        async with admission_webhook(asked, client, namespace="shop", clock=SystemClock(), stores=None) as webhook:
            assert webhook is not None
        return ""
    except InvalidConfig as error:
        return str(error)
    finally:
        await client.close()


async def test_an_api_server_that_does_not_know_the_roles_yet_refuses_nothing_for_good() -> None:
    assert await refusal(Restricted(ROLES_ONLY, unsure=True), Admission()) == ""


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        pytest.param(
            ROLES_ONLY,
            "may not get, patch ValidatingWebhookConfiguration rollouts-webhook of the cluster. Grant",
            id="an account with Roles alone",
        ),
        pytest.param(["create secrets"], "may not create Secret in namespace shop. Grant", id="making the Secret"),
        pytest.param(
            ["patch secrets", *ROLES_ONLY],
            "may not patch Secret rollouts-webhook in namespace shop, or get, patch ValidatingWebhookConfiguration",
            id="several at once",
        ),
    ],
)
async def test_a_missing_right_is_named_with_what_to_do(missing: Collection[str], told: str) -> None:
    text = await refusal(Restricted(missing), Admission())
    assert told in text
    assert all(way in text for way in ("config/rbac/webhook", "--admission-secret", "leave --admission out"))


async def test_with_every_right_it_starts() -> None:
    transport = Restricted(())
    assert await refusal(transport, Admission()) == ""
    assert transport.asked == [
        "create secrets shop",
        "get secrets shop rollouts-webhook",
        "patch secrets shop rollouts-webhook",
        "get validatingwebhookconfigurations rollouts-webhook",
        "patch validatingwebhookconfigurations rollouts-webhook",
    ]


async def test_with_a_certificate_of_others_one_right_in_a_role_is_enough() -> None:
    transport = Restricted(("create secrets", "patch secrets", *ROLES_ONLY))
    assert await refusal(transport, Admission(secret="given")) == ""
    assert transport.asked == ["get secrets shop given"]


async def test_without_even_that_it_says_so() -> None:
    text = await refusal(Restricted(["get secrets"]), Admission(secret="given"))
    assert text.startswith("--admission: the account may not get Secret given in namespace shop. Grant that in a Role")


async def test_while_nobody_can_be_asked_the_controller_starts_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    transport = Restricted(ROLES_ONLY, failing=True)
    assert await refusal(transport, Admission()) == ""
    assert "it is not known whether the account may do what the webhook needs" in caplog.text
    assert len(transport.asked) == 1, "nobody waits for an answer to each question"
