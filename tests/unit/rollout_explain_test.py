"""What `explain` tells a person in the situations that make people ask."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from kube.kinds import ANALYSIS_RUN, POD, ROLLOUT
from kube.objects import format_time, name_of
from rollouts.rollout.explain import explain
from rollouts.rollout.gather import gather
from tests.model import World
from tests.shops import nginx_shop

STEPS: list[dict[str, Any]] = [
    {"setWeight": 20},
    {"pause": {}},
    {"analysis": {"templates": [{"templateName": "good"}]}},
    {"setWeight": 60},
    {"pause": {"duration": "10m"}},
]
TEMPLATE = """
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: good}
spec: {metrics: [{name: good, provider: {prometheus: {address: "http://prometheus", query: up}}}]}
"""


def told(world: World) -> list[str]:
    """Return the sentences, hashes cut out."""
    snapshot = gather(world.stores, ("default", "shop"))
    assert snapshot is not None
    new = world.status().get("currentPodHash") or "-"
    stable = world.status().get("stableRS") or "-"
    return [line.strip().replace(f"shop-{new}", "NEW").replace(f"shop-{stable}", "STABLE") for line in explain(snapshot, world.now)]


def nothing(world: World) -> None:
    """Leave the world as it is."""


def deployed(world: World) -> None:
    world.apply(TEMPLATE)
    world.settle()


def shipped(world: World) -> None:
    deployed(world)
    world.set_image("shop:2")
    world.settle()


def not_ready(world: World) -> None:
    world.broken.add("shop:2")
    shipped(world)


def resumed(world: World) -> None:
    shipped(world)
    world.patch_status({"pauseConditions": None})
    world.settle()


def measured(world: World) -> None:
    resumed(world)
    world.finish_run("Successful")
    world.settle()
    world.now += timedelta(seconds=61)


def run_says(world: World, phase: str, message: str = "", *, spec: dict[str, Any] | None = None, **result: Any) -> None:
    """Let the run of step 3 say something about its metric, ten seconds after it was measured last."""
    name = name_of(world.all(ANALYSIS_RUN)[-1])
    measurements = [{"finishedAt": format_time(world.now), **one} for one in result.pop("measurements")]
    results = [{"name": "good", "phase": result.pop("metric", phase), "measurements": measurements, **result}]
    status = {"phase": phase, "message": message, "startedAt": format_time(world.now), "metricResults": results}
    metric = {**world.all(ANALYSIS_RUN)[-1]["spec"]["metrics"][0], "successCondition": "result[0] > 0.9", **(spec or {})}
    world.edit(ANALYSIS_RUN, name, {"status": status, "spec": {"metrics": [metric]}})
    world.settle()
    world.now += timedelta(seconds=10)


LONG: dict[str, Any] = {"count": 5, "interval": "30s", "failureLimit": 1}


def running(world: World) -> None:
    resumed(world)
    good, bad = {"phase": "Successful", "value": "[0.99]"}, {"phase": "Failed", "value": "[0.6666666]"}
    run_says(world, "Running", spec=LONG, count=2, successful=1, failed=1, measurements=[good, bad])


def prometheus_down(world: World) -> None:
    resumed(world)
    gone = {"phase": "Error", "message": "cannot reach http://prometheus:\nconnection refused" + 200 * "."}
    run_says(world, "Running", spec=LONG, error=3, consecutiveError=3, measurements=[gone, gone, gone])


def no_traffic(world: World) -> None:
    resumed(world)
    run_says(world, "Running", spec=LONG, count=1, failed=1, measurements=[{"phase": "Failed", "value": "[NaN]"}])


def failed(world: World) -> None:
    resumed(world)
    bad = [{"phase": "Failed", "value": value} for value in ("[0.7142857]", "[0.654]")]
    run_says(world, "Failed", "too bad", spec=LONG, count=2, failed=2, measurements=bad)


def inconclusive(world: World) -> None:
    resumed(world)
    between = [{"phase": "Inconclusive", "value": "[0.85]"}]
    run_says(world, "Inconclusive", spec={"failureCondition": "result[0] < 0.8"}, count=1, inconclusive=1, measurements=between)


def crashing(world: World) -> None:
    shipped(world)
    pod = next(pod for pod in world.all(POD) if pod["spec"]["containers"][0]["image"] == "shop:2")
    waiting = {"name": "shop", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 3}
    world.edit(POD, name_of(pod), {"status": {"containerStatuses": [waiting]}})


def abort_asked(world: World) -> None:
    shipped(world)
    world.patch_status({"abort": True})


def aborted(world: World) -> None:
    abort_asked(world)
    world.settle()


def paused_by_spec(world: World) -> None:
    shipped(world)
    world.edit(ROLLOUT, "shop", {"spec": {"paused": True}})
    world.settle()


def promoted(world: World) -> None:
    shipped(world)
    world.patch_status({"promoteFull": True})
    world.settle()


def being_deleted(world: World) -> None:
    shipped(world)
    world.edit(ROLLOUT, "shop", {"metadata": {"deletionTimestamp": "2026-03-01T12:00:00Z"}})


SITUATIONS: list[tuple[str, Callable[[World], None], list[str]]] = [
    ("a reference is missing", nothing, ["AnalysisTemplate 'good' not found"]),
    (
        "it is the first version",
        lambda world: world.apply(TEMPLATE),
        ["This is the first version", "create ReplicaSet default/shop-"],
    ),
    ("nothing is to be done", deployed, ["Healthy.", "All 5 steps are done.", "Traffic: everybody is on stable."]),
    (
        "pods are not ready",
        not_ready,
        [
            "At step 1 of 5 (setWeight: 20).",
            "Waiting for pods: the new version has 0 of 2 available.",
            "The update is called stuck at 12:10:00 UTC unless something moves (10m left).",
        ],
    ),
    (
        "a person is asked",
        shipped,
        [
            "Paused: CanaryPauseStep.",
            "At step 2 of 5 (pause).",
            "Traffic: 20 to the new version, 80 to stable.",
            "Paused until a person promotes or aborts.",
            "`rollouts promote shop` goes on, `rollouts abort shop` takes everybody back to stable.",
            "After that: analysis, then setWeight: 60, then pause: 10m, then promotion.",
        ],
    ),
    ("it is measured", resumed, ["Waiting for the analysis of step 3 (NEW-2-2)."]),
    (
        "it is measured and has values",
        running,
        [
            "The analysis of step 3 (NEW-2-2) is running:",
            "good: measured 2 of 5 times, last [0.990], then [0.667] (must be result[0] > 0.9); "
            "failed 1, one more failure fails it; next measurement in 20s.",
            "`rollouts abort shop` takes everybody back to stable.",
        ],
    ),
    (
        "measuring does not work",
        prometheus_down,
        [
            "good: measured 0 of 5 times (must be result[0] > 0.9); failed 0, 2 more failures fail it; is being measured now.",
            "measuring good does not work (3 errors in a row; after 2 more the run ends in Error, which will abort the update): "
            "cannot reach http://prometheus: connection refused....",
        ],
    ),
    ("there is no traffic", no_traffic, ["good has no data for that time: check that requests reach the new version"]),
    (
        "an analysis failed",
        failed,
        [
            "The analysis of step 3 (NEW-2-2) failed: good was [0.714], then [0.654], but must be result[0] > 0.9 "
            "(failed 2 times, allowed: 1).",
            "`rollouts retry rollout shop` tries it again",
        ],
    ),
    (
        "an analysis is inconclusive",
        inconclusive,
        [
            "Paused: InconclusiveAnalysisRun.",
            "The analysis of step 3 (NEW-2-2) is inconclusive: good was [0.850], which is neither good nor bad "
            "(must be result[0] > 0.9 and must not be result[0] < 0.8).",
            "`rollouts promote shop` goes on",
        ],
    ),
    (
        "the pods crash in a pause",
        crashing,
        ["A pod of the new version does not run: ", "CrashLoopBackOff: container shop ended after 3 restarts."],
    ),
    ("time has to pass", measured, ["Paused for 10m (8m59s left).", "After that: promotion."]),
    ("an abort was asked for", abort_asked, ["Next: change who is sent where in Ingress default/shop-web-canary."]),
    (
        "it was aborted",
        aborted,
        [
            "Degraded: RolloutAborted: Rollout aborted update to revision 2.",
            "The pods of the aborted canary (NEW) stay until their scale-down delay is over (30s left).",
            "The update was aborted: `rollouts retry rollout shop` tries it again; "
            "`rollouts undo shop --to-revision=1` puts the stable version back into the spec.",
        ],
    ),
    (
        "somebody paused it",
        paused_by_spec,
        ["Paused: manually paused.", "The Rollout is paused by spec.paused; set it to false to go on."],
    ),
    ("the old version stays for a while", promoted, ["Healthy.", "stay until their scale-down delay is over (30s left)."]),
    ("it is being deleted", being_deleted, ["It is being deleted"]),
]


@pytest.mark.parametrize(("happens", "sentences"), [pytest.param(run, said, id=name) for name, run, said in SITUATIONS])
def test_people_are_told_where_it_stands_and_what_comes(happens: Callable[[World], None], sentences: list[str]) -> None:
    world = nginx_shop(STEPS, deployed=False)
    happens(world)
    lines = told(world)
    for sentence in sentences:
        assert any(sentence in line for line in lines), f"{sentence!r} is not in {lines}"


def test_explaining_changes_nothing() -> None:
    world = nginx_shop(STEPS, deployed=False)
    abort_asked(world)
    before = world.rollout()
    told(world)
    assert (world.rollout(), world.weight()) == (before, 20)


def test_what_a_stopped_background_analysis_never_measured_is_told_though_it_counts_as_successful() -> None:
    world = nginx_shop([{"setWeight": 20}], deployed=False, analysis={"templates": [{"templateName": "good"}]})
    deployed(world)
    world.set_image("shop:2")
    for _ in range(30):
        if world.all(ANALYSIS_RUN):
            break
        world.settle()
    gone = {"phase": "Error", "message": "connection refused"}
    run_says(world, "Successful", "Run Terminated", error=2, consecutiveError=2, measurements=[gone, gone])
    said = "good was never measured: all 2 attempts were errors, the last one: connection refused"
    assert f"The background analysis (NEW-2) ended without a verdict: {said}." in told(world)
    assert any(event.startswith("AnalysisRunNeverMeasured: ") and event.endswith(said) for event in world.events)


@pytest.mark.parametrize("phase", ["Running", "Error"])
def test_a_text_that_others_have_ended_already_gets_no_second_full_stop(phase: str) -> None:
    world = nginx_shop(steps=STEPS)
    resumed(world)
    wrong = {"phase": "Error", "message": "404: No such host. Write NAME.NAMESPACE, with a port of that Service."}
    run_says(world, phase, wrong["message"], spec=LONG, error=1, consecutiveError=1, measurements=[wrong])
    lines = told(world)
    assert any("a port of that Service" in line for line in lines)
    assert not [line for line in lines if ".." in line]
