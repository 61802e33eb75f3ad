"""The shipped manifests on a sandbox, the controller as a process under the shipped account, and what it was refused."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox_terminal import Tool, eventually

from sandbox.cluster import Cluster
from sandbox.cluster.account import ACCOUNT, HOME, USER
from sandbox.cluster.topology import NO_PROXY, SHORT_LEASE

ROOT = Path(__file__).parents[2]


def installed(kubectl: Tool, overlay: str) -> None:
    """Apply an overlay as it is shipped; no pod of it runs here, the test starts the process."""
    text = kubectl("kustomize", str(ROOT / "config/overlays" / overlay))
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)
    kubectl("scale", "deployment", ACCOUNT, "-n", HOME, "--replicas=0")


@contextmanager
def controller(sandbox: Cluster, folder: Path, *arguments: str, kubeconfig: Path | None = None) -> Iterator[Path]:
    """Run the controller under the account, or that of a kubeconfig; yields its log when it leads."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    pages = [f"--{page}={port}" for page in ("healthzPort", "metricsPort")]
    pages += [f"--{page}=127.0.0.1" for page in ("healthz-address", "metrics-address")]
    kubeconfig = kubeconfig or sandbox.state.path / "controller.kubeconfig"
    log = folder / "controller.log"
    names = dict.fromkeys(("http_proxy", "HTTP_PROXY"), sandbox.name_proxy) | {"no_proxy": NO_PROXY, "NO_PROXY": NO_PROXY}
    command = (sys.executable, "-m", "rollouts.app", "--kubeconfig", str(kubeconfig), *pages, *SHORT_LEASE, *arguments)
    with log.open("wb") as file:
        process = subprocess.Popen(command, env={**os.environ, **names}, stderr=file, stdin=subprocess.DEVNULL)
    try:
        eventually(lambda: process.poll() is not None or "everything is listed" in log.read_text(), what="the controller is ready")
        assert process.poll() is None, log.read_text()
        yield log
    finally:
        process.terminate()
        process.wait(30)


def refusals(sandbox: Cluster) -> list[str]:
    """Return what the API server has refused the account so far, each once."""
    return sorted({what for what, code in asked(sandbox) if code == 403})


def lacking(sandbox: Cluster) -> list[str]:
    """Return what the account was refused every time; an API server that has just started refuses what it knows no rule for yet."""
    return sorted(set(refusals(sandbox)) - {what for what, code in asked(sandbox) if code != 403})


def asked(sandbox: Cluster) -> Iterator[tuple[str, int]]:
    """Yield what the account has asked for, verb and resource, with the code of each answer."""
    for line in (sandbox.state.path / "logs" / "audit.log").read_text().splitlines():
        entry = json.loads(line)
        if entry["user"].get("username") == USER and "responseStatus" in entry:
            ref = entry.get("objectRef", {})
            place = "/".join(filter(None, (ref.get("resource"), ref.get("subresource"))))
            yield f"{entry['verb']} {place or entry['requestURI']}", entry["responseStatus"].get("code", 0)
