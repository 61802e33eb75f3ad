"""A sandbox on a cluster that is there already: it serves it with the rights of a person, and leaves it as it was."""

from __future__ import annotations

import asyncio
import shutil
import signal
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from sandbox_shop import answers, deploy, quickstart, users
from sandbox_terminal import Tool, eventually

from crds.manifests import custom_resource_definitions
from kube.config import load
from kube.errors import NotFound, TooManyRequests
from kube.kinds import ANALYSIS_TEMPLATE, CUSTOM_RESOURCE_DEFINITION, LEASE, NAMESPACE, NODE, POD, REPLICA_SET, Kind, ObjectRef
from kube.leases import LEASE_NAME
from kube.objects import name_of, namespace_of
from kube.quick import QuickClient
from sandbox.cluster import Cluster, ControlPlane, Options, StateFolder, sandbox_cluster
from sandbox.cluster.account import SERVICE_ACCOUNT, USER
from sandbox.cluster.permissions import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING
from sandbox.controlplane.programs import Programs

pytestmark = pytest.mark.long
INVENTORY = (
    *(CUSTOM_RESOURCE_DEFINITION, CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING),
    *(ANALYSIS_TEMPLATE, NAMESPACE, NODE, POD, REPLICA_SET, LEASE),
)
WAIT = "--timeout=50s"
REVIEW = Kind("authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews", namespaced=False)


@pytest.fixture(scope="module")
def ground(real_programs: Programs) -> Iterator[Cluster]:
    """A cluster without nodes, in which one of our definitions is already."""
    assert real_programs.kubectl is not None
    options = Options(control_plane=ControlPlane.REAL, bare=True)
    with sandbox_cluster(options) as found, QuickClient(load(str(found.kubeconfig))) as client:
        [definition] = [one for one in custom_resource_definitions() if name_of(one).startswith("analysistemplates")]
        client.create(CUSTOM_RESOURCE_DEFINITION, definition)
        until_calm(client)
        yield found


@pytest.fixture
def person(ground: Cluster) -> Iterator[QuickClient]:
    """Whoever owns the cluster."""
    with QuickClient(load(str(ground.kubeconfig))) as client:
        yield client


@pytest.fixture
def environment(ground: Cluster) -> Mapping[str, str]:
    return ground.environment


@pytest.fixture
def kubectl(environment: Mapping[str, str], real_programs: Programs) -> Tool:
    """The kubectl of the control plane, on that cluster."""
    return Tool((str(real_programs.kubectl),), environment)


@pytest.fixture
def state(rollouts: Tool, tmp_path: Path) -> Iterator[StateFolder]:
    """A folder for a sandbox, which is stopped after the test however that ended."""
    found = StateFolder(tmp_path / "sandbox")
    yield found
    rollouts("sandbox", "down", "--state", str(found.path), timeout_seconds=120)


def up(state: StateFolder, *options: str) -> tuple[str, ...]:
    return ("sandbox", "up", "--detach", "--control-plane", "existing", "--state", str(state.path), *options)


def inventory(client: QuickClient) -> set[str]:
    """Return what is in a cluster, the workings of Kubernetes included, by kind and name."""
    found = [ObjectRef(kind, namespace_of(one), name_of(one)) for kind in INVENTORY for one in client.list(kind).items]
    return set(map(str, found))


def until_calm(client: QuickClient) -> None:
    """Wait until a fresh cluster has what it makes for itself."""
    wanted = {"default", "kube-system", "kube-public", "kube-node-lease"}
    eventually(
        lambda: {namespace_of(one) for one in client.list(SERVICE_ACCOUNT).items if name_of(one) == "default"} >= wanted,
        what="every namespace has its account",
    )
    eventually(lambda: answers_for(client, ANALYSIS_TEMPLATE), what="the definition is served")


def answers_for(client: QuickClient, kind: Kind) -> bool:
    try:
        client.list(kind)
    except (NotFound, TooManyRequests):
        return False
    return True


@pytest.mark.usefixtures("with_prometheus")
async def test_a_bad_version_is_taken_back_and_after_down_the_cluster_is_as_it_was(
    state: StateFolder, rollouts: Tool, kubectl: Tool, person: QuickClient
) -> None:
    before, namespace = inventory(person), f"shop-{uuid.uuid4().hex[:6]}"
    assert "The sandbox is up" in rollouts(*up(state, "--with-controller"))
    cluster = Cluster(state)
    kubectl("create", "namespace", namespace)
    deploy(kubectl, namespace, quickstart(namespace))
    async with users(cluster, namespace) as load_:
        await answers(load_, 20)
        await asyncio.to_thread(rollouts, "set", "image", "shop", "shop=shop:3-bad", "-n", namespace)
        degraded = "--for=jsonpath={.status.phase}=Degraded"
        await asyncio.to_thread(kubectl, "wait", "-n", namespace, "rollout/shop", WAIT, degraded)
        assert set(await answers(load_, 100)) <= {"1", "3-bad"}
    assert load_.snapshot().lost == 0
    assert "shop:1 listens on" in kubectl("logs", "-l", "app=shop", "-n", namespace)
    with QuickClient(load(str(state.path / "controller.kubeconfig"))) as controller:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {}}
        assert controller.create(REVIEW, review)["status"]["userInfo"]["username"] == USER
    rollouts("sandbox", "down", "--state", str(state.path), timeout_seconds=120)
    assert not state.path.exists()
    after = inventory(person)
    left = {one for one in after - before if not one.startswith("AnalysisTemplate ")}
    assert left == {f"Namespace {namespace}"}, "what the person made of kinds that were not brought in"
    assert after - before - left, "objects of a definition that was there before"
    assert before - after == set()


def test_a_sandbox_that_was_killed_is_taken_out_by_down_and_stands_in_the_way_until_then(
    state: StateFolder, rollouts: Tool, person: QuickClient
) -> None:
    before = inventory(person)
    rollouts(*up(state, "--prometheus", "none"))
    state.running().supervisor.send(signal.SIGKILL)
    eventually(lambda: not state.read().supervisor.alive, what="the supervisor ends")  # type: ignore[union-attr]
    again = rollouts.run(*up(state))
    assert again.returncode == 1
    assert f"first run `rollouts sandbox down --state {state.path}`" in again.stderr
    assert inventory(person) > before
    theirs = ObjectRef(CLUSTER_ROLE, "", "rollouts-controller")
    person.delete(theirs)
    person.create(CLUSTER_ROLE, {"metadata": {"name": theirs.name}, "rules": []})
    assert "is down" in rollouts("sandbox", "down", "--state", str(state.path), timeout_seconds=120)
    assert inventory(person) - before == {str(theirs)}, "what took the name of ours since"
    person.delete(theirs)
    assert inventory(person) == before
    assert not state.path.exists()


def test_down_says_what_to_do_when_the_cluster_went_before_the_sandbox(
    real_programs: Programs, state: StateFolder, rollouts: Tool, tmp_path: Path
) -> None:
    with sandbox_cluster(Options(control_plane=ControlPlane.REAL, bare=True)) as gone:
        Tool(rollouts.command, gone.environment)(*up(state, "--prometheus", "none"))
    down = ("sandbox", "down", "--state", str(state.path))
    refused = rollouts.run(*down, timeout_seconds=120)
    assert refused.returncode == 1
    assert f"if that cluster is gone for good, remove {state.path / 'brought'}" in refused.stderr
    shutil.rmtree(state.path / "brought")
    assert "No sandbox runs" in rollouts(*down)


def test_a_cluster_whose_nodes_take_pods_is_refused_and_left_alone(
    state: StateFolder, rollouts: Tool, kubectl: Tool, person: QuickClient
) -> None:
    person.create(NODE, {"metadata": {"name": "worker"}})
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    person.patch(ObjectRef(NODE, "", "worker"), ready, subresource="status")
    before = inventory(person)
    try:
        refused = rollouts.run(*up(state))
        assert refused.returncode == 1
        assert "has nodes of its own (worker)" in refused.stderr
        assert "kubectl cordon" in refused.stderr
        assert inventory(person) == before
        kubectl("cordon", "worker")
        rollouts(*up(state, "--prometheus", "none"))
        rollouts("sandbox", "down", "--state", str(state.path), timeout_seconds=120)
    finally:
        person.delete(ObjectRef(NODE, "", "worker"))


@contextmanager
def held(client: QuickClient, *, alive: bool) -> Iterator[None]:
    """Hold the lease as a controller of upstream does, or as one that died left it."""
    ref = ObjectRef(LEASE, "default", LEASE_NAME)
    client.create(LEASE, {"metadata": {"name": ref.name, "namespace": ref.namespace}, "spec": spec(0)})
    over = threading.Event()

    def renew() -> None:
        for count in range(1, 600):
            if over.wait(0.2):
                return
            client.patch(ref, {"spec": spec(count)})

    renewing = threading.Thread(target=renew)
    if alive:
        renewing.start()
    try:
        yield
    finally:
        over.set()
        if alive:
            renewing.join()
        client.delete(ref)


def spec(count: int) -> dict[str, object]:
    return {"holderIdentity": "argo-rollouts-5d4_1", "leaseDurationSeconds": 3, "leaseTransitions": count}


def test_a_cluster_in_which_another_controller_is_at_work_is_refused_and_left_alone(
    state: StateFolder, rollouts: Tool, person: QuickClient
) -> None:
    before = inventory(person)
    with held(person, alive=True):
        refused = rollouts.run(*up(state))
        assert refused.returncode == 1
    assert "'argo-rollouts-5d4_1' renews Lease default/argo-rollouts-controller-lock; stop it" in refused.stderr
    assert inventory(person) == before


def test_a_lease_that_nobody_renews_is_nobody_at_work(state: StateFolder, rollouts: Tool, person: QuickClient) -> None:
    with held(person, alive=False):
        rollouts(*up(state, "--prometheus", "none"))


def test_no_cluster_is_served_that_was_not_asked_for(state: StateFolder, rollouts: Tool, person: QuickClient) -> None:
    before = inventory(person)
    rollouts("sandbox", "up", "--detach", "--prometheus", "none", "--state", str(state.path))
    assert state.running().server.startswith("http://")
    assert inventory(person) == before


ODD = [
    pytest.param(("--control-plane", "existing", "--context", "nowhere"), "'nowhere'", id="a context that is not there"),
    pytest.param(("--control-plane", "existing", "--audit-log"), "--audit-log needs --control-plane real", id="the log of others"),
    pytest.param(("--control-plane", "existing", "--bare"), "it needs --control-plane real", id="nothing on it"),
    pytest.param(("--context", "rollouts-sandbox"), "it needs --control-plane existing", id="a context of no use"),
]


@pytest.mark.parametrize(("options", "said"), ODD)
def test_options_that_do_not_go_together_are_refused(
    state: StateFolder, rollouts: Tool, options: tuple[str, ...], said: str
) -> None:
    done = rollouts.run("sandbox", "up", "--detach", "--state", str(state.path), *options)
    assert done.returncode == 1
    assert said in done.stderr
    assert state.read() is None


def test_without_a_kubeconfig_no_cluster_is_guessed(state: StateFolder, rollouts: Tool) -> None:
    environment = {name: value for name, value in rollouts.environment.items() if name != "KUBECONFIG"}
    done = Tool(rollouts.command, environment).run(*up(state))
    assert done.returncode == 1
    assert "the cluster of KUBECONFIG, which is not set" in done.stderr
