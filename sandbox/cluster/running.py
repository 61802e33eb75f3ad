"""Handles on a running cluster, for the command line, the demo and tests.

Owns bringing a supervisor up and down. Must not: run parts itself.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.cluster.processes import POLL_SECONDS, end
from sandbox.cluster.state import BROUGHT, Record, SandboxError, StateFolder
from sandbox.cluster.topology import Options

STOP_SECONDS = 6.0
TAKE_OUT_SECONDS = 75.0
"""Added where something has to be taken out of a cluster that goes on."""
WAIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running cluster."""

    state: StateFolder

    @property
    def record(self) -> Record:
        """Who runs where, now.

        Raises:
            NotRunning: nobody does.
        """
        return self.state.running()

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state.kubeconfig

    @property
    def ingress_address(self) -> str:
        """Host and port where Ingresses and Istio Gateways are served; the `Host` header chooses."""
        return self.record.ingress

    @property
    def gateway(self) -> str:
        """The same as a URL."""
        return f"http://{self.record.ingress}"

    @property
    def prometheus_url(self) -> str:
        """URL of Prometheus; empty without one."""
        return self.record.prometheus

    @property
    def name_proxy(self) -> str:
        """URL of the HTTP proxy that knows the names of the cluster."""
        return self.record.name_proxy

    @property
    def environment(self) -> Mapping[str, str]:
        """What a command needs to work on this cluster: kubeconfig, kubectl's cache, and the names of the cluster."""
        return {
            **os.environ,
            **self.record.environment,
            "KUBECONFIG": str(self.kubeconfig),
            "KUBECACHEDIR": str(self.state.path / "node" / "kubectl-cache"),
        }

    def kill(self, part: str) -> None:
        """Kill a part with SIGKILL; the supervisor starts it again."""
        self.record.part(part).process.send(signal.SIGKILL)

    def killed_and_back(self, part: str, *, timeout_seconds: float = WAIT_SECONDS) -> None:
        """Kill a part and wait until its successor is ready.

        Raises:
            SandboxError: it does not come back in time.
        """
        before = self.record.part(part).process  # it may have ended by itself: its successor counts then
        before.send(signal.SIGKILL)
        until(
            lambda: (now := self.record.part(part)).ready and now.process != before,
            what=f"{part} is ready again",
            timeout_seconds=timeout_seconds,
        )


def up(state: StateFolder, options: Options = Options(), *, attached: bool = False) -> subprocess.Popen[str]:  # noqa: B008
    """Start a cluster and return its supervisor when all parts are ready.

    Args:
        state: its folder.
        options: what to run.
        attached: whether it ends with this process (when the standard input of the supervisor is closed).

    Raises:
        SandboxError: it cannot be started; the text says why.
    """
    supervisor = subprocess.Popen(
        _command(state, options, attached=attached),
        stdin=subprocess.PIPE if attached else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert supervisor.stdout is not None
    assert supervisor.stderr is not None
    try:
        line = supervisor.stdout.readline()
        if not line:
            raise SandboxError(supervisor.stderr.read().strip().removeprefix("error: ") or "the sandbox did not start")
        json.loads(line)
    except BaseException:
        _stop(supervisor, seconds=_patience_seconds(state))
        raise
    supervisor.stdout.close()
    supervisor.stderr.close()
    if not attached:
        supervisor.returncode = 0  # it is on its own from here: nobody waits for it, and nobody is to be warned about that
    return supervisor


def down(state: StateFolder) -> bool:
    """Stop the cluster of a folder, also what a crash left behind, and clean the folder. Returns whether there was one.

    Raises:
        SandboxError: what was brought into an existing cluster does not go.
        ApiError: that cluster does not answer, or refuses.
    """
    record = state.read()
    if record is not None:
        end([record.supervisor], grace_seconds=_patience_seconds(state))
        end([part.process for part in record.parts], grace_seconds=1.0)
    elif not _is_in_a_cluster(state):
        return False
    _take_out(state)
    state.clear()
    return True


@contextmanager
def sandbox_cluster(options: Options = Options(), *, state: Path | None = None) -> Iterator[Cluster]:  # noqa: B008
    """Run a cluster for as long as the context lasts; it ends with this process, however that ends.

    Args:
        options: what to run.
        state: its folder; a temporary one when absent.

    Raises:
        SandboxError: it cannot be started.
    """
    with tempfile.TemporaryDirectory(prefix="rollouts-sandbox-") as temporary:
        folder = StateFolder(state.absolute() if state else Path(temporary) / "state")
        supervisor = up(folder, options, attached=True)
        try:
            yield Cluster(folder)
        finally:
            _stop(supervisor, seconds=_patience_seconds(folder))
            _take_out(folder)


def until(condition: Callable[[], object], *, what: str, timeout_seconds: float = WAIT_SECONDS) -> None:
    """Wait until something is the case.

    Raises:
        SandboxError: it is not within the time; the text says what was waited for.
    """
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SandboxError(f"waited {timeout_seconds:.0f} s in vain until {what}")
        time.sleep(POLL_SECONDS)


def _is_in_a_cluster(state: StateFolder) -> bool:
    return (state.path / BROUGHT).exists()


def _patience_seconds(state: StateFolder) -> float:
    return STOP_SECONDS + (TAKE_OUT_SECONDS if _is_in_a_cluster(state) else 0.0)


def _take_out(state: StateFolder) -> None:
    """Take out what a supervisor that crashed has left in an existing cluster."""
    if _is_in_a_cluster(state):
        from sandbox.cluster.brought import take_out  # reads YAML, which others need not wait for

        take_out(state.path)


def _stop(supervisor: subprocess.Popen[str], *, seconds: float = STOP_SECONDS) -> None:
    for stream in (supervisor.stdin, supervisor.stdout, supervisor.stderr):
        if stream and not stream.closed:
            stream.close()
    supervisor.terminate()
    try:
        supervisor.wait(seconds)
    except subprocess.TimeoutExpired:
        supervisor.kill()
        supervisor.wait()


def _command(state: StateFolder, options: Options, *, attached: bool) -> list[str]:
    command = [sys.executable, "-m", "sandbox.cluster", "--state", str(state.path)]
    for name in ("api", "ingress", "proxy", "prometheus"):
        command += [f"--{name}-port", str(getattr(options, f"{name}_port"))]
    command += ["--prometheus", options.prometheus] if options.prometheus else []
    command += [f"--allow-image={pattern}" for pattern in options.allow_images]
    command += [f"--played-pods={options.played_pods}"] if options.played_pods is not None else []
    command += ["--with-controller"] if options.with_controller else []
    command += [f"--controller-argument={word}" for word in options.controller_arguments]
    command += [f"--context={options.context}"] if options.context else []
    command += ["--bare"] if options.bare else []
    command += ["--control-plane", options.control_plane.value, *(["--audit-log"] if options.audit_log else [])]
    return [*command, *(["--attached"] if attached else [])]
