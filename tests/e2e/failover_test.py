"""Two replicas: one works and one waits, and when the one is gone the other goes on, with nothing lost and nothing done twice."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sandbox_requests import requests_of
from sandbox_shop import answers, deploy, quickstart, users
from sandbox_terminal import Tool, eventually

from kube.config import load as load_config
from kube.errors import AlreadyExists
from kube.kinds import ANALYSIS_RUN, LEASE, NAMESPACE, REPLICA_SET, ObjectRef
from kube.leases import LEASE_NAME
from kube.quick import QuickClient
from sandbox.cluster import Cluster, ControlPlane, Options, sandbox_cluster
from sandbox.cluster.account import HOME
from sandbox.cluster.setup import find_prometheus

pytestmark = pytest.mark.long
LEASE_SECONDS = 10
TIMES = (
    f"--leader-election-namespace={HOME}",
    f"--leader-election-lease-duration={LEASE_SECONDS}",
    "--leader-election-renew-deadline=8",
    "--leader-election-retry-period=1",
)
REF = ObjectRef(LEASE, HOME, LEASE_NAME)
WRITES = ("create", "update", "patch", "delete", "deletecollection")
SETTLED = "--for=jsonpath={.status.phase}=Healthy"


def at_step(index: int) -> str:
    return f"--for=jsonpath={{.status.currentStepIndex}}={index}"


@dataclass
class Replica:
    """One controller process, as a user of its own, so that its requests can be told apart."""

    cluster: Cluster
    user: str
    log: Path
    arguments: tuple[str, ...] = ()
    port: int = field(init=False)
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        kubeconfig = self.cluster.kubeconfig if self.user == "admin" else self.cluster.state.path / f"{self.user}.kubeconfig"
        pages = [f"--{page}={value}" for name in ("healthz", "metrics") for page, value in self._page(name)]
        command = (sys.executable, "-m", "rollouts.app", "--kubeconfig", str(kubeconfig), *pages, *TIMES, *self.arguments)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=dict(self.cluster.environment), stderr=log, stdin=subprocess.DEVNULL)

    def _page(self, name: str) -> tuple[tuple[str, Any], ...]:
        return (f"{name}Port", self.port), (f"{name}-address", "127.0.0.1")

    def ask(self, path: str) -> tuple[int, Mapping[str, Any]]:
        """Return status and body of a probe; (0, {}) when there is no answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)
        except OSError:
            return 0, {}

    def until(self, role: str) -> Replica:
        """Wait until it is ready and has a role."""
        eventually(lambda: self.ask("/readyz")[0] == 200 and self.ask("/readyz")[1]["role"] == role, what=f"{self.user} is {role}")
        return self

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it and return its exit code."""
        self.send(number)
        return self.process.wait(30)


@dataclass
class Scene:
    """A sandbox without a controller of its own, and what a test looks at."""

    cluster: Cluster
    folder: Path
    api: QuickClient
    replicas: list[Replica] = field(default_factory=list)

    def start(self, user: str, *arguments: str) -> Replica:
        replica = Replica(self.cluster, user, self.folder / f"{user}-{uuid.uuid4().hex[:4]}.log", arguments)
        self.replicas.append(replica)
        return replica

    def holder(self) -> str:
        return str(self.api.get(LEASE, REF.namespace, REF.name)["spec"].get("holderIdentity") or "")

    def writes(self, user: str) -> int:
        """Return how many requests of a user tried to change anything, by the API server's count."""
        return sum(count for (who, verb, _), count in requests_of(self.cluster).items() if who == user and verb in WRITES)

    def stop_all(self) -> None:
        for replica in self.replicas:
            print(f"--- {replica.user}\n{replica.log.read_text()}")  # shown where a test fails
            if replica.process.poll() is None:
                replica.end(signal.SIGKILL)
        self.replicas.clear()


@pytest.fixture(scope="module")
def sandbox(control_plane: ControlPlane) -> Iterator[Cluster]:
    """A sandbox whose controllers the tests start."""
    with sandbox_cluster(Options(control_plane=control_plane, audit_log=control_plane is ControlPlane.REAL)) as found:
        with QuickClient(load_config(str(found.kubeconfig))) as api, suppress(AlreadyExists):
            api.create(NAMESPACE, {"metadata": {"name": HOME}})
        yield found


@pytest.fixture
def environment(sandbox: Cluster) -> Mapping[str, str]:
    return sandbox.environment


@pytest.fixture
def scene(sandbox: Cluster, tmp_path: Path) -> Iterator[Scene]:
    with QuickClient(load_config(str(sandbox.kubeconfig))) as api:
        found = Scene(sandbox, tmp_path, api)
        try:
            yield found
        finally:
            found.stop_all()
            found.api.delete(REF)


def done_twice(api: QuickClient, namespace: str, *, pauses: int = 1) -> list[str]:
    """Return everything of a namespace that is there, or was told, more than once; a pause is told once each."""
    runs = Counter(
        (one["metadata"].get("annotations", {}).get("rollout.argoproj.io/revision"), *sorted(one["metadata"]["labels"].items()))
        for one in api.list(ANALYSIS_RUN, namespace).items
    )
    revisions = Counter(one["metadata"]["labels"]["rollouts-pod-template-hash"] for one in api.list(REPLICA_SET, namespace).items)
    told: Counter[tuple[str, str]] = Counter()
    for event in api.read(f"/api/v1/namespaces/{namespace}/events")["items"]:
        if event["involvedObject"]["kind"] == "Rollout":
            told[(event["reason"], event["message"])] += event.get("count") or 1
    told.subtract({what: pauses - 1 for what in told if what[0] in ("RolloutPaused", "RolloutResumed")})
    return [str(what) for counted in (runs, revisions, told) for what, count in counted.items() if count > 1]


async def waits(kubectl: Tool, namespace: str, condition: str) -> None:
    await asyncio.to_thread(kubectl, "wait", "-n", namespace, "rollout/shop", condition, "--timeout=60s")


async def taken_by_another(scene: Scene, former: str) -> float:
    """Wait until another replica holds the lease, and return how long that took."""
    clock = asyncio.get_running_loop()
    began = clock.time()
    await asyncio.to_thread(eventually, lambda: scene.holder() not in ("", former), what="another replica leads")
    return clock.time() - began


async def test_an_update_goes_on_when_the_leader_is_stopped_and_the_next_one_is_killed(
    scene: Scene, kubectl: Tool, rollouts: Tool, namespace: str
) -> None:
    """Handed over twice in one update, under load: everybody is answered, the update ends, and nothing was done twice."""
    first = scene.start("controller").until("leader")
    second = scene.start("admin").until("standby")
    pauses: list[dict[str, Any]] = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {}}]
    deploy(kubectl, namespace, quickstart(namespace, steps=pauses, analysis=find_prometheus(None) is not None))
    async with users(scene.cluster, namespace) as load:
        await answers(load, 50)
        await asyncio.to_thread(rollouts, "set", "image", "shop", "shop=shop:2", "-n", namespace)
        await waits(kubectl, namespace, at_step(1))
        led = scene.holder()
        assert await asyncio.to_thread(first.end) == 0
        stopped = await taken_by_another(scene, led)
        third = scene.start("controller")
        await asyncio.to_thread(second.until, "leader")
        await asyncio.to_thread(third.until, "standby")
        await asyncio.to_thread(rollouts, "promote", "shop", "-n", namespace)
        await waits(kubectl, namespace, at_step(3))
        led = scene.holder()
        await asyncio.to_thread(second.end, signal.SIGKILL)
        promoting = asyncio.create_task(asyncio.to_thread(rollouts, "promote", "shop", "-n", namespace))  # while nobody leads
        killed = await taken_by_another(scene, led)
        await promoting
        await waits(kubectl, namespace, at_step(4))
        await waits(kubectl, namespace, SETTLED)
        await answers(load, 50)
    found = load.snapshot()
    assert (found.lost, set(found.statuses)) == (0, {200})
    assert found.versions["2"] > 0
    assert done_twice(scene.api, namespace, pauses=2) == []
    assert stopped < LEASE_SECONDS, "a lease that was given back is not waited out"
    assert killed < LEASE_SECONDS + 4, "a killed leader is followed soon after its lease has run out"


async def test_a_leader_that_was_frozen_past_its_lease_writes_nothing_when_it_wakes(
    scene: Scene, kubectl: Tool, rollouts: Tool, namespace: str
) -> None:
    """Frozen in the middle of a hundred steps; by the API server's count not one request of it changes anything afterwards."""
    first = scene.start("controller").until("leader")
    scene.start("admin").until("standby")
    weights = [{"setWeight": weight} for weight in range(1, 100)]
    deploy(kubectl, namespace, quickstart(namespace, steps=[{"setCanaryScale": {"replicas": 2}}, *weights], analysis=False))
    async with users(scene.cluster, namespace) as load:
        await asyncio.to_thread(rollouts, "set", "image", "shop", "shop=shop:2", "-n", namespace)
        await waits(kubectl, namespace, at_step(20))
        led = scene.holder()
        first.send(signal.SIGSTOP)
        await taken_by_another(scene, led)
        before = scene.writes("controller")
        first.send(signal.SIGCONT)
        assert await asyncio.to_thread(first.process.wait, 30) == 1
        assert scene.writes("controller") == before
        await waits(kubectl, namespace, at_step(100))
        await waits(kubectl, namespace, SETTLED)
    assert load.snapshot().lost == 0
    assert done_twice(scene.api, namespace) == []
    log = first.log.read_text()
    assert f"has lost the lease {REF}" in log
    assert log.splitlines()[-1] == "Error: the lease was lost; start the controller again"


def test_probes_tell_leader_from_standby_and_a_process_that_does_not_answer_is_seen(scene: Scene) -> None:
    first = scene.start("controller").until("leader")
    second = scene.start("admin").until("standby")
    for replica, role in ((first, "leader"), (second, "standby")):
        for path in ("/healthz", "/readyz"):
            status, body = replica.ask(path)
            assert (status, body["status"], body["role"], body["leader"]) == (200, "ok", role, scene.holder())
            assert (body["synced"], body["loop"]["lateSeconds"] < 5) == (True, True)
    first.send(signal.SIGSTOP)
    eventually(lambda: first.ask("/healthz") == (0, {}), what="a frozen process answers no more")
    first.send(signal.SIGCONT)


def test_every_line_of_a_log_that_was_asked_for_as_json_is_json(scene: Scene, kubectl: Tool, namespace: str) -> None:
    """The last one, too, which says why the process ended."""
    first = scene.start("controller", "--logformat", "json", "--loglevel", "debug").until("leader")
    deploy(kubectl, namespace, quickstart(namespace, analysis=False))
    scene.api.patch(REF, {"spec": {"holderIdentity": "rollouts/usurper"}})
    assert first.process.wait(30) == 1
    lines = [json.loads(line) for line in first.log.read_text().splitlines()]
    assert {"time", "level", "logger", "msg"} <= set.intersection(*(set(line) for line in lines))
    assert lines[-1]["msg"] == "the lease was lost; start the controller again"


@contextmanager
def argo_rollouts(api: QuickClient) -> Iterator[Callable[[], bool]]:
    """Hold the lease as Argo Rollouts does, and renew it until somebody else has it; yields whether it was lost."""
    holder, ended, lost = "argo-rollouts-5d8f_7a21", threading.Event(), threading.Event()
    spec = {"holderIdentity": holder, "leaseDurationSeconds": LEASE_SECONDS, "leaseTransitions": 1}
    api.create(LEASE, {"metadata": {"name": REF.name, "namespace": REF.namespace}, "spec": spec})

    def renew() -> None:
        for number in range(1000):
            if ended.wait(0.5):
                return
            if api.get(LEASE, REF.namespace, REF.name)["spec"]["holderIdentity"] != holder:
                lost.set()
                return
            api.patch(REF, {"spec": {"renewTime": f"2026-01-01T00:00:00.{number:06}Z"}})

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        yield lost.is_set
    finally:
        ended.set()
        thread.join()


def test_beside_argo_rollouts_a_replica_does_not_work_and_says_what_to_do(scene: Scene) -> None:
    with argo_rollouts(scene.api) as lost:
        replica = scene.start("controller")
        assert replica.process.wait(30) == 1
        assert not lost()
    said = replica.log.read_text().splitlines()[-1]
    assert said.startswith(
        "Error: another controller, most likely Argo Rollouts, is at work: 'argo-rollouts-5d8f_7a21' renews the lease"
    )
    assert "--take-over" in said


def test_a_replica_that_is_told_to_takes_over_from_argo_rollouts(scene: Scene) -> None:
    with argo_rollouts(scene.api) as lost:
        replica = scene.start("controller", "--take-over").until("leader")
        assert eventually(lost, what="Argo Rollouts has noticed")
    assert replica.ask("/readyz")[1]["leader"] == scene.holder()
