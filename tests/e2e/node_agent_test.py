"""The node agent with real processes, against the API server in this process."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from kube.client import Client
from kube.clock import SystemClock
from kube.errors import NotFound
from kube.kinds import CONFIG_MAP, CORE_EVENT, JOB, LEASE, NODE, POD, ObjectRef
from kube.objects import Object
from sandbox.apiserver.http import serving
from sandbox.apiserver.inprocess import InProcessTransport
from sandbox.apiserver.server import ApiServer
from sandbox.node.agent import NodeAgent, Options
from sandbox.node.context import Tempo
from sandbox.workloads.backoff import Backoff
from sandbox.workloads.controllers import WorkloadControllers
from sandbox.workloads.informers import Informers


@dataclass(frozen=True)
class Node:
    """A cluster with one real node."""

    client: Client
    session: aiohttp.ClientSession

    async def pod(self, name: str = "p") -> Object:
        return await self.client.get(POD, "default", name)

    async def create(self, container: Mapping[str, Any], **spec: Any) -> None:
        containers = [{"name": "app", "image": "shop:1", **container}]
        await self.client.create(
            POD,
            {"metadata": {"name": "p", "namespace": "default", "labels": {"app": "p"}}, "spec": {"containers": containers, **spec}},
        )

    async def delete(self, **options: Any) -> None:
        await self.client.delete(ObjectRef(POD, "default", "p"), **options)

    async def until(self, holds: Callable[[Object], Any], *, seconds: float = 10.0) -> Object:
        """Wait until the pod is so."""
        pod: Object = {}
        try:
            async with asyncio.timeout(seconds):
                while True:
                    pod = await self.pod()
                    if holds(pod):
                        return pod
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"not so within {seconds} s: {pod.get('status')}") from None

    async def gone(self, *, seconds: float = 10.0) -> None:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    await self.pod()
                except NotFound:
                    return
                await asyncio.sleep(0.02)

    async def fetch(self, path: str = "/", *, port: int = 8080) -> tuple[int, str]:
        address = (await self.pod())["status"]["podIP"]
        async with self.session.get(f"http://{address}:{port}{path}") as response:
            return response.status, await response.text()

    async def logs(self, query: str = "") -> tuple[int, str]:
        node = await self.client.get(NODE, "", "sandbox")
        port = node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"]
        async with self.session.get(f"http://127.0.0.1:{port}/containerLogs/default/p/app{query}") as response:
            return response.status, await response.text()


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with a_node(tmp_path) as found:
        yield found


@asynccontextmanager
async def a_node(directory: Path) -> AsyncIterator[Node]:
    clock, server = SystemClock(), ApiServer()
    client = Client(InProcessTransport(server), clock=clock)
    informers = Informers(client, clock)
    network = f"127.10.{os.getpid() % 200 + 20}.0/24"
    options = Options(
        directory=directory / "node", network=network, tempo=Tempo(backoff=Backoff().scaled(0.02), config_retry_seconds=0.05)
    )
    agent = NodeAgent(client, clock, informers, options)
    workloads = WorkloadControllers(client, clock, informers, events=False)
    tasks = [asyncio.create_task(agent.run()), asyncio.create_task(workloads.run())]
    informers.start()
    await informers.synced()
    async with aiohttp.ClientSession() as session:
        yield Node(client, session)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await informers.stop()
    await client.close()


def is_ready(pod: Object) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions") or ())


def container(pod: Object) -> Any:
    return (pod["status"].get("containerStatuses") or [{}])[0]


def waits_for(reason: str) -> Callable[[Object], bool]:
    return lambda pod: (container(pod).get("state") or {}).get("waiting", {}).get("reason") == reason


async def until_true(condition: Callable[[], Awaitable[bool]], *, seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.02)


async def test_a_ready_pod_answers_on_its_own_address_and_is_counted(node: Node) -> None:
    await node.create({"env": [{"name": "COLOR", "value": "x"}], "ports": [{"containerPort": 9000}]})
    await node.until(is_ready)

    code, body = await node.fetch("/", port=9000)
    assert code == 200
    assert '"version": "1"' in body
    assert '"pod": "p"' in body
    assert 'http_requests_total{code="200",method="GET",path="/"} 1' in (await node.fetch("/metrics", port=9000))[1]


async def test_every_third_answer_of_the_bad_version_is_an_error(node: Node) -> None:
    await node.create({"image": "shop:bad"})
    await node.until(is_ready)

    assert [(await node.fetch())[0] for _ in range(6)] == [200, 200, 500, 200, 200, 500]


async def test_an_unknown_image_says_what_to_do(node: Node) -> None:
    await node.create({"image": "ghcr.io/acme/unknown:1"})
    pod = await node.until(waits_for("ImagePullBackOff"))

    assert "--allow-image" in container(pod)["state"]["waiting"]["message"]
    assert pod["status"]["phase"] == "Pending"


async def test_a_crashing_program_is_restarted_ever_more_slowly_and_its_last_words_are_kept(node: Node) -> None:
    await node.create({"image": "busybox", "command": ["sh", "-c", "echo run; exit 3"]})
    pod = await node.until(lambda one: waits_for("CrashLoopBackOff")(one) and container(one)["restartCount"] >= 1)

    assert container(pod)["lastState"]["terminated"]["exitCode"] == 3
    assert (await node.logs("?previous=true")) == (200, "run\n")


async def test_a_missing_config_map_holds_the_container_until_it_is_there(node: Node) -> None:
    source = {"configMapKeyRef": {"name": "settings", "key": "greeting"}}
    env = [{"name": "GREETING", "valueFrom": source}]
    await node.create({"image": "busybox", "command": ["sh", "-c", "echo $(GREETING) from $HOSTNAME; sleep 60"], "env": env})
    await node.until(waits_for("CreateContainerConfigError"))
    await node.client.create(CONFIG_MAP, {"metadata": {"name": "settings", "namespace": "default"}, "data": {"greeting": "hello"}})
    await node.until(is_ready)

    async def said() -> bool:
        return (await node.logs())[1] == "hello from p\n"

    await until_true(said)


async def test_readiness_follows_the_probe_and_liveness_restarts(node: Node, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    probe = {"exec": {"command": ["test", "-e", str(flag)]}, "periodSeconds": 1, "failureThreshold": 1}
    await node.create({"readinessProbe": probe, "livenessProbe": {**probe, "failureThreshold": 2}})
    await node.until(is_ready)
    flag.unlink()
    await node.until(lambda pod: not is_ready(pod))
    restarted = await node.until(lambda pod: container(pod)["restartCount"] == 1)
    flag.touch()
    await node.until(is_ready)

    assert container(restarted)["restartCount"] == 1


async def test_a_pod_is_not_ready_before_its_readiness_gate_is(node: Node) -> None:
    await node.create({}, readinessGates=[{"conditionType": "example.com/registered"}])
    pod = await node.until(lambda one: container(one).get("ready"))
    assert not is_ready(pod)
    gate = {"type": "example.com/registered", "status": "True"}
    conditions = [*pod["status"]["conditions"], gate]
    await node.client.patch(ObjectRef(POD, "default", "p"), {"status": {"conditions": conditions}}, subresource="status")

    await node.until(is_ready)


async def test_a_deleted_pod_runs_its_hook_and_answers_until_it_is_gone(node: Node, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    hook = {"preStop": {"exec": {"command": ["sh", "-c", f"echo bye > {mark}"]}}}
    await node.create({"lifecycle": hook})
    await node.until(is_ready)
    await node.delete()
    await node.until(lambda pod: "deletionTimestamp" in pod["metadata"])

    assert (await node.fetch())[0] == 200
    await node.gone()
    assert mark.read_text() == "bye\n"


async def test_a_program_that_ignores_sigterm_is_killed_after_its_grace(node: Node) -> None:
    await node.create({"image": "busybox", "command": ["sh", "-c", "trap '' TERM; while true; do sleep 0.1; done"]})
    await node.until(is_ready)
    await node.delete(grace_seconds=1)

    await node.gone(seconds=5)


async def test_init_containers_run_first_and_one_after_the_other(node: Node, tmp_path: Path) -> None:
    story = tmp_path / "story"
    inits = [
        {"name": name, "image": "busybox", "command": ["sh", "-c", f"sleep 0.1; echo {name} >> {story}"]} for name in ("one", "two")
    ]
    await node.create({"image": "busybox", "command": ["sh", "-c", f"echo main >> {story}; sleep 60"]}, initContainers=inits)
    pod = await node.until(is_ready)

    async def told() -> bool:
        return story.read_text() == "one\ntwo\nmain\n"

    await until_true(told)
    assert [one["state"]["terminated"]["exitCode"] for one in pod["status"]["initContainerStatuses"]] == [0, 0]


def sidecar(story: Path) -> dict[str, Any]:
    script = f"echo sidecar >> {story}; trap 'echo stopped >> {story}; exit 0' TERM; while true; do sleep 0.02; done"
    return {"name": "side", "image": "busybox", "restartPolicy": "Always", "command": ["sh", "-c", script]}


async def test_a_sidecar_runs_beside_the_containers_and_ends_after_them(node: Node, tmp_path: Path) -> None:
    story = tmp_path / "story"
    script = f"echo main >> {story}; trap 'echo over >> {story}; exit 0' TERM; while true; do sleep 0.02; done"
    await node.create({"image": "busybox", "command": ["sh", "-c", script]}, initContainers=[sidecar(story)])
    pod = await node.until(is_ready)
    assert [(one["name"], one["ready"]) for one in pod["status"]["initContainerStatuses"]] == [("side", True)]

    async def told() -> bool:
        return sorted(story.read_text().split()) == ["main", "sidecar"]

    await until_true(told)
    await node.delete(grace_seconds=5)
    await node.gone()
    assert story.read_text().split()[-2:] == ["over", "stopped"]


async def test_a_job_is_done_when_only_its_sidecar_is_left(node: Node, tmp_path: Path) -> None:
    work = {"image": "busybox", "command": ["sh", "-c", "exit 0"]}
    await node.create(work, initContainers=[sidecar(tmp_path / "story")], restartPolicy="Never")

    pod = await node.until(lambda pod: pod["status"].get("phase") == "Succeeded")

    assert container(pod)["state"]["terminated"]["exitCode"] == 0
    await node.until(lambda pod: "terminated" in pod["status"]["initContainerStatuses"][0]["state"])


@pytest.mark.parametrize(
    ("code", "phase", "ending"),
    [pytest.param(0, "Succeeded", "Complete", id="ends well"), pytest.param(4, "Failed", "Failed", id="fails")],
)
async def test_a_job_runs_its_command_once(node: Node, code: int, phase: str, ending: str) -> None:
    template = {
        "spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "m", "image": "busybox", "command": ["sh", "-c", f"exit {code}"]}],
        }
    }
    body = {"metadata": {"name": "j", "namespace": "default"}, "spec": {"backoffLimit": 0, "template": template}}
    await node.client.create(JOB, body)

    async def ended() -> bool:
        status = (await node.client.get(JOB, "default", "j")).get("status") or {}
        return any(one["type"] == ending for one in status.get("conditions") or ())

    await until_true(ended)
    pods = (await node.client.list(POD)).items
    assert [pod["status"]["phase"] for pod in pods] == [phase]
    assert container(pods[0])["state"]["terminated"]["exitCode"] == code


async def test_logs_can_be_cut_and_followed(node: Node) -> None:
    await node.create({"image": "busybox", "command": ["sh", "-c", "echo a; echo b; sleep 0.3; echo c"]}, restartPolicy="Never")
    await node.until(is_ready)

    followed = await node.logs("?follow=true")
    assert followed == (200, "a\nb\nc\n")
    assert await node.logs("?tailLines=2") == (200, "b\nc\n")
    status, stamped = await node.logs("?timestamps=true")
    assert (status, [line.partition("Z ")[2] for line in stamped.splitlines()]) == (200, ["a", "b", "c"])
    assert (await node.logs("?sinceTime=yesterday"))[0] == 400


async def test_users_see_in_events_what_happened(node: Node) -> None:
    await node.create({"image": "nope"})
    await node.until(waits_for("ImagePullBackOff"))

    async def told() -> bool:
        events = (await node.client.list(CORE_EVENT)).items
        return any(one["reason"] == "Failed" and "nope" in one["message"] for one in events)

    await until_true(told)


async def test_the_node_shows_by_its_lease_that_it_lives(node: Node) -> None:
    await node.create({})
    await node.until(is_ready)

    lease = await node.client.get(LEASE, "kube-node-lease", "sandbox")

    assert lease["spec"]["holderIdentity"] == "sandbox"


async def test_what_a_killed_agent_left_of_pods_is_removed(tmp_path: Path) -> None:
    left, foreign = tmp_path / "node" / "default_gone_123" / "logs", tmp_path / "node" / "kubectl-cache"
    for folder in (left, foreign):
        folder.mkdir(parents=True)

    async with a_node(tmp_path):

        async def removed() -> bool:
            return not left.parent.exists()

        await until_true(removed)
        assert foreign.exists()


async def test_no_program_survives_a_killed_agent(tmp_path: Path) -> None:
    server = ApiServer()
    async with serving(server) as url:
        kubeconfig = tmp_path / "config"
        kubeconfig.write_text(
            f"{{apiVersion: v1, kind: Config, current-context: c, clusters: [{{name: c, cluster: {{server: '{url}'}}}}], "
            "contexts: [{name: c, context: {cluster: c, user: u}}], users: [{name: u, user: {}}]}"
        )
        network = f"127.10.{os.getpid() % 200 + 20}.0/24"
        arguments = ["--kubeconfig", str(kubeconfig), "--network", network, "--directory", str(tmp_path / "node")]
        agent = await asyncio.create_subprocess_exec(sys.executable, "-m", "sandbox.node", *arguments, stdout=subprocess.PIPE)
        assert agent.stdout is not None
        await agent.stdout.readline()
        client = Client(InProcessTransport(server))
        async with aiohttp.ClientSession() as session:
            node = Node(client, session)
            pids = tmp_path / "pids"
            script = f"sleep 1000 & echo $! $$$$ > {pids}; wait"
            await node.create({"image": "busybox", "command": ["sh", "-c", script]})
            await node.until(is_ready)

            async def written() -> bool:
                return pids.exists() and len(pids.read_text().split()) == 2

            await until_true(written)
        agent.send_signal(signal.SIGKILL)
        await agent.wait()

        async def dead() -> bool:
            return not any(_is_alive(int(pid)) for pid in pids.read_text().split())

        await until_true(dead)
        await client.close()


def _is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
