"""Experiments are stored and refused, once, in words that say what to do instead."""

from __future__ import annotations

import pytest
from rollout_harness import running

from kube.kinds import EXPERIMENT

pytestmark = pytest.mark.looptime


async def test_an_experiment_says_that_it_is_not_served() -> None:
    async with running() as cluster:
        pod = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "a", "image": "shop:1"}]}}
        template = {"name": "a", "selector": {"matchLabels": {"app": "a"}}, "template": pod}
        metadata = {"name": "compare", "namespace": "default"}
        body = {"apiVersion": EXPERIMENT.api_version, "kind": "Experiment", "metadata": metadata, "spec": {"templates": [template]}}
        await cluster.client.create(EXPERIMENT, body)
        await cluster.settled()
        status = (await cluster.get(EXPERIMENT, "compare"))["status"]
        assert status["phase"] == "Error"
        assert "not served yet" in status["message"]
        assert [one["type"] for one in status["conditions"]] == ["InvalidSpec"]
        assert (await cluster.reasons()).count("InvalidSpec") == 1
        cluster.server.counts.clear()
        await cluster.settled(seconds=2000)
        assert cluster.writes() == {}
