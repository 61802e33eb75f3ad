"""How soon users are off a bad version: from the answer that makes a measurement fail to the last write of the router.

Run `python -m bench.takeback` from the root of the project; `--control-plane real` asks a real API server. The metric is a web
page of the bench itself, so the moment of the bad answer is known; pods are played.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bench.stage import Stage, rollout, staged
from bench.update import NGINX, ingress, service
from kube.informer import Informer
from kube.kinds import ANALYSIS_TEMPLATE, INGRESS, ROLLOUT, SERVICE, ObjectRef
from kube.objects import Object, annotations_of
from sandbox.cluster import ControlPlane
from sandbox.cluster.setup import choose_ports

ROUNDS = 10
WEIGHT = "nginx.ingress.kubernetes.io/canary-weight"


@dataclass(slots=True)
class Page:
    """The metric: 1 while all is well. Remembers when it was asked and said otherwise."""

    url: str = ""
    value: int = 1
    bad_at: float = 0.0

    async def answer(self, _request: web.BaseRequest) -> web.StreamResponse:
        """Answer with the value."""
        if not self.value and not self.bad_at:
            self.bad_at = time.perf_counter()
        return web.json_response({"value": self.value})


@asynccontextmanager
async def served() -> AsyncIterator[Page]:
    """Serve a page while the block lasts."""
    page, [port] = Page(), choose_ports([0])
    runner = web.ServerRunner(web.Server(page.answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    page.url = f"http://127.0.0.1:{port}/"
    try:
        yield page
    finally:
        await runner.cleanup()


def template(url: str) -> Object:
    """Return an analysis that one bad answer fails."""
    provider = {"web": {"url": url, "jsonPath": "{$.value}"}}
    metric = {"name": "health", "interval": "1s", "successCondition": "result == 1", "failureLimit": 0, "provider": provider}
    metadata = {"name": "health", "namespace": "default"}
    return {
        "apiVersion": ANALYSIS_TEMPLATE.api_version,
        "kind": ANALYSIS_TEMPLATE.name,
        "metadata": metadata,
        "spec": {"metrics": [metric]},
    }


async def taken_back(stage: Stage, page: Page, ingresses: Informer, image: str) -> float:
    """Ship an image, let its metric fail, and return the seconds until the router's last write, as a watch sees it."""
    written = 0.0

    def changed(_old: Object | None, new: Object | None) -> None:
        nonlocal written
        if page.bad_at and (new is None or annotations_of(new).get(WEIGHT) == "0"):
            written = written or time.perf_counter()

    def status() -> dict[str, Any]:
        return dict((stage.rollouts.store.get("default", "shop") or {}).get("status") or {})

    page.value, page.bad_at = 1, 0.0
    ingresses.on_change(changed)
    await stage.ship("shop", image)
    await stage.until(lambda: status().get("phase") == "Paused" and _measures(status()))
    page.value = 0
    await stage.until(lambda: status().get("phase") == "Degraded" and written > 0)
    return written - page.bad_at


def _measures(status: dict[str, Any]) -> bool:
    return ((status.get("canary") or {}).get("currentBackgroundAnalysisRunStatus") or {}).get("status") == "Running"


async def bench(control_plane: ControlPlane) -> None:
    """Print the row."""
    async with staged(control_plane, audited=False) as stage, stage.controller(), served() as page:
        for name in ("shop", "shop-canary"):
            await stage.client.create(SERVICE, service(name))
        await stage.client.create(INGRESS, ingress())
        await stage.client.create(ANALYSIS_TEMPLATE, template(page.url))
        analysis = {"templates": [{"templateName": "health"}]}
        canary = {**NGINX, "analysis": analysis, "abortScaleDownDelaySeconds": 1}
        await stage.client.create(ROLLOUT, rollout("shop", [{"setWeight": 50}, {"pause": {}}], canary=canary))
        await stage.healthy(["shop"], "shop:1")
        ingresses = Informer(stage.client, INGRESS)
        watching = asyncio.create_task(ingresses.run())
        await ingresses.synced()
        times = []
        for number in range(ROUNDS):
            times.append(1000 * await taken_back(stage, page, ingresses, f"shop:bad-{number}"))
            await stage.ship("shop", "shop:1")
            await stage.healthy(["shop"], "shop:1")
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await stage.client.delete(ObjectRef(ROLLOUT, "default", "shop"))
    median, longest = statistics.median(times), max(times)
    print(f"bad answer -> last write of the router: median {median:.0f}, longest {longest:.0f} ms ({ROUNDS} times)")


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--control-plane", choices=[one.value for one in ControlPlane], default=ControlPlane.EMBEDDED.value)
    asyncio.run(bench(ControlPlane(parser.parse_args().control_plane)))


if __name__ == "__main__":
    main()
