"""Finding the cluster: which file, which context, which credentials win, and what people are told when something is wrong."""

from __future__ import annotations

import base64
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from kube import identity
from kube.config import Connection, connect, load, parted
from kube.errors import InvalidConfig
from rollouts.cli.session import Session


def config(**changes: Any) -> dict[str, Any]:
    base = {
        "current-context": "dev",
        "clusters": [{"name": "c", "cluster": {"server": "https://c.example:6443"}}],
        "users": [{"name": "u", "user": {"token": "t0ken"}}],
        "contexts": [{"name": "dev", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
    }
    return {**base, **changes}


def written(folder: Path, value: Any, name: str = "config") -> str:
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(value if isinstance(value, str) else yaml.safe_dump(value))
    return str(path)


def user(**fields: Any) -> list[dict[str, Any]]:
    return [{"name": "u", "user": fields}]


def cluster(**fields: Any) -> list[dict[str, Any]]:
    return [{"name": "c", "cluster": {"server": "https://c.example:6443", **fields}}]


def test_the_current_context_gives_server_namespace_and_token(tmp_path: Path) -> None:
    found = load(written(tmp_path, config()))
    assert (found.server, found.namespace, found.token, found.context) == ("https://c.example:6443", "shop", "t0ken", "dev")
    assert "t0ken" not in repr(found)


def test_user_and_password_in_the_address_are_credentials_and_leave_the_address(tmp_path: Path) -> None:
    clusters = cluster(server="http://ann:p%40ss@127.0.0.1:8080/prefix")
    found = load(written(tmp_path, config(clusters=clusters, users=user())))
    assert (found.server, found.username, found.password) == ("http://127.0.0.1:8080/prefix", "ann", "p@ss")


def test_the_password_of_an_address_given_on_the_command_line_is_a_credential_and_is_not_shown(tmp_path: Path) -> None:
    options = {"server": "http://ann:hidden@127.0.0.1:8080", "kubeconfig": written(tmp_path, config(users=user()))}
    found = Session(options).connection()
    assert (found.server, found.username, found.password) == ("http://127.0.0.1:8080", "ann", "hidden")


def test_an_address_without_user_and_password_stays_as_it_is() -> None:
    assert parted("https://c.example:6443/prefix") == ("https://c.example:6443/prefix", {})


def test_files_of_a_list_are_merged_and_the_first_to_name_an_entry_wins(tmp_path: Path) -> None:
    first = written(tmp_path, {"users": user(token="first"), "current-context": ""}, "one")
    second = written(tmp_path, config(), "two")
    missing = str(tmp_path / "three")
    found = load(environment={"KUBECONFIG": f"{missing}:{first}:{second}"})
    assert (found.token, found.context) == ("first", "dev")


def test_without_a_hint_the_file_in_the_home_directory_counts(tmp_path: Path) -> None:
    written(tmp_path, config(), ".kube/config")
    assert load(environment={"HOME": str(tmp_path)}).context == "dev"


def test_paths_inside_a_file_are_relative_to_that_file(tmp_path: Path) -> None:
    written(tmp_path, "pem", "keys/client.pem")
    value = config(users=user(**{"client-certificate": "keys/client.pem"}), clusters=cluster(**{"certificate-authority": "ca.pem"}))
    found = load(written(tmp_path, value))
    assert (found.client_certificate, found.ca_file) == (b"pem", str(tmp_path / "ca.pem"))


def test_inline_data_wins_over_files_and_is_decoded(tmp_path: Path) -> None:
    encoded = base64.b64encode(b"inline").decode()
    found = load(written(tmp_path, config(users=user(**{"client-key-data": encoded, "client-key": "nowhere"}))))
    assert found.client_key == b"inline"


def test_options_of_the_cluster_arrive(tmp_path: Path) -> None:
    fields = {"insecure-skip-tls-verify": True, "tls-server-name": "api", "proxy-url": "http://proxy:3128"}
    found = load(written(tmp_path, config(clusters=cluster(**fields))))
    assert (found.insecure, found.tls_server_name, found.proxy_url) == (True, "api", "http://proxy:3128")


@pytest.mark.parametrize(
    ("value", "context", "text"),
    [
        pytest.param(config(), "prod", "'prod', which is not in the kubeconfig; there are: dev", id="an unknown context"),
        pytest.param(config(clusters=[]), None, "names cluster 'c'", id="a missing cluster"),
        pytest.param(config(users=[]), None, "names user 'u'", id="a missing user"),
        pytest.param(config(**{"current-context": ""}), None, "choose one of: dev", id="no current context"),
        pytest.param(config(clusters=cluster(server="c.example")), None, "must start with https", id="a server without a scheme"),
        pytest.param("a: [", None, "is no YAML", id="broken YAML"),
        pytest.param("- a", None, "is no kubeconfig", id="a list"),
        pytest.param(config(users=[{"user": {}}]), None, "has no name", id="an entry without a name"),
        pytest.param(config(users=user(**{"client-key-data": "§"})), None, "is not base64", id="data that is no base64"),
        pytest.param(config(users=user(**{"client-key": "nowhere"})), None, "cannot be read", id="a key that is not there"),
    ],
)
def test_a_wrong_kubeconfig_is_refused_with_what_to_mend(tmp_path: Path, value: Any, context: str | None, text: str) -> None:
    with pytest.raises(InvalidConfig, match=text):
        load(written(tmp_path, value), context)


def test_a_named_file_that_is_not_there_is_an_error_not_a_fall_back(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="there is no file"):
        load(str(tmp_path / "none"))


def test_no_cluster_at_all_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="set --kubeconfig or KUBECONFIG"):
        load(environment={"HOME": str(tmp_path)})


def pod(folder: Path, token: str) -> Path:
    for name, text in (("token", token), ("ca.crt", ""), ("namespace", "argo-rollouts\n")):
        written(folder, text, name)
    return folder


@pytest.mark.parametrize(
    ("host", "server"),
    [
        pytest.param("10.0.0.1", "https://10.0.0.1:443", id="IPv4"),
        pytest.param("fd00::1", "https://[fd00::1]:443", id="IPv6"),
    ],
)
def test_inside_a_pod_the_service_account_is_used(tmp_path: Path, host: str, server: str) -> None:
    environment = {"HOME": str(tmp_path), "KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "443"}
    found = load(environment=environment, service_account=pod(tmp_path, "abc"))
    assert (found.server, found.namespace) == (server, "argo-rollouts")
    assert identity.credentials_of(found)[0].headers() == {"authorization": "Bearer abc"}


def test_a_rotated_token_file_is_read_again_after_a_while_or_when_the_server_refuses(tmp_path: Path) -> None:
    now = 0.0
    file = Path(written(tmp_path, "one", "token"))
    credentials = identity.Renewed(lambda _renew: file.read_text(), {}, seconds=60, monotonic=lambda: now)
    assert credentials.headers()["authorization"] == "one"
    file.write_text("two")
    assert credentials.headers()["authorization"] == "one"
    assert credentials.headers(renew=True)["authorization"] == "two"
    file.write_text("three")
    now = 61.0
    assert credentials.headers()["authorization"] == "three"


@pytest.mark.parametrize(
    ("connection", "headers"),
    [
        pytest.param(Connection(server="http://c", token="t"), {"authorization": "Bearer t"}, id="a token"),
        pytest.param(Connection(server="http://c", username="a", password="b"), {"authorization": "Basic YTpi"}, id="basic"),
        pytest.param(Connection(server="http://c"), {}, id="nobody"),
        pytest.param(
            Connection(server="http://c", token="t", impersonate="bob", impersonate_groups=("ops",)),
            {"authorization": "Bearer t", "impersonate-user": "bob", "impersonate-group": "ops"},
            id="as somebody else",
        ),
    ],
)
def test_credentials_become_headers(connection: Connection, headers: dict[str, str]) -> None:
    assert identity.credentials_of(connection)[0].headers() == headers


def test_a_missing_token_file_is_named(tmp_path: Path) -> None:
    credentials, _ = identity.credentials_of(Connection(server="http://c", token_file=str(tmp_path / "gone")))
    with pytest.raises(InvalidConfig, match="gone cannot be read"):
        credentials.headers()


PROGRAM = """#!{python}
import json, os, pathlib
count = pathlib.Path(__file__).with_suffix(".count")
count.write_text(str(int(count.read_text()) + 1 if count.exists() else 1))
print(json.dumps({{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1",
                  "status": {{"token": f"{{os.environ['PREFIX']}}-{{count.read_text()}}"}}}}))
"""


def with_program(folder: Path, text: str) -> str:
    program = Path(written(folder, text.format(python=sys.executable), "login"))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    run = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "./login",
        "interactiveMode": "Never",
        "env": [{"name": "PREFIX", "value": "fresh"}],
    }
    return written(folder, config(users=user(exec=run)))


@pytest.mark.slow
def test_a_credential_program_is_run_and_run_again_when_its_token_is_refused(tmp_path: Path) -> None:
    credentials, _ = identity.credentials_of(load(with_program(tmp_path, PROGRAM)))
    assert credentials.headers()["authorization"] == "Bearer fresh-1"
    assert credentials.headers(renew=True)["authorization"] == "Bearer fresh-2"


@pytest.mark.slow
def test_a_credential_program_that_gives_nothing_is_an_error_with_advice(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="log in again"):
        identity.credentials_of(load(with_program(tmp_path, "#!{python}\nraise SystemExit(1)\n")))


@pytest.mark.parametrize(
    "connection",
    [
        pytest.param(Connection(server="https://c", ca_data=b"no pem"), id="an authority that is no PEM"),
        pytest.param(Connection(server="https://c", ca_file="/nowhere/ca.pem"), id="an authority that is not there"),
        pytest.param(Connection(server="https://c", client_certificate=b"x", client_key=b"y"), id="a key that is no PEM"),
    ],
)
def test_unusable_certificates_are_refused_when_connecting(connection: Connection) -> None:
    with pytest.raises(InvalidConfig):
        connect(connection)
