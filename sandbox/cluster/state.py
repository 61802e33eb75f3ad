"""The state folder of a sandbox: its files, its lock, and the record of who runs where.

Owns the folder's layout. Must not: start or stop anything.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sandbox.cluster.processes import Identity

FOLDERS = ("gateway", "node", "logs", "load", "controlplane")
BROUGHT = "brought"
"""The folder with the list of what is in a cluster that goes on; it stays until that was taken out."""
FILES = ("cluster.json", "lock")
PATTERNS = ("*kubeconfig", "objects.journal*", "*.tmp")


class SandboxError(RuntimeError):
    """A sandbox cannot do what was asked; the text says what to do."""


class AlreadyRunning(SandboxError):
    """There is a sandbox in this folder."""


class NotRunning(SandboxError):
    """There is no sandbox in this folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRecord:
    """One running process of a sandbox."""

    name: str
    process: Identity
    address: str
    ready: bool
    restarts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A running sandbox, as its supervisor writes it down. Addresses are empty for what does not run."""

    supervisor: Identity
    ready: bool
    """Every part was ready once."""
    parts: tuple[PartRecord, ...] = ()
    control_plane: str = "embedded"
    server: str = ""
    ingress: str = ""
    name_proxy: str = ""
    prometheus: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    """In which HTTP clients reach names of the cluster."""

    def part(self, name: str) -> PartRecord:
        """Return a part by name.

        Raises:
            NotRunning: there is none of this name.
        """
        for one in self.parts:
            if one.name == name:
                return one
        raise NotRunning(f"the sandbox has no part {name!r}; it has: {', '.join(one.name for one in self.parts)}")


@dataclass(frozen=True, slots=True)
class StateFolder:
    """Everything a sandbox keeps on disk."""

    path: Path

    @property
    def kubeconfig(self) -> Path:
        """For people: administrator, namespace default."""
        return self.path / "kubeconfig"

    def log(self, part: str) -> Path:
        """Return where a part's output goes."""
        return self.path / "logs" / f"{part}.log"

    def fresh_log(self, part: str) -> Path:
        """Put the log of the run before aside as `NAME.before.log`, and return where the new one goes."""
        log = self.log(part)
        if log.exists():
            os.replace(log, log.with_suffix(".before.log"))
        return log

    def read(self) -> Record | None:
        """Return what was last written down; None when there is nothing (any more)."""
        try:
            found = json.loads((self.path / "cluster.json").read_text())
        except FileNotFoundError:
            return None
        parts = tuple(PartRecord(**{**part, "process": Identity(**part["process"])}) for part in found.pop("parts"))
        return Record(**{**found, "supervisor": Identity(**found["supervisor"]), "parts": parts})

    def running(self) -> Record:
        """Return the record of a sandbox whose supervisor is alive.

        Raises:
            NotRunning: there is none.
        """
        record = self.read()
        if record is None or not record.supervisor.alive:
            raise NotRunning(f"no sandbox runs in {self.path}; start one with `rollouts sandbox up`")
        return record

    def write(self, record: Record) -> None:
        """Write a record down; readers see the old one or the new one whole."""
        replace(self.path / "cluster.json", json.dumps(asdict(record), indent=2))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for one supervisor.

        Raises:
            AlreadyRunning: another one holds it.
            SandboxError: it cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise SandboxError(f"the folder {self.path} cannot be made ({error.strerror}); use another --state") from None
        with (self.path / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunning(
                    f"a sandbox runs already in {self.path}; stop it with `rollouts sandbox down`, or use another --state"
                ) from None
            for name in FOLDERS:
                (self.path / name).mkdir(exist_ok=True)
            yield

    def clear(self, *, keep_logs: bool = False) -> None:
        """Remove what a sandbox wrote here, and the folder if nothing else is in it."""
        for name in FOLDERS:
            if not (keep_logs and name == "logs"):
                shutil.rmtree(self.path / name, ignore_errors=True)
        for found in [self.path / name for name in FILES] + [file for pattern in PATTERNS for file in self.path.glob(pattern)]:
            found.unlink(missing_ok=True)
        if self.path.is_dir() and not any(self.path.iterdir()):
            self.path.rmdir()


def default_state(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the sandbox nobody named: under `XDG_STATE_HOME`, or `~/.local/state`."""
    base = environment.get("XDG_STATE_HOME") or Path(environment.get("HOME") or "~").expanduser() / ".local" / "state"
    return Path(base) / "rollouts" / "sandbox"


def replace(path: Path, text: str) -> None:
    """Write a file, private to this user, that appears whole."""
    beside = path.with_name(path.name + ".tmp")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    os.replace(beside, path)
