"""Ages and states in the words that kubectl uses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cli_objects import NOW, metadata

from rollouts.cli.ages import age_of, human_duration
from rollouts.cli.model import Icon
from rollouts.cli.pods import pod_info, replica_set_status


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-0.5, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (245, "4m5s"),
        (600, "10m"),
        (10_799, "179m"),
        (10_800, "3h"),
        (12_060, "3h21m"),
        (28_800, "8h"),
        (172_799, "47h"),
        (172_800, "2d"),
        (180_000, "2d2h"),
        (691_200, "8d"),
        (63_072_000, "2y"),
        (63_158_400, "2y1d"),
        (252_288_000, "8y"),
    ],
)
def test_ages_are_written_as_kubectl_writes_them(seconds: float, text: str) -> None:
    assert human_duration(timedelta(seconds=seconds)) == text


def test_an_object_without_a_creation_time_has_an_unknown_age() -> None:
    assert age_of({"metadata": {"name": "x"}}, NOW) == "<unknown>"


def container(**state: Any) -> dict[str, Any]:
    """Return the status of a container in one state."""
    return {"name": "web", "ready": "running" in state, "restartCount": 0, "state": state}


@pytest.mark.parametrize(
    ("status", "text", "icon"),
    [
        pytest.param({"phase": "Pending"}, "Pending", Icon.PROGRESSING, id="not scheduled"),
        pytest.param({"containerStatuses": [container(running={})]}, "Running", Icon.OK, id="running"),
        pytest.param(
            {"containerStatuses": [container(waiting={"reason": "ContainerCreating"})]},
            "ContainerCreating",
            Icon.PROGRESSING,
            id="starting",
        ),
        pytest.param(
            {"containerStatuses": [container(waiting={"reason": "CrashLoopBackOff"})]},
            "CrashLoopBackOff",
            Icon.BAD,
            id="crash loop",
        ),
        pytest.param(
            {"containerStatuses": [container(waiting={"reason": "ErrImagePull"})]}, "ErrImagePull", Icon.WARNING, id="no image"
        ),
        pytest.param(
            {"containerStatuses": [container(terminated={"reason": "OOMKilled", "exitCode": 137})]},
            "OOMKilled",
            Icon.BAD,
            id="no memory",
        ),
        pytest.param({"containerStatuses": [container(terminated={"exitCode": 3})]}, "ExitCode:3", Icon.BAD, id="ended badly"),
        pytest.param({"containerStatuses": [container(terminated={"signal": 9})]}, "Signal:9", Icon.BAD, id="killed"),
        pytest.param(
            {"containerStatuses": [container(running={}), container(terminated={"reason": "Completed"})]},
            "Running",
            Icon.OK,
            id="one done",
        ),
        pytest.param({"phase": "Failed", "reason": "Evicted"}, "Evicted", Icon.BAD, id="evicted"),
        pytest.param({"initContainerStatuses": [container(running={})]}, "Init:0/1", Icon.PROGRESSING, id="init runs"),
        pytest.param(
            {"initContainerStatuses": [container(terminated={"exitCode": 1, "reason": "Error"})]},
            "Init:Error",
            Icon.BAD,
            id="init failed",
        ),
        pytest.param(
            {"initContainerStatuses": [container(waiting={"reason": "ImagePullBackOff"})]},
            "Init:ImagePullBackOff",
            Icon.WARNING,
            id="init without image",
        ),
        pytest.param(
            {"initContainerStatuses": [container(terminated={"exitCode": 0})], "containerStatuses": [container(running={})]},
            "Running",
            Icon.OK,
            id="init done",
        ),
        pytest.param({"phase": "Unheard"}, "Unheard", Icon.UNKNOWN, id="unknown"),
    ],
)
def test_a_pods_state_is_its_containers_trouble_or_its_phase(status: dict[str, Any], text: str, icon: Icon) -> None:
    spec: dict[str, Any] = {"containers": [{}], "initContainers": [{}]}
    shown = pod_info({"metadata": metadata("x"), "spec": spec, "status": {"phase": "Running"} | status}, NOW)
    assert (shown.status, shown.icon) == (text, icon)


def test_a_pod_that_is_being_deleted_is_terminating() -> None:
    going = {"metadata": metadata("x", deletionTimestamp="2026-01-08T12:00:00Z"), "spec": {}, "status": {"phase": "Running"}}
    assert pod_info(going, NOW).status == "Terminating"


@pytest.mark.parametrize(
    ("replicas", "status", "text"),
    [
        pytest.param(2, {"replicas": 2, "availableReplicas": 2}, "Healthy", id="all there"),
        pytest.param(2, {"replicas": 2, "availableReplicas": 1}, "Progressing", id="one missing"),
        pytest.param(None, {}, "Progressing", id="one by default"),
        pytest.param(0, {"replicas": 0}, "ScaledDown", id="drained"),
        pytest.param(0, {"replicas": 1, "availableReplicas": 1}, "Healthy", id="draining"),
        pytest.param(2, {"conditions": [{"type": "ReplicaFailure", "status": "True"}]}, "Degraded", id="cannot create pods"),
    ],
)
def test_a_replica_sets_health(replicas: int | None, status: dict[str, Any], text: str) -> None:
    assert replica_set_status({"metadata": metadata("x"), "spec": {"replicas": replicas}, "status": status})[0] == text
