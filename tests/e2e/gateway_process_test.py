"""`python -m sandbox.gateway` as a process: starts, says where it is, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from gateway_harness import ask

from sandbox.apiserver.http import serving
from sandbox.apiserver.server import ApiServer
from tests.gateway_objects import SERVICES

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def kubeconfig(tmp_path: Path) -> AsyncIterator[Path]:
    """A kubeconfig of a fresh API server."""
    async with serving(ApiServer(service_network=f"{SERVICES}.0.0/16")) as url:
        named = {"name": "sandbox"}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{**named, "cluster": {"server": url}}],
            "users": [{**named, "user": {}}],
            "contexts": [{**named, "context": {"cluster": "sandbox", "user": "sandbox"}}],
            "current-context": "sandbox",
        }
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(content))
        yield path


async def started(kubeconfig: Path, state: Path) -> tuple[asyncio.subprocess.Process, dict[str, Any]]:
    """Start the process and wait until it has said where it is."""
    command = [sys.executable, "-m", "sandbox.gateway", "--kubeconfig", str(kubeconfig), "--state", str(state)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    async with asyncio.timeout(60):
        said = (await process.stdout.readuntil(b"}\n")).decode()
    return process, json.loads(said)


def children(pid: int) -> list[int]:
    """The process ids of a process' children."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def gone(pids: list[int]) -> None:
    """Wait until these processes have ended; one that nobody has reaped yet has ended."""
    async with asyncio.timeout(10):
        for pid in pids:
            with suppress(FileNotFoundError, ProcessLookupError):
                while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX":  # noqa: ASYNC110, ASYNC240
                    await asyncio.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=["SIGTERM", "SIGINT", "kill -9"])
async def test_nothing_is_left_running(kubeconfig: Path, tmp_path: Path, number: signal.Signals) -> None:
    process, said = await started(kubeconfig, tmp_path / "state")
    offspring = children(process.pid)
    ((status, _),) = await ask(said["ingress"])
    assert (status, said["pid"]) == (404, process.pid)
    assert offspring
    process.send_signal(number)
    code = await process.wait()
    await gone(offspring)
    assert code == (-9 if number is signal.SIGKILL else 0)
    if code == 0:
        assert os.listdir(tmp_path / "state") == ["envoy"]


async def test_it_starts_again_in_the_folder_of_one_that_was_killed(kubeconfig: Path, tmp_path: Path) -> None:
    first, _ = await started(kubeconfig, tmp_path / "state")
    first.kill()
    await first.wait()
    second, said = await started(kubeconfig, tmp_path / "state")
    ((status, _),) = await ask(said["ingress"])
    assert status == 404
    second.terminate()
    assert await second.wait() == 0


async def test_a_cluster_that_cannot_be_found_is_said_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sandbox.gateway", "--kubeconfig", str(tmp_path / "none")]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE, cwd=ROOT)
    _, said = await process.communicate()
    assert process.returncode == 1
    assert said.decode().splitlines() == [f"error: there is no file {tmp_path / 'none'}"]
