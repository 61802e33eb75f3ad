"""`rollouts demo`, played for real: its figures, its exit code, and what it leaves behind."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from sandbox_terminal import Tool, descendants, eventually

from sandbox.cluster import ControlPlane, StateFolder

pytestmark = pytest.mark.usefixtures("with_prometheus")
rollouts = Tool.rollouts()


@pytest.mark.parametrize("router", ["nginx", pytest.param("istio", marks=pytest.mark.slow)])
def test_the_good_version_is_promoted_and_the_bad_one_taken_back_without_a_lost_request(
    router: str, control_plane: ControlPlane, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    options = ("--json", "--router", router, "--control-plane", control_plane.value, "--state", str(state))
    found = json.loads(rollouts("demo", *options, timeout_seconds=118))
    good, bad = found["acts"]
    assert (found["ok"], found["problems"], found["lost"]) == (True, [], 0)
    assert [one["weight"] for one in good["weights"]] == [10, 25, 50, 75, 100]
    assert (good["outcome"], good["failed"]) == ("promoted", 0)
    assert (bad["outcome"], bad["weights"][-1]["weight"]) == ("taken back", 0)
    assert "must be result[0] >= 0.95" in bad["why"]
    assert 0 < bad["failed"] < bad["answered_by_it"] < bad["requests"] / 2
    assert found["failed"] == bad["failed"]
    assert not state.exists()


def test_ctrl_c_in_the_middle_stops_everything(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "state")
    with rollouts.start("demo", "--state", str(state.path)) as running:
        assert running.stdout is not None
        assert any("ships shop:2" in line for line in running.stdout)
        processes = descendants(running.pid)
        running.send_signal(signal.SIGINT)
        running.wait(60)
    assert running.returncode == 130
    eventually(lambda: not any(one.alive for one in processes), what="everything ends")
    assert not state.path.exists()


def test_without_prometheus_it_says_what_to_install(tmp_path: Path) -> None:
    done = rollouts.run("demo", "--prometheus", "none", "--state", str(tmp_path / "state"))
    assert done.returncode == 1
    assert "the demo needs Prometheus: apt-get install" in done.stderr


@pytest.mark.slow
def test_keep_leaves_the_sandbox_for_kubectl(tmp_path: Path, kubectl: Tool) -> None:
    state = tmp_path / "state"
    try:
        text = rollouts("demo", "--keep", "--state", str(state), timeout_seconds=110)
        assert f"export KUBECONFIG={state}/kubeconfig" in text
        kept = Tool(kubectl.command, {**kubectl.environment, "KUBECONFIG": str(state / "kubeconfig")})
        assert kept("get", "rollout", "shop", "-o", "jsonpath={.status.phase}") == "Degraded"
    finally:
        rollouts("sandbox", "down", "--state", str(state))
