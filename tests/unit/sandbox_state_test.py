"""The state folder of a sandbox."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from sandbox.cluster.processes import Identity, end
from sandbox.cluster.state import AlreadyRunning, NotRunning, PartRecord, Record, StateFolder, default_state


def own() -> Identity:
    found = Identity.of(os.getpid())
    assert found is not None
    return found


def record(supervisor: Identity) -> Record:
    return Record(
        supervisor=supervisor,
        ready=True,
        parts=(PartRecord(name="node", process=supervisor, address="127.11.0.0/16", ready=True, restarts=2),),
        server="http://127.0.0.1:1",
        environment={"http_proxy": "http://127.0.0.1:2"},
    )


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    return StateFolder(tmp_path / "state")


def test_what_is_written_is_read_again(state: StateFolder) -> None:
    with state.locked():
        state.write(record(own()))
        assert state.running() == record(own())


def test_a_record_of_a_dead_supervisor_counts_as_nothing_running(state: StateFolder) -> None:
    with state.locked():
        state.write(record(Identity(os.getpid(), own().started - 1)))
        with pytest.raises(NotRunning, match="rollouts sandbox up"):
            state.running()


def test_two_supervisors_cannot_have_the_same_folder(state: StateFolder) -> None:
    with state.locked(), pytest.raises(AlreadyRunning, match="sandbox down"), state.locked():
        pass


def test_clear_removes_what_the_sandbox_wrote_and_nothing_else(state: StateFolder) -> None:
    with state.locked():
        state.write(record(own()))
        state.kubeconfig.write_text("")
        (state.path / "mine.txt").write_text("")
    state.clear()
    assert [one.name for one in state.path.iterdir()] == ["mine.txt"]


def test_a_part_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(NotRunning, match="no part 'etcd'; it has: node"):
        record(own()).part("etcd")


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        pytest.param({"HOME": "/home/ann"}, "/home/ann/.local/state/rollouts/sandbox", id="in the home folder"),
        pytest.param({"HOME": "/home/ann", "XDG_STATE_HOME": "/var/x"}, "/var/x/rollouts/sandbox", id="where XDG says"),
    ],
)
def test_the_folder_nobody_named(environment: dict[str, str], folder: str) -> None:
    assert default_state(environment) == Path(folder)


def test_ending_spares_whoever_has_the_number_now() -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        identity = Identity.of(stranger.pid)
        assert identity is not None
        end([Identity(identity.pid, identity.started - 1)], grace_seconds=0.1)
        assert stranger.poll() is None
        end([identity], grace_seconds=5)
        assert stranger.wait() == -15
