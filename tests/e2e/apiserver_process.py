"""The API server as a process, and stock kubectl pointed at it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sandbox.controlplane.programs import NoControlPlane, find


def _kubectls() -> dict[str, str]:
    """Return each kubectl that is there: the one on PATH, and the one that was built with the control plane."""
    found = {"the kubectl on PATH": shutil.which("kubectl")}
    with suppress(NoControlPlane):
        found["the kubectl that is built"] = str(built) if (built := find().kubectl) else None
    return {name: path for name, path in found.items() if path}


KUBECTLS = _kubectls()
"""They are of different versions: each is a referee."""
_ROOT = Path(__file__).parents[2]


class Process:
    """`python -m sandbox.apiserver` on a port that the kernel picked."""

    def __init__(self, folder: Path, *options: str, pass_fds: Sequence[int] = (), kubectl: str = "") -> None:
        self._kubectl = kubectl
        self.kubeconfig = folder / "kubeconfig"
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "sandbox.apiserver", "--token", "sesame", "--kubeconfig", str(self.kubeconfig), *options]
        self._process = subprocess.Popen(
            command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pass_fds=pass_fds
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            self.stop()

    @property
    def base(self) -> str:
        """The URL with the token in it."""
        return f"{self.url}/token/sesame"

    def stop(self, how: int = signal.SIGTERM) -> tuple[int, str]:
        """Stop it; return its exit code and what it complained of."""
        if self._process.poll() is None:
            self._process.send_signal(how)
        _, complaints = self._process.communicate(timeout=60)
        return self._process.returncode, complaints

    def start_kubectl(self, *words: str) -> subprocess.Popen[str]:
        """Start kubectl and return it."""
        return subprocess.Popen(
            [self._kubectl, *words],
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
        )

    def kubectl(self, *words: str, stdin: str | None = None, fails: bool = False) -> str:
        """Run kubectl to its end and return what it printed, on both streams when it is to fail."""
        running = self.start_kubectl(*words)
        out, complaints = running.communicate(stdin, timeout=60)
        assert (running.returncode != 0) is fails, f"kubectl {words}: {running.returncode}\n{out}\n{complaints}"
        return out + complaints if fails else out

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "KUBECONFIG": str(self.kubeconfig)}


def lines(text: str) -> Sequence[Sequence[str]]:
    """Return the words of each line."""
    return [line.split() for line in text.splitlines()]
