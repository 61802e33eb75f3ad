"""The acceptance manifests of Argo Rollouts that use what is served, applied unchanged, in virtual time."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from rollout_harness import Cluster, running

from kube.kinds import ANALYSIS_RUN, DESTINATION_RULE, REPLICA_SET, ROLLOUT, VIRTUAL_SERVICE
from kube.objects import annotations_of, labels_of, name_of

MANIFESTS = Path(__file__).parents[3] / "shared" / "acceptance" / "rollouts"
IMAGE = "ikubernetes/spring-boot-helloworld:v0.8."

pytestmark = [pytest.mark.looptime, pytest.mark.skipif(not MANIFESTS.is_dir(), reason="the acceptance manifests are not here")]


async def ship(cluster: Cluster, rollout: str, version: int) -> None:
    container = {"name": "spring-boot-helloworld", "image": f"{IMAGE}{version}"}
    template = (await cluster.get(ROLLOUT, rollout))["spec"]["template"]
    containers = [{**template["spec"]["containers"][0], **container}]
    await cluster.patch(ROLLOUT, rollout, {"spec": {"template": {"spec": {"containers": containers}}}})


async def at_step(cluster: Cluster, name: str, step: int) -> None:
    await cluster.until(lambda status: bool(status["currentStepIndex"] == step), name)


async def sizes(cluster: Cluster) -> tuple[int, int]:
    """Return the pods wanted of the old and the new version."""
    found = await cluster.sizes()
    return found.get(f"{IMAGE}0", 0), found.get(f"{IMAGE}1", 0)


async def weights(cluster: Cluster) -> tuple[int, int]:
    """Return what the route gives to stable and canary."""
    [route] = (await cluster.get(VIRTUAL_SERVICE, "helloworld-rollout-vsvc"))["spec"]["http"]
    assert route["name"] == "primary"
    by_subset = {one["destination"]["subset"]: one.get("weight", 0) for one in route["route"]}
    return by_subset["stable"], by_subset["canary"]


async def hashes(cluster: Cluster) -> tuple[str, str]:
    rule = await cluster.get(DESTINATION_RULE, "helloworld-rollout-destrule")
    labels = {one["name"]: one["labels"] for one in rule["spec"]["subsets"]}
    assert all(one["app"] == "spring-boot-helloworld" for one in labels.values())
    return labels["stable"]["rollouts-pod-template-hash"], labels["canary"]["rollouts-pod-template-hash"]


async def test_02_replica_weighted_canary() -> None:
    name = "rollouts-spring-boot-helloworld"
    async with running(ready_after=6) as cluster:
        await cluster.apply((MANIFESTS / "02-canary-replica-weighted.yaml").read_text())
        await cluster.phase("Healthy", name)
        assert await sizes(cluster) == (10, 0)
        await ship(cluster, name, 1)
        await cluster.phase("Paused", name)
        assert await sizes(cluster) == (9, 1)
        await cluster.settled(seconds=3600)
        assert (await cluster.status(name))["phase"] == "Paused", "the first pause is open-ended"
        await cluster.patch_status({"pauseConditions": None}, name)
        seen = []
        for step, new in ((3, 2), (5, 3), (7, 4), (9, 6), (11, 8)):
            await at_step(cluster, name, step)
            seen.append(await sizes(cluster))
            assert seen[-1] == (10 - new, new)
        await cluster.phase("Healthy", name)
        assert await sizes(cluster) == (0, 10)


async def test_03_subset_split() -> None:
    name = "rollouts-helloworld-with-traffic-shifting"
    async with running(ready_after=6) as cluster:
        await cluster.apply((MANIFESTS / "03-canary-istio-subset-split.yaml").read_text())
        await cluster.phase("Healthy", name)
        await cluster.settled()
        stable, canary = await hashes(cluster)
        assert stable == canary == (await cluster.status(name))["stableRS"], "also before any update"
        await ship(cluster, name, 1)
        for step, weight, pods in ((2, 5, 1), (4, 10, 1), (5, 10, 1), (7, 20, 2), (9, 40, 4), (11, 60, 6), (13, 80, 8)):
            await at_step(cluster, name, step)
            assert (await weights(cluster), (await sizes(cluster))[1]) == ((100 - weight, weight), pods)
        await cluster.phase("Healthy", name)
        await cluster.settled()
        assert await weights(cluster) == (100, 0)
        stable, canary = await hashes(cluster)
        assert stable == canary == (await cluster.status(name))["currentPodHash"]
        await cluster.settled(seconds=31)
        assert await sizes(cluster) == (0, 10)


async def test_06_background_analysis_of_a_service_that_does_not_exist() -> None:
    """No Prometheus answers here, so every measurement is an error, as it is for a query without any series."""
    name = "rollouts-helloworld-with-analysis"
    async with running(ready_after=6) as cluster:
        await cluster.apply((MANIFESTS / "06-canary-istio-background-analysis-wrong-target.yaml").read_text())
        await cluster.phase("Healthy", name)
        await ship(cluster, name, 1)
        await cluster.until(lambda status: status["currentStepIndex"] == 1, name)
        assert await weights(cluster) == (95, 5)
        assert await cluster.all(ANALYSIS_RUN) == []
        await cluster.until(lambda status: status["currentStepIndex"] >= 2, name)
        await cluster.settled()
        [run] = await cluster.all(ANALYSIS_RUN)
        assert labels_of(run)["rollout-type"] == "Background"
        await cluster.phase("Degraded", name)
        await cluster.settled()
        assert await weights(cluster) == (100, 0)
        assert (await cluster.get(ANALYSIS_RUN, name_of(run)))["status"]["phase"] == "Error"
        await cluster.settled(seconds=40)
        assert await sizes(cluster) == (10, 0)
        await ship(cluster, name, 1)
        await cluster.settled(seconds=5)
        assert (await cluster.status(name))["phase"] == "Degraded", "the same image again is the same update"


async def test_the_image_that_was_aborted_is_tried_again_once_the_manifest_of_before_was_applied() -> None:
    """File 06 again: what `kubectl apply` of it puts back is the stable template, and then the aborted image is asked for."""
    name = "rollouts-helloworld-with-analysis"
    text = (MANIFESTS / "06-canary-istio-background-analysis-wrong-target.yaml").read_text()
    async with running(ready_after=6) as cluster:
        await cluster.apply(text)
        await cluster.phase("Healthy", name)
        await ship(cluster, name, 1)
        await cluster.phase("Degraded", name)
        await cluster.settled(seconds=40)
        [first] = await cluster.all(ANALYSIS_RUN)
        aborted = await cluster.status(name)
        written = next(one for one in yaml.safe_load_all(text) if one and one["kind"] == "Rollout")
        await cluster.patch(ROLLOUT, name, {"spec": written["spec"]})
        await cluster.phase("Healthy", name)
        assert (await sizes(cluster), await weights(cluster)) == ((10, 0), (100, 0))

        await ship(cluster, name, 1)
        await at_step(cluster, name, 1)
        assert await weights(cluster) == (95, 5), "from the first step"
        await cluster.until(lambda status: status["currentStepIndex"] >= 2, name)
        await cluster.settled()
        [second] = [one for one in await cluster.all(ANALYSIS_RUN) if name_of(one) != name_of(first)]
        status = await cluster.status(name)
        assert status["currentPodHash"] == aborted["currentPodHash"], "the version is the one that was aborted"
        assert status["canary"]["currentBackgroundAnalysisRunStatus"]["name"] == name_of(second)
        assert not status.get("abort")
        assert not second["status"].get("completedAt")


async def test_02_and_03_side_by_side_keep_their_own_replica_sets() -> None:
    """Both have the same selector and the same pod template: a ReplicaSet belongs to the Rollout that owns it."""
    async with running() as cluster:
        for file in ("02-canary-replica-weighted.yaml", "03-canary-istio-subset-split.yaml"):
            text = (MANIFESTS / file).read_text()
            documents = [one for one in text.split("---\n") if "kind: Service\n" not in one or file.startswith("02")]
            await cluster.apply("---\n".join(documents))
        for name in ("rollouts-spring-boot-helloworld", "rollouts-helloworld-with-traffic-shifting"):
            await cluster.phase("Healthy", name)
        owners = {name_of(one): one["metadata"]["ownerReferences"][0]["name"] for one in await cluster.all(REPLICA_SET)}
        assert sorted(owners.values()) == ["rollouts-helloworld-with-traffic-shifting", "rollouts-spring-boot-helloworld"]
        assert all(name.startswith(owner) for name, owner in owners.items())
        assert all(annotations_of(one)["rollout.argoproj.io/revision"] == "1" for one in await cluster.all(REPLICA_SET))
