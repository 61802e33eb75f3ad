"""A canary by replica counts, from its first deploy to promotion, told step by step on a cluster made of plain data."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest
import yaml

from kube.kinds import ANALYSIS_RUN, POD, REPLICA_SET, ROLLOUT
from kube.objects import name_of
from kube.plan import Patch
from tests.model import World, ref

SHOP = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: shop}
spec:
  replicas: 5
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: shop, image: "shop:1"}]}
  strategy: {canary: {steps: []}}
"""


def shop(steps: list[dict[str, Any]], **spec: Any) -> World:
    """A world with one Rollout, first version deployed."""
    rollout = yaml.safe_load(SHOP)
    canary = spec.pop("canary", {})
    rollout["spec"].update(spec)
    rollout["spec"]["strategy"]["canary"] = {"steps": steps, **canary}
    world = World()
    world.put(rollout)
    world.settle()
    return world


def test_the_first_deploy_goes_straight_to_all_pods() -> None:
    world = shop([{"setWeight": 20}, {"pause": {}}])
    assert world.sizes() == {"shop:1": 5}
    assert world.status()["phase"] == "Healthy"
    assert world.status()["currentStepIndex"] == 2
    assert not any(event.startswith("RolloutStepCompleted") for event in world.events)


def test_an_update_follows_its_steps_and_ends_promoted() -> None:
    world = shop([{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {"duration": "1m"}}])
    world.set_image("shop:2")
    world.settle()
    assert world.sizes() == {"shop:1": 4, "shop:2": 1}
    assert (world.status()["phase"], world.status()["message"]) == ("Paused", "CanaryPauseStep")
    assert world.status()["controllerPause"] is True

    world.patch_status({"pauseConditions": None})
    world.settle()
    assert world.sizes() == {"shop:1": 2, "shop:2": 3}
    assert world.status()["currentStepIndex"] == 3

    world.wait(59)
    assert world.status()["currentStepIndex"] == 3
    world.wait(2)
    assert world.sizes() == {"shop:1": 0, "shop:2": 5}
    assert world.status()["phase"] == "Healthy"
    promoted = f"Rollout completed update to revision 2 ({world.status()['stableRS']}): Completed all 4 canary steps"
    assert f"RolloutCompleted: {promoted}" in world.events


def test_an_update_through_four_weights_costs_at_most_twenty_writes() -> None:
    world = shop([{"setWeight": weight} for weight in (20, 40, 60, 80)])
    world.log.clear()
    world.set_image("shop:2")
    world.settle()
    assert world.status()["phase"] == "Healthy"
    assert len(world.log) <= 20


def test_nothing_is_written_when_all_is_as_wanted() -> None:
    world = shop([{"setWeight": 20}])
    world.log.clear()
    world.settle()
    assert world.log == []


def test_a_new_version_in_mid_update_starts_at_step_0_and_the_one_between_goes() -> None:
    world = shop([{"setWeight": 40}, {"pause": {}}])
    world.set_image("shop:2")
    world.settle()
    world.set_image("shop:3")
    world.settle()
    assert world.sizes() == {"shop:1": 3, "shop:2": 0, "shop:3": 2}
    stable = world.get(REPLICA_SET, _of(world, "shop:1"))
    assert world.status()["stableRS"] == stable["metadata"]["labels"]["rollouts-pod-template-hash"]


def _of(world: World, image: str) -> str:
    found = [one for one in world.all(REPLICA_SET) if one["spec"]["template"]["spec"]["containers"][0]["image"] == image]
    return name_of(found[0])


def test_never_too_few_pods_while_versions_change_in_mid_update() -> None:
    world = shop([{"setWeight": 40}, {"pause": {}}], canary={"maxSurge": 1, "maxUnavailable": 0})
    world.ready_after = timedelta(seconds=5)
    fewest = []

    def watch() -> None:
        fewest.append(sum(int((one.get("status") or {}).get("availableReplicas") or 0) for one in world.all(REPLICA_SET)))

    for image in ("shop:2", "shop:3", "shop:4"):
        world.set_image(image)
        for _ in range(4):
            world.settle(watch=watch)
            world.wait(3)
    world.wait(60)
    assert min(fewest) >= 5
    assert world.sizes()["shop:4"] == 2


def test_going_back_to_the_stable_template_skips_the_steps() -> None:
    world = shop([{"setWeight": 40}, {"pause": {}}])
    world.set_image("shop:2")
    world.settle()
    world.set_image("shop:1")
    world.settle()
    assert world.sizes() == {"shop:1": 5, "shop:2": 0}
    assert world.status()["phase"] == "Healthy"
    assert any(event.startswith("SkipSteps") for event in world.events)


def test_abort_takes_everybody_back_and_leaves_the_spec() -> None:
    world = shop([{"setWeight": 40}, {"pause": {}}])
    world.set_image("shop:2")
    world.settle()
    world.patch_status({"abort": True})
    world.settle()
    status = world.status()
    assert world.sizes() == {"shop:1": 5, "shop:2": 0}
    assert (status["phase"], status["message"]) == ("Degraded", "RolloutAborted: Rollout aborted update to revision 2")
    assert status["abortedAt"]
    assert world.rollout()["spec"]["template"]["spec"]["containers"][0]["image"] == "shop:2"


def test_retry_starts_at_the_first_step_again() -> None:
    world = shop([{"setWeight": 40}, {"pause": {}}])
    world.set_image("shop:2")
    world.settle()
    world.patch_status({"abort": True})
    world.settle()
    world.patch_status({"abort": False})
    world.settle()
    assert world.sizes() == {"shop:1": 3, "shop:2": 2}
    assert world.status()["phase"] == "Paused"
    assert "abortedAt" not in world.status()


def test_promote_full_skips_steps_but_waits_for_pods() -> None:
    world = shop([{"setWeight": 20}, {"pause": {}}, {"setWeight": 40}, {"pause": {}}])
    world.ready_after = timedelta(seconds=10)
    world.set_image("shop:2")
    world.settle()
    world.patch_status({"promoteFull": True})
    world.settle()
    assert world.status()["stableRS"] != world.status()["currentPodHash"]
    world.wait(60)
    assert world.status()["phase"] == "Healthy"
    assert "promoteFull" not in world.status()


def test_a_paused_spec_stops_steps_but_scaling_works() -> None:
    world = shop([{"setWeight": 40}, {"pause": {"duration": 1}}])
    world.set_image("shop:2")
    world.settle()
    world.edit(ROLLOUT, "shop", {"spec": {"paused": True}})
    world.wait(30)
    assert world.status()["currentStepIndex"] == 1
    assert world.status()["message"] == "manually paused"
    world.edit(ROLLOUT, "shop", {"spec": {"replicas": 10}})
    world.settle()
    assert world.sizes() == {"shop:1": 6, "shop:2": 4}


def test_scaling_in_mid_update_keeps_the_share() -> None:
    world = shop([{"setWeight": 40}, {"pause": {}}])
    world.set_image("shop:2")
    world.settle()
    world.edit(ROLLOUT, "shop", {"spec": {"replicas": 10}})
    world.settle()
    assert world.sizes() == {"shop:1": 6, "shop:2": 4}
    world.edit(ROLLOUT, "shop", {"spec": {"replicas": 5}})
    world.settle()
    assert world.sizes() == {"shop:1": 3, "shop:2": 2}


def test_old_revisions_beyond_the_limit_are_deleted() -> None:
    world = shop([], revisionHistoryLimit=2)
    for number in range(2, 7):
        world.set_image(f"shop:{number}")
        world.settle()
    assert list(world.sizes()) == ["shop:4", "shop:5", "shop:6"]


def test_going_back_to_an_old_revision_reuses_its_replica_set_under_a_new_number() -> None:
    world = shop([])
    world.set_image("shop:2")
    world.settle()
    world.set_image("shop:1")
    world.settle()
    annotations = world.get(REPLICA_SET, _of(world, "shop:1"))["metadata"]["annotations"]
    assert annotations["rollout.argoproj.io/revision"] == "3"
    assert annotations["rollout.argoproj.io/revision-history"] == "1"
    assert world.rollout()["metadata"]["annotations"]["rollout.argoproj.io/revision"] == "3"


@pytest.mark.parametrize(
    ("image", "phase"),
    [
        pytest.param("shop:2", "Healthy", id="one revision back is within a window of one"),
        pytest.param("shop:1", "Paused", id="two revisions back is outside"),
    ],
)
def test_within_the_rollback_window_steps_are_skipped(image: str, phase: str) -> None:
    world = shop([{"setWeight": 20}, {"pause": {}}], rollbackWindow={"revisions": 1})
    for number in (2, 3):
        world.now += timedelta(seconds=10)
        world.set_image(f"shop:{number}")
        world.settle()
        world.patch_status({"promoteFull": True})
        world.settle()
    world.set_image(image)
    world.settle()
    assert world.status()["phase"] == phase
    assert any(event.endswith("Rollback within window") for event in world.events) == (phase == "Healthy")


def test_a_version_that_never_gets_ready_runs_into_its_deadline() -> None:
    world = shop([{"setWeight": 20}], progressDeadlineSeconds=60)
    world.broken.add("shop:2")
    world.set_image("shop:2")
    world.settle()
    world.wait(58)
    assert world.status()["phase"] == "Progressing"
    world.wait(10)
    assert world.status()["message"].startswith("ProgressDeadlineExceeded: ReplicaSet")
    assert world.sizes()["shop:1"] == 4, "without abort it stays as it is"


def test_with_progress_deadline_abort_it_is_taken_back() -> None:
    world = shop([{"setWeight": 20}], progressDeadlineSeconds=60, progressDeadlineAbort=True)
    world.broken.add("shop:2")
    world.set_image("shop:2")
    world.settle()
    world.wait(90)
    assert world.status()["message"].startswith("RolloutAborted: Rollout aborted update to revision 2: ReplicaSet")
    assert world.sizes() == {"shop:1": 5, "shop:2": 0}


@pytest.mark.parametrize("milliseconds", [0, 1, 500, 999])
def test_a_pause_lasts_as_long_as_was_asked_for_whatever_part_of_a_second_it_begins_in(milliseconds: int) -> None:
    world = shop([{"setWeight": 20}, {"pause": {"duration": 1}}])
    world.now += timedelta(milliseconds=milliseconds)
    world.set_image("shop:2")
    world.settle()
    began = world.now
    world.now = began + timedelta(milliseconds=999)
    world.settle()
    assert world.status()["pauseConditions"], "a second is not over"
    world.now = began + timedelta(seconds=2)
    world.settle()
    assert "pauseConditions" not in world.status()


def test_a_pause_of_no_length_holds_nothing_up() -> None:
    world = shop([{"setWeight": 20}, {"pause": {"duration": 0}}])
    world.now += timedelta(milliseconds=500)
    world.set_image("shop:2")
    world.settle()
    assert "pauseConditions" not in world.status()


def test_a_long_pause_is_no_missed_deadline() -> None:
    world = shop([{"setWeight": 20}, {"pause": {"duration": "2h"}}], progressDeadlineSeconds=60)
    world.set_image("shop:2")
    world.settle()
    world.wait(7000)
    assert world.status()["phase"] == "Paused"
    world.wait(300)
    assert world.status()["phase"] == "Healthy"


def test_pods_that_are_the_same_are_adopted_whatever_hash_they_carry() -> None:
    """A controller or server upgrade changes hashes; no pod is restarted for it."""
    world = shop([{"setWeight": 20}])
    replica_set = copy.deepcopy(world.all(REPLICA_SET)[0])
    replica_set["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "IfNotPresent"
    replica_set["metadata"]["labels"]["rollouts-pod-template-hash"] = "5d89d7bb6b"
    world.edit(REPLICA_SET, name_of(replica_set), replica_set)
    world.patch_status({"stableRS": "5d89d7bb6b", "currentPodHash": "5d89d7bb6b"})
    world.settle()
    assert world.sizes() == {"shop:1": 5}
    assert world.status()["currentPodHash"] == "5d89d7bb6b"


def test_a_restart_evicts_old_pods_a_few_at_a_time() -> None:
    world = shop([])
    world.now += timedelta(minutes=1)
    world.edit(ROLLOUT, "shop", {"spec": {"restartAt": "2026-03-01T12:01:00Z"}})
    world.reconcile()
    evicted = [write for write in world.log if type(write).__name__ == "Evict"]
    assert len(evicted) == 1
    assert world.status()["message"] == "rollout is restarting"
    world.wait(300)
    assert world.status()["restartedAt"] == "2026-03-01T12:01:00Z"
    assert len([write for write in world.log if type(write).__name__ == "Evict"]) == 5


def test_metadata_of_a_role_comes_and_goes_with_it() -> None:
    world = shop(
        [{"setWeight": 20}, {"pause": {}}],
        canary={"canaryMetadata": {"labels": {"role": "canary"}}, "stableMetadata": {"labels": {"role": "stable"}}},
    )
    world.set_image("shop:2")
    world.settle()
    assert _roles(world) == {"shop:1": {"stable"}, "shop:2": {"canary"}}
    world.patch_status({"promoteFull": True})
    world.settle()
    assert _roles(world) == {"shop:2": {"stable"}}


def _roles(world: World) -> dict[str, set[str]]:
    roles: dict[str, set[str]] = {}
    for pod in world.all(POD):
        roles.setdefault(pod["spec"]["containers"][0]["image"], set()).add(pod["metadata"]["labels"].get("role", ""))
    return roles


ANALYSIS = """
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: good}
spec:
  args: [{name: hash}]
  metrics:
  - name: good
    successCondition: result[0] > 0.9
    provider: {prometheus: {address: "http://prometheus", query: "up{hash='{{args.hash}}'}"}}
"""
RUN = {"templates": [{"templateName": "good"}], "args": [{"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}}]}


def analysed(steps: list[dict[str, Any]], **canary: Any) -> World:
    rollout = yaml.safe_load(SHOP)
    rollout["spec"]["strategy"]["canary"] = {"steps": steps, **canary}
    world = World()
    world.apply(ANALYSIS)
    world.put(rollout)
    world.settle()
    world.set_image("shop:2")
    world.settle()
    return world


def test_a_step_waits_for_its_analysis() -> None:
    world = analysed([{"setWeight": 20}, {"analysis": RUN}, {"setWeight": 60}])
    run = world.all(ANALYSIS_RUN)[0]
    new_hash = world.status()["currentPodHash"]
    assert name_of(run) == f"shop-{new_hash}-2-1"
    assert run["metadata"]["labels"] == {
        "app": "shop",
        "rollouts-pod-template-hash": new_hash,
        "rollout-type": "Step",
        "step-index": "1",
    }
    assert run["spec"]["args"] == [{"name": "hash", "value": new_hash}]
    assert world.status()["canary"]["currentStepAnalysisRunStatus"]["name"] == name_of(run)
    world.wait(30)
    assert world.status()["currentStepIndex"] == 1
    world.finish_run("Successful")
    world.settle()
    assert world.status()["phase"] == "Healthy"


@pytest.mark.parametrize("phase", ["Failed", "Error"])
def test_a_failed_analysis_gives_the_update_up_and_says_why(phase: str) -> None:
    world = analysed([{"setWeight": 20}, {"analysis": RUN}])
    world.finish_run(phase, 'Metric "good" assessed Failed due to failed (1) > failureLimit (0)')
    world.settle()
    assert world.status()["message"] == (
        "RolloutAborted: Rollout aborted update to revision 2: Step-based analysis phase error/failed: "
        'Metric "good" assessed Failed due to failed (1) > failureLimit (0)'
    )
    assert world.sizes() == {"shop:1": 5, "shop:2": 0}


def test_an_inconclusive_analysis_asks_a_person_who_may_measure_again() -> None:
    world = analysed([{"setWeight": 20}, {"analysis": RUN}])
    first = world.finish_run("Inconclusive")
    world.settle()
    assert (world.status()["phase"], world.status()["message"]) == ("Paused", "InconclusiveAnalysisRun")
    world.patch_status({"pauseConditions": None})
    world.settle()
    assert [name_of(run) for run in world.all(ANALYSIS_RUN)] == [first, f"{first}.1"]
    world.finish_run("Successful")
    world.settle()
    assert world.status()["phase"] == "Healthy"


def test_a_person_may_go_on_past_an_inconclusive_analysis() -> None:
    world = analysed([{"setWeight": 20}, {"analysis": RUN}, {"pause": {}}])
    world.finish_run("Inconclusive")
    world.settle()
    world.patch_status({"pauseConditions": None, "controllerPause": False, "currentStepIndex": 2})
    world.settle()
    assert (world.status()["currentStepIndex"], world.status()["message"]) == (2, "CanaryPauseStep")


def test_a_background_analysis_starts_at_its_step_and_stops_with_the_update() -> None:
    world = analysed([{"setWeight": 20}, {"pause": {}}, {"setWeight": 40}, {"pause": {}}], analysis={**RUN, "startingStep": 2})
    assert world.all(ANALYSIS_RUN) == []
    world.patch_status({"pauseConditions": None})
    world.settle()
    [run] = world.all(ANALYSIS_RUN)
    assert name_of(run) == f"shop-{world.status()['currentPodHash']}-2"
    assert run["metadata"]["labels"]["rollout-type"] == "Background"
    world.patch_status({"pauseConditions": None})
    world.settle()
    assert world.status()["phase"] == "Healthy"
    assert Patch(ref=ref(ANALYSIS_RUN, name_of(run)), patch={"spec": {"terminate": True}}) in world.log


def test_a_failed_background_analysis_aborts_and_is_told_apart() -> None:
    world = analysed([{"setWeight": 20}, {"pause": {}}], analysis=RUN)
    world.finish_run("Failed", "too slow")
    world.settle()
    assert world.status()["message"].endswith("Background analysis phase error/failed: too slow")


def test_a_retry_measures_anew() -> None:
    world = analysed([{"setWeight": 20}, {"analysis": RUN}])
    world.finish_run("Failed")
    world.settle()
    world.patch_status({"abort": False})
    world.settle()
    assert len(world.all(ANALYSIS_RUN)) == 2
    assert world.status()["phase"] == "Progressing"


def test_a_missing_template_is_an_invalid_spec_until_it_appears() -> None:
    rollout = yaml.safe_load(SHOP)
    rollout["spec"]["strategy"]["canary"] = {"steps": [{"setWeight": 20}, {"analysis": RUN}]}
    world = World()
    world.put(rollout)
    world.settle()
    assert world.status()["phase"] == "Degraded"
    assert "AnalysisTemplate 'good' not found" in world.status()["message"]
    assert world.sizes() == {}
    world.apply(ANALYSIS)
    world.settle()
    assert world.status()["phase"] == "Healthy"
    assert not any(one["type"] == "InvalidSpec" for one in world.status()["conditions"])


def test_an_argument_nobody_supplies_is_refused_by_name() -> None:
    rollout = yaml.safe_load(SHOP)
    rollout["spec"]["strategy"]["canary"] = {"steps": [{"analysis": {"templates": [{"templateName": "good"}]}}]}
    world = World()
    world.apply(ANALYSIS)
    world.put(rollout)
    world.settle()
    assert "args.hash was not resolved" in world.status()["message"]


def test_the_rollout_tells_how_its_analysis_fares() -> None:
    """Notification triggers hang on these events."""
    world = analysed([{"setWeight": 20}, {"analysis": RUN}])
    name = world.finish_run("Failed", "too slow")
    world.settle()
    told = [event for event in world.events if event.startswith("AnalysisRun")]
    assert told[-1] == f"AnalysisRunFailed: Step Analysis Run '{name}' Status New: 'Failed' Previous: 'Pending'"
