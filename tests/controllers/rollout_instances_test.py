"""Several controllers of one cluster divide its Rollouts by the label `controller-instance-id` (spec/rollout.md 5.4)."""

from __future__ import annotations

import asyncio

import pytest
from rollout_harness import running, start_controller, stop

from kube.kinds import ANALYSIS_RUN, REPLICA_SET, ROLLOUT
from kube.objects import labels_of
from rollouts.engine.names import INSTANCE_ID
from rollouts.manager import Options

pytestmark = pytest.mark.looptime

ROLLOUT_OF_BLUE = f"""
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {{name: checks}}
spec: {{metrics: [{{name: up, interval: 1m, provider: {{prometheus: {{address: "http://prometheus:9090", query: up}}}}}}]}}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {{name: shop, labels: {{{INSTANCE_ID}: blue}}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: shop}}}}
  template:
    metadata: {{labels: {{app: shop}}}}
    spec: {{containers: [{{name: shop, image: "shop:1"}}]}}
  strategy: {{canary: {{analysis: {{templates: [{{templateName: checks}}]}}, steps: [{{setWeight: 50}}, {{pause: {{}}}}]}}}}
"""


async def test_a_controller_without_an_instance_id_leaves_a_labelled_rollout_alone() -> None:
    async with running() as cluster:
        await cluster.apply(ROLLOUT_OF_BLUE)
        await asyncio.sleep(60)
        assert (await cluster.all(REPLICA_SET), await cluster.status()) == ([], {})


async def test_the_controller_of_the_instance_ships_it_and_labels_its_runs() -> None:
    async with running() as cluster:
        manager, task, _ = start_controller(cluster.server, options=Options(instance_id="blue"))
        try:
            await cluster.apply(ROLLOUT_OF_BLUE)
            await cluster.phase("Healthy")
            await cluster.set_image("shop:2")
            await cluster.phase("Paused")
            await asyncio.sleep(5)
            runs = await cluster.all(ANALYSIS_RUN)
            assert [labels_of(run)[INSTANCE_ID] for run in runs] == ["blue"]
            assert [run["status"]["phase"] for run in runs] == ["Running"]
        finally:
            await stop(task)
            await manager.close()


async def test_a_rollout_without_the_label_is_not_the_instances() -> None:
    async with running() as cluster:
        await stop(cluster.task)
        manager, task, _ = start_controller(cluster.server, options=Options(instance_id="blue"))
        try:
            await cluster.apply(ROLLOUT_OF_BLUE.replace(f", labels: {{{INSTANCE_ID}: blue}}", ""))
            await asyncio.sleep(60)
            assert "status" not in await cluster.get(ROLLOUT, "shop")
        finally:
            await stop(task)
            await manager.close()
