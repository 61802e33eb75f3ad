"""`kubectl logs` with every option that people use, on programs that really run."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from sandbox_terminal import Tool, eventually

POD = """
apiVersion: v1
kind: Pod
metadata: {name: talker}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: busybox
    command: [sh, -c, 'echo run; if [ ! -e seen ]; then touch seen; echo first run; exit 1; fi; echo second run; exec sleep 600']
  - name: beside
    image: busybox
    command: [sh, -c, 'echo old; sleep 3; echo new; exec sleep 600']
"""
LINE = re.compile(r"(\S+Z) (.*)")


@pytest.fixture
def talker(kubectl: Tool, namespace: str) -> Tool:
    """kubectl logs of a pod with two containers, of which one was restarted and the other has said all."""
    kubectl("apply", "-n", namespace, "-f", "-", stdin=POD)
    logs = Tool((*kubectl.command, "logs", "-n", namespace, "talker"), kubectl.environment)
    eventually(lambda: "second run" in logs.run("-c", "main").stdout, what="the second run")
    eventually(lambda: "new" in logs.run("-c", "beside").stdout, what="the last line")
    return logs


def test_logs_are_shown_as_every_option_says(talker: Tool) -> None:
    assert talker("-c", "main") == "run\nsecond run\n"
    assert talker("-c", "main", "--previous") == "run\nfirst run\n"
    assert talker("-c", "main", "--tail", "1") == "second run\n"
    stamped = [LINE.fullmatch(line) for line in talker("-c", "beside", "--timestamps").splitlines()]
    times = [datetime.fromisoformat(found[1]) for found in stamped if found]
    assert [found[2] for found in stamped if found] == ["old", "new"]
    assert times[0] < times[1]
    assert talker("-c", "beside", "--since-time", times[1].isoformat()) == "new\n"
    assert talker("-c", "beside", "--since-time", times[0].isoformat()) == "old\nnew\n"
    assert talker("-c", "beside", "--since", "1h") == "old\nnew\n"
    everything = talker("--all-containers", "--prefix")
    assert "[pod/talker/main] second run" in everything
    assert "[pod/talker/beside] new" in everything


def test_a_log_is_followed_with_times_until_the_container_ends(kubectl: Tool, namespace: str) -> None:
    command = ("--restart=Never", "--image=busybox", "--command", "--", "sh", "-c", "echo a; sleep 1; echo b; printf c")
    kubectl("run", "once", "-n", namespace, *command)
    kubectl("wait", "pod/once", "-n", namespace, "--for=jsonpath={.status.phase}=Running", "--timeout=20s")
    followed = kubectl("logs", "once", "-n", namespace, "-f", "--timestamps").splitlines()
    assert [LINE.fullmatch(line)[2] for line in followed] == ["a", "b", "c"]  # type: ignore[index]


def test_run_attached_shows_all_that_the_command_prints(kubectl: Tool, namespace: str) -> None:
    command = ("--attach", "--rm", "--restart=Never", "--image=busybox", "--", "sh", "-c", "echo a; sleep 1; echo b")
    assert kubectl("run", "shown", "-n", namespace, *command).splitlines()[:2] == ["a", "b"]
