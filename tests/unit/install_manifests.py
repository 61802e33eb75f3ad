"""What config/ renders to, for the tests of installing."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml

from sandbox.controlplane.programs import NoControlPlane, find

Manifest: TypeAlias = Mapping[str, Any]
ROOT = Path(__file__).parents[2]
OVERLAYS = ("cluster", "cluster-webhook", "namespace", "namespaces", "namespaces-webhook")


def kubectl() -> str:
    """Return the path of a kubectl: the one on PATH, or that of a built control plane; without one the test is skipped."""
    found = shutil.which("kubectl")
    if found is None:
        try:
            built = find().kubectl
        except NoControlPlane:
            built = None
        if built is None:
            pytest.skip("kubectl is not installed, and `rollouts sandbox build` has not made one")
        found = str(built)
    return found


@cache
def rendered(folder: str) -> str:
    """Return what a folder below config/ renders to."""
    done = subprocess.run([kubectl(), "kustomize", str(ROOT / "config" / folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def parsed(text: str) -> list[Manifest]:
    """Return the objects of a text."""
    return [one for one in yaml.safe_load_all(text) if one]


def overlay(name: str) -> list[Manifest]:
    """Return the objects of an overlay."""
    return parsed(rendered(f"overlays/{name}"))


def of_kind(manifests: Sequence[Manifest], *kinds: str) -> list[Manifest]:
    return [one for one in manifests if one["kind"] in kinds]


def the(manifests: Sequence[Manifest], kind: str, name: str = "") -> Manifest:
    """Return the only object of a kind, or of a kind and name."""
    [found] = [one for one in of_kind(manifests, kind) if not name or one["metadata"]["name"] == name]
    return found


def container(manifests: Sequence[Manifest]) -> Manifest:
    """Return the only container of the only Deployment."""
    [found] = the(manifests, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found
