"""When things go wrong around an update: missing references, edits by others, pods that do not get ready, odd numbers."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest

from kube.kinds import ANALYSIS_RUN, ANALYSIS_TEMPLATE, INGRESS, POD, REPLICA_SET, ROLLOUT, SERVICE, VIRTUAL_SERVICE
from kube.objects import annotations_of, format_time, name_of
from kube.plan import Patch
from rollouts.rollout.snapshot import ReplicaSet
from tests.model import World, ref
from tests.shops import NGINX, SERVICES, istio_shop, nginx_shop, routed_rollout

TEMPLATE = """
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: good}
spec:
  metrics:
  - name: good
    interval: 1m
    successCondition: "result[0] > 0.9"
    provider: {prometheus: {address: "http://prometheus", query: up}}
"""
BACKGROUND: dict[str, Any] = {"templates": [{"templateName": "good"}]}
STEPS: list[dict[str, Any]] = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {}}]


def analysed_shop(**canary: Any) -> World:
    """An update at its first pause, with a background analysis."""
    world = nginx_shop(STEPS, deployed=False, analysis=BACKGROUND, **canary)
    world.apply(TEMPLATE)
    world.settle()
    world.set_image("shop:2")
    world.settle()
    assert (world.weight(), len(world.all(ANALYSIS_RUN))) == (20, 1)
    return world


def remove(world: World, kind: Any, name: str) -> dict[str, Any]:
    found = world.get(kind, name)
    world.stores[kind].remove(("default", name))
    return found


def image_size(world: World, image: str) -> int:
    return world.sizes()[image]


# -- references --------------------------------------------------------------------------------------------------------------


def test_an_abort_takes_users_back_even_while_a_template_is_missing() -> None:
    world = analysed_shop()
    remove(world, ANALYSIS_TEMPLATE, "good")
    world.settle()
    assert world.status()["message"].startswith("InvalidSpec")
    assert world.weight() == 20, "nothing else happens"
    world.patch_status({"abort": True})
    world.settle()
    assert world.weight() == 0
    assert world.status()["message"].startswith("InvalidSpec")
    progressing = next(one for one in world.status()["conditions"] if one["type"] == "Progressing")
    assert progressing["reason"] == "RolloutAborted"
    world.wait(40)
    assert world.sizes() == {"shop:1": 10, "shop:2": 0}
    world.apply(TEMPLATE)
    world.settle()
    assert world.status()["message"] == "RolloutAborted: Rollout aborted update to revision 2"


def test_a_failed_run_takes_users_back_even_while_its_template_is_missing() -> None:
    world = analysed_shop()
    remove(world, ANALYSIS_TEMPLATE, "good")
    world.finish_run("Failed", "too slow")
    world.settle()
    assert (world.weight(), world.status()["abort"]) == (0, True)


def test_the_stable_template_takes_users_back_even_while_a_template_is_missing() -> None:
    world = analysed_shop()
    remove(world, ANALYSIS_TEMPLATE, "good")
    world.settle()
    world.set_image("shop:1")
    world.settle()
    world.wait(31)
    assert (world.weight(), image_size(world, "shop:2")) == (0, 0)
    assert world.status()["phase"] == "Degraded"


def test_nothing_new_is_shipped_while_a_template_is_missing() -> None:
    world = nginx_shop(STEPS, deployed=False, analysis=BACKGROUND)
    world.apply(TEMPLATE)
    world.settle()
    remove(world, ANALYSIS_TEMPLATE, "good")
    world.set_image("shop:2")
    world.settle()
    assert world.sizes() == {"shop:1": 10}
    world.edit(ROLLOUT, "shop", {"spec": {"replicas": 4}})
    world.apply(TEMPLATE)
    world.settle()
    assert (world.weight(), world.sizes()) == (20, {"shop:1": 4, "shop:2": 1})


def test_a_promoted_rollout_scales_even_while_a_template_is_missing() -> None:
    world = nginx_shop(STEPS, deployed=False, analysis=BACKGROUND)
    world.apply(TEMPLATE)
    world.settle()
    remove(world, ANALYSIS_TEMPLATE, "good")
    world.edit(ROLLOUT, "shop", {"spec": {"replicas": 4}})
    world.settle()
    assert world.sizes() == {"shop:1": 4}
    assert world.status()["phase"] == "Degraded"
    assert sum(event.startswith("InvalidSpec") for event in world.events) == 1


def test_a_changed_template_leaves_runs_alone_that_have_begun() -> None:
    world = analysed_shop()
    before = world.all(ANALYSIS_RUN)[0]["spec"]
    world.edit(ANALYSIS_TEMPLATE, "good", {"spec": {"metrics": [{**before["metrics"][0], "interval": "5m"}]}})
    world.settle()
    assert [run["spec"] for run in world.all(ANALYSIS_RUN)] == [before]


def test_a_service_that_goes_in_mid_update_holds_everything_until_it_is_back() -> None:
    world = nginx_shop(STEPS)
    world.set_image("shop:2")
    world.settle()
    service = remove(world, SERVICE, "shop-canary")
    world.patch_status({"pauseConditions": None})
    world.settle()
    assert 'service "shop-canary" not found' in world.status()["message"]
    assert (world.weight(), image_size(world, "shop:2")) == (20, 2)
    world.put(service)
    world.settle()
    assert (world.weight(), world.status()["phase"]) == (60, "Paused")


def test_a_virtual_service_that_goes_in_mid_update_holds_everything_until_it_is_back() -> None:
    world = istio_shop(STEPS)
    world.set_image("shop:2")
    world.settle()
    mesh = remove(world, VIRTUAL_SERVICE, "shop")
    world.patch_status({"abort": True})
    world.settle()
    world.wait(120)
    assert image_size(world, "shop:2") == 2, "nobody knows whether users are sent there"
    world.put(mesh)
    world.settle()
    world.wait(40)
    assert image_size(world, "shop:2") == 0


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param({"host": "other.local"}, id="a rule without http"),
        pytest.param(
            {
                "host": "files.local",
                "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"resource": {"kind": "Bucket", "name": "b"}}}]},
            },
            id="a resource for a backend",
        ),
    ],
)
def test_odd_rules_of_the_ingress_are_left_out_of_the_canarys(rule: dict[str, Any]) -> None:
    world = nginx_shop(STEPS)
    rules = world.get(INGRESS, "web")["spec"]["rules"]
    world.edit(INGRESS, "web", {"spec": {"rules": [rule, *rules]}})
    world.set_image("shop:2")
    world.settle()
    assert world.weight() == 20
    assert [one["host"] for one in world.get(INGRESS, "shop-web-canary")["spec"]["rules"]] == ["shop.local"]


# -- edits by others -----------------------------------------------------------------------------------------------------------


def test_while_the_split_is_unknown_no_pod_goes() -> None:
    """Somebody edits the VirtualService in mid-step; what it says then is nothing this Rollout would write."""
    world = istio_shop([{"setWeight": 60}, {"pause": {}}, {"setWeight": 20}, {"pause": {}}])
    world.set_image("shop:2")
    world.settle()
    edited = copy.deepcopy(world.get(VIRTUAL_SERVICE, "shop")["spec"])
    for destination in edited["http"][0]["route"]:
        destination["weight"] = 33
    world.patch_status({"pauseConditions": None})
    seen = []
    world.after_write = lambda: seen.append((image_size(world, "shop:2"), _canary_share(world)))
    for _ in range(3):
        world.edit(VIRTUAL_SERVICE, "shop", {"spec": edited})
        world.reconcile()
    assert all(pods == 6 for pods, share in seen if share != 20)
    world.settle()
    assert (image_size(world, "shop:2"), _canary_share(world)) == (2, 20)


def _canary_share(world: World) -> int:
    route = world.get(VIRTUAL_SERVICE, "shop")["spec"]["http"][0]["route"]
    return int(next(one["weight"] for one in route if one["destination"]["subset"] == "canary"))


def test_a_run_deleted_by_hand_is_made_again() -> None:
    world = analysed_shop()
    [run] = world.all(ANALYSIS_RUN)
    remove(world, ANALYSIS_RUN, name_of(run))
    world.settle()
    assert [name_of(one) for one in world.all(ANALYSIS_RUN)] == [name_of(run)]


def test_a_background_run_that_succeeded_is_not_started_again() -> None:
    world = analysed_shop()
    name = world.finish_run("Successful")
    world.settle()
    world.patch_status({"pauseConditions": None})
    world.settle()
    assert [name_of(one) for one in world.all(ANALYSIS_RUN)] == [name]
    remove(world, ANALYSIS_RUN, name)
    world.settle()
    assert world.all(ANALYSIS_RUN) == []
    assert world.status()["canary"]["currentBackgroundAnalysisRunStatus"]["status"] == "Successful"


# -- numbers -------------------------------------------------------------------------------------------------------------------


def test_an_update_of_0_replicas_is_promoted_without_traffic() -> None:
    world = nginx_shop(STEPS, replicas=10)
    world.edit(ROLLOUT, "shop", {"spec": {"replicas": 0}})
    world.set_image("shop:2")
    world.settle()
    world.patch_status({"promoteFull": True})
    world.settle()
    assert (world.status()["phase"], world.weight()) == ("Healthy", 0)
    world.edit(ROLLOUT, "shop", {"spec": {"replicas": 3}})
    world.settle()
    world.wait(31)
    assert (world.selected("shop"), world.sizes()) == ("shop:2", {"shop:1": 0, "shop:2": 3})


def test_scaled_to_0_in_mid_update_and_back_the_step_is_the_same() -> None:
    world = nginx_shop(STEPS)
    world.set_image("shop:2")
    world.settle()
    world.edit(ROLLOUT, "shop", {"spec": {"replicas": 0}})
    world.settle()
    assert (world.weight(), world.sizes()) == (0, {"shop:1": 0, "shop:2": 0})
    world.edit(ROLLOUT, "shop", {"spec": {"replicas": 10}})
    world.settle()
    assert (world.weight(), world.sizes(), world.status()["currentStepIndex"]) == (20, {"shop:1": 10, "shop:2": 2}, 1)


def test_without_surge_and_unavailability_one_pod_gives_way() -> None:
    world = World()
    plain = routed_rollout([], {"maxSurge": 0, "maxUnavailable": 0}, replicas=4)
    world.put(plain)
    world.settle()
    world.ready_after = timedelta(seconds=5)
    fewest = []

    def watch() -> None:
        fewest.append(sum(ReplicaSet(one).available for one in world.all(REPLICA_SET)))

    world.set_image("shop:2")
    world.after_write = watch
    world.settle(watch=watch)
    world.wait(60)
    assert (world.status()["phase"], world.sizes()) == ("Healthy", {"shop:1": 0, "shop:2": 4})
    assert min(fewest) == 3


@pytest.mark.parametrize(
    ("surge", "unavailable", "replicas", "weight"),
    [
        pytest.param(1, 0, 3, 50, id="with surge"),
        pytest.param(0, 1, 3, 50, id="without surge"),
        pytest.param(1, 0, 1, 50, id="a single pod"),
        pytest.param(1, 0, 3, 100, id="all pods new before the promotion"),
    ],
)
def test_a_stable_service_without_a_router_always_selects_pods(surge: int, unavailable: int, replicas: int, weight: int) -> None:
    """Also when the old pods go before the promotion, and on the way back."""
    world = World()
    world.apply(SERVICES)
    canary = {"stableService": "shop", "canaryService": "shop-canary", "maxSurge": surge, "maxUnavailable": unavailable}
    world.put(routed_rollout([{"setWeight": weight}, {"pause": {"duration": 10}}], canary, replicas=replicas))
    world.settle()

    def watch() -> None:
        image = world.selected("shop")
        behind = sum(ReplicaSet(one).available for one in world.all(REPLICA_SET) if world._image(one) == image)
        assert behind, f"Service shop selects {image}, which has no available pod"

    world.ready_after = timedelta(seconds=5)
    world.after_write = watch
    world.set_image("shop:2")
    for _ in range(30):
        world.settle(watch=watch)
        world.now += timedelta(seconds=3)
    assert (world.status()["phase"], world.selected("shop")) == ("Healthy", "shop:2")
    assert world.sizes() == {"shop:1": 0, "shop:2": replicas}
    world.set_image("shop:3")
    world.settle(watch=watch)
    world.now += timedelta(seconds=6)
    world.settle(watch=watch)
    world.patch_status({"abort": True})
    for _ in range(10):
        world.settle(watch=watch)
        world.now += timedelta(seconds=3)
    assert (world.selected("shop"), world.sizes()) == ("shop:2", {"shop:1": 0, "shop:2": replicas, "shop:3": 0})
    for plan in world.plans:
        writes = [write for stage in plan.stages for write in stage.writes if isinstance(write, Patch)]
        assert not (
            any(one.ref == ref(SERVICE, "shop") for one in writes)
            and any(one.patch.get("spec") == {"replicas": 0} for one in writes)
        )


def test_a_replica_set_that_may_not_make_pods_says_why() -> None:
    world = nginx_shop(STEPS)
    world.broken.add("shop:2")
    world.set_image("shop:2")
    world.settle()
    name = next(name_of(one) for one in world.all(REPLICA_SET) if world._image(one) == "shop:2")
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: pods"}
    status = world.get(REPLICA_SET, name)["status"]
    world.edit(REPLICA_SET, name, {"status": {**status, "conditions": [failure]}})
    world.reconcile()
    found = [one for one in world.status()["conditions"] if one["type"] == "ReplicaFailure"]
    assert [(one["reason"], one["message"]) for one in found] == [("FailedCreate", "exceeded quota: pods")]
    world.edit(REPLICA_SET, name, {"status": {"conditions": None}})
    world.reconcile()
    assert not [one for one in world.status()["conditions"] if one["type"] == "ReplicaFailure"]


# -- pods ----------------------------------------------------------------------------------------------------------------------


def ready_condition(moment: Any, *, ready: bool) -> dict[str, Any]:
    status = "True" if ready else "False"
    return {
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": status, "lastTransitionTime": format_time(moment)}],
        }
    }


def test_pods_that_flap_do_not_put_the_deadline_off() -> None:
    """Readiness that comes and goes is no progress: the deadline comes, and with it the abort."""
    world = nginx_shop([{"setWeight": 20}, {"setWeight": 60}, {"pause": {}}])
    world.edit(ROLLOUT, "shop", {"spec": {"progressDeadlineSeconds": 60, "progressDeadlineAbort": True}})
    world.broken.add("shop:2")
    world.set_image("shop:2")
    world.settle()
    for turn in range(30):
        world.now += timedelta(seconds=10)
        new = [pod for pod in world.all(POD) if pod["spec"]["containers"][0]["image"] == "shop:2"]
        for at, pod in enumerate(new):
            is_turn = (at + turn) % 2 == 0  # one of the two is always ready
            world.edit(POD, name_of(pod), ready_condition(world.now, ready=is_turn))
        world.settle()
        if world.status().get("abort"):
            break
    assert world.status()["message"].startswith("RolloutAborted")
    assert turn < 20


def test_pods_that_get_ready_after_the_deadline_count_again() -> None:
    world = nginx_shop(STEPS)
    world.edit(ROLLOUT, "shop", {"spec": {"progressDeadlineSeconds": 60}})
    world.broken.add("shop:2")
    world.set_image("shop:2")
    world.settle()
    world.wait(70)
    assert world.status()["message"].startswith("ProgressDeadlineExceeded")
    world.broken.clear()
    world.wait(5)
    assert (world.status()["phase"], world.weight()) == ("Paused", 20)


def test_a_new_version_after_a_missed_deadline_has_its_own() -> None:
    world = nginx_shop(STEPS)
    world.edit(ROLLOUT, "shop", {"spec": {"progressDeadlineSeconds": 60}})
    world.broken |= {"shop:2", "shop:3"}
    world.set_image("shop:2")
    world.settle()
    world.wait(70)
    world.set_image("shop:3")
    world.settle()
    world.wait(50)
    assert world.status()["phase"] == "Progressing"
    world.wait(20)
    assert world.status()["message"].startswith("ProgressDeadlineExceeded")


def test_a_version_in_its_scale_down_delay_neither_causes_nor_hides_a_missed_deadline() -> None:
    world = nginx_shop(STEPS, scaleDownDelaySeconds=600)
    world.edit(ROLLOUT, "shop", {"spec": {"progressDeadlineSeconds": 60}})
    world.set_image("shop:2")
    world.settle()
    world.patch_status({"promoteFull": True})
    world.settle()
    world.wait(120)
    assert world.status()["phase"] == "Healthy"
    world.broken.add("shop:3")
    world.set_image("shop:3")
    world.settle()
    world.wait(70)
    assert world.status()["message"].startswith("ProgressDeadlineExceeded")


def test_what_keeps_pods_from_running_is_told() -> None:
    world = nginx_shop(STEPS)
    world.broken.add("shop:2")
    world.set_image("shop:2")
    world.settle()
    pod = next(pod for pod in world.all(POD) if pod["spec"]["containers"][0]["image"] == "shop:2")
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "shop:2"'}}
    world.edit(POD, name_of(pod), {"status": {"containerStatuses": [{"name": "shop", "state": waiting}]}})
    reasons = [reason.text for reason in world.plan().reasons]
    assert any(f'{name_of(pod)}: ImagePullBackOff: Back-off pulling image "shop:2"' in reason for reason in reasons)


# -- restarts ------------------------------------------------------------------------------------------------------------------


def test_a_restart_in_mid_update_replaces_pods_of_both_versions() -> None:
    world = nginx_shop(STEPS)
    world.set_image("shop:2")
    world.settle()
    before = {name_of(pod) for pod in world.all(POD)}
    world.now += timedelta(minutes=1)
    world.edit(ROLLOUT, "shop", {"spec": {"restartAt": format_time(world.now)}})
    world.wait(600)
    assert not before & {name_of(pod) for pod in world.all(POD)}
    assert world.status()["restartedAt"] == world.rollout()["spec"]["restartAt"]
    assert (world.status()["phase"], world.weight(), world.sizes()) == ("Paused", 20, {"shop:1": 10, "shop:2": 2})


# -- leftovers ---------------------------------------------------------------------------------------------------------------


def test_a_version_that_is_gone_leaves_no_deadline_on_its_replica_set() -> None:
    world = nginx_shop(STEPS)
    world.set_image("shop:2")
    world.settle()
    world.patch_status({"abort": True})
    world.settle()
    world.wait(40)
    world.patch_status({"abort": False})
    world.settle()
    assert all("scale-down-deadline" not in annotations_of(one) for one in world.all(REPLICA_SET))


def test_a_missing_service_is_told_once() -> None:
    world = World()
    world.apply(SERVICES)
    world.put(routed_rollout([], NGINX))
    for _ in range(5):
        world.settle()
    assert sum(event.startswith("InvalidSpec") for event in world.events) == 1
