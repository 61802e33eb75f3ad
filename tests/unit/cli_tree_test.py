"""What people see in `get rollout` and `list rollouts`, character by character."""

from __future__ import annotations

from typing import Any

import pytest
from cli_objects import NOW, REVISION, metadata, pod, replica_set, rollout

from kube.objects import Object
from rollouts.cli.info import rollout_info
from rollouts.cli.model import RolloutInfo
from rollouts.cli.tree import listing_text, rollout_text

STEPS = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}]
PAUSED: dict[str, Any] = {
    "phase": "Paused",
    "message": "CanaryPauseStep",
    "currentStepIndex": 1,
    "stableRS": "aaa",
    "currentPodHash": "bbb",
    "replicas": 5,
    "updatedReplicas": 1,
    "readyReplicas": 5,
    "availableReplicas": 5,
}


def analysis_run(phase: str, results: list[dict[str, Any]], name: str = "shop-bbb-2-1") -> dict[str, Any]:
    """Return an AnalysisRun of the second revision."""
    found = metadata(name, owner="uid-shop", annotations={REVISION: "2"}, created="2026-01-08T11:58:00Z")
    return {"metadata": found, "spec": {}, "status": {"phase": phase, "metricResults": results}}


def info_of(
    status: dict[str, Any], *, canary: dict[str, Any] | None = None, sets: tuple[Object, ...] = (), **spec: Any
) -> RolloutInfo:
    """Return what is shown of a Rollout with this status."""
    return rollout_info(
        rollout(canary={"steps": STEPS} if canary is None else canary, status=status, **spec), now=NOW, replica_sets=sets
    )


def test_a_paused_canary_is_shown_as_a_tree() -> None:
    sets = [replica_set("aaa", 1, 2), replica_set("bbb", 2, 1, image="shop:2")]
    pods = [pod("shop-bbb-x", "bbb", restarts=2), pod("shop-aaa-x", "aaa"), pod("shop-aaa-y", "aaa", waiting="ImagePullBackOff")]
    runs = [analysis_run("Running", [{"successful": 2, "error": 1}, {"successful": 1, "failed": 1}])]
    info = rollout_info(rollout(canary={"steps": STEPS}, status=PAUSED), now=NOW, replica_sets=sets, pods=pods, analysis_runs=runs)
    assert rollout_text(info) == (
        "Name:            shop\n"
        "Namespace:       demo\n"
        "Status:          ॥ Paused\n"
        "Message:         CanaryPauseStep\n"
        "Strategy:        Canary\n"
        "  Step:          1/3\n"
        "  SetWeight:     20\n"
        "  ActualWeight:  20\n"
        "Images:          shop:1 (stable)\n"
        "                 shop:2 (canary)\n"
        "Replicas:\n"
        "  Desired:       5\n"
        "  Current:       5\n"
        "  Updated:       1\n"
        "  Ready:         5\n"
        "  Available:     5\n"
        "\n"
        "NAME                   KIND         STATUS              AGE  INFO\n"
        "⟳ shop                 Rollout      ॥ Paused            7d   \n"
        "├──# revision:2                                              \n"
        "│  ├──⧉ shop-bbb       ReplicaSet   ✔ Healthy           7d   canary\n"
        "│  │  └──□ shop-bbb-x  Pod          ✔ Running           5m   ready:1/1,restarts:2\n"
        "│  └──α shop-bbb-2-1   AnalysisRun  ◌ Running           2m   ✔ 3,✖ 1,⚠ 1\n"
        "└──# revision:1                                              \n"
        "   └──⧉ shop-aaa       ReplicaSet   ✔ Healthy           7d   stable\n"
        "      ├──□ shop-aaa-x  Pod          ✔ Running           5m   ready:1/1\n"
        "      └──□ shop-aaa-y  Pod          ⚠ ImagePullBackOff  5m   ready:0/1\n"
    )


def test_colours_change_no_column() -> None:
    info = info_of(PAUSED, sets=(replica_set("aaa", 1, 4), replica_set("bbb", 2, 1)))
    plain, coloured = rollout_text(info), rollout_text(info, colour=True)
    assert "\x1b[32m" in coloured
    for code in ("0", "31", "32", "33", "94"):
        coloured = coloured.replace(f"\x1b[{code}m", "")
    assert coloured == plain


def test_jobs_of_an_analysis_run_hang_below_it() -> None:
    measured = {"phase": "Successful", "startedAt": "2026-01-08T11:59:00Z", "metadata": {"job-name": "uid.load.1"}}
    runs = [analysis_run("Successful", [{"successful": 1, "measurements": [measured, {"phase": "Running"}]}])]
    info = rollout_info(rollout(status=PAUSED), now=NOW, analysis_runs=runs)
    assert "   └──α shop-bbb-2-1   AnalysisRun  ✔ Successful  2m   ✔ 1\n" in rollout_text(info)
    assert "      └──⊞ uid.load.1  Job          ✔ Successful  60s  \n" in rollout_text(info)


def test_what_another_rollout_controls_is_not_shown() -> None:
    foreign = replica_set("ccc", 1, 3)
    foreign["metadata"]["ownerReferences"][0]["uid"] = "uid-cart"
    assert info_of(PAUSED, sets=(foreign,)).revisions == ()


@pytest.mark.parametrize(
    ("deadline", "note"),
    [
        pytest.param("2026-01-08T12:00:27Z", "delay:27s", id="still to come"),
        pytest.param("2026-01-08T11:59:00Z", "delay:passed", id="over"),
        pytest.param("soon", "", id="no time at all"),
    ],
)
def test_an_old_replica_set_shows_how_long_it_keeps_its_pods(deadline: str, note: str) -> None:
    old = replica_set("aaa", 1, 5, annotations={"scale-down-deadline": deadline})
    text = rollout_text(info_of({**PAUSED, "stableRS": "bbb"}, sets=(old,)))
    assert text.splitlines()[-1].endswith(f"7d   {note}")


@pytest.mark.parametrize(
    ("status", "canary", "weights"),
    [
        pytest.param({"currentStepIndex": 1}, {"steps": STEPS}, (20, 20), id="by available pods without a router"),
        pytest.param({"currentStepIndex": 3}, {"steps": STEPS}, (100, 100), id="past the last step"),
        pytest.param({}, {}, (100, 100), id="no steps"),
        pytest.param({"currentStepIndex": 2, "abort": True}, {"steps": STEPS}, (0, 20), id="aborted"),
        pytest.param({"currentStepIndex": 0}, {"steps": [{"pause": {}}, *STEPS]}, (0, 20), id="before the first weight"),
        pytest.param({"currentStepIndex": 1, "availableReplicas": 0}, {"steps": STEPS}, (20, 0), id="nothing is available"),
        pytest.param(
            {"currentStepIndex": 1, "canary": {"weights": {"canary": {"weight": 15}}}},
            {"steps": STEPS, "trafficRouting": {"nginx": {}}},
            (20, 15),
            id="by the router's weights",
        ),
        pytest.param(
            {"currentStepIndex": 1},
            {"steps": STEPS, "trafficRouting": {"nginx": {}}},
            (20, 20),
            id="a router that has not said yet",
        ),
        pytest.param(
            {"currentStepIndex": 9},
            {"steps": STEPS, "trafficRouting": {"nginx": {}, "maxTrafficWeight": 1000}},
            (1000, 100),
            id="own total",
        ),
    ],
)
def test_weights_wanted_and_real(status: dict[str, Any], canary: dict[str, Any], weights: tuple[int, int]) -> None:
    known = {"stableRS": "aaa", "currentPodHash": "bbb", "availableReplicas": 5, "phase": "Progressing"}
    info = info_of(known | status, canary=canary, sets=(replica_set("aaa", 1, 4), replica_set("bbb", 2, 1)))
    assert (info.set_weight, info.actual_weight) == weights


@pytest.mark.parametrize(
    ("status", "spec", "expected"),
    [
        pytest.param({"phase": "Healthy"}, {}, "✔ Healthy", id="the controller's word"),
        pytest.param({"phase": "Degraded", "message": "InvalidSpec: x"}, {}, "✖ Degraded", id="degraded"),
        pytest.param({"phase": "Healthy", "observedGeneration": "2"}, {}, "◌ Progressing", id="the spec is newer than the word"),
        pytest.param(
            {"phase": "Healthy", "workloadObservedGeneration": "1"}, {"workloadRef": {"name": "x"}}, "✔ Healthy", id="workload seen"
        ),
        pytest.param(
            {"phase": "Healthy"}, {"workloadRef": {"name": "x"}}, "◌ Progressing", id="the workload is newer than the word"
        ),
        pytest.param({"phase": "Paused", "controllerPause": True}, {}, "◌ Progressing", id="resumed a moment ago"),
        pytest.param(
            {"phase": "Paused", "controllerPause": True, "pauseConditions": [{"reason": "x"}]},
            {},
            "॥ Paused",
            id="paused by a step",
        ),
        pytest.param({"phase": "Degraded", "controllerPause": True, "abort": True}, {}, "✖ Degraded", id="aborted while paused"),
        pytest.param({"updatedReplicas": 2}, {}, "◌ Progressing", id="a controller that says no phase"),
    ],
)
def test_the_phase_that_clients_show(status: dict[str, Any], spec: dict[str, Any], expected: str) -> None:
    shown = rollout(status=status, **spec)
    shown["metadata"]["annotations"] = {"rollout.argoproj.io/workload-generation": "1"}
    assert f"Status:          {expected}\n" in rollout_text(rollout_info(shown, now=NOW))


def test_after_promotion_the_new_version_is_stable_and_not_a_canary() -> None:
    info = info_of({**PAUSED, "stableRS": "bbb"}, sets=(replica_set("aaa", 1, 0), replica_set("bbb", 2, 5, image="shop:2")))
    assert [(image.image, image.tags) for image in info.images] == [("shop:2", ("stable",))]
    assert [one.status for revision in info.revisions for one in revision.replica_sets] == ["Healthy", "ScaledDown"]


def test_a_blue_green_rollout_shows_active_and_preview() -> None:
    blue = rollout(
        status=PAUSED | {"message": "BlueGreenPause", "blueGreen": {"activeSelector": "aaa", "previewSelector": "bbb"}},
        strategy={"blueGreen": {"activeService": "shop"}},
    )
    sets = [replica_set("aaa", 1, 5, image="shop:blue"), replica_set("bbb", 2, 5, image="shop:green")]
    text = rollout_text(rollout_info(blue, now=NOW, replica_sets=sets))
    assert (
        "Strategy:        BlueGreen\nImages:          shop:blue (stable, active)\n                 shop:green (preview)\n" in text
    )


def test_the_list_lines_up() -> None:
    assert listing_text([info_of(PAUSED)]) == (
        "NAME        STRATEGY   STATUS        STEP  SET-WEIGHT  READY  DESIRED  UP-TO-DATE  AVAILABLE\n"
        "shop        Canary     Paused        1/3   20          5/5    5        1           5        \n"
    )
    line = listing_text([info_of(PAUSED)], all_namespaces=True, timestamp="2026-01-08T12:00:00Z", titles=False)
    assert line.startswith("2026-01-08T12:00:00Z  demo       shop        Canary     Paused        1/3 ")


def noted(phase: str, **result: Any) -> str:
    """Return the information in the row of an AnalysisRun with one metric."""
    run = analysis_run(phase, [{"name": "success-rate", "phase": phase, **result}])
    run["spec"] = {"metrics": [{"name": "success-rate", "successCondition": "result[0] >= 0.95", "failureLimit": 1}]}
    row = next(
        line
        for line in rollout_text(rollout_info(rollout(status=PAUSED), now=NOW, analysis_runs=[run])).splitlines()
        if "α" in line
    )
    return row.partition("2m   ")[2]


@pytest.mark.parametrize(
    ("phase", "result", "info"),
    [
        pytest.param(
            "Failed",
            {"failed": 2, "measurements": [{"phase": "Failed", "value": "[0.7142857]"}, {"phase": "Failed", "value": "[0.5]"}]},
            "✖ 2 success-rate was [0.714], then [0.500], but must be result[0] >= 0.95 (failed 2 times, allowed: 1)",
            id="why it failed",
        ),
        pytest.param(
            "Running",
            {"error": 2, "consecutiveError": 2, "measurements": [{"phase": "Error", "message": "cannot reach\nprometheus"}]},
            "⚠ 2 success-rate: cannot reach prometheus",
            id="what keeps it from measuring",
        ),
        pytest.param(
            "Successful",
            {"error": 1, "measurements": [{"phase": "Error", "message": "gone"}]},
            "⚠ 1 success-rate was never measured: the only attempt was an error: gone",
            id="what it never measured",
        ),
        pytest.param("Running", {"successful": 3, "error": 1, "consecutiveError": 0}, "✔ 3,⚠ 1", id="an error that is over"),
    ],
)
def test_an_analysis_run_in_trouble_says_what_is_wrong_behind_its_counts(phase: str, result: dict[str, Any], info: str) -> None:
    assert noted(phase, **result) == info
