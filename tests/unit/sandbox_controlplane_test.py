"""What a sandbox on a real control plane consists of, and who may do what there, described without starting anything."""

from __future__ import annotations

import base64
import json
import os
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from sandbox.apiserver.discovery import SERVED
from sandbox.apiserver.pages import VERSION
from sandbox.cluster.authority import make_authority
from sandbox.cluster.claims import Networks
from sandbox.cluster.controlplane import AUDIT_POLICY, MANAGER, real_parts, token_file
from sandbox.cluster.kubeconfig import kubeconfig
from sandbox.cluster.permissions import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, permissions
from sandbox.cluster.topology import Options, Part, Places, Stage, parts_around
from sandbox.controlplane.programs import KUBERNETES, Programs

USERS = ("admin", "gateway", "node", MANAGER)
PLACES = Places(
    folder=Path("/state"),
    networks=Networks(3),
    api_port=1001,
    ingress_port=1002,
    proxy_port=1003,
    prometheus_port=1004,
    health_port=1005,
    tokens={user: f"{user}-token" for user in USERS},
    real=True,
    etcd_port=1006,
    etcd_peer_port=1007,
)


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    for name in ("etcd", "kube-apiserver", "kube-controller-manager"):
        (tmp_path / name).touch()
    return Programs(tmp_path)


def parts(programs: Programs, options: Options = Options()) -> dict[str, Part]:  # noqa: B008
    around = parts_around(options, PLACES, prometheus=None, workloads=programs.controller_manager is None)
    return {part.name: part for part in (*real_parts(options, PLACES, programs), *around)}


def words_after(part: Part, flag: str) -> list[str]:
    return [after for word, after in zip(part.command, part.command[1:], strict=False) if word == flag]


def test_the_store_comes_first_and_every_client_of_the_api_after_its_permissions(programs: Programs) -> None:
    assert {name: part.stage for name, part in parts(programs, Options(with_controller=True)).items()} == {
        "etcd": Stage.STORE,
        "apiserver": Stage.API,
        MANAGER: Stage.PRODUCT,
        "node": Stage.PRODUCT,
        "gateway": Stage.PRODUCT,
        "controller": Stage.PRODUCT,
    }


def test_the_controller_manager_replaces_our_own_workload_controllers(programs: Programs) -> None:
    assert "--workloads" not in parts(programs)["node"].command


def test_without_a_controller_manager_ours_serve_and_pods_need_no_service_account(programs: Programs) -> None:
    (programs.folder / "kube-controller-manager").unlink()
    found = parts(programs)
    assert MANAGER not in found
    assert "--workloads" in found["node"].command
    assert words_after(found["apiserver"], "--disable-admission-plugins") == ["ServiceAccount"]


def test_everything_of_one_sandbox_is_on_loopback_and_in_its_own_network(programs: Programs) -> None:
    found = parts(programs)
    assert words_after(found["apiserver"], "--service-cluster-ip-range") == ["127.99.0.0/16"]
    assert words_after(found["apiserver"], "--bind-address") == ["127.0.0.1"]
    assert words_after(found["etcd"], "--listen-client-urls") == ["http://127.0.0.1:1006"]
    assert words_after(found["etcd"], "--listen-peer-urls") == ["http://127.0.0.1:1007"]


def test_requests_are_written_down_only_when_asked_for(programs: Programs) -> None:
    assert words_after(parts(programs)["apiserver"], "--audit-log-path") == []
    asked = parts(programs, Options(audit_log=True))["apiserver"]
    assert words_after(asked, "--audit-log-path") == ["/state/logs/audit.log"]
    assert [rule["level"] for rule in yaml.safe_load(AUDIT_POLICY)["rules"]] == ["None", "Metadata"]


def test_a_control_plane_alone_does_not_know_who_signs_for_the_nodes_of_others(programs: Programs) -> None:
    flag = "--kubelet-certificate-authority"
    assert words_after(parts(programs)["apiserver"], flag) == ["/state/controlplane/ca.crt"]
    assert words_after(parts(programs, Options(bare=True))["apiserver"], flag) == []


def test_no_token_is_in_a_command_that_others_can_list(programs: Programs) -> None:
    words = " ".join(word for part in parts(programs, Options(with_controller=True)).values() for word in part.command)
    assert [token for token in PLACES.tokens.values() if token in words] == []


def test_only_the_administrator_is_in_a_group_above_all_rules() -> None:
    rows = [line.split(",") for line in token_file(PLACES.tokens).splitlines()]
    assert {row[1]: row[3:] for row in rows} == {
        "admin": ['"system:masters"'],
        "gateway": [],
        "node": [],
        "system:kube-controller-manager": [],
    }


def test_every_component_has_a_role_bound_to_it_alone() -> None:
    granted = list(permissions(workloads=False))
    roles = {body["metadata"]["name"] for kind, body in granted if kind == CLUSTER_ROLE}
    bound = {
        body["roleRef"]["name"]: [one["name"] for one in body["subjects"]] for kind, body in granted if kind == CLUSTER_ROLE_BINDING
    }
    assert roles == set(bound)
    assert bound == {f"sandbox:{user}": [user] for user in ("node", "gateway")}


@pytest.mark.parametrize(
    ("workloads", "everything"), [pytest.param(False, [], id="with"), pytest.param(True, ["node"], id="without")]
)
def test_only_a_node_agent_without_a_controller_manager_may_change_everything(workloads: bool, everything: list[str]) -> None:
    roles = [body for kind, body in permissions(workloads=workloads) if kind == CLUSTER_ROLE]
    wide = [role["metadata"]["name"] for role in roles for rule in role["rules"] if rule["apiGroups"] == ["*"]]
    assert wide == [f"sandbox:{name}" for name in everything]


def test_the_authority_signs_what_the_api_server_shows_and_its_files_are_for_their_owner(tmp_path: Path) -> None:
    make_authority(tmp_path, addresses=("127.0.0.1", "127.99.0.1"))
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {
        "ca.crt": 0o600,
        "server.pem": 0o600,
        "accounts.key": 0o600,
    }
    serving, asking = (
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH),
        ssl.create_default_context(cafile=str(tmp_path / "ca.crt")),
    )
    serving.load_cert_chain(tmp_path / "server.pem")
    for name in ("127.0.0.1", "127.99.0.1", "localhost", "kubernetes.default.svc"):
        assert shaken_hands(serving, asking, name)
    with pytest.raises(ssl.SSLCertVerificationError):
        shaken_hands(serving, asking, "127.0.0.2")


def shaken_hands(serving: ssl.SSLContext, asking: ssl.SSLContext, name: str) -> bool:
    """Let a client and a server talk in memory until both are content."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = asking.wrap_bio(to_client, to_server, server_hostname=name)
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    done = {client: False, server: False}
    for _ in range(10):
        for side in done:
            try:
                side.do_handshake()
                done[side] = True
            except ssl.SSLWantReadError:
                continue
    return all(done.values())


def test_with_tls_the_token_is_not_in_the_address_and_the_authority_comes_along() -> None:
    found = json.loads(kubeconfig(server=PLACES.server, user="admin", token="secret", authority=b"certificate"))
    cluster = found["clusters"][0]["cluster"]
    assert cluster["server"] == "https://127.0.0.1:1001"
    assert base64.b64decode(cluster["certificate-authority-data"]) == b"certificate"
    assert found["users"][0]["user"]["token"] == "secret"


def test_the_embedded_api_server_speaks_plain_http() -> None:
    embedded = replace(PLACES, real=False)
    assert (embedded.server, embedded.authority) == ("http://127.0.0.1:1001", None)
    assert PLACES.authority == Path(os.sep, "state", "controlplane", "ca.crt")


def test_both_api_servers_say_they_are_of_one_version() -> None:
    assert KUBERNETES.startswith(f"{SERVED}.")
    assert VERSION["gitVersion"].startswith(f"v{SERVED}.")
