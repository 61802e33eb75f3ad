"""Names that are made of a Rollout's: whether there is room for them, and what happens when somebody else has one."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from rollout_trouble_test import BACKGROUND, STEPS, TEMPLATE
from rollout_validation_test import a_canary, told

from kube.kinds import ANALYSIS_RUN
from kube.objects import name_of
from tests.shops import nginx_shop


@pytest.mark.parametrize(
    ("rollout", "longest", "what"),
    [
        pytest.param(a_canary(), 242, "ReplicaSets", id="ReplicaSets add a hash"),
        pytest.param(
            a_canary({"analysis": {"templates": [{"templateName": "rate"}]}}), 227, "AnalysisRuns", id="AnalysisRuns add more"
        ),
    ],
)
def test_a_name_that_leaves_no_room_for_those_made_of_it_is_refused_with_what_to_do(
    rollout: dict[str, Any], longest: int, what: str
) -> None:
    assert told({**rollout, "metadata": {"name": "a" * longest}}) == []
    [text] = told({**rollout, "metadata": {"name": "a" * (longest + 1)}})
    assert text.startswith("metadata.name: Invalid value: ")
    assert text.endswith(f"must be at most {longest} characters: names of its {what} begin with it; shorten it")


@pytest.mark.parametrize("late", [pytest.param(False, id="before"), pytest.param(True, id="between naming and creating it")])
def test_the_name_of_an_analysis_run_that_somebody_else_has_keeps_no_analysis_from_running(*, late: bool) -> None:
    world = nginx_shop(STEPS, deployed=False, analysis=BACKGROUND)
    world.apply(TEMPLATE)
    world.settle()
    world.set_image("shop:2")
    probe = copy.deepcopy(world)
    probe.settle()
    [name] = [name_of(one) for one in probe.all(ANALYSIS_RUN)]

    while late and "currentBackgroundAnalysisRunStatus" not in world.status().get("canary", {}):
        world.reconcile()
        world.play_pods()
    foreign = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun", "metadata": {"name": name}, "spec": {"metrics": []}}
    world.put(foreign)
    world.settle()
    assert world.status()["canary"]["currentBackgroundAnalysisRunStatus"]["name"] == f"{name}.1"
    assert sorted(name_of(one) for one in world.all(ANALYSIS_RUN)) == [name, f"{name}.1"]
