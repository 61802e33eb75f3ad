"""The demo application: a fast HTTP/1.1 server that says who it is, and fails in the ways it is told to.

Owns the protocol of its few paths: `/`, `/color`, `/healthz`, `/readyz`, `/metrics`. Must not: be a general web server;
it imports little, so that a process of it is small.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.apps.behaviour import NORMAL, Behaviour, from_environment
from sandbox.apps.metrics import Metrics

DRAIN_SECONDS = 2.0
"""How long the listener stays open after SIGTERM: proxies may not have heard yet that this pod goes."""
BODY_LIMIT = 1 << 20
HEAD_LIMIT = 1 << 16
KNOWN_PATHS = ("/", "/color", "/healthz", "/readyz", "/livez", "/metrics", "/version")
_REASONS = {200: "OK", 400: "Bad Request", 413: "Content Too Large", 500: "Internal Server Error", 503: "Service Unavailable"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the program listens and who it is."""

    address: str
    ports: tuple[int, ...]
    name: str
    version: str
    pod: str
    namespace: str
    color: str = ""
    behaviour: Behaviour = NORMAL


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Read the variables that the node agent gives to the program.

    Raises:
        BadSwitch: a behaviour variable cannot be read.
    """
    ports = tuple(int(text) for text in environment.get("SANDBOX_PORTS", "8080").split(","))
    return Settings(
        address=environment.get("SANDBOX_ADDRESS") or environment.get("POD_IP") or "127.0.0.1",
        ports=ports,
        name=environment.get("SANDBOX_APP", "web"),
        version=environment.get("SANDBOX_VERSION", "latest"),
        pod=environment.get("HOSTNAME", ""),
        namespace=environment.get("SANDBOX_NAMESPACE", ""),
        color=environment.get("SANDBOX_COLOR", ""),
        behaviour=from_environment(NORMAL, environment),
    )


class App:
    """What all connections of one program share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.stopping = False
        self.connections: set[Connection] = set()
        self.nobody = asyncio.Event()
        self._answers = 0
        said = {"app": settings.name, "version": settings.version, "pod": settings.pod, "namespace": settings.namespace}
        self._body = json.dumps(said).encode() + b"\n"
        self._failure = json.dumps({**said, "error": "this version fails now and then"}).encode() + b"\n"
        color = json.dumps(settings.color or settings.version).encode()
        self._color = color

    def answer(self, path: str) -> tuple[int, bytes, str]:
        """Return code, body and content type for a path; every path that is not special is the application's."""
        match path:
            case "/metrics":
                return 200, self.metrics.text().encode(), "text/plain; version=0.0.4; charset=utf-8"
            case "/healthz" | "/livez":
                return 200, b"ok\n", "text/plain"
            case "/readyz":
                ready = self.settings.behaviour.ready and not self.stopping
                return (200, b"ready\n", "text/plain") if ready else (503, b"not ready\n", "text/plain")
        code = 500 if self._fails() else 200
        if path == "/color":
            return code, self._color, "application/json"
        return code, self._body if code == 200 else self._failure, "application/json"

    def _fails(self) -> bool:
        """Fail every n-th time, evenly: the share is exact over any run of answers."""
        every = self.settings.behaviour.error_every
        if not every:
            return False
        before, self._answers = self._answers, self._answers + 1
        return int((before + 1) / every) > int(before / every)


class Connection(asyncio.Protocol):
    """One client. Requests are answered in order; a pipelined one waits for those before it."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the client."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._app.connections.add(self)
        self._app.nobody.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client."""
        self._app.connections.discard(self)
        if not self._app.connections:
            self._app.nobody.set()
        self._transport = None

    @property
    def idle(self) -> bool:
        """Whether no request is being answered or half received."""
        return not self._busy and not self._buffer

    def close(self) -> None:
        """Close after what was written is sent."""
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Take bytes in; answer when a whole request is there."""
        self._buffer += data
        if not self._busy:
            self._next()

    def _next(self) -> None:
        while not self._busy:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > HEAD_LIMIT:
                    self._refuse(413)
                return
            head = self._buffer[:end]
            length = _body_length(head)
            if length is None or length > BODY_LIMIT:
                self._refuse(400 if length is None else 413)
                return
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            self._handle(head)

    def _handle(self, head: bytes) -> None:
        parts = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(parts) != 3:
            self._refuse(400)
            return
        method, path = parts[0], parts[1].partition("?")[0]
        closing = b"connection: close" in head.lower() or parts[2] == "HTTP/1.0"
        started = time.perf_counter()
        latency = self._app.settings.behaviour.latency_ms
        if latency and path not in KNOWN_PATHS[2:]:
            self._busy = True
            loop = asyncio.get_running_loop()
            loop.call_later(latency / 1000, self._late, (method, path, closing), started)
            return
        self._respond(method, path, closing=closing, started=started)

    def _late(self, request: tuple[str, str, bool], started: float) -> None:
        self._busy = False
        method, path, closing = request
        self._respond(method, path, closing=closing, started=started)
        if self._transport is not None and not self._transport.is_closing():
            self._next()

    def _respond(self, method: str, path: str, *, closing: bool, started: float) -> None:
        if self._transport is None:
            return
        app = self._app
        code, body, content_type = app.answer(path)
        closing = closing or app.stopping
        keep = "close" if closing else "keep-alive"
        head = (
            f"HTTP/1.1 {code} {_REASONS[code]}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
            f"X-Version: {app.settings.version}\r\nX-Pod: {app.settings.pod}\r\nConnection: {keep}\r\n\r\n"
        )
        self._transport.write(head.encode("latin-1") + (b"" if method == "HEAD" else body))
        if path != "/metrics":
            app.metrics.observe(code, method, path if path in KNOWN_PATHS else "/other", seconds=time.perf_counter() - started)
        if closing:
            self._transport.close()

    def _refuse(self, code: int) -> None:
        if self._transport is not None:
            head = f"HTTP/1.1 {code} {_REASONS[code]}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            self._transport.write(head.encode())
            self._transport.close()
        self._buffer = b""


def _body_length(head: bytes) -> int | None:
    """Return the length of a request's body; None when it is not given as a plain number."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        match name.strip().lower():
            case b"content-length":
                text = value.strip()
                return int(text) if text.isdigit() else None
            case b"transfer-encoding":
                return None
    return 0


async def serve(settings: Settings) -> int:
    """Serve until SIGTERM; return the exit code."""
    behaviour = settings.behaviour
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if behaviour.crash_after_s is not None:
        loop.call_later(behaviour.crash_after_s, _crash, behaviour.crash_after_s)
    if behaviour.start_delay_ms:
        await asyncio.sleep(behaviour.start_delay_ms / 1000)
    app = App(settings)
    servers = [await _listen(app, settings.address, port) for port in settings.ports]
    print(f"{settings.name}:{settings.version} listens on {settings.address}:{','.join(map(str, settings.ports))}", flush=True)
    await stop.wait()
    await _drain(app, servers)
    return 0


async def _listen(app: App, address: str, port: int) -> asyncio.Server:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    return await asyncio.get_running_loop().create_server(lambda: Connection(app), sock=listener, backlog=1024)


async def _drain(app: App, servers: list[asyncio.Server]) -> None:
    """Answer what still comes for a moment, each answer closing its connection, then what is under way, then stop."""
    app.stopping = True
    await asyncio.sleep(DRAIN_SECONDS)
    for server in servers:
        server.close()
    for connection in tuple(app.connections):
        if connection.idle:
            connection.close()
    if app.connections:
        await app.nobody.wait()


def _crash(seconds: float) -> None:
    print(f"crashing {seconds:g} s after the start, as told", file=sys.stderr, flush=True)
    os._exit(1)


def main(environment: Mapping[str, str]) -> int:
    """Run the program with these variables; return its exit code."""
    try:
        return asyncio.run(serve(settings_from(environment)))
    except (OSError, ValueError) as error:
        print(f"cannot start: {error}", file=sys.stderr, flush=True)
        return 1


if __name__ == "__main__":
    sys.exit(main(os.environ))
