"""`rollouts sandbox`: what people type, and that nothing is left behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sandbox_terminal import Tool, descendants, eventually

from kube.config import load
from kube.errors import Unauthorized
from kube.kinds import POD
from kube.quick import QuickClient
from sandbox.cluster import Cluster, ControlPlane, Options, StateFolder, sandbox_cluster
from sandbox.cluster.processes import Identity

rollouts = Tool.rollouts()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFolder]:
    """A folder for a sandbox, which is stopped after the test however that ended."""
    found = StateFolder(tmp_path / "sandbox")
    yield found
    rollouts("sandbox", "down", "--state", str(found.path))


def up(state: StateFolder, on: ControlPlane = ControlPlane.EMBEDDED) -> str:
    options = ("--prometheus", "none", "--control-plane", on.value, "--state", str(state.path))
    return rollouts("sandbox", "up", "--detach", *options)


def listens(address: str) -> bool:
    host, _, port = address.rpartition("//")[2].partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def everything_of(state: StateFolder) -> tuple[list[Identity], list[str]]:
    """Return the processes and the addresses of a sandbox."""
    record = state.running()
    return descendants(record.supervisor.pid), [record.server, record.ingress, record.name_proxy]


def assert_nothing_is_left(processes: list[Identity], addresses: list[str]) -> None:
    assert [one for one in processes if one.alive] == []
    assert [one for one in addresses if listens(one)] == []


def test_up_says_what_runs_where_and_how_to_use_it_and_status_shows_it(state: StateFolder, control_plane: ControlPlane) -> None:
    text = up(state, control_plane)
    record = state.running()
    table = rollouts("sandbox", "status", "--state", str(state.path)).partition("\n\n")[0]
    rows = [line.split() for line in table.splitlines()]
    assert rows[0] == ["PART", "PID", "ADDRESS", "READY", "RESTARTS", "AGE"]
    more = ("etcd", "controller-manager") if control_plane is ControlPlane.REAL else ()
    assert {row[0]: row[3] for row in rows[1:]} == dict.fromkeys(("apiserver", "node", "gateway", *more), "yes")
    for word in (
        record.server,
        record.ingress,
        record.name_proxy,
        "Prometheus  not installed",
        f"export KUBECONFIG={state.kubeconfig}",
    ):
        assert word in text


def test_down_leaves_no_process_no_open_port_and_no_file(state: StateFolder, control_plane: ControlPlane) -> None:
    up(state, control_plane)
    processes, addresses = everything_of(state)
    assert len(processes) > 4
    assert all(listens(one) for one in addresses)
    assert "is down" in rollouts("sandbox", "down", "--state", str(state.path))
    assert_nothing_is_left(processes, addresses)
    assert not state.path.exists()


@pytest.mark.parametrize(
    "victim", ["supervisor", *(pytest.param(name, marks=pytest.mark.slow) for name in ("apiserver", "gateway", "node"))]
)
def test_down_cleans_up_after_a_crash(state: StateFolder, victim: str) -> None:
    up(state)
    processes, addresses = everything_of(state)
    record = state.running()
    (record.supervisor if victim == "supervisor" else record.part(victim).process).send(signal.SIGKILL)
    rollouts("sandbox", "down", "--state", str(state.path))
    assert_nothing_is_left(processes, addresses)


def test_nothing_survives_a_killed_supervisor(state: StateFolder, control_plane: ControlPlane) -> None:
    up(state, control_plane)
    processes, addresses = everything_of(state)
    state.running().supervisor.send(signal.SIGKILL)
    eventually(lambda: not any(one.alive for one in processes), what="everything ends with the supervisor")
    eventually(lambda: not any(listens(one) for one in addresses), what="the kernel has closed the last sockets")
    assert_nothing_is_left(processes, addresses)
    assert "no sandbox runs" in rollouts.run("sandbox", "status", "--state", str(state.path)).stderr


def test_down_never_touches_a_process_that_has_the_number_of_a_dead_one(state: StateFolder) -> None:
    up(state)
    record = state.running()
    rollouts("sandbox", "down", "--state", str(state.path))
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        own = Identity.of(stranger.pid)
        assert own is not None
        earlier = Identity(own.pid, own.started - 1)
        with state.locked():
            parts = tuple(type(part)(name=part.name, process=earlier, address="", ready=True) for part in record.parts)
            state.write(type(record)(supervisor=earlier, ready=True, parts=parts))
        rollouts("sandbox", "down", "--state", str(state.path))
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_ctrl_c_stops_a_sandbox_in_the_foreground(state: StateFolder) -> None:
    running = rollouts.start("sandbox", "up", "--prometheus", "none", "--state", str(state.path))
    with running:
        assert running.stdout is not None
        assert any("Ctrl-C" in line for line in running.stdout)
        processes, addresses = everything_of(state)
        running.send_signal(signal.SIGINT)
        running.wait(60)
    assert running.returncode == 0
    assert_nothing_is_left(processes, addresses)


def test_a_sandbox_in_the_foreground_ends_with_a_terminal_that_is_killed(state: StateFolder) -> None:
    with rollouts.start("sandbox", "up", "--prometheus", "none", "--state", str(state.path)) as running:
        assert running.stdout is not None
        assert any("Ctrl-C" in line for line in running.stdout)
        processes, addresses = everything_of(state)
        running.kill()
    eventually(lambda: not any(one.alive for one in processes), what="everything ends")
    assert_nothing_is_left(processes, addresses)
    eventually(lambda: not state.path.exists(), what="the folder is cleaned")


def test_a_second_sandbox_in_the_same_folder_is_refused_and_the_first_goes_on(state: StateFolder) -> None:
    up(state)
    second = rollouts.run("sandbox", "up", "--detach", "--state", str(state.path))
    assert second.returncode == 1
    assert re.search(r"^Error: a sandbox runs already in .*; stop it with `rollouts sandbox down`", second.stderr)
    assert "yes" in rollouts("sandbox", "status", "--state", str(state.path))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(("status",), "no sandbox runs in", id="status without a sandbox"),
        pytest.param(("load", "shop"), "no sandbox runs in", id="load without a sandbox"),
        pytest.param(("traffic",), "no sandbox runs in", id="traffic without a sandbox"),
        pytest.param(
            ("up", "--prometheus", "/no/such/prometheus"), "there is no such program", id="a Prometheus that is not there"
        ),
        pytest.param(("up", "--api-port", "1"), "port 1 of 127.0.0.1 cannot be used", id="a port that is taken"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(state: StateFolder, arguments: tuple[str, ...], says: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        words = [port if word == "1" else word for word in arguments]
        done = rollouts.run("sandbox", *words, "--state", str(state.path))
    assert done.returncode == 1
    assert says.replace("port 1 ", f"port {port} ") in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_part_that_ends_at_once_is_named_with_the_end_of_its_log_and_nothing_is_left_running(state: StateFolder) -> None:
    done = rollouts.run("sandbox", "up", "--detach", "--prometheus", "false", "--state", str(state.path))
    assert done.returncode == 1
    assert done.stderr.startswith("Error: gateway ended at once (1):")
    assert "Prometheus ended at once" in done.stderr
    assert [one.name for one in state.path.iterdir()] == ["logs"]
    assert "no sandbox runs" in rollouts.run("sandbox", "status", "--state", str(state.path)).stderr


def test_parts_are_told_apart_by_their_names(state: StateFolder) -> None:
    up(state)
    record = state.running()
    names = [Path(f"/proc/{part.process.pid}/comm").read_text().strip() for part in record.parts]
    assert names == ["sandbox.apiserv", "sandbox.node", "sandbox.gateway"]


def test_a_folder_that_cannot_be_made_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = rollouts.run("sandbox", "up", "--detach", "--state", str(tmp_path / "file" / "sandbox"))
    assert done.stderr.endswith("cannot be made (Not a directory); use another --state\n")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)


def test_down_without_a_sandbox_is_no_error(state: StateFolder) -> None:
    assert "No sandbox runs" in rollouts("sandbox", "down", "--state", str(state.path))


def test_objects_survive_a_killed_api_server(cluster: Cluster, kubectl: Tool, namespace: str, control_plane: ControlPlane) -> None:
    if control_plane is ControlPlane.EXISTING:
        pytest.skip("the API server is not ours to kill")
    kubectl("create", "configmap", "kept", "-n", namespace, "--from-literal=colour=blue")
    cluster.killed_and_back("apiserver")
    assert kubectl("get", "configmap", "kept", "-n", namespace, "-o", "jsonpath={.data.colour}") == "blue"


@pytest.mark.parametrize("part", [pytest.param("controller", marks=pytest.mark.slow), "gateway", "node"])
def test_a_killed_part_comes_back(cluster: Cluster, part: str) -> None:
    cluster.killed_and_back(part)
    assert cluster.record.part(part).process.alive


def test_two_sandboxes_side_by_side_have_addresses_of_their_own(cluster: Cluster, kubectl: Tool, namespace: str) -> None:
    service = ("create", "service", "clusterip", "web", "--tcp=80:8080")
    with sandbox_cluster(Options(prometheus="none")) as other:
        second = Tool(kubectl.command, other.environment)
        kubectl(*service, "-n", namespace)
        second(*service)
        networks = {one.record.part("node").address for one in (cluster, other)}
        addresses = {
            kubectl("get", "service", "web", "-n", namespace, "-o", "jsonpath={.spec.clusterIP}"),
            second("get", "service", "web", "-o", "jsonpath={.spec.clusterIP}"),
        }
    assert len(networks) == 2
    assert len({address.split(".")[1] for address in addresses}) == 2


def test_the_kubeconfig_is_for_its_owner_alone(cluster: Cluster) -> None:
    assert os.stat(cluster.kubeconfig).st_mode & 0o777 == 0o600


def test_without_the_token_the_api_is_closed(cluster: Cluster) -> None:
    stranger = replace(load(str(cluster.kubeconfig)), token=None, username=None, password=None)
    with QuickClient(stranger) as client, pytest.raises(Unauthorized):
        client.list(POD, "default")
