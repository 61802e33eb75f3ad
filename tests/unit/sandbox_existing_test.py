"""A cluster that is there already: whose kubeconfig is used, what parts get of it, and the list of what was brought in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from kube.config import load
from kube.kinds import CUSTOM_RESOURCE_DEFINITION, NAMESPACE, NODE, ObjectRef
from sandbox.cluster.brought import Journal
from sandbox.cluster.claims import Networks
from sandbox.cluster.existing import given_cluster
from sandbox.cluster.kubeconfig import EXTENSION
from sandbox.cluster.setup import places_of, write_controller_kubeconfig, write_kubeconfigs
from sandbox.cluster.state import SandboxError
from sandbox.cluster.topology import ControlPlane, Options, Places, Stage, parts_around

THEIRS: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "work",
    "contexts": [
        {"name": "work", "context": {"cluster": "office", "user": "alice", "namespace": "team-a"}},
        {"name": "home", "context": {"cluster": "garage", "user": "alice"}},
    ],
    "clusters": [
        {
            "name": "office",
            "cluster": {
                "server": "https://office.example:6443",
                "certificate-authority": "ca.crt",
                "extensions": [{"name": "others", "extension": {"colour": "blue"}}],
            },
        },
        {"name": "garage", "cluster": {"server": "https://garage.example:6443"}},
    ],
    "users": [{"name": "alice", "user": {"client-certificate": "alice.crt", "client-key": "alice.key"}}],
}


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kubeconfig of a person, with its certificates beside it."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    for name in ("ca.crt", "alice.crt", "alice.key"):
        (folder / name).write_text(name)
    path = folder / "config"
    path.write_text(yaml.safe_dump(THEIRS))
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path


def places(folder: Path, context: str | None = None) -> Places:
    folder.mkdir()
    return places_of(Options(control_plane=ControlPlane.EXISTING, context=context), folder, Networks(3))


def test_the_current_context_is_served_unless_another_is_named(theirs: Path, tmp_path: Path) -> None:
    assert places(tmp_path / "one").server == "https://office.example:6443"
    assert places(tmp_path / "two", "home").server == "https://garage.example:6443"


def test_parts_get_the_person_s_credentials_in_files_of_their_own_and_the_controller_a_token_alone(
    theirs: Path, tmp_path: Path
) -> None:
    before, found = theirs.read_text(), places(tmp_path / "sandbox")
    write_kubeconfigs(found, with_prometheus=False)
    write_controller_kubeconfig(found, "sesame")
    for user in ("admin", "node", "gateway"):
        connection = load(str(found.kubeconfig(user)))
        assert (connection.server, connection.namespace) == ("https://office.example:6443", "team-a")
        assert (connection.client_certificate, connection.client_key) == (b"alice.crt", b"alice.key")
        assert connection.ca_file == str(theirs.parent / "ca.crt")
        assert connection.extensions["others"] == {"colour": "blue"}
        assert connection.extensions[EXTENSION]["sandbox-state"] == str(found.folder)
        assert found.kubeconfig(user).stat().st_mode & 0o777 == 0o600
    controller = load(str(found.kubeconfig("controller")))
    assert (controller.token, controller.namespace, controller.client_certificate) == ("sesame", "argo-rollouts", None)
    assert "alice" not in found.kubeconfig("controller").read_text()
    assert theirs.read_text() == before


def test_no_control_plane_is_started_and_parts_wait_for_what_is_brought_in(theirs: Path, tmp_path: Path) -> None:
    options = Options(control_plane=ControlPlane.EXISTING, with_controller=True)
    parts = parts_around(options, places(tmp_path / "sandbox"), prometheus=None, workloads=False)
    assert {part.name: part.stage for part in parts} == dict.fromkeys(("node", "gateway", "controller"), Stage.PRODUCT)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        pytest.param({}, "KUBECONFIG, which is not set", id="no variable"),
        pytest.param({"KUBECONFIG": "/nowhere/config"}, "there is no such file", id="no file"),
    ],
)
def test_a_cluster_that_nobody_named_is_not_looked_for(environment: dict[str, str], said: str) -> None:
    with pytest.raises(SandboxError, match=said):
        given_cluster(None, {"HOME": "/root", **environment})


def test_what_was_brought_in_is_read_back_in_order_without_a_line_that_was_cut_off(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    assert not journal.exists
    journal.begin("{}")
    for kind, name in ((CUSTOM_RESOURCE_DEFINITION, "rollouts.argoproj.io"), (NAMESPACE, "argo-rollouts"), (NODE, "sandbox")):
        journal.note(kind, {"metadata": {"name": name, "uid": f"{name}-uid"}})
    with (journal.folder / "objects").open("a") as file:
        file.write(json.dumps({"kind": {}})[:-3])
    assert [(one.ref, one.uid) for one in journal.read()] == [
        (ObjectRef(CUSTOM_RESOURCE_DEFINITION, "", "rollouts.argoproj.io"), "rollouts.argoproj.io-uid"),
        (ObjectRef(NAMESPACE, "", "argo-rollouts"), "argo-rollouts-uid"),
        (ObjectRef(NODE, "", "sandbox"), "sandbox-uid"),
    ]
    assert journal.exists
