"""Jobs on the sandbox's API server, with played pods, in virtual time."""

from __future__ import annotations

import asyncio

import pytest
from workloads_harness import Cluster, running_cluster

from kube.errors import NotFound
from kube.kinds import JOB, POD

pytestmark = pytest.mark.looptime


def job(*, extra: str = "", policy: str = "Never", image: str = "busybox") -> str:
    return f"""
apiVersion: batch/v1
kind: Job
metadata: {{name: check}}
spec:
  {extra}
  template:
    spec:
      restartPolicy: {policy}
      containers: [{{name: main, image: "{image}"}}]
"""


async def ending(cluster: Cluster) -> tuple[str, str]:
    status = (await cluster.get(JOB, "check"))["status"]
    found = [one for one in status.get("conditions") or () if one["status"] == "True"]
    return (found[-1]["type"], found[-1]["reason"]) if found else ("", "")


async def test_a_job_is_complete_when_its_pod_has_succeeded() -> None:
    async with running_cluster() as cluster:
        await cluster.apply(job())
        await cluster.settled(seconds=5)

        status = (await cluster.get(JOB, "check"))["status"]
        assert (await ending(cluster))[0] == "Complete"
        assert status["succeeded"] == 1
        assert "active" not in status
        assert status["completionTime"]
        assert [pod["status"]["phase"] for pod in await cluster.all(POD)] == ["Succeeded"]


async def test_as_many_pods_run_at_once_as_parallelism_allows() -> None:
    async with running_cluster() as cluster:
        await cluster.apply(job(extra="completions: 5\n  parallelism: 2"))
        most = 0
        for _ in range(100):
            await asyncio.sleep(0.1)
            most = max(most, sum(pod["status"]["phase"] in ("Pending", "Running") for pod in await cluster.all(POD)))

        assert most == 2
        assert (await cluster.get(JOB, "check"))["status"]["succeeded"] == 5
        assert (await ending(cluster))[0] == "Complete"


@pytest.mark.parametrize(
    ("limit", "failed"), [pytest.param(0, 1, id="the first failure is the last"), pytest.param(2, 3, id="two more")]
)
async def test_a_job_fails_once_its_retries_are_spent(limit: int, failed: int) -> None:
    async with running_cluster() as cluster:
        cluster.pods_say.finish("busybox", exit_code=3)
        await cluster.apply(job(extra=f"backoffLimit: {limit}"))
        await asyncio.sleep(120)

        assert await ending(cluster) == ("Failed", "BackoffLimitExceeded")
        assert (await cluster.get(JOB, "check"))["status"]["failed"] == failed


async def test_a_failed_pod_is_retried_after_a_growing_wait() -> None:
    async with running_cluster() as cluster:
        cluster.pods_say.finish("busybox", exit_code=1)
        await cluster.apply(job(extra="backoffLimit: 6"))
        counts = []
        for moment in (8, 8, 20):
            await asyncio.sleep(moment)
            counts.append(len(await cluster.all(POD)))

        assert counts == [1, 2, 3]


async def test_a_container_restarted_in_place_counts_against_the_limit() -> None:
    async with running_cluster() as cluster:
        cluster.pods_say.crash("busybox")
        await cluster.apply(job(extra="backoffLimit: 2", policy="OnFailure"))
        await asyncio.sleep(100)

        assert await ending(cluster) == ("Failed", "BackoffLimitExceeded")
        assert await cluster.all(POD) == []


async def test_a_job_over_its_deadline_fails_and_its_pod_is_stopped() -> None:
    async with running_cluster() as cluster:
        cluster.pods_say.ready("busybox")
        await cluster.apply(job(extra="activeDeadlineSeconds: 30"))
        await asyncio.sleep(40)

        assert await ending(cluster) == ("Failed", "DeadlineExceeded")
        assert await cluster.all(POD) == []


async def test_a_finished_job_is_deleted_after_its_time_to_live() -> None:
    async with running_cluster() as cluster:
        await cluster.apply(job(extra="ttlSecondsAfterFinished: 20"))
        await asyncio.sleep(10)
        assert (await ending(cluster))[0] == "Complete"
        await asyncio.sleep(30)

        with pytest.raises(NotFound):
            await cluster.get(JOB, "check")
        assert await cluster.all(POD) == []


async def test_a_suspended_job_has_no_pods_until_it_is_resumed() -> None:
    async with running_cluster() as cluster:
        await cluster.apply(job(extra="suspend: true"))
        await asyncio.sleep(5)
        assert await cluster.all(POD) == []
        await cluster.patch(JOB, "check", {"spec": {"suspend": False}})
        await asyncio.sleep(5)

        assert (await ending(cluster))[0] == "Complete"


async def test_what_the_sandbox_cannot_do_is_said_in_a_condition() -> None:
    async with running_cluster() as cluster:
        await cluster.apply(job(extra="completionMode: Indexed\n  completions: 2"))
        await asyncio.sleep(3)

        assert await ending(cluster) == ("Failed", "UnsupportedByTheSandbox")
