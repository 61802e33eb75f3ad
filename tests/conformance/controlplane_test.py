"""What a sandbox on a real control plane has of its own: permissions, tokens, an audit log, its garbage collector, its parts."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from kube.config import load
from kube.errors import Forbidden, Invalid
from kube.kinds import CUSTOM_RESOURCE_DEFINITION, ENDPOINT_SLICE, POD, REPLICA_SET, ROLLOUT, SECRET, Kind, ObjectRef
from kube.objects import Object, name_of
from kube.quick import QuickClient
from sandbox.cluster import Cluster, ControlPlane, Options, sandbox_cluster
from sandbox.cluster.account import HOME, SHIPPED, USER
from sandbox.cluster.controlplane import MANAGER
from sandbox.cluster.permissions import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING
from sandbox.cluster.running import until
from sandbox.controlplane.programs import KUBERNETES, VARIABLE, Programs

COMPONENTS = {USER, "gateway", "node"}
TRIED = "tried-by-a-test"
TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"app": "shop"}},
    "spec": {"containers": [{"name": "shop", "image": "shop:1", "ports": [{"containerPort": 8080}]}]},
}


@pytest.fixture(scope="session")
def real_cluster(real_programs: Programs) -> Iterator[Cluster]:
    """A sandbox on the programs of this machine, with a controller."""
    with sandbox_cluster(
        Options(control_plane=ControlPlane.REAL, audit_log=True, with_controller=True, prometheus="none")
    ) as found:
        yield found


@pytest.fixture
def admin(real_cluster: Cluster) -> Iterator[QuickClient]:
    """The administrator."""
    with QuickClient(load(str(real_cluster.kubeconfig))) as client:
        yield client


def as_user(cluster: Cluster, user: str) -> QuickClient:
    return QuickClient(load(str(cluster.state.path / f"{user}.kubeconfig")), field_manager=TRIED)


def known_as(user: str) -> str:
    return USER if user == "controller" else user


def a_rollout(name: str) -> Object:
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "shop"}},
        "template": TEMPLATE,
        "strategy": {"canary": {}},
    }
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": metadata, "spec": spec}


def test_status_lists_the_parts_of_a_control_plane(real_cluster: Cluster) -> None:
    record = real_cluster.record
    assert record.control_plane == "real"
    assert record.server.startswith("https://")
    manager = [] if VARIABLE in os.environ else [MANAGER]
    assert [part.name for part in record.parts if part.name not in ("node", "gateway", "controller")] == [
        "etcd",
        "apiserver",
        *manager,
    ]
    assert all(part.ready for part in record.parts)


@pytest.mark.skipif(VARIABLE in os.environ, reason="the assets that were named have a version of their own")
def test_it_says_which_kubernetes_it_is(admin: QuickClient) -> None:
    version = admin.read("/version")
    assert (version["gitVersion"], version["major"], version["minor"]) == (f"v{KUBERNETES}", *KUBERNETES.split(".")[:2])


@pytest.mark.parametrize(
    ("user", "kind"),
    [
        pytest.param("controller", CUSTOM_RESOURCE_DEFINITION, id="the controller makes no definitions"),
        pytest.param("controller", CLUSTER_ROLE, id="the controller grants nothing"),
        pytest.param("controller", POD, id="the controller makes no pods"),
        pytest.param("gateway", SECRET, id="the gateway makes no Secrets"),
        pytest.param("gateway", POD, id="the gateway makes no pods"),
        pytest.param("node", POD, id="the node makes no pods"),
        pytest.param("node", ROLLOUT, id="the node makes no Rollouts"),
    ],
)
def test_a_component_may_do_no_more_than_it_must(real_cluster: Cluster, user: str, kind: Kind) -> None:
    body = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": {"name": "odd", "namespace": "default"}}
    with as_user(real_cluster, user) as client, pytest.raises(Forbidden, match=f'User "{known_as(user)}" cannot create'):
        client.create(kind, body)


def test_the_controller_is_the_shipped_account_with_exactly_the_shipped_rights(admin: QuickClient) -> None:
    for kind, file in ((CLUSTER_ROLE, "cluster/role.yaml"), (ROLE, "leases/role.yaml")):
        shipped = yaml.safe_load((SHIPPED / "rbac" / file).read_text())
        [found] = [one for one in admin.list(kind).items if name_of(one) == name_of(shipped)]
        assert found["rules"] == shipped["rules"]
        assert found["metadata"].get("namespace", HOME) == HOME
    bindings = [*admin.list(CLUSTER_ROLE_BINDING).items, *admin.list(ROLE_BINDING).items]
    ours = [one for one in bindings for subject in one.get("subjects") or () if subject.get("namespace") == HOME]
    assert sorted(one["roleRef"]["name"] for one in ours) == ["rollouts-controller", "rollouts-leader-election"]


def test_nobody_was_refused_what_it_needs(real_cluster: Cluster, admin: QuickClient) -> None:
    """A Rollout from its creation to its end, then no request of a component in the audit log that was forbidden."""
    admin.create(ROLLOUT, a_rollout("permitted"))
    until(lambda: phase(admin, "permitted") == "Healthy", what="it is healthy")
    admin.patch(ObjectRef(ROLLOUT, "default", "permitted"), image_patch("shop:2"))
    until(lambda: stable_image(admin, "permitted") == "shop:2", what="the update is done")
    admin.delete(ObjectRef(ROLLOUT, "default", "permitted"))
    until(lambda: not pods(admin), what="its pods are gone")
    asked = answered(real_cluster)
    assert {event["user"]["username"] for event in asked} >= COMPONENTS
    refused = [event["requestURI"] for event in asked if event["responseStatus"]["code"] in (401, 403)]
    assert refused == []


def answered(cluster: Cluster) -> list[dict[str, Any]]:
    """Return what the audit log has of the components' requests, those aside that other tests send in their names."""
    lines = (cluster.state.path / "logs" / "audit.log").read_text().splitlines()
    events = [event for event in map(json.loads, lines) if event["stage"] == "ResponseComplete"]
    ours = [event for event in events if event["user"]["username"] in COMPONENTS]
    return [event for event in ours if f"fieldManager={TRIED}" not in event["requestURI"]]


def test_what_a_rollout_owned_goes_with_it(admin: QuickClient) -> None:
    """The garbage collector knew our kinds when it started: else it would take half a minute to hear of them."""
    admin.create(ROLLOUT, a_rollout("short-lived"))
    until(lambda: phase(admin, "short-lived") == "Healthy", what="it is healthy")
    sets = [name_of(one) for one in admin.list(REPLICA_SET, "default").items]
    assert sets
    admin.delete(ObjectRef(ROLLOUT, "default", "short-lived"))
    until(lambda: not admin.list(REPLICA_SET, "default").items and not pods(admin), what="all of it is gone", timeout_seconds=25)


def test_loopback_addresses_are_refused_in_endpoints_and_the_gateway_needs_none(admin: QuickClient) -> None:
    piece = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "odd", "namespace": "default"},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 80}],
        "endpoints": [{"addresses": ["127.0.0.1"]}],
    }
    with pytest.raises(Invalid, match="loopback"):
        admin.create(ENDPOINT_SLICE, piece)


@pytest.mark.skipif(VARIABLE in os.environ, reason="the assets that were named have no controller manager")
def test_a_service_account_s_token_opens_the_api_as_that_account(real_cluster: Cluster, real_programs: Programs) -> None:
    command = [str(real_programs.kubectl), "create", "token", "default"]
    done = subprocess.run(command, env=dict(real_cluster.environment), capture_output=True, text=True, check=True)
    connection = replace(load(str(real_cluster.kubeconfig)), token=done.stdout.strip())
    with QuickClient(connection) as account, pytest.raises(Forbidden, match="system:serviceaccount:default:default"):
        account.list(SECRET, "default")


def test_everything_comes_back_when_the_store_and_the_api_server_are_killed(real_cluster: Cluster, admin: QuickClient) -> None:
    admin.create(ROLLOUT, a_rollout("survivor"))
    until(lambda: phase(admin, "survivor") == "Healthy", what="it is healthy")
    for part in ("etcd", "apiserver"):
        real_cluster.killed_and_back(part)
    until(lambda: all(part.ready for part in real_cluster.record.parts), what="every part is ready")
    with QuickClient(load(str(real_cluster.kubeconfig))) as client:
        client.patch(ObjectRef(ROLLOUT, "default", "survivor"), image_patch("shop:2"))
        until(lambda: stable_image(client, "survivor") == "shop:2", what="it is updated")
        client.delete(ObjectRef(ROLLOUT, "default", "survivor"))
        until(lambda: not pods(client), what="its pods are gone")


def test_without_a_controller_manager_our_own_workload_controllers_serve(
    real_programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with the assets of kubebuilder, which have an API server and etcd only."""
    for name in ("etcd", "kube-apiserver", "kubectl"):
        (tmp_path / name).symlink_to(real_programs.folder / name)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    options = Options(control_plane=ControlPlane.REAL, with_controller=True, prometheus="none")
    with sandbox_cluster(options) as cluster, QuickClient(load(str(cluster.kubeconfig))) as client:
        assert MANAGER not in [part.name for part in cluster.record.parts]
        client.create(ROLLOUT, a_rollout("shop"))
        until(lambda: phase(client, "shop") == "Healthy", what="it is healthy")
        client.delete(ObjectRef(ROLLOUT, "default", "shop"))
        until(lambda: not pods(client) and not client.list(REPLICA_SET, "default").items, what="all of it is gone")


def phase(client: QuickClient, name: str) -> str:
    status: Mapping[str, str] = client.get(ROLLOUT, "default", name).get("status") or {}
    return status.get("phase", "")


def stable_image(client: QuickClient, name: str) -> str:
    rollout = client.get(ROLLOUT, "default", name)
    status = rollout.get("status") or {}
    done = status.get("phase") == "Healthy" and str(status.get("observedGeneration")) == str(rollout["metadata"]["generation"])
    return str(rollout["spec"]["template"]["spec"]["containers"][0]["image"]) if done else ""


def pods(client: QuickClient) -> list[str]:
    return [name_of(one) for one in client.list(POD, "default").items]


def image_patch(image: str) -> Object:
    return {"spec": {"template": {"spec": {"containers": [{**TEMPLATE["spec"]["containers"][0], "image": image}]}}}}
