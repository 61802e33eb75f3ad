"""Running commands as people do, and looking at processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sandbox.cluster.processes import Identity

FoundT = TypeVar("FoundT")
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Tool:
    """A command line program in an environment."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    cwd: Path | None = None

    @classmethod
    def rollouts(cls, environment: Mapping[str, str] = os.environ) -> Tool:
        """Our own command line."""
        return cls((str(Path(sys.executable).parent / "rollouts"),), environment)

    def run(self, *arguments: str, stdin: str | None = None, timeout_seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """Run it, whatever the exit code."""
        return subprocess.run(
            [*self.command, *arguments],
            env=dict(self.environment),
            cwd=self.cwd,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )

    def __call__(self, *arguments: str, stdin: str | None = None, timeout_seconds: float = 60) -> str:
        """Run it, expect success, and return what it printed."""
        done = self.run(*arguments, stdin=stdin, timeout_seconds=timeout_seconds)
        assert done.returncode == 0, f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start it and do not wait."""
        return subprocess.Popen(
            [*self.command, *arguments],
            env=dict(self.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )


def eventually(look: Callable[[], FoundT], *, what: str, timeout_seconds: float = 30.0) -> FoundT:
    """Return what `look` finds as soon as it finds something; fail after the time."""
    deadline = time.monotonic() + timeout_seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {timeout_seconds:.0f} s in vain: {what}"
        time.sleep(POLL_SECONDS)
    return found


def descendants(pid: int) -> list[Identity]:
    """Return every process below one, and itself."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(parent, []).append(int(folder.name))
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        waiting += children.get(one, [])
        identity = Identity.of(one)
        if identity:
            found.append(identity)
    return found
