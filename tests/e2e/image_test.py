"""The image, built from the Dockerfile and run as the manifests say: nothing to log in to, no rights, a root that is only read."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from image_building import ROOT, Buildah, Contents, base_image, build, needed
from sandbox_shop import deploy, quickstart
from sandbox_terminal import Tool, eventually

from sandbox.cluster import Cluster, Options, sandbox_cluster
from sandbox.cluster.topology import SHORT_LEASE

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
LARGEST_MIB = 400
NOT_THERE = {
    "sh",
    "bash",
    "dash",
    "busybox",
    "apt",
    "apt-get",
    "dpkg",
    "pip",
    "pip3",
    "ensurepip",
    "su",
    "mount",
    "gcc",
    "ld",
    "perl",
}
KUBECONFIG = "kubeconfig"
HOMELESS = "import os; print(os.getuid(), os.getgid(), sorted(os.getgroups()) in ([], [65532]))"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contents]:
    """The image's files, in a folder that is gone afterwards."""
    needed()
    buildah = Buildah(tmp_path_factory.mktemp("image"))
    debian = next(
        line.partition("=")[2] for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("ARG DEBIAN=")
    )
    try:
        build(buildah, python=base_image(buildah, debian))
        yield Contents.of(buildah)
    finally:
        buildah.clear()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Cluster]:
    """A sandbox without a controller."""
    with sandbox_cluster(Options(prometheus="none")) as found:
        yield found


@pytest.fixture
def environment(sandbox: Cluster) -> Mapping[str, str]:
    return sandbox.environment


@contextmanager
def controller(image: Contents, sandbox: Cluster, log: Path, *arguments: str) -> Iterator[str]:
    """Run the image against the sandbox, until everything is listed; yields where it tells its health."""
    shutil.copy(sandbox.kubeconfig, image.path / KUBECONFIG)
    (image.path / KUBECONFIG).chmod(0o444)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    flags = [f"--{name}Port={port}" for name in ("healthz", "metrics")] + [
        f"--{name}-address=127.0.0.1" for name in ("healthz", "metrics")
    ]
    process = image.start("--kubeconfig", f"/{KUBECONFIG}", *flags, *SHORT_LEASE, *arguments, log=log)
    try:
        eventually(lambda: process.poll() is not None or "everything is listed" in log.read_text(), what="the controller is ready")
        assert process.poll() is None, log.read_text()
        yield f"http://127.0.0.1:{port}"
        process.terminate()
        assert process.wait(30) == 0, log.read_text()
    finally:
        process.kill()
        process.wait(30)


def test_there_is_nothing_to_log_in_to_and_nothing_to_install_with(image: Contents) -> None:
    assert sorted({path.name for path in image.files()} & NOT_THERE) == []
    assert [path for path in image.files() if path.name.startswith("pip-")] == []
    assert "No module named" in image.run(image.python, "-m", "pip").stderr


def test_nothing_gives_rights_to_whoever_runs_it_and_only_tmp_can_be_written(image: Contents) -> None:
    modes = {path: os.lstat(f"{image.path}{path}").st_mode for path in image.files() if path.parts[1] not in ("dev", "proc")}
    assert [path for path, mode in modes.items() if mode & (stat.S_ISUID | stat.S_ISGID)] == []
    assert [path for path, mode in modes.items() if mode & stat.S_IWOTH and not stat.S_ISLNK(mode)] == [Path("/tmp")]


def test_it_holds_no_more_than_was_meant(image: Contents) -> None:
    size = sum(os.lstat(f"{image.path}{path}").st_size for path in image.files())
    assert size < LARGEST_MIB * 2**20, f"{size / 2**20:.0f} MiB"


def test_it_runs_as_the_user_of_the_deployment_on_a_root_that_is_only_read(image: Contents) -> None:
    done = image.run(image.python, "-c", HOMELESS)
    assert (done.stdout, done.stderr) == ("65532 65532 True\n", "")
    for place in ("/x", "/opt/rollouts/x", "/usr/local/lib/x"):
        assert "Read-only file system" in image.run(image.python, "-c", f"open({place!r}, 'w')").stderr
    assert image.run(image.python, "-c", "open('/tmp/x', 'w')").stderr == ""


def test_it_tells_what_it_can_do(image: Contents) -> None:
    done = image.run(*image.config["Entrypoint"], "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: rollouts controller" in done.stdout


@pytest.mark.parametrize("name", ["rollouts", "kubectl-rollouts", "kubectl-argo-rollouts"])
def test_the_command_line_is_in_it_too(image: Contents, name: str) -> None:
    assert "promote" in image.run(f"/opt/rollouts/bin/{name}", "--help").stdout


def test_every_library_is_there_and_the_authorities_of_the_world_are_known(image: Contents) -> None:
    names = "ssl, ctypes, sqlite3, lzma, bz2, zoneinfo, re2, numpy, yaml, aiohttp, httpx, pydantic, kopf, kubernetes.client"
    script = f"import {names}, cryptography.x509\nassert ssl.create_default_context().cert_store_stats()['x509_ca'] > 50"
    done = image.run(image.python, "-W", "ignore", "-c", script)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_rollout_is_taken_to_healthy_and_to_its_next_version(
    image: Contents, sandbox: Cluster, kubectl: Tool, rollouts: Tool, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with controller(image, sandbox, log) as page:
        with urllib.request.urlopen(f"{page}/healthz", timeout=10) as answer:
            assert answer.status == 200
        deploy(kubectl, "default", quickstart("default", steps=[{"setWeight": 50}], analysis=False))
        rollouts("set", "image", "shop", "*=shop:2", "-n", "default")
        assert rollouts("status", "shop", "-n", "default", "--timeout=100s", timeout_seconds=110).strip().endswith("Healthy")
        versions = kubectl("get", "rollout", "shop", "-o", "jsonpath={.status.stableRS} {.status.currentPodHash}").split()
        assert len(versions) == 2
        assert len(set(versions)) == 1
        with urllib.request.urlopen(f"{page}/metrics", timeout=10) as answer:
            assert "rollout_info{" in answer.read().decode()
    assert "Traceback" not in log.read_text()


def test_the_webhook_makes_its_certificate_in_tmp(image: Contents, sandbox: Cluster, kubectl: Tool, tmp_path: Path) -> None:
    kubectl("delete", "rollout", "shop", "--ignore-not-found")
    log = tmp_path / "log"
    with controller(image, sandbox, log, "--admission", "--admission-port=0"):
        eventually(lambda: "made a certificate for the webhook" in log.read_text(), what="there is a certificate")
