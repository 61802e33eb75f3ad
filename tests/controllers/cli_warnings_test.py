"""What commands say beside having done what was asked: that it changes nothing, or that nothing will come of it."""

from __future__ import annotations

from typing import Any

import pytest

from kube.kinds import ROLLOUT, ObjectRef
from kube.quick import QuickClient
from rollouts.cli.main import run

SHOP = ObjectRef(ROLLOUT, "default", "shop")
ABORTED = {"phase": "Degraded", "abort": True, "currentPodHash": "b", "stableRS": "a"}


def stored(client: QuickClient, *, name: str = "shop", weight: int = 20, status: dict[str, Any] | None = None) -> None:
    """Store a Rollout of one container with two steps."""
    labels = {"app": "shop"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "web:2"}]}}
    canary = {"stableService": "gone", "canaryService": "here", "steps": [{"setWeight": weight}, {"pause": {}}]}
    spec = {"selector": {"matchLabels": labels}, "template": template, "strategy": {"canary": canary}}
    created = client.create(ROLLOUT, {"metadata": {"name": name, "namespace": "default"}, "spec": spec})
    seen = {"observedGeneration": str(created["metadata"]["generation"]), **(status or {})}
    client.patch(ObjectRef(ROLLOUT, "default", name), {"status": seen}, subresource="status")


def refused(message: str) -> dict[str, Any]:
    """Return the status of a Rollout whose spec the controller refuses."""
    times = dict.fromkeys(("lastTransitionTime", "lastUpdateTime"), "2026-01-01T00:00:00Z")
    return {"conditions": [{"type": "InvalidSpec", "status": "True", "reason": "InvalidSpec", "message": message, **times}]}


def rollouts(*arguments: str, prog: str = "rollouts") -> int:
    """Run one command in this process."""
    return run(list(arguments), prog=prog)


def test_an_image_that_is_there_already_changes_nothing_and_it_is_said(
    client: QuickClient, capsys: pytest.CaptureFixture[str]
) -> None:
    stored(client)
    before = client.get(ROLLOUT, "default", "shop")
    assert rollouts("set", "image", "shop", "web=web:2") == 0
    assert capsys.readouterr() == ('rollout "shop" image is that already; nothing changed\n', "")
    assert client.get(ROLLOUT, "default", "shop") == before


@pytest.mark.parametrize(
    ("prog", "options", "command"),
    [
        pytest.param("rollouts", (), "rollouts retry rollout shop", id="by itself"),
        pytest.param("kubectl argo rollouts", (), "kubectl argo rollouts retry rollout shop", id="as a plugin"),
        pytest.param("rollouts", ("-n", "default"), "rollouts retry rollout shop -n default", id="in a namespace"),
    ],
)
def test_the_image_whose_update_was_aborted_is_tried_again_by_a_retry(
    client: QuickClient, capsys: pytest.CaptureFixture[str], prog: str, options: tuple[str, ...], command: str
) -> None:
    stored(client, status=ABORTED)
    assert rollouts("set", "image", "shop", "web=web:2", *options, prog=prog) == 0
    assert capsys.readouterr().err == f"The update to it was aborted; to try it again: {command}\n"
    assert rollouts("set", "image", "shop", "web=web:3", *options, prog=prog) == 0
    assert capsys.readouterr() == ('rollout "shop" image updated\n', "")


CHANGES = [("promote", "shop"), ("abort", "shop"), ("retry", "rollout", "shop"), ("restart", "shop"), ("pause", "shop")]


@pytest.mark.parametrize("arguments", CHANGES, ids=[" ".join(one) for one in CHANGES])
@pytest.mark.parametrize(
    ("weight", "said"),
    [
        pytest.param(120, "nothing happens until the spec is mended", id="a spec that makes no sense"),
        pytest.param(20, "until this is mended, only what brings users back to stable", id="a reference that leads nowhere"),
    ],
)
def test_a_change_of_a_rollout_whose_spec_is_refused_says_that_little_comes_of_it(
    client: QuickClient, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], weight: int, said: str
) -> None:
    stored(client, weight=weight, status=refused('The Rollout "shop" is invalid: mend this'))
    assert rollouts(*arguments) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("rollout 'shop' ")
    [line] = printed.err.splitlines()
    assert line.startswith(f"Warning: {said}")
    assert line.endswith('The Rollout "shop" is invalid: mend this')


def test_what_was_refused_for_its_template_is_not_said_to_be_refused_once_it_has_another(
    client: QuickClient, capsys: pytest.CaptureFixture[str]
) -> None:
    stored(client, status=refused("spec.template.spec.containers[0].image: Required value"))
    assert rollouts("set", "image", "shop", "web=web:3") == 0
    assert capsys.readouterr().err == ""


def test_several_rollouts_are_promoted_at_once(client: QuickClient, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("shop", "cart"):
        stored(client, name=name, status={"pauseConditions": [{"reason": "x", "startTime": "2026-01-01T00:00:00Z"}]})
    assert rollouts("promote", "shop", "cart") == 0
    assert capsys.readouterr().out == "rollout 'shop' promoted\nrollout 'cart' promoted\n"
    assert ["pauseConditions" in client.get(ROLLOUT, "default", name)["status"] for name in ("shop", "cart")] == [False, False]
