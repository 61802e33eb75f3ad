"""Why a pod does not run, short enough to be read at night."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.rollout.pod_trouble import pod_trouble

CONTAINERD = (
    'Back-off pulling image "registry.example/shop:99": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack '
    'image "registry.example/shop:99": failed to resolve reference "registry.example/shop:99": registry.example/shop:99: not found'
)
DOCKER = "Error response from daemon: pull access denied for shop, repository does not exist"


def pod(*, reason: str = "", message: str = "", where: str = "containerStatuses", **container: Any) -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}} if reason else {}
    return {"status": {where: [{"name": "shop", "image": "shop:99", "state": state, **container}]}}


@pytest.mark.parametrize(
    ("stuck", "text"),
    [
        pytest.param(
            pod(reason="ImagePullBackOff", message=CONTAINERD, image="mirror/shop:99"),
            'ImagePullBackOff: image "mirror/shop:99": registry.example/shop:99: not found',
            id="of nested image errors only the cause",
        ),
        pytest.param(
            pod(reason="ErrImagePull", message=CONTAINERD, image="registry.example/shop:99"),
            "ErrImagePull: registry.example/shop:99: not found",
            id="an image that the cause names is not named twice",
        ),
        pytest.param(
            pod(reason="ErrImagePull", message=DOCKER),
            'ErrImagePull: image "shop:99": pull access denied for shop, repository does not exist',
            id="a registry that refuses",
        ),
        pytest.param(
            pod(reason="ImagePullBackOff", message='Back-off pulling image "shop:99"'),
            'ImagePullBackOff: image "shop:99"',
            id="no cause given",
        ),
        pytest.param(
            pod(
                reason="CrashLoopBackOff",
                message="back-off 40s restarting failed container=shop",
                restartCount=3,
                lastState={"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
            ),
            "CrashLoopBackOff: container shop ended after 3 restarts (exit code 137, OOMKilled)",
            id="how it ended, not how long the kubelet waits",
        ),
        pytest.param(
            pod(state={"terminated": {"exitCode": 1, "reason": "Error", "message": "no config\nat /etc/shop"}}, restartCount=1),
            "Error: container shop ended after 1 restart (exit code 1): no config at /etc/shop",
            id="between two starts",
        ),
        pytest.param(
            pod(reason="CreateContainerConfigError", message='configmap "shop" not found'),
            'CreateContainerConfigError: configmap "shop" not found',
            id="a missing ConfigMap",
        ),
        pytest.param(
            pod(reason="ErrImagePull", message="not found", where="initContainerStatuses"),
            'ErrImagePull: image "shop:99": not found',
            id="an init container",
        ),
        pytest.param(
            {
                "status": {
                    "conditions": [
                        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes: no memory"}
                    ]
                }
            },
            "Unschedulable: 0/3 nodes: no memory",
            id="no node for it",
        ),
    ],
)
def test_the_cause_is_told_in_one_line(stuck: dict[str, Any], text: str) -> None:
    assert pod_trouble(stuck) == text


@pytest.mark.parametrize(
    "fine",
    [
        pytest.param({}, id="nothing known yet"),
        pytest.param(pod(reason="ContainerCreating"), id="starting"),
        pytest.param(pod(state={"running": {}}, lastState={"terminated": {"exitCode": 1}}), id="running again"),
        pytest.param(pod(state={"terminated": {"exitCode": 0, "reason": "Completed"}}), id="ended well"),
    ],
)
def test_a_pod_without_trouble_is_left_alone(fine: dict[str, Any]) -> None:
    assert pod_trouble(fine) is None


def test_a_long_cause_is_cut() -> None:
    text = pod_trouble(pod(reason="ErrImagePull", message="x" * 500))
    assert text is not None
    assert (len(text), text[-3:]) == (160, "...")
