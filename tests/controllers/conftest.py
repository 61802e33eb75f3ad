"""An API server over HTTP for commands, which block: it runs in another thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kube.config import load
from kube.quick import QuickClient
from sandbox.apiserver.http import kubeconfig, serving
from sandbox.apiserver.installing import install_all
from sandbox.apiserver.server import ApiServer


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Serve a cluster from another thread, as the commands block; yield its kubeconfig, which is the current one."""
    url: list[str] = []
    started = threading.Event()
    stop: list[Any] = []

    async def serve() -> None:
        server, done = ApiServer(), asyncio.Event()
        await install_all(server)
        async with serving(server) as address:
            url.append(address)
            stop.extend((asyncio.get_running_loop(), done))
            started.set()
            await done.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert started.wait(30)
    path = tmp_path / "kubeconfig"
    path.write_text(kubeconfig(url[0]))
    monkeypatch.setenv("KUBECONFIG", str(path))
    yield path
    stop[0].call_soon_threadsafe(stop[1].set)
    thread.join(30)


@pytest.fixture
def client(config: Path) -> Iterator[QuickClient]:
    """Talk to the cluster beside the command."""
    with QuickClient(load(str(config))) as found:
        yield found
