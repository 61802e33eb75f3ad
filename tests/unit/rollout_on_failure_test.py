"""The annotation `rollouts/on-failure: pause`: a person decides about an update whose analysis failed."""

from __future__ import annotations

from typing import Any

import pytest

from kube.kinds import ANALYSIS_RUN, ROLLOUT
from kube.objects import name_of
from tests.model import World
from tests.shops import nginx_shop

TEMPLATE = """
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: good}
spec: {metrics: [{name: good, interval: 1m, provider: {prometheus: {address: "http://prometheus", query: up}}}]}
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: once}
spec: {metrics: [{name: once, provider: {prometheus: {address: "http://prometheus", query: up}}}]}
"""
BACKGROUND = {"templates": [{"templateName": "good"}]}
STEP = {"analysis": {"templates": [{"templateName": "once"}]}}


def shop(steps: list[dict[str, Any]], *, on_failure: str = "pause", **canary: Any) -> World:
    world = nginx_shop(steps, deployed=False, **canary)
    world.apply(TEMPLATE)
    world.edit(ROLLOUT, "shop", {"metadata": {"annotations": {"rollouts/on-failure": on_failure}}})
    world.settle()
    world.set_image("shop:2")
    world.settle()
    return world


def promote(world: World) -> None:
    """Do what `promote` does, ours and upstream's, for a pause with a condition."""
    world.patch_status({"pauseConditions": None})
    world.settle()


def runs(world: World) -> list[str]:
    new = world.status()["currentPodHash"]
    return [name_of(run).removeprefix(f"shop-{new}-") for run in world.all(ANALYSIS_RUN)]


@pytest.mark.parametrize("phase", ["Failed", "Error"])
def test_users_stay_where_they_are_and_a_person_is_asked(phase: str) -> None:
    world = shop([{"setWeight": 20}, STEP, {"setWeight": 60}])
    name = world.finish_run(phase, "too slow")
    world.settle()
    status = world.status()
    assert (status["phase"], status["message"]) == ("Paused", f"FailedAnalysisRun: {name}: too slow")
    assert (status["currentStepIndex"], world.weight(), status.get("abort")) == (1, 20, None)
    assert "RolloutPaused: Rollout is paused (FailedAnalysisRun): Step-based analysis phase error/failed: too slow" in world.events
    world.wait(3600)
    assert (world.weight(), len(world.all(ANALYSIS_RUN))) == (20, 1)


def test_promote_goes_on_past_the_failed_step_without_measuring_it_again() -> None:
    world = shop([{"setWeight": 20}, STEP, {"setWeight": 60}, {"pause": {}}])
    world.finish_run("Failed")
    world.settle()
    promote(world)
    assert (world.status()["currentStepIndex"], world.weight(), runs(world)) == (3, 60, ["2-1"])


def test_abort_takes_everybody_back() -> None:
    world = shop([{"setWeight": 20}, STEP])
    world.finish_run("Failed")
    world.settle()
    world.patch_status({"abort": True})
    world.settle()
    assert (world.weight(), world.status()["phase"], world.status().get("pauseConditions")) == (0, "Degraded", None)


def test_a_failed_background_analysis_holds_every_step_until_promoted_and_begins_anew_with_the_next_one() -> None:
    world = shop([{"setWeight": 20}, {"pause": {"duration": "1m"}}, {"setWeight": 60}, {"pause": {}}], analysis=BACKGROUND)
    world.finish_run("Failed", "too slow")
    world.settle()
    world.wait(600)
    assert (world.status()["currentStepIndex"], world.weight(), runs(world)) == (1, 20, ["2"])
    promote(world)
    assert (world.status()["currentStepIndex"], world.weight()) == (3, 60)
    assert runs(world) == ["2", "2.1"]
    world.wait(600)
    assert runs(world) == ["2", "2.1"]


def test_a_background_analysis_that_fails_again_asks_again_and_makes_one_run_per_promotion() -> None:
    world = shop([{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {}}], analysis=BACKGROUND)
    for _ in range(2):
        world.finish_run("Failed")
        world.settle()
        world.wait(300)
        promote(world)
    assert (runs(world), world.status()["phase"]) == (["2", "2.1"], "Healthy")


def test_no_more_users_are_sent_to_a_version_whose_analysis_failed_while_its_pods_came() -> None:
    world = shop([{"setWeight": 20}, {"setWeight": 60}, {"pause": {}}], on_failure="pause")
    world.broken.add("shop:3")
    world.edit(ROLLOUT, "shop", {"spec": {"strategy": {"canary": {"analysis": BACKGROUND}}}})
    world.set_image("shop:3")
    world.settle()
    world.finish_run("Failed")
    world.settle()
    world.broken.clear()
    world.settle()
    assert (world.weight(), world.status()["currentStepIndex"]) == (0, 0)
    promote(world)
    assert (world.weight(), world.status()["currentStepIndex"]) == (60, 2)


def test_taking_the_annotation_away_gives_the_update_up() -> None:
    world = shop([{"setWeight": 20}, STEP])
    world.finish_run("Failed")
    world.settle()
    world.edit(ROLLOUT, "shop", {"metadata": {"annotations": {"rollouts/on-failure": None}}})
    world.settle()
    assert (world.status()["phase"], world.weight()) == ("Degraded", 0)


def test_abort_is_the_default_and_may_be_written() -> None:
    world = shop([{"setWeight": 20}, STEP], on_failure="abort")
    world.finish_run("Failed")
    world.settle()
    assert (world.status()["phase"], world.weight()) == ("Degraded", 0)


def test_another_value_is_refused_with_what_to_write() -> None:
    world = shop([{"setWeight": 20}, STEP], on_failure="Pause")
    assert world.status()["phase"] == "Degraded"
    assert (
        'metadata.annotations[rollouts/on-failure]: Invalid value: "Pause": use abort (the default) or pause'
        in (world.status()["message"])
    )


def test_a_retried_update_makes_one_new_run_per_attempt() -> None:
    world = shop([{"setWeight": 20}, STEP])
    for _ in range(3):
        world.finish_run("Failed")
        world.settle()
        world.patch_status({"abort": True})
        world.settle()
        world.patch_status({"abort": False})
        world.settle()
        world.wait(60)
    assert runs(world) == ["2-1", "2-1.1", "2-1.2", "2-1.3"]
