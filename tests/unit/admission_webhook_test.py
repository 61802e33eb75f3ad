"""The webhook of a process: off unless asked for, and nothing that goes wrong with it keeps an object out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from click.testing import CliRunner

from kube.client import Client
from kube.clock import SystemClock
from kube.kinds import ROLLOUT
from rollouts.admission.checks import KINDS
from rollouts.admission.webhook import Admission, admission_webhook
from rollouts.app import command
from rollouts.rollout.gather import Stores
from sandbox.apiserver.inprocess import InProcessTransport
from sandbox.apiserver.server import ApiServer

CLOCK = SystemClock()
ASKED = Admission()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    found = Client(InProcessTransport(ApiServer(seed=1)))
    yield found
    await found.close()


async def test_it_is_off_unless_asked_for(client: Client) -> None:
    async with admission_webhook(None, client, namespace="shop", clock=CLOCK, stores=None) as webhook:
        assert webhook is None


async def test_it_answers_for_every_kind_that_is_checked(client: Client) -> None:
    async with admission_webhook(ASKED, client, namespace="shop", clock=CLOCK, stores=None) as webhook:
        assert webhook is not None
        assert webhook.kinds == KINDS
        bad = {"metadata": {"name": "shop", "namespace": "shop"}, "spec": {"replicas": -1}}
        refusal, _ = webhook.judge(ROLLOUT, bad, None)
        assert "spec.replicas" in refusal


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({"metadata": None, "spec": {}}, id="no metadata"),
        pytest.param({"spec": {}}, id="not even that"),
        pytest.param({"metadata": {"name": "shop", "annotations": 7}, "spec": {}}, id="annotations of another shape"),
    ],
)
async def test_what_it_fails_to_judge_is_let_in_and_told(
    client: Client, odd: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with admission_webhook(ASKED, client, namespace="shop", clock=CLOCK, stores=Stores.empty()) as webhook:
        assert webhook is not None
        assert webhook.judge(ROLLOUT, odd, None) == ("", ())
    assert "could not be checked, and is let in" in caplog.text


def test_a_certificate_without_the_webhook_that_serves_it_is_refused() -> None:
    done = CliRunner().invoke(command, ["--admission-secret=given"])
    assert done.exit_code == 2
    assert "ask for the webhook with --admission" in done.output
