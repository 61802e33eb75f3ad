"""The quickstart example in a namespace of a test's own, with users."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from sandbox_terminal import Tool

from sandbox.cluster import Cluster
from sandbox.load.generator import LoadGenerator
from sandbox.load.wire import Target

OPENING_SECONDS = 30
QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart-nginx"


def quickstart(
    namespace: str,
    *,
    steps: Sequence[dict[str, Any]] | None = None,
    analysis: bool = True,
    labels: Mapping[str, str] = {},
) -> str:
    """Return the manifests with host and metric label of the namespace, perhaps with other steps, without the analysis, or with
    labels of the Rollout."""
    documents = [one for file in sorted(QUICKSTART.glob("*.yaml")) for one in yaml.safe_load_all(file.read_text())]
    for one in documents:
        if one["kind"] == "Ingress":
            one["spec"]["rules"][0]["host"] = host_of(namespace)
        if one["kind"] == "Rollout":
            one["metadata"].setdefault("labels", {}).update(labels)
            canary = one["spec"]["strategy"]["canary"]
            canary["analysis"]["args"][0]["value"] = f"{namespace}-shop-canary-80"
            canary["steps"] = list(steps) if steps is not None else canary["steps"]
            if not analysis:
                del canary["analysis"]
    return yaml.safe_dump_all(documents)


def host_of(namespace: str) -> str:
    """Return the host that users of the namespace's shop ask for."""
    return f"shop.{namespace}.local"


def deploy(kubectl: Tool, namespace: str, manifests: str) -> None:
    """Apply manifests and wait until the shop is healthy."""
    kubectl("apply", "-n", namespace, "-f", "-", stdin=manifests)
    kubectl("wait", "-n", namespace, "rollout/shop", "--for=condition=Healthy", "--timeout=30s")


@asynccontextmanager
async def users(cluster: Cluster, namespace: str, *, rps: float = 100) -> AsyncIterator[LoadGenerator]:
    """Let users come, once the shop is open: a gateway serves a first Ingress a moment after it is there."""
    target = Target(url=cluster.gateway, host=host_of(namespace))
    async with asyncio.timeout(OPENING_SECONDS), LoadGenerator(target, rps=10) as knocking:
        while 200 not in knocking.snapshot().statuses:
            await knocking.progress()
    async with LoadGenerator(target, rps=rps) as load:
        yield load


async def answers(load: LoadGenerator, count: int) -> dict[str, int]:
    """Wait for so many more answers and return who gave them, by version."""
    before = load.snapshot().versions
    wanted = sum(before.values()) + count
    while load.answered < wanted:
        await load.progress()
    after = load.snapshot().versions
    return {version: after[version] - before.get(version, 0) for version in after if after[version] > before.get(version, 0)}
