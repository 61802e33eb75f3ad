"""A Prometheus server on loopback, with the relay as its targets.

Owns the process, its configuration and the objects by which the cluster finds it. Must not: know pods.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import aiohttp

from kube.kinds import ENDPOINT_SLICE, NAMESPACE, SERVICE, Kind
from kube.objects import Object
from sandbox.gateway.catalog import SERVICE_NAME
from sandbox.gateway.process import Child

NAMESPACES = ("monitoring", "istio-system")
PORT = 9090
BINARY_VARIABLE = "ROLLOUTS_PROMETHEUS"
POLL_SECONDS = 0.02
READY_SECONDS = 20


class NoPrometheus(RuntimeError):
    """There is no Prometheus binary, or it does not start; the text says what to do."""


def prometheus_path(given: str | None = None) -> Path | None:
    """Return the binary: the one given, the environment's `ROLLOUTS_PROMETHEUS`, or the one on PATH; None if there is none."""
    found = shutil.which(given or os.environ.get(BINARY_VARIABLE) or "prometheus")
    return Path(found) if found else None


def configuration(relay_port: int, interval_seconds: float) -> str:
    """Return the configuration file (JSON is YAML): two fixed targets, whose labels are taken as they are."""
    interval = f"{round(interval_seconds * 1000)}ms"
    pages = [("pods", "/pods"), ("gateway", "/gateway")]
    jobs = [
        {
            "job_name": name,
            "metrics_path": path,
            "honor_labels": True,
            "static_configs": [{"targets": [f"127.0.0.1:{relay_port}"]}],
        }
        for name, path in pages
    ]
    return json.dumps({"global": {"scrape_interval": interval, "scrape_timeout": interval}, "scrape_configs": jobs})


def cluster_objects(address: str, port: int) -> list[tuple[Kind, Object]]:
    """Return what makes `http://prometheus.monitoring:9090` and `http://prometheus.istio-system:9090` lead here.

    The Services have no selector: their only endpoint is this process.
    """
    return [pair for namespace in NAMESPACES for pair in _objects_in(namespace, address, port)]


class Prometheus:
    """One Prometheus from `start` to `stop`; its data live in `folder`."""

    def __init__(self, binary: Path, folder: Path, *, port: int, relay_port: int, interval_seconds: float = 1.0) -> None:
        """Prepare; nothing runs yet."""
        self._folder = folder
        self._configuration = configuration(relay_port, interval_seconds)
        self.port = port
        self.address = f"http://127.0.0.1:{port}"
        self.child = Child(
            [
                str(binary),
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--web.enable-lifecycle",
                "--web.enable-remote-write-receiver",
                "--query.lookback-delta=10s",
                "--storage.tsdb.retention.time=2h",
                "--log.level=error",
            ],
            on_start=self._get_ready,
        )

    async def start(self) -> None:
        """Start it and wait until it answers queries.

        Raises:
            NoPrometheus: it ended, or does not get ready in time.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "prometheus.yml").write_text(self._configuration)
        await self.child.start()

    async def stop(self) -> None:
        """Stop it and remove its data."""
        await self.child.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _get_ready(self) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            for _ in range(round(READY_SECONDS / POLL_SECONDS)):
                if self.child.pid is None:
                    raise NoPrometheus("Prometheus ended at once; its log says why")
                if await self._is_ready(session):
                    return
                await asyncio.sleep(POLL_SECONDS)
        raise NoPrometheus(f"Prometheus does not get ready at {self.address}; its log says why")

    async def _is_ready(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"{self.address}/-/ready") as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False


def _objects_in(namespace: str, address: str, port: int) -> Iterable[tuple[Kind, Object]]:
    metadata = {"name": "prometheus", "namespace": namespace, "labels": {"app": "prometheus"}}
    yield NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    ports = [{"name": "http", "port": PORT, "targetPort": port, "protocol": "TCP"}]
    yield SERVICE, {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": ports}}
    yield (
        ENDPOINT_SLICE,
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "prometheus", "namespace": namespace, "labels": {SERVICE_NAME: "prometheus"}},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        },
    )
