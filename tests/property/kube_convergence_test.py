"""Whatever goes wrong on the way: when the faults stop, the cluster is as it would be without them, and nothing was done twice."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import looptime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from kube_cluster import Cluster, child, cluster, ref

from kube.controller import Controller
from kube.kinds import CONFIG_MAP, ObjectRef
from kube.objects import Key
from kube.plan import Observation, Patch, Plan, Stage
from sandbox.apiserver.faults import Fault

WRITE_FAULTS = ("drop-before", "drop-after", "lose-answer", "conflict", "too-many-requests", "error", "delay")
WATCH_FAULTS = ("drop-line", "split-line", "delay-events", "duplicate-events", "lose-events", "error-event")
CHILDREN = 3


def grow(scene: Cluster) -> Any:
    """A reconcile that, one at a time, makes children, marks each with its number, and counts them in the status."""

    def reconcile(key: Key, observations: Sequence[Observation], now: datetime) -> Plan | None:
        root = scene.widgets.store.get(*key)
        if root is None:
            return None
        there = {one["metadata"]["name"]: one for one in scene.maps.store.all() if one["metadata"].get("ownerReferences")}
        status = {"children": len(there), "steps": [{"n": number} for number in range(len(there))]}
        for name in sorted(there):
            if there[name].get("data", {}).get("done") != "yes":
                patch = Patch(ref=ObjectRef(CONFIG_MAP, "default", name), patch={"data": {"done": "yes"}})
                return Plan(stages=(Stage("mark", (patch,)),), status=status, look_again=timedelta(milliseconds=1))
        if len(there) < CHILDREN:
            stage = Stage("grow", (child(root, f"child-{len(there)}"),))
            return Plan(stages=(stage,), status=status, look_again=timedelta(milliseconds=1))
        return Plan(status=status)

    return reconcile


def fault(action: str, skip: int, times: int, seconds: float) -> Fault:
    verb = "watch" if action in WATCH_FAULTS else "write"
    return Fault(action=action, verb=verb, user="controller", skip=skip, times=times, seconds=seconds)


FAULTS = st.lists(
    st.builds(
        fault,
        st.sampled_from(WRITE_FAULTS + WATCH_FAULTS),
        st.integers(0, 8),
        st.integers(1, 4),
        st.sampled_from([0.001, 0.5, 3.0, 20.0]),
    ),
    max_size=6,
)


async def play(faults: list[Fault], *, restart: bool) -> None:
    async with cluster() as scene:
        scene.server.faults.set(*faults)
        await scene.widget()
        controller: Controller = scene.control(grow(scene), resync_seconds=60)
        await asyncio.sleep(20)
        if restart:
            controller.queue.close()
            await asyncio.sleep(1)
            scene.control(grow(scene), resync_seconds=60)
        await asyncio.sleep(200)
        scene.server.faults.clear()
        for informer in (scene.widgets, scene.maps):
            informer.refresh()  # a watch that lost events silently, which no real server does, has to be told
        await asyncio.sleep(300)
        found = (await scene.user.list(CONFIG_MAP, "default")).items
        ours = sorted(one["metadata"]["name"] for one in found if one["metadata"].get("ownerReferences"))
        assert ours == [f"child-{number}" for number in range(CHILDREN)]
        assert all(one["data"] == {"done": "yes"} for one in found if one["metadata"]["name"] in ours)
        assert (await scene.get())["status"] == {"children": CHILDREN, "steps": [{"n": number} for number in range(CHILDREN)]}
        assert not scene.executor.expectations.waits(ref())


@pytest.mark.parametrize("restart", [pytest.param(False, id="one life"), pytest.param(True, id="restarted on the way")])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(faults=FAULTS)
def test_faults_delay_the_end_but_do_not_change_it(restart: bool, faults: list[Fault]) -> None:
    loop = looptime.new_event_loop(start=0)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(play(faults, restart=restart))
