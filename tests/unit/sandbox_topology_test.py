"""What a sandbox consists of, described without starting anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.cluster.claims import Networks, claimed_networks
from sandbox.cluster.kubeconfig import kubeconfig
from sandbox.cluster.setup import choose_ports
from sandbox.cluster.topology import Options, Part, Places, Stage, parts_of

PLACES = Places(
    folder=Path("/state"),
    networks=Networks(3),
    api_port=1001,
    ingress_port=1002,
    proxy_port=1003,
    prometheus_port=1004,
    health_port=1005,
    tokens={user: f"{user}-token" for user in ("admin", "controller", "gateway", "node")},
)


def parts(prometheus: Path | None = None, **options: object) -> dict[str, Part]:
    return {part.name: part for part in parts_of(Options(**options), PLACES, prometheus=prometheus)}  # type: ignore[arg-type]


def words_after(part: Part, flag: str) -> list[str]:
    return [after for word, after in zip(part.command, part.command[1:], strict=False) if word == flag]


def test_a_sandbox_has_an_api_server_a_node_and_a_gateway() -> None:
    assert {name: part.stage for name, part in parts().items()} == {
        "apiserver": Stage.API,
        "node": Stage.CLUSTER,
        "gateway": Stage.CLUSTER,
    }


def test_clients_of_the_api_may_come_before_it_serves() -> None:
    assert {name: part.listen_port for name, part in parts().items()} == {"apiserver": PLACES.api_port, "node": 0, "gateway": 0}


def test_the_controller_comes_only_when_asked_for_and_starts_last() -> None:
    assert parts(with_controller=True)["controller"].stage is Stage.PRODUCT


def test_the_controller_has_a_kubeconfig_of_its_own_and_finds_names_of_the_cluster() -> None:
    controller = parts(with_controller=True)["controller"]
    assert words_after(controller, "--kubeconfig") == ["/state/controller.kubeconfig"]
    assert controller.environment["http_proxy"] == "http://127.0.0.1:1003"
    assert controller.environment["no_proxy"] == "127.0.0.1,localhost"


def test_everything_of_one_sandbox_is_in_its_own_networks() -> None:
    found = parts()
    assert words_after(found["apiserver"], "--service-network") == ["127.99.0.0/16"]
    assert words_after(found["node"], "--network") == ["127.13.0.0/16"]


@pytest.mark.parametrize(
    ("binary", "words"),
    [
        pytest.param(Path("/bin/prometheus"), ["--prometheus", "/bin/prometheus"], id="with Prometheus"),
        pytest.param(None, ["--no-prometheus"], id="without"),
    ],
)
def test_the_gateway_is_told_about_prometheus(binary: Path | None, words: list[str]) -> None:
    assert list(parts(binary)["gateway"].command[-len(words) :]) == words


def test_images_that_a_person_allows_reach_the_node() -> None:
    assert words_after(parts(allow_images=("acme/*", "other"))["node"], "--allow-image") == ["acme/*", "other"]


def test_pods_may_be_played() -> None:
    assert words_after(parts(played_pods=0.5)["node"], "--played") == ["0.5"]
    assert "--played" not in parts()["node"].command


def test_tokens_are_not_shown_in_representations() -> None:
    assert "node-token" not in repr(parts()["node"])


def test_claimed_networks_differ() -> None:
    with claimed_networks() as first, claimed_networks() as second:
        assert first.pods != second.pods
        assert first.services != second.services


def test_free_ports_all_differ_and_wanted_ones_are_kept() -> None:
    (wanted,) = choose_ports([0])
    found = choose_ports([wanted, 0, 0, 0])
    assert found[0] == wanted
    assert len(set(found)) == 4


def test_kubectl_gets_its_token_by_the_address_since_it_sends_none_without_tls() -> None:
    assert "http://admin:secret@127.0.0.1:1001" in kubeconfig(server="http://127.0.0.1:1001", user="admin", token="secret")
