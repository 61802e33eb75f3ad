"""Builds the control plane once, into the cache folder.

Owns the build's flags, its progress, and that the result appears whole or not at all. Must not: choose who needs it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sandbox.controlplane.failing import reason_of
from sandbox.controlplane.programs import BINARY, KUBERNETES, NAMES, NoControlPlane, Programs, built_folder, sources
from sandbox.controlplane.toolchain import find_go

REPORT_SECONDS = 5.0
_MAJOR, _MINOR, _ = KUBERNETES.split(".")
STAMPS = {
    "k8s.io/component-base/version.gitVersion": f"v{KUBERNETES}",
    "k8s.io/component-base/version.gitMajor": _MAJOR,
    "k8s.io/component-base/version.gitMinor": _MINOR,
    "k8s.io/component-base/version.gitTreeState": "clean",
    "k8s.io/client-go/pkg/version.gitVersion": f"v{KUBERNETES}",
    "k8s.io/client-go/pkg/version.gitMajor": _MAJOR,
    "k8s.io/client-go/pkg/version.gitMinor": _MINOR,
}
"""Without them `kubectl version` and the checks of version skew go wrong."""
OWN_SETTINGS = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=readonly"}
"""Settings of Go that a person's environment must not change."""


def build(
    tell: Callable[[str], None], *, again: bool = False, environment: Mapping[str, str] = os.environ
) -> tuple[Programs, bool]:
    """Build the programs, unless they are there already; return them, and whether they were built now.

    Two builds at once wait for each other, and the second one finds what the first has made.

    Args:
        tell: gets lines about the progress.
        again: build even if they are there.
        environment: of the build; says also where the cache is.

    Raises:
        NoControlPlane: it fails; the text says why and what to do.
    """
    folder = built_folder(environment)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(folder.parent / "lock", tell):
            if not again and (folder / BINARY).exists():
                return Programs(folder), False
            with tempfile.TemporaryDirectory(prefix="building-", dir=folder.parent) as temporary:
                _compile(Path(temporary), environment, tell)
                _put(Path(temporary), folder)
    except OSError as error:
        raise NoControlPlane(f"the control plane cannot be built: {error.strerror or error} ({error.filename or folder})") from None
    return Programs(folder), True


def command(go: Path, output: Path) -> list[str]:
    """Return the command that builds; the same flags find what an earlier build left in Go's cache."""
    stamps = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in STAMPS.items())])
    return [str(go), "build", "-v", "-trimpath", f"-ldflags={stamps}", "-o", str(output), "."]


@contextmanager
def _alone(lock: Path, tell: Callable[[str], None]) -> Iterator[None]:
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell("another build is under way; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _compile(folder: Path, environment: Mapping[str, str], tell: Callable[[str], None]) -> None:
    """Build into `folder/out`."""
    module = folder / "module"
    module.mkdir()
    for name, content in sources().items():
        (module / name).write_bytes(content)
    go = find_go(environment, tell)
    tell(
        f"building Kubernetes {KUBERNETES} with {go}: about six minutes on two cores the first time, seconds when Go has it cached"
    )
    output = folder / "out" / BINARY
    output.parent.mkdir()
    process = subprocess.Popen(
        command(go, output),
        cwd=module,
        env={**environment, **OWN_SETTINGS},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said = _follow(process, tell)
        if process.wait() != 0:
            raise NoControlPlane(f"the build failed: {reason_of(said)}")
    finally:
        process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()


def _follow(process: subprocess.Popen[str], tell: Callable[[str], None]) -> str:
    """Report what Go does every few seconds; return what it said that is no progress."""
    assert process.stderr is not None
    began = last = time.monotonic()
    fetched = compiled = 0
    said: list[str] = []
    for line in process.stderr:
        if line.startswith("go: downloading"):
            fetched += 1
        elif line[:1].isalpha() and " " not in line.strip():
            compiled += 1
        else:
            said.append(line)
        now = time.monotonic()
        if now - last > REPORT_SECONDS:
            last = now
            tell(f"  {now - began:4.0f} s: {fetched} modules fetched, {compiled} packages compiled")
    return "".join(said)


def _put(temporary: Path, folder: Path) -> None:
    """Make the result appear under its name, with a link for each program it can be."""
    made = temporary / "out"
    for name in NAMES:
        (made / name).symlink_to(BINARY)
    if folder.exists():
        folder.rename(temporary / "before")
    made.rename(folder)
    shutil.rmtree(temporary / "before", ignore_errors=True)
