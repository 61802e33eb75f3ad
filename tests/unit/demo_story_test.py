"""What the demo tells of a Rollout, from the objects alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from analysis.run.verdicts import measurements_of, why
from rollouts.demo.scene import Scene, outcome_of
from rollouts.demo.script import Outcome
from rollouts.demo.story import What, happenings

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
REVISION = "rollout.argoproj.io/revision"


def scene(*, image: str = "shop:2", **status: Any) -> Scene:
    steps = [{"setWeight": 10}, {"pause": {"duration": "4s"}}]
    template = {"spec": {"containers": [{"name": "shop", "image": image}]}}
    rollout = {
        "metadata": {"name": "shop", "namespace": "default", "uid": "u", "generation": 3, "annotations": {REVISION: "2"}},
        "spec": {"replicas": 4, "template": template, "strategy": {"canary": {"steps": steps, "trafficRouting": {}}}},
        "status": {"observedGeneration": "3", "availableReplicas": 4, **status},
    }
    return Scene(rollout=rollout)


def weights(canary: int) -> dict[str, Any]:
    return {"weights": {"canary": {"weight": canary}, "stable": {"weight": 100 - canary}}}


def run(phase: str, *values: str, metric_phase: str = "", message: str = "") -> dict[str, Any]:
    measurements = [{"phase": metric_phase or phase, "value": value, "message": message} for value in values]
    return {
        "metadata": {
            "name": "shop-2",
            "annotations": {REVISION: "2"},
            "ownerReferences": [{"kind": "Rollout", "uid": "u", "controller": True}],
        },
        "spec": {"metrics": [{"name": "success-rate", "successCondition": "result[0] >= 0.95", "failureLimit": 1}]},
        "status": {
            "phase": phase,
            "metricResults": [{"name": "success-rate", "phase": metric_phase or phase, "measurements": measurements}],
        },
    }


def test_the_first_version_is_told_without_steps_for_it_takes_none() -> None:
    first = scene(phase="Healthy", stableRS="a", currentPodHash="a", currentStepIndex=2)
    told = happenings(scene(phase="Progressing"), first, NOW)
    assert [one.what for one in told] == [What.PHASE]


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        pytest.param(scene(phase="Healthy", stableRS="b", currentPodHash="b"), Outcome.PROMOTED, id="promoted"),
        pytest.param(
            scene(phase="Healthy", stableRS="a", currentPodHash="b"), None, id="healthy, but the new version is not stable"
        ),
        pytest.param(scene(phase="Degraded", abort=True, canary=weights(0)), Outcome.TAKEN_BACK, id="aborted, no users left"),
        pytest.param(scene(phase="Degraded", abort=True, canary=weights(25)), None, id="aborted, but users are still sent there"),
        pytest.param(
            scene(phase="Degraded", abort=True, canary=weights(0), availableReplicas=3), None, id="aborted, stable pods are missing"
        ),
        pytest.param(scene(phase="Progressing", canary=weights(25)), None, id="under way"),
        pytest.param(scene(image="shop:1", phase="Healthy", stableRS="a", currentPodHash="a"), None, id="another image"),
    ],
)
def test_how_a_version_ended(seen: Scene, outcome: Outcome | None) -> None:
    assert outcome_of(seen, "shop:2") == outcome


def test_the_reason_names_metric_values_and_condition_in_one_sentence() -> None:
    failed = run("Failed", "[0.6666666666]", "[0.68]")
    assert why(failed) == "success-rate was [0.667], then [0.680], but must be result[0] >= 0.95 (failed 2 times, allowed: 1)"


def test_an_analysis_that_could_not_measure_says_so() -> None:
    assert why(run("Error", "", message="no such host")) == "success-rate could not be judged: no such host"


def test_a_successful_analysis_needs_no_reason() -> None:
    assert why(run("Successful", "[1]")) == ""


def test_each_measurement_is_told_once() -> None:
    before = replace(scene(), runs=(run("Running", "[1]", metric_phase="Successful"),))
    after = replace(scene(), runs=(run("Running", "[1]", "[0.97]", metric_phase="Successful"),))
    told = [one.text for one in happenings(before, after, NOW)]
    assert told == ["success-rate = [0.970] (wanted: result[0] >= 0.95): Successful"]


def test_a_measurement_that_is_under_way_is_not_told() -> None:
    assert list(measurements_of(run("Running", "", metric_phase="Running"))) == []


def test_a_failed_analysis_is_told_with_its_reason() -> None:
    before, after = replace(scene(), runs=(run("Running"),)), replace(scene(), runs=(run("Failed", "[0.5]"),))
    last = list(happenings(before, after, NOW))[-1]
    assert last.text.startswith("analysis shop-2 is Failed: success-rate was [0.500], but must be")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param(
            scene(stableRS="a", currentStepIndex=0),
            scene(stableRS="a", currentStepIndex=1),
            [(What.STEP, "step 2 of 2: pause: 4s")],
            id="the next step",
        ),
        pytest.param(
            scene(stableRS="a", currentStepIndex=1),
            scene(stableRS="a", currentStepIndex=2),
            [(What.STEP, "all 2 steps are done")],
            id="the last step",
        ),
        pytest.param(scene(currentStepIndex=0), scene(currentStepIndex=2), [], id="the first version has no steps"),
        pytest.param(
            scene(stableRS="a", currentStepIndex=1),
            scene(stableRS="a", abort=True, currentStepIndex=0),
            [],
            id="an abort is no step",
        ),
        pytest.param(
            scene(stableRS="b", currentPodHash="b", canary=weights(100)),
            scene(stableRS="b", currentPodHash="b", canary=weights(0)),
            [],
            id="the weight of a promoted version",
        ),
        pytest.param(
            scene(canary=weights(0)),
            scene(canary=weights(10)),
            [(What.WEIGHT, "the router sends 10% of the users to the new version")],
            id="another weight",
        ),
        pytest.param(
            scene(phase="Progressing"),
            scene(phase="Degraded", message="aborted"),
            [(What.PHASE, "Degraded: aborted")],
            id="a phase",
        ),
        pytest.param(scene(phase="Paused"), scene(phase="Paused"), [], id="nothing"),
        pytest.param(None, scene(phase="Paused"), [], id="the first look"),
    ],
)
def test_what_changed_is_told(before: Scene | None, after: Scene, told: list[tuple[What, str]]) -> None:
    assert [(one.what, one.text) for one in happenings(before, after, NOW)] == told
