"""The package as `pip install` leaves it: nothing of the source tree is needed to use it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from sandbox_terminal import Tool

ROOT = Path(__file__).parents[2]
START = "from rollouts.cli.main import main; main()"
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this source tree, built from a copy: setuptools would take in what earlier builds left beside the sources."""
    folder, source = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("source") / "tree"
    left_out = shutil.ignore_patterns(".*", "*.egg-info", "build", "dist", "tests", "__pycache__")
    shutil.copytree(ROOT, source, symlinks=True, ignore=left_out)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "wheel", "--no-deps"]
    done = subprocess.run([*pip, "--wheel-dir", str(folder), str(source)], capture_output=True, text=True, check=False)
    if "No matching distribution found for setuptools" in done.stderr:
        pytest.skip("building needs setuptools from a package index, and none can be reached")
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Tool:
    """The command line as the wheel brings it, in a folder outside the source tree."""
    place, elsewhere = tmp_path / "installed", tmp_path / "elsewhere"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    elsewhere.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(place)}
    found = Tool((sys.executable, "-c", "import rollouts; print(rollouts.__path__[0])"), environment, elsewhere)()
    assert found.strip() == str(place / "rollouts")
    return Tool((sys.executable, "-c", START), environment, elsewhere)


def test_the_command_is_installed_under_its_three_names(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        text = next(archive.read(name).decode() for name in archive.namelist() if name.endswith("entry_points.txt"))
    names = {line.partition(" = ")[0] for line in text.splitlines() if " = " in line}
    assert names == {"rollouts", "kubectl-rollouts", "kubectl-argo-rollouts"}


def test_the_controller_tells_its_options(installed: Tool) -> None:
    assert "--leader-elect" in installed("controller", "--help")


def test_the_rights_that_a_real_control_plane_gives_the_controller_came_with_it(installed: Tool) -> None:
    script = "from sandbox.cluster.account import shipped_rights; print([body['metadata']['name'] for _, body in shipped_rights()])"
    found = Tool((sys.executable, "-c", script), installed.environment, installed.cwd)()
    account, election = "rollouts-controller", "rollouts-leader-election"
    assert found.strip() == str(["argo-rollouts", account, account, account, election, election])


@pytest.mark.usefixtures("with_prometheus")
@pytest.mark.parametrize("router", ["nginx", "istio"])
def test_the_demo_plays_from_the_manifests_that_came_with_it(installed: Tool, router: str, tmp_path: Path) -> None:
    arguments = ("--json", "--router", router, "--state", str(tmp_path / "state"))
    assert '"ok": true' in installed("demo", *arguments, timeout_seconds=110)
