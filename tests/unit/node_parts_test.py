"""The pure parts of the node agent: environment, probes' counts, back-off, addresses, pod status."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.node.addresses import AddressPool
from sandbox.node.environment import command_of, environment_of, expand
from sandbox.node.errors import BadConfig, NoAddressLeft
from sandbox.node.pod_status import Container, PodState, Running, Terminated, Waiting, pod_status
from sandbox.node.probes import Count
from sandbox.workloads.backoff import Backoff

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
POD: dict[str, Any] = {
    "metadata": {"name": "p", "namespace": "shop", "uid": "u", "labels": {"app": "web"}},
    "spec": {"nodeName": "sandbox", "containers": [{"name": "app", "image": "shop:1", "resources": {"limits": {"cpu": "2"}}}]},
}
STORED = {
    ("ConfigMap", "settings"): {"kind": "ConfigMap", "data": {"COLOR": "blue", "SIZE": "7"}},
    ("Secret", "keys"): {"kind": "Secret", "data": {"token": base64.b64encode(b"s3cret").decode()}},
}


def made(container: dict[str, Any]) -> dict[str, str]:
    return environment_of(POD, container, address="127.10.0.9", host_address="127.0.0.1", find=lambda *key: STORED.get(key))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("$(A)-$(B)", "1-$(B)", id="an unknown name stays"),
        pytest.param("$$(A)", "$(A)", id="two dollars are one, and keep the name from expanding"),
        pytest.param("$A ${A} $(A", "$A ${A} $(A", id="other notations are left to the shell"),
        pytest.param("$(x.y-z)", "2", id="dots and dashes are part of a name"),
    ],
)
def test_references_are_expanded(text: str, expected: str) -> None:
    assert expand(text, {"A": "1", "x.y-z": "2"}) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param({"fieldRef": {"fieldPath": "metadata.name"}}, "p", id="pod name"),
        pytest.param({"fieldRef": {"fieldPath": "status.podIP"}}, "127.10.0.9", id="pod address"),
        pytest.param({"fieldRef": {"fieldPath": "metadata.labels['app']"}}, "web", id="a label"),
        pytest.param({"configMapKeyRef": {"name": "settings", "key": "COLOR"}}, "blue", id="config map"),
        pytest.param({"secretKeyRef": {"name": "keys", "key": "token"}}, "s3cret", id="secret, decoded"),
        pytest.param({"resourceFieldRef": {"resource": "limits.cpu"}}, "2", id="a limit"),
    ],
)
def test_a_variable_takes_its_value_from(source: dict[str, Any], expected: str) -> None:
    assert made({"env": [{"name": "X", "valueFrom": source}]}) == {"X": expected}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        pytest.param({"configMapKeyRef": {"name": "none", "key": "k"}}, 'configmap "none" not found', id="no such config map"),
        pytest.param({"secretKeyRef": {"name": "keys", "key": "k"}}, "couldn't find key k in Secret shop/keys", id="no such key"),
        pytest.param({"fieldRef": {"fieldPath": "spec.secret"}}, "fieldPath spec.secret is not one of", id="no such field"),
        pytest.param({"fileKeyRef": {}}, "does not know valueFrom.fileKeyRef", id="a newer source"),
    ],
)
def test_what_is_missing_is_named(source: dict[str, Any], message: str) -> None:
    with pytest.raises(BadConfig, match=message.replace("'", ".")):
        made({"env": [{"name": "X", "valueFrom": source}]})


def test_an_optional_source_that_is_missing_leaves_the_variable_out() -> None:
    source = {"configMapKeyRef": {"name": "none", "key": "k", "optional": True}}
    assert made({"env": [{"name": "X", "valueFrom": source}]}) == {}


def test_own_variables_win_over_those_of_a_whole_config_map_and_see_them() -> None:
    container = {
        "envFrom": [{"configMapRef": {"name": "settings"}, "prefix": "APP_"}],
        "env": [{"name": "APP_SIZE", "value": "9"}, {"name": "TEXT", "value": "$(APP_COLOR) $(APP_SIZE)"}],
        "command": ["run", "$(TEXT)"],
    }
    environment = made(container)
    assert environment == {"APP_COLOR": "blue", "APP_SIZE": "9", "TEXT": "blue 9"}
    assert command_of(container, environment) == ["run", "blue 9"]


@pytest.mark.parametrize(
    ("answers", "good"),
    [
        pytest.param("bb", True, id="two failures are not three"),
        pytest.param("bbb", False, id="three in a row are"),
        pytest.param("bbgbb", True, id="a success in between starts the count anew"),
        pytest.param("bbbg", False, id="one success does not bring it back when two are asked for"),
        pytest.param("bbbgg", True, id="two do"),
    ],
)
def test_a_probe_changes_its_mind_only_after_enough_answers_in_a_row(answers: str, good: bool) -> None:
    count = Count(good=True, success=2, failure=3)
    for answer in answers:
        count = count.after(answer == "g")
    assert count.good is good


def test_back_off_doubles_to_its_limit_and_starts_over_after_a_long_run() -> None:
    backoff = Backoff()
    assert [backoff.seconds(failures) for failures in (0, 1, 2, 5, 6, 99)] == [0, 10, 20, 160, 300, 300]
    assert backoff.failures_after(5, ran_seconds=10) == 6
    assert backoff.failures_after(5, ran_seconds=600) == 1
    assert backoff.scaled(0.01).seconds(6) == pytest.approx(3.0)


def test_an_address_comes_back_only_after_all_others_were_given() -> None:
    pool = AddressPool("127.10.5.0/29")
    first = pool.take()
    pool.give_back(first)
    others = [pool.take() for _ in range(5)]
    assert first not in others
    assert pool.take() == first
    with pytest.raises(NoAddressLeft, match="all 6 addresses"):
        pool.take()


RUN = Container(name="app", image="shop:1", state=Running(NOW), ready=True, started=True)
OVER = Container(name="app", image="shop:1", state=Terminated(exit_code=0, started=NOW, finished=NOW))
FAILED = Container(name="app", image="shop:1", state=Terminated(exit_code=2, started=NOW, finished=NOW))
LOOP = Container(name="app", image="shop:1", state=Waiting("CrashLoopBackOff"), last=FAILED.state, restarts=2)  # type: ignore[arg-type]
NEW = Container(name="app", image="shop:1")


@pytest.mark.parametrize(
    ("policy", "containers", "more", "expected"),
    [
        pytest.param("Always", [NEW], {}, ("Pending", "False"), id="not started"),
        pytest.param("Always", [RUN], {}, ("Running", "True"), id="running"),
        pytest.param("Always", [RUN, NEW], {}, ("Pending", "False"), id="one of two is not started"),
        pytest.param("Always", [LOOP], {}, ("Running", "False"), id="between crashes a pod still counts as running"),
        pytest.param("Never", [OVER], {}, ("Succeeded", "False"), id="ended well"),
        pytest.param("Never", [FAILED, OVER], {}, ("Failed", "False"), id="one of two failed"),
        pytest.param("OnFailure", [FAILED], {}, ("Running", "False"), id="will be restarted"),
        pytest.param("Always", [FAILED], {"stopping": True}, ("Failed", "False"), id="stopped with an error"),
        pytest.param("Always", [RUN], {"ended": "DeadlineExceeded"}, ("Failed", "False"), id="over its deadline"),
        pytest.param("Never", [NEW], {"init_containers": [FAILED]}, ("Failed", "False"), id="its preparation failed for good"),
        pytest.param("Always", [NEW], {"init_containers": [LOOP]}, ("Pending", "False"), id="its preparation is tried again"),
    ],
)
def test_phase_and_readiness_follow_the_containers(
    policy: str, containers: list[Container], more: dict[str, Any], expected: tuple[str, str]
) -> None:
    pod = {**POD, "spec": {**POD["spec"], "restartPolicy": policy}}
    state = PodState(address="127.10.0.9", host_address="127.0.0.1", started=NOW, containers=containers, **more)
    status = pod_status(pod, state, NOW)
    ready = next(one["status"] for one in status["conditions"] if one["type"] == "Ready")
    assert (status["phase"], ready) == expected


def test_a_closed_readiness_gate_is_named() -> None:
    pod = {**POD, "spec": {**POD["spec"], "readinessGates": [{"conditionType": "a/b"}]}}
    state = PodState(address="127.10.0.9", host_address="127.0.0.1", started=NOW, containers=[RUN])
    ready = next(one for one in pod_status(pod, state, NOW)["conditions"] if one["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ReadinessGatesNotReady")
    assert '"a/b"' in ready["message"]


def test_what_did_not_change_keeps_its_time_and_what_others_wrote_stays() -> None:
    foreign = {"type": "a/b", "status": "True", "lastTransitionTime": "2026-03-01T00:00:00Z"}
    state = PodState(address="127.10.0.9", host_address="127.0.0.1", started=NOW, containers=[RUN])
    first = pod_status({**POD, "status": {"conditions": [foreign]}}, state, NOW)
    later = pod_status({**POD, "status": first}, state, NOW + timedelta(minutes=5))
    assert later == first
    assert foreign in first["conditions"]
