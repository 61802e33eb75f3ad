"""Two API servers on loopback, the embedded one and a real one, as processes that end with the tests.

Owns their processes and files. Must not: send requests of cases; see differential_requests.py.
"""

from __future__ import annotations

import http.client
import os
import secrets
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.cluster.authority import make_authority
from sandbox.controlplane.programs import Programs

START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Server:
    """Where an API server listens, and how one gets in."""

    name: str
    port: int
    token: str
    authority: Path | None = None

    def connect(self, *, timeout_seconds: float = 30.0) -> http.client.HTTPConnection:
        """Return a connection of its own, not open yet."""
        if self.authority is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_seconds)
        trusted = ssl.create_default_context(cafile=str(self.authority))
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout_seconds, context=trusted)


@contextmanager
def embedded_server(folder: Path) -> Iterator[Server]:
    """Run the embedded API server with nothing but the built-in kinds."""
    token = secrets.token_hex(8)
    command = [sys.executable, "-m", "sandbox.apiserver", "--bare", "--token", f"{token}=admin"]
    with _running(command, folder / "embedded.log", stdout=subprocess.PIPE) as process:
        line = process.stdout.readline().decode().strip() if process.stdout else ""
        if not line:
            raise RuntimeError(f"the embedded API server did not start: {(folder / 'embedded.log').read_text()[-2000:]}")
        yield Server("embedded", int(line.rpartition(":")[2]), token)


@contextmanager
def real_server(programs: Programs, folder: Path) -> Iterator[Server]:
    """Run etcd and a real API server, without controllers: what an object looks like is then the API server's doing alone."""
    make_authority(folder, addresses=["127.0.0.1"])
    token = secrets.token_hex(8)
    (folder / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')
    clients, peers, port = _free_ports(3)
    server = Server("real", port, token, folder / "ca.crt")
    with (
        _running(_etcd(programs, folder, clients, peers), folder / "etcd.log"),
        _running(_api_server(programs, folder, clients, port), folder / "apiserver.log") as process,
    ):
        _until_ready(server, process, folder / "apiserver.log")
        yield server


def _etcd(programs: Programs, folder: Path, clients: int, peers: int) -> list[str]:
    client, peer = f"http://127.0.0.1:{clients}", f"http://127.0.0.1:{peers}"
    return [
        *(str(programs.etcd), "--data-dir", str(folder / "etcd"), "--unsafe-no-fsync", "--logger", "zap", "--log-level", "warn"),
        *("--listen-client-urls", client, "--advertise-client-urls", client),
        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"),
    ]


def _api_server(programs: Programs, folder: Path, store: int, port: int) -> list[str]:
    return [
        *(str(programs.api_server), "--etcd-servers", f"http://127.0.0.1:{store}"),
        *("--secure-port", str(port), "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1"),
        *("--endpoint-reconciler-type", "none", "--service-cluster-ip-range", "10.96.0.0/16"),
        *("--tls-cert-file", str(folder / "server.pem"), "--tls-private-key-file", str(folder / "server.pem")),
        *("--authorization-mode", "RBAC", "--token-auth-file", str(folder / "tokens.csv")),
        *("--service-account-issuer", "https://kubernetes.default.svc"),
        *("--service-account-key-file", str(folder / "accounts.key")),
        *("--service-account-signing-key-file", str(folder / "accounts.key")),
        "--profiling=false",
    ]


def _free_ports(count: int) -> Sequence[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@contextmanager
def _running(command: Sequence[str], log: Path, *, stdout: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command, stdout=errors if stdout is None else stdout, stderr=errors, cwd=Path(__file__).parents[2], env=dict(os.environ)
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout:
                process.stdout.close()


def _until_ready(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _is_ready(server):
            return
        time.sleep(0.1)
    raise RuntimeError(f"the real API server did not start: {log.read_text(errors='replace')[-2000:]}")


def _is_ready(server: Server) -> bool:
    connection = server.connect()
    try:
        for path in ("/readyz", "/api/v1/namespaces/default"):
            connection.request("GET", path, headers={"Authorization": f"Bearer {server.token}"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                return False
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True
