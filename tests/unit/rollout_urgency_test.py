"""What goes before other work when a controller is busy: what people asked for, and verdicts."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.rollout.controller import asks_for_something, has_a_verdict


def rollout(generation: int = 1, **status: Any) -> dict[str, Any]:
    return {"metadata": {"generation": generation}, "status": status}


def run(phase: str) -> dict[str, Any]:
    return {"metadata": {}, "status": {"phase": phase}}


@pytest.mark.parametrize(
    ("old", "new", "urgent"),
    [
        pytest.param(None, rollout(), True, id="a new Rollout"),
        pytest.param(rollout(1), rollout(2), True, id="a new spec"),
        pytest.param(rollout(), rollout(abort=True), True, id="an abort"),
        pytest.param(rollout(), rollout(promoteFull=True), True, id="a full promotion"),
        pytest.param(rollout(pauseConditions=[{}], controllerPause=True), rollout(controllerPause=True), True, id="a promotion"),
        pytest.param(rollout(), rollout(pauseConditions=[{}], controllerPause=True), False, id="a pause of the controller"),
        pytest.param(rollout(pauseConditions=[{}], controllerPause=True), rollout(controllerPause=False), False, id="its end"),
        pytest.param(rollout(replicas=1), rollout(replicas=2), False, id="counters"),
    ],
)
def test_commands_and_new_specs_are_urgent(old: Any, new: Any, urgent: bool) -> None:
    assert asks_for_something(old, new) is urgent


@pytest.mark.parametrize(
    ("before", "after", "urgent"),
    [
        pytest.param("Running", "Failed", True, id="a verdict"),
        pytest.param("Running", "Successful", True, id="a good one too"),
        pytest.param("Pending", "Running", False, id="a start"),
        pytest.param("Failed", "Failed", False, id="an old verdict"),
    ],
)
def test_verdicts_are_urgent(before: str, after: str, urgent: bool) -> None:
    assert has_a_verdict(run(before), run(after)) is urgent
