"""Changes that a command sends: stored even where the server says "not found" of what is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from kube.differences import is_applied
from kube.errors import NotFound
from kube.kinds import ROLLOUT, ObjectRef
from kube.quick import QuickClient
from rollouts.cli import patches
from rollouts.cli.session import Cluster
from tests.model import merge

SHOP = ObjectRef(ROLLOUT, "default", "shop")
PAUSED: dict[str, Any] = {
    "spec": {"paused": True, "strategy": {"canary": {"steps": [{"pause": {}}, {"setWeight": 50}]}}},
    "status": {"stableRS": "a", "currentPodHash": "b", "currentStepIndex": 0, "pauseConditions": [{"reason": "CanaryPauseStep"}]},
}


class OneRollout(QuickClient):
    """A server with one Rollout: a patch of the object leaves the status alone, if it has the subresource."""

    def __init__(self, *, subresource: bool = True, wrong: int = 0) -> None:
        self.stored: Mapping[str, Any] = PAUSED
        self.subresource = subresource
        self.wrong = wrong

    def patch(self, ref: ObjectRef, patch: Any, *, subresource: str | None = None, **_: Any) -> Any:
        if subresource and (self.wrong or not self.subresource):
            self.wrong -= 1
            raise NotFound("404 page not found", status=404)
        ignored = () if not self.subresource else ("spec",) if subresource else ("status",)
        self.stored = merge(self.stored, {field: value for field, value in patch.items() if field not in ignored})
        return self.stored


@pytest.mark.parametrize(
    "change",
    [patches.ABORT, patches.promote(PAUSED), patches.promote(PAUSED, full=True)],
    ids=["abort", "promote", "promote fully"],
)
@pytest.mark.parametrize(
    "client",
    [
        pytest.param(lambda: OneRollout(), id="as usual"),
        pytest.param(lambda: OneRollout(wrong=1), id="after one wrong not found"),
        pytest.param(lambda: OneRollout(subresource=False), id="without the subresource"),
    ],
)
def test_a_change_is_stored(client: Any, change: patches.Change) -> None:
    server = client()
    Cluster(server, "default").change(SHOP, change)
    assert change.status
    assert is_applied(server.stored, change.status)
    assert is_applied(server.stored, change.spec or {})


def test_a_change_that_no_server_takes_is_an_error() -> None:
    with pytest.raises(NotFound):
        Cluster(OneRollout(wrong=9), "default").change(SHOP, patches.ABORT)
