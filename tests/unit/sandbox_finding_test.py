"""Which sandbox a command means when nobody names one, and what it says of a cluster that is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sandbox.cluster.finding import OtherCluster, find
from sandbox.cluster.kubeconfig import STATE, kubeconfig


def written(path: Path, extension: dict[str, str] | None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(kubeconfig(server="http://127.0.0.1:1", user="admin", token="t", extension=extension))
    return path


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home")}


def test_a_folder_that_is_named_wins_over_the_kubeconfig(tmp_path: Path, home: dict[str, str]) -> None:
    file = written(tmp_path / "kubeconfig", {STATE: str(tmp_path / "one")})
    assert find(tmp_path / "two", {**home, "KUBECONFIG": str(file)}).path == tmp_path / "two"


def test_without_a_kubeconfig_the_usual_folder_is_meant(tmp_path: Path, home: dict[str, str]) -> None:
    assert find(None, home).path == tmp_path / "home/.local/state/rollouts/sandbox"


@pytest.mark.parametrize("place", ["state/kubeconfig", "elsewhere/copied.yaml"])
def test_the_kubeconfig_of_a_sandbox_leads_to_it_wherever_it_lies(tmp_path: Path, home: dict[str, str], place: str) -> None:
    file = written(tmp_path / place, {STATE: str(tmp_path / "state")})
    assert find(None, {**home, "KUBECONFIG": str(file)}).path == tmp_path / "state"


def test_of_several_kubeconfigs_the_one_with_the_current_context_counts(tmp_path: Path, home: dict[str, str]) -> None:
    first = written(tmp_path / "a", {STATE: str(tmp_path / "state")})
    second = tmp_path / "b"
    other = json.loads(first.read_text().replace("rollouts-sandbox", "production"))
    del other["clusters"][0]["cluster"]["extensions"]
    second.write_text(json.dumps(other))
    assert find(None, {**home, "KUBECONFIG": f"{first}:{second}"}).path == tmp_path / "state"
    with pytest.raises(OtherCluster, match=r"\(context production\) is no sandbox"):
        find(None, {**home, "KUBECONFIG": f"{second}:{first}"})


def test_the_kubeconfig_of_a_sandbox_that_is_down_still_names_its_folder(tmp_path: Path, home: dict[str, str]) -> None:
    assert find(None, {**home, "KUBECONFIG": str(tmp_path / "gone" / "kubeconfig")}).path == tmp_path / "gone"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(kubeconfig(server="https://prod", user="me", token="t"), "is no sandbox", id="another cluster"),
        pytest.param("{]", "is no YAML", id="something that cannot be read"),
        pytest.param("{}", "no cluster is configured", id="an empty file"),
    ],
)
def test_another_cluster_is_told_with_what_to_do(tmp_path: Path, home: dict[str, str], content: str, says: str) -> None:
    file = tmp_path / "config"
    file.write_text(content)
    with pytest.raises(OtherCluster) as told:
        find(None, {**home, "KUBECONFIG": str(file)})
    assert says in str(told.value)
    assert "--state" in str(told.value)
    assert "unset KUBECONFIG" in str(told.value)
