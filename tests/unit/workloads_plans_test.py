"""The pure decisions of the workload controllers: whom to delete, what to collect, where a pod serves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kube.objects import format_time, name_of
from kube.plan import Create, Delete
from sandbox.workloads import deployments, jobs, replicasets
from sandbox.workloads.deployments import share
from sandbox.workloads.endpoints import ports_of
from sandbox.workloads.garbage import Collect, Keep, OwnerState, Unlink, judge
from sandbox.workloads.pods import fresh_names

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SET: dict[str, Any] = {
    "metadata": {"name": "web", "namespace": "shop", "uid": "set", "generation": 2},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "a", "image": "x"}]}},
    },
}


def pod(
    name: str, *, ready: int | None = 60, age: int = 60, node: str = "n", phase: str = "Running", **more: Any
) -> dict[str, Any]:
    """A pod of the set; ready and created so many seconds ago."""
    times = {"creationTimestamp": format_time(NOW - timedelta(seconds=age))}
    owner = {"kind": "ReplicaSet", "name": "web", "uid": "set", "controller": True}
    metadata = {"name": name, "namespace": "shop", "uid": name, "labels": {"app": "web"}, "ownerReferences": [owner], **times}
    metadata |= more.get("metadata", {})
    since = format_time(NOW - timedelta(seconds=ready or 0))
    conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": since}] if ready is not None else []
    statuses = [{"name": "a", "restartCount": more.get("restarts", 0)}]
    return {
        "metadata": metadata,
        "spec": {"nodeName": node} if node else {},
        "status": {"phase": phase, "conditions": conditions, "containerStatuses": statuses},
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(pod("a", node="", ready=None, phase="Pending"), pod("b", ready=None, phase="Pending"), id="not bound"),
        pytest.param(pod("a", ready=None, phase="Pending"), pod("b", ready=None), id="pending"),
        pytest.param(pod("a", ready=None), pod("b"), id="not ready"),
        pytest.param(
            pod("a", metadata={"annotations": {"controller.kubernetes.io/pod-deletion-cost": "-5"}}), pod("b"), id="cheaper"
        ),
        pytest.param(pod("a", ready=5), pod("b", ready=50), id="ready for less time"),
        pytest.param(pod("a", restarts=3), pod("b", restarts=1), id="more restarts"),
        pytest.param(pod("a", age=61), pod("b", age=90), id="younger"),
    ],
)
def test_the_pod_that_is_missed_least_goes_first(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert [name_of(found) for found in replicasets.deletion_order([other, one])] == ["a", "b"]


def writes(plan: Any) -> list[Any]:
    return [write for stage in plan.stages for write in stage.writes]


def test_a_set_with_enough_pods_writes_nothing() -> None:
    plan = replicasets.plan(SET, [pod("a"), pod("b")], NOW)
    assert writes(plan) == []
    assert plan.status == {
        "replicas": 2,
        "fullyLabeledReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
        "observedGeneration": 2,
    }


def test_finished_and_going_pods_are_no_replicas() -> None:
    going = pod("b", metadata={"deletionTimestamp": format_time(NOW)})
    plan = replicasets.plan(SET, [pod("a", phase="Failed"), going], NOW)
    assert [type(write) for write in writes(plan)] == [Create, Create]


def test_a_set_that_is_being_deleted_makes_no_pods() -> None:
    deleted = {**SET, "metadata": {**SET["metadata"], "deletionTimestamp": format_time(NOW)}}
    assert writes(replicasets.plan(deleted, [], NOW)) == []


def test_a_pod_that_is_ready_but_not_yet_available_is_looked_at_in_time() -> None:
    slow = {**SET, "spec": {**SET["spec"], "minReadySeconds": 40}}
    plan = replicasets.plan(slow, [pod("a", ready=60), pod("b", ready=30)], NOW)
    assert plan.status is not None
    assert (plan.status["readyReplicas"], plan.status["availableReplicas"]) == (2, 1)
    assert plan.look_again == timedelta(seconds=10)


def test_names_of_new_pods_are_fresh() -> None:
    first = fresh_names(SET, count=50, taken=[], now=NOW)
    second = fresh_names(SET, count=50, taken=first, now=NOW)
    assert len({*first, *second}) == 100
    assert all(name.startswith("web-") for name in first)


@pytest.mark.parametrize(
    ("states", "more", "expected"),
    [
        pytest.param([], {}, Keep(), id="no owner"),
        pytest.param([OwnerState.PRESENT], {}, Keep(), id="an owner that is there"),
        pytest.param([OwnerState.ABSENT], {}, Collect("Background"), id="an owner that is gone"),
        pytest.param([OwnerState.ABSENT], {"finalizers": ["foregroundDeletion"]}, Collect("Foreground"), id="keeps its own way"),
        pytest.param([OwnerState.WAITING], {}, Collect("Foreground"), id="an owner that waits for it"),
        pytest.param([OwnerState.ABSENT], {"deletionTimestamp": "x"}, Keep(), id="already going"),
    ],
)
def test_an_object_lives_as_long_as_an_owner(states: list[OwnerState], more: dict[str, Any], expected: Any) -> None:
    assert judge({"metadata": {"name": "x", **more}}, [({"uid": str(n)}, state) for n, state in enumerate(states)]) == expected


def test_one_owner_of_two_is_enough_and_the_other_reference_goes() -> None:
    owners = [({"uid": "1"}, OwnerState.ABSENT), ({"uid": "2"}, OwnerState.PRESENT)]
    assert judge({"metadata": {"name": "x"}}, owners) == Unlink(({"uid": "2"},))


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        pytest.param({"port": 80}, (("", 80, "TCP", ""),), id="the same port when no target is given"),
        pytest.param({"port": 80, "targetPort": "8080"}, (("", 8080, "TCP", ""),), id="a number as text"),
        pytest.param({"port": 80, "targetPort": "http", "name": "web"}, (("web", 9000, "TCP", ""),), id="a name"),
        pytest.param({"port": 80, "targetPort": "grpc"}, (), id="a name the pod does not have"),
    ],
)
def test_a_service_port_leads_to(port: dict[str, Any], expected: Any) -> None:
    containers = [{"name": "a", "ports": [{"name": "http", "containerPort": 9000}]}]
    assert ports_of({"spec": {"ports": [port]}}, {"spec": {"containers": containers}}) == expected


@pytest.mark.parametrize(
    ("value", "up", "expected"), [("25%", True, 3), ("25%", False, 2), (2, True, 2), ("0%", True, 0), ("100%", False, 10)]
)
def test_shares_round_up_for_surge_and_down_for_missing(value: int | str, up: bool, expected: int) -> None:
    assert share(value, 10, up=up) == expected


def replica_set(name: str, image: str, *, size: int, available: int, revision: int) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "web", "pod-template-hash": name}}, "spec": {"image": image}}
    annotations = {"deployment.kubernetes.io/revision": str(revision), "deployment.kubernetes.io/desired-replicas": "10"}
    return {
        "metadata": {"name": name, "namespace": "shop", "uid": name, "creationTimestamp": name, "annotations": annotations},
        "spec": {"replicas": size, "template": template},
        "status": {"replicas": size, "readyReplicas": available, "availableReplicas": available},
    }


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param((10, 10), (0, 0), {"new": 3}, id="up by the surge first"),
        pytest.param((10, 10), (3, 0), {"old": 8}, id="then down by what may be missing"),
        pytest.param((8, 8), (3, 0), {"new": 5}, id="the room is used for new pods at once"),
        pytest.param((8, 8), (5, 0), {}, id="no old pod goes while the new ones are not available"),
        pytest.param((8, 8), (5, 5), {"old": 3}, id="old ones go as new ones get available"),
        pytest.param((10, 7), (3, 0), {"old": 8}, id="old pods that serve nobody go first"),
        pytest.param((0, 0), (12, 12), {"new": 10}, id="too many new ones are taken back"),
    ],
)
def test_a_rolling_update_moves_one_step_at_a_time(old: tuple[int, int], new: tuple[int, int], expected: dict[str, int]) -> None:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"image": "2"}}
    deployment = {
        "metadata": {"name": "web", "namespace": "shop", "uid": "d", "annotations": {"deployment.kubernetes.io/revision": "2"}},
        "spec": {"replicas": 10, "selector": {"matchLabels": {"app": "web"}}, "template": template},
    }
    sets = [
        replica_set("old", "1", size=old[0], available=old[1], revision=1),
        replica_set("new", "2", size=new[0], available=new[1], revision=2),
    ]
    plan = deployments.plan(deployment, replica_sets=sets, pods=[], now=NOW)
    sizes = {write.ref.name: write.patch["spec"]["replicas"] for write in writes(plan) if "spec" in write.patch}
    assert sizes == expected


def test_a_job_waits_out_its_back_off_before_the_next_pod() -> None:
    job = {"metadata": {"name": "j", "namespace": "shop", "uid": "j"}, "spec": {"completions": 1, "template": {}}}
    ended = {"terminated": {"exitCode": 1, "finishedAt": format_time(NOW - timedelta(seconds=4))}}
    failed = {**pod("j-1", ready=None, phase="Failed"), "status": {"phase": "Failed", "containerStatuses": [{"state": ended}]}}
    plan = jobs.plan(job, [failed], NOW)
    assert plan is not None
    assert writes(plan) == []
    assert plan.look_again == timedelta(seconds=6)


def test_a_job_stops_pods_it_no_longer_needs() -> None:
    job = {
        "metadata": {"name": "j", "namespace": "shop", "uid": "j"},
        "spec": {"completions": 3, "parallelism": 3, "template": {}},
    }
    pods = [pod("a", phase="Succeeded", ready=None), pod("b", phase="Succeeded", ready=None), pod("c"), pod("d")]
    plan = jobs.plan(job, pods, NOW)
    assert plan is not None
    assert [type(write) for write in writes(plan)] == [Delete]
