"""Where the programs of a real control plane are: those of `KUBEBUILDER_ASSETS`, or those that were built.

Owns the order of looking, and the folder of what was built. Must not: build or run anything.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

VARIABLE = "KUBEBUILDER_ASSETS"
KUBERNETES = "1.34.4"
"""What the module builds; the versions in its go.mod say the same."""
SOURCES = ("go.mod", "go.sum", "main.go")
NEEDED = ("etcd", "kube-apiserver")
NAMES = (*NEEDED, "kube-controller-manager", "kubectl")
BINARY = "controlplane"


class NoControlPlane(RuntimeError):
    """There are no programs of a control plane, or they cannot be had; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Programs:
    """A folder with the programs of a control plane."""

    folder: Path

    @property
    def etcd(self) -> Path:
        """The store."""
        return self.folder / "etcd"

    @property
    def api_server(self) -> Path:
        """The API server."""
        return self.folder / "kube-apiserver"

    @property
    def controller_manager(self) -> Path | None:
        """The controllers of the built-in kinds; None where there are none, as in the assets of kubebuilder."""
        found = self.folder / "kube-controller-manager"
        return found if found.exists() else None

    @property
    def kubectl(self) -> Path | None:
        """The command line of the same version, if it is there."""
        found = self.folder / "kubectl"
        return found if found.exists() else None


def find(environment: Mapping[str, str] = os.environ) -> Programs:
    """Return the programs: those in `KUBEBUILDER_ASSETS` when it is set, else those that were built.

    Raises:
        NoControlPlane: there are none; the text says how to get them.
    """
    given = environment.get(VARIABLE)
    folder = Path(given).expanduser().absolute() if given else built_folder(environment)
    missing = [name for name in NEEDED if not os.access(folder / name, os.X_OK)]
    if not missing:
        return Programs(folder)
    if given:
        raise NoControlPlane(f"{VARIABLE}={given} has no program {' nor '.join(missing)}; mend it, or unset it to use a built one")
    raise NoControlPlane(
        "there is no real control plane on this machine yet: `rollouts sandbox build` makes one (minutes, once), "
        f"or set {VARIABLE} to a folder with {' and '.join(NEEDED)}"
    )


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where this project keeps what can be made again: under `XDG_CACHE_HOME`, or `~/.cache`."""
    base = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME") or "~").expanduser() / ".cache"
    return Path(base).absolute() / "rollouts"


def built_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the programs of exactly this module are, or will be: another version of it has another folder."""
    return cache_folder(environment) / "controlplane" / f"v{KUBERNETES}-{digest()}"


def sources() -> dict[str, bytes]:
    """Return the files of the Go module."""
    folder = resources.files("sandbox.controlplane")
    return {name: (folder / name).read_bytes() for name in SOURCES}


def digest() -> str:
    """Return what tells one state of the module from another, in twelve letters."""
    found = hashlib.sha256(KUBERNETES.encode())
    for name, content in sources().items():
        found.update(f"\0{name}\0{len(content)}\0".encode() + content)
    return found.hexdigest()[:12]
