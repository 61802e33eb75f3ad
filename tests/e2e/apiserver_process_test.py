"""The API server as a process: tokens, faults on a real socket, and what survives a kill."""

from __future__ import annotations

import json
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, RemoteDisconnected
from pathlib import Path
from typing import Any

import pytest
from apiserver_process import Process

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


def ask(url: str, body: Any = None, *, method: str | None = None, token: str = "") -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=60) as response:
        return json.loads(response.read())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path, "--bare")
    yield process
    code, complaints = process.stop()
    assert (code, complaints) == (0, "")


def test_without_a_token_the_answer_is_401(server: Process) -> None:
    for url in (server.url + CONFIG_MAPS, server.url + "/token/wrong" + CONFIG_MAPS):
        with pytest.raises(urllib.error.HTTPError) as caught:
            ask(url)
        with caught.value as refused:
            assert (refused.code, json.loads(refused.read())["reason"]) == (401, "Unauthorized")

    assert ask(server.url + CONFIG_MAPS, token="sesame")["kind"] == "ConfigMapList"
    assert ask(server.base + CONFIG_MAPS)["kind"] == "ConfigMapList"
    assert ask(server.url + "/version")["major"] == "1"


def test_a_dropped_connection_is_dropped_for_real(server: Process) -> None:
    ask(server.base + "/debug/faults", {"action": "drop-after", "verb": "create", "times": 1})

    with pytest.raises((RemoteDisconnected, ConnectionResetError)):
        ask(server.base + CONFIG_MAPS, {"metadata": {"name": "a"}})

    assert ask(f"{server.base}{CONFIG_MAPS}/a")["metadata"]["name"] == "a"


def test_a_watch_that_nobody_reads_any_more_ends_without_a_word(server: Process) -> None:
    ask(server.base + CONFIG_MAPS, {"metadata": {"name": "a"}})
    with urllib.request.urlopen(server.base + CONFIG_MAPS + "?watch=true", timeout=60) as response:
        assert json.loads(response.readline())["type"] == "ADDED"

    for name in "bcd":
        ask(server.base + CONFIG_MAPS, {"metadata": {"name": name}})


def test_requests_are_counted_by_verb_and_resource(server: Process) -> None:
    ask(server.base + CONFIG_MAPS, {"metadata": {"name": "a"}})

    rows = ask(server.base + "/debug/requests")["requests"]

    assert {"user": "admin", "verb": "create", "resource": "configmaps", "count": 1} in rows


def test_objects_survive_a_kill_and_versions_go_on_growing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = Process(tmp_path, "--data", str(data))
    kept = ask(first.base + CONFIG_MAPS, {"metadata": {"name": "kept"}, "data": {"x": "1"}})
    ask(first.base + CONFIG_MAPS, {"metadata": {"name": "gone"}})
    ask(f"{first.base}{CONFIG_MAPS}/gone", method="DELETE")
    first.stop(signal.SIGKILL)
    with data.open("ab") as file:
        file.write(b'{"store":"configmaps","removed":fal')  # a line torn by the kill

    second = Process(tmp_path, "--data", str(data))
    try:
        listed = ask(second.base + CONFIG_MAPS)
        assert [item["metadata"] for item in listed["items"]] == [kept["metadata"]]
        assert int(listed["metadata"]["resourceVersion"]) >= int(kept["metadata"]["resourceVersion"])
        assert ask(second.base + "/apis/argoproj.io/v1alpha1/rollouts")["items"] == []
        newer = ask(second.base + CONFIG_MAPS, {"metadata": {"name": "new"}})
        assert int(newer["metadata"]["resourceVersion"]) > int(kept["metadata"]["resourceVersion"])
        with pytest.raises(urllib.error.HTTPError) as caught:
            ask(f"{second.base}{CONFIG_MAPS}?watch=true&resourceVersion=3")
        with caught.value as refused:
            assert refused.code == 410, "the history before the restart is gone"
    finally:
        code, complaints = second.stop()
    assert (code, complaints) == (0, "")


def test_requests_on_an_inherited_socket_wait_for_the_server(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, closing(HTTPConnection(*listening.getsockname())) as early:
        early.request("GET", "/readyz")

        server = Process(tmp_path, f"--listen-fd={listening.fileno()}", pass_fds=[listening.fileno()])

        assert early.getresponse().status == 200
        assert server.stop() == (0, "")
