"""One sandbox for the whole session, with the controller as a process, and the tools that people use on it."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from install_account import lacking
from sandbox_terminal import Tool

from sandbox.cluster import Cluster, ControlPlane, Options, sandbox_cluster
from sandbox.cluster.setup import find_prometheus
from sandbox.controlplane.programs import NoControlPlane, find


@pytest.fixture(scope="session")
def cluster(control_plane: ControlPlane) -> Iterator[Cluster]:
    """A sandbox with a controller, and with Prometheus where there is one.

    On a real control plane the controller has the shipped rights: whatever the tests let it do, it may have lacked none.
    """
    real = control_plane is ControlPlane.REAL
    with sandbox_cluster(Options(control_plane=control_plane, audit_log=real, with_controller=True)) as found:
        yield found
        assert not real or lacking(found) == []


@pytest.fixture
def with_prometheus() -> None:
    """Skip where Prometheus is not installed."""
    if find_prometheus(None) is None:
        pytest.skip("Prometheus is not installed")


@pytest.fixture
def environment(cluster: Cluster) -> Mapping[str, str]:
    """What a terminal has in which the sandbox's KUBECONFIG was exported."""
    return cluster.environment


@pytest.fixture
def kubectl(environment: Mapping[str, str]) -> Tool:
    """The stock kubectl, on the sandbox: the one on PATH, else the one that was built with the control plane."""
    found = shutil.which("kubectl") or _built_kubectl()
    if found is None:
        pytest.skip("kubectl is not installed")
    return Tool((str(found),), environment)


def _built_kubectl() -> Path | None:
    try:
        return find().kubectl
    except NoControlPlane:
        return None


@pytest.fixture
def rollouts(environment: Mapping[str, str]) -> Tool:
    """Our command line, on the sandbox."""
    return Tool.rollouts(environment)


@pytest.fixture
def namespace(kubectl: Tool) -> Iterator[str]:
    """A namespace of the test's own."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def examples() -> Path:
    """The folder of the examples."""
    return Path(__file__).parents[2] / "examples"
