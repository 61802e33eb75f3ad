"""Which pod templates mean the same, whatever a server or another controller wrote into them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from rollouts.engine.templates import hash_of, means_the_same, without_injected

WRITTEN: dict[str, Any] = {
    "metadata": {"labels": {"app": "shop"}},
    "spec": {
        "containers": [
            {
                "name": "shop",
                "image": "shop:1",
                "ports": [{"containerPort": 8080}],
                "resources": {"requests": {"cpu": "1", "memory": "1Gi"}},
                "readinessProbe": {"httpGet": {"path": "/", "port": 8080}},
            }
        ]
    },
}


def stored() -> dict[str, Any]:
    """The same template as an API server returns it."""
    template = copy.deepcopy(WRITTEN)
    template["metadata"]["creationTimestamp"] = None
    template["metadata"]["labels"]["rollouts-pod-template-hash"] = "abc"
    container = template["spec"]["containers"][0]
    container.update(imagePullPolicy="IfNotPresent", terminationMessagePath="/dev/termination-log", terminationMessagePolicy="File")
    container["ports"][0]["protocol"] = "TCP"
    container["resources"] = {"requests": {"cpu": "1000m", "memory": "1024Mi"}}
    container["readinessProbe"].update(timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    container["readinessProbe"]["httpGet"]["scheme"] = "HTTP"
    template["spec"].update(restartPolicy="Always", dnsPolicy="ClusterFirst", securityContext={}, schedulerName="default-scheduler")
    template["spec"]["terminationGracePeriodSeconds"] = 30
    return template


def test_a_servers_defaults_do_not_make_another_version() -> None:
    assert means_the_same(WRITTEN, without_injected(stored()))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param(("spec", "containers", 0, "image"), "shop:2", id="another image"),
        pytest.param(("spec", "containers", 0, "imagePullPolicy"), "Never", id="a value that is not the default"),
        pytest.param(("spec", "terminationGracePeriodSeconds"), 5, id="another grace period"),
        pytest.param(("spec", "containers", 0, "resources", "requests", "cpu"), "500m", id="another quantity"),
        pytest.param(("spec", "containers", 0, "readinessProbe", "initialDelaySeconds"), 5, id="a field more"),
        pytest.param(("metadata", "labels", "tier"), "web", id="a label more"),
        pytest.param(("spec", "hostNetwork"), True, id="a field whose default is nothing"),
    ],
)
def test_what_changes_pods_is_another_version(path: tuple[Any, ...], value: Any) -> None:
    other = stored()
    node: Any = other
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    assert not means_the_same(WRITTEN, without_injected(other))


def test_metadata_of_a_role_does_not_make_another_version() -> None:
    injected = {"labels": {"role": "canary"}, "annotations": {"note": "x"}}
    template = stored()
    template["metadata"]["labels"]["role"] = "canary"
    template["metadata"]["annotations"] = {"note": "x"}
    assert means_the_same(WRITTEN, without_injected(template, injected))
    assert not means_the_same(WRITTEN, without_injected(template))


def test_a_hash_is_the_same_for_the_same_meaning_of_json_and_spells_no_word() -> None:
    assert hash_of({"a": 1, "b": [2]}) == hash_of({"b": [2], "a": 1})
    assert hash_of({"a": 1}) != hash_of({"a": 1}, collisions=1)
    assert set(hash_of(WRITTEN)) <= set("bcdfghjklmnpqrstvwxz2456789")
