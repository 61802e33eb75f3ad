"""Building the image without a daemon, in a folder of the test's own, and starting what is in it as a pod would be."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
IMAGE = "localhost/rollouts:test"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
LIBRARIES = (
    *("libssl3", "libffi8", "libsqlite3-0", "libbz2-1.0", "liblzma5"),
    *("libreadline8", "libncursesw6", "libuuid1", "zlib1g", "libexpat1"),
)
"""Those that CPython's modules are linked with, as in the real base image."""
BUNDLE = "etc/ssl/certs/ca-certificates.crt"
BUILD_SECONDS = 400
CACHE = "/var/lib/containers"
KEPT_IN_THE_FOLDER = f'mkdir -p {CACHE} && mount --bind "$0" {CACHE} && exec "$@"'
"""Is given a folder and the command. No option of buildah leads what it remembers of layers elsewhere."""
STARTED_AS_A_POD = """
user="$1" && shift && mount --bind "$1" "$1" && mount -t tmpfs -o mode=1777,size=16m scratch "$1/tmp" &&
mount --bind /dev "$1/dev" && mount --bind /proc "$1/proc" && mount -o remount,ro,bind "$1" && exec chroot --userspec="$user" "$@"
"""
"""Is given the user, the new root, and the command."""


@dataclass(frozen=True, slots=True)
class Buildah:
    """The program, with everything it stores below one folder."""

    folder: Path

    def __call__(self, *words: str, seconds: float = 60) -> str:
        """Run it, expect success, and return what it printed."""
        done = self.run(*words, seconds=seconds)
        assert done.returncode == 0, f"buildah {' '.join(words)}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout.strip()

    def run(self, *words: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """Run it, whatever comes of it."""
        places = ("--root", str(self.folder / "storage"), "--runroot", str(self.folder / "run"), "--storage-driver", "vfs")
        cache = self.folder / "cache"
        cache.mkdir(exist_ok=True)
        kept = ("unshare", "--mount", "sh", "-c", KEPT_IN_THE_FOLDER, str(cache))
        return _run((*kept, "buildah", *places, *words), seconds=seconds)

    def clear(self) -> None:
        """Let go of everything that was stored."""
        self.run("rm", "--all")
        self.run("rmi", "--all", "--force")
        shutil.rmtree(self.folder / "storage", ignore_errors=True)


def needed() -> None:
    """Skip where images cannot be built."""
    missing = [name for name in ("buildah", "unshare") if shutil.which(name) is None]
    if missing or not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip(f"building the image needs Linux, root, and {' and '.join(missing or ['nothing else'])}")


def base_image(buildah: Buildah, debian: str) -> str:
    """Bring in the base image; return for which Python. Where no registry answers, a stand-in is made of what this machine has.

    The stand-in is Debian's smallest system with the running interpreter in /usr/local, where the real one has it.
    """
    name = f"docker.io/library/python:{PYTHON}-slim-{debian}"
    if buildah.run("pull", "--quiet", name, seconds=120).returncode == 0:
        return PYTHON
    if shutil.which("debootstrap") is None:
        pytest.skip(f"{name} cannot be pulled, and debootstrap, which makes a stand-in for it, is not installed")
    system = buildah.folder / "base"
    include = ",".join(("ca-certificates", *LIBRARIES))
    done = _run(("debootstrap", "--variant=minbase", f"--include={include}", debian, str(system)), seconds=300)
    if done.returncode != 0:
        pytest.skip(f"{name} cannot be pulled, nor a stand-in be made: {(done.stderr or done.stdout).strip()[-300:]}")
    for bulky in ("usr/share/doc", "usr/share/locale", "usr/share/man", "var/cache/apt", "var/lib/apt/lists"):
        shutil.rmtree(system / bulky, ignore_errors=True)
    _copy_interpreter(system / "usr/local")
    shutil.copy(os.environ.get("SSL_CERT_FILE") or Path("/") / BUNDLE, system / BUNDLE)
    for words in (("ldconfig",), ("/usr/local/bin/python", "-c", "import ssl, ctypes, sqlite3, lzma")):
        started = _run(("chroot", str(system), *words), seconds=60)
        if started.returncode != 0:
            pytest.skip(f"this machine's Python does not run in Debian {debian}: {started.stderr.strip()[-300:]}")
    (buildah.folder / "Base").write_text("FROM scratch\nCOPY . /\nENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n")
    buildah("build", "--isolation", "chroot", "--tag", name, "--file", str(buildah.folder / "Base"), str(system), seconds=200)
    shutil.rmtree(system)
    return PYTHON


def _copy_interpreter(place: Path) -> None:
    """Copy the running interpreter, with pip and without what else was installed into it."""
    prefix = Path(sys.base_prefix)
    library = prefix / "lib" / f"python{PYTHON}"
    left_out = shutil.ignore_patterns("test", "idlelib", "config-*", "__pycache__", "site-packages", "_tkinter*")
    shutil.copytree(library, place / "lib" / library.name, symlinks=True, ignore=left_out, dirs_exist_ok=True)
    pip = Path("site-packages") / "pip"
    shutil.copytree(library / pip, place / "lib" / library.name / pip, ignore=shutil.ignore_patterns("__pycache__"))
    for shared in (prefix / "lib").glob("libpython3*"):
        shutil.copy(shared, place / "lib", follow_symlinks=False)
    shutil.copy(prefix / "bin" / f"python{PYTHON}", place / "bin")
    for name in ("python", "python3"):
        (place / "bin" / name).symlink_to(f"python{PYTHON}")


def build(buildah: Buildah, *, python: str) -> None:
    """Build the image as it is in the repository; what a package index does not answer is a reason to skip."""
    arguments = ("--pull-never", "--isolation", "chroot", "--build-arg", f"PYTHON={python}", "--tag", IMAGE, str(ROOT))
    done = buildah.run("build", *arguments, seconds=BUILD_SECONDS)
    if "No matching distribution found for" in done.stdout + done.stderr:
        pytest.skip("building the image needs a package index, and none can be reached")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in the image, and how it is started."""

    path: Path
    """Of its files, of which a copy is made so that the image stays as it is."""
    config: Mapping[str, Any]

    @classmethod
    def of(cls, buildah: Buildah) -> Contents:
        """Unpack the image."""
        config = json.loads(buildah("inspect", "--type", "image", IMAGE))["OCIv1"]["config"]
        path = Path(buildah("mount", buildah("from", "--pull-never", IMAGE, seconds=200)))
        for name in ("dev", "proc"):  # as whoever starts containers does
            (path / name).mkdir(exist_ok=True)
        return cls(path, config)

    def files(self) -> list[Path]:
        """Return the path of everything, as it is seen inside."""
        return [Path("/") / one.relative_to(self.path) for one in sorted(self.path.rglob("*"))]

    def command(self, *words: str) -> Sequence[str]:
        """Return what starts a command as in the pod of config/: the image's user, a root that is only read, a small /tmp."""
        return ("unshare", "--mount", "sh", "-c", STARTED_AS_A_POD, "pod", self.user, str(self.path), *words)

    @property
    def user(self) -> str:
        return str(self.config["User"])

    @property
    def python(self) -> str:
        return str(self.config["Entrypoint"][0])

    @property
    def environment(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.config["Env"])

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside to its end."""
        return subprocess.run(
            self.command(*words),
            env=self._outer(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def start(self, *arguments: str, log: Path) -> subprocess.Popen[bytes]:
        """Start what the image is for, with arguments; it writes into a log."""
        with log.open("wb") as file:
            command = self.command(*self.config["Entrypoint"], *arguments)
            return subprocess.Popen(command, env=self._outer(), stdout=file, stderr=file, stdin=subprocess.DEVNULL)

    def _outer(self) -> dict[str, str]:
        """Return the image's environment, with the programs of this machine behind its own: they start it, and are not in it."""
        return {**self.environment, "PATH": f"{self.environment['PATH']}:{os.environ['PATH']}"}


def _run(
    command: Sequence[str], *, seconds: float, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL, env=environment
    )
