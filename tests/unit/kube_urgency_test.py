"""Who is worked on first, and how soon: what somebody waits for goes before other work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import pytest
from kube_cluster import Cluster, child, cluster, nothing_to_do, owners, ref
from kube_fakes import WIDGET

from kube.controller import Controller, Watch, own_key
from kube.kinds import CONFIG_MAP
from kube.objects import Key, Object
from kube.plan import Observation, Plan, Stage
from sandbox.apiserver.faults import Fault

pytestmark = pytest.mark.looptime


def asked_for_now(old: Object | None, new: Object | None) -> bool:
    """Tell whether somebody has just asked for something."""
    return old is not None and new is not None and "now" in new


def controller_of_widgets(scene: Cluster, reconcile: Callable[..., Plan | None], **options: Any) -> Controller:
    """Return a controller, not running yet, to which a widget with `now` is urgent."""
    return Controller(
        "widgets",
        root=WIDGET,
        watches=[Watch(scene.widgets, own_key, asked_for_now), Watch(scene.maps, owners)],
        reconcile=reconcile,
        perform=nothing_to_do,
        executor=scene.executor,
        clock=scene.clock,
        **options,
    )


async def test_an_urgent_change_is_worked_on_before_what_waits_already() -> None:
    async with cluster() as scene:
        idle = controller_of_widgets(scene, lambda key, observations, now: None)
        await scene.widgets.synced()
        for name in ("a", "b", "c"):
            await scene.widget(name)
        await scene.user.patch(ref("b"), {"now": True})
        await asyncio.sleep(1)
        assert [await idle.queue.get() for _ in range(3)] == [("default", name) for name in ("b", "a", "c")]


async def test_what_people_wait_for_is_begun_at_once_however_long_each_request_takes() -> None:
    """One worker, and two seconds for each write: five people have their first writes under way together, and then the rest."""
    names = ("a", "b", "c", "d", "e")
    began: list[tuple[str, float]] = []

    def reconcile(key: Key, observations: Sequence[Observation], now: datetime) -> Plan | None:
        root = scene.widgets.store.get(*key)
        if root is None or "now" not in root:
            return None
        began.append((key[1], scene.clock.monotonic()))
        first = Stage("first", (child(root, f"{key[1]}-first"),), others_first=True)
        second = Stage("second", (child(root, f"{key[1]}-second"),))
        return Plan(stages=(second,) if scene.maps.store.get("default", f"{key[1]}-first") else (first, second))

    async with cluster() as scene:
        controller = controller_of_widgets(scene, reconcile, workers=1)
        scene.run(controller.run())
        for name in names:
            await scene.widget(name)
        await asyncio.sleep(1)
        scene.server.faults.set(Fault(action="delay", verb="create", resource="configmaps", seconds=2, times=10))
        before = scene.clock.monotonic()
        for name in names:
            await scene.user.patch(ref(name), {"now": True})
        await asyncio.sleep(60)
        first = {name: at - before for name, at in reversed(began)}
        assert max(first.values()) < 1
        assert controller.first_writes[True].count == len(names)
        for name in names:
            assert await scene.get(f"{name}-second", CONFIG_MAP)


async def test_it_is_known_how_long_the_first_write_took_to_be_sent_and_not_how_long_it_was_on_its_way() -> None:
    """Every write takes two seconds, and one worker sends those of three objects one after the other."""
    async with cluster() as scene:
        for name in ("a", "b", "c"):
            await scene.widget(name)
        scene.server.faults.set(Fault(action="delay", verb="patch", resource="widgets", seconds=2, times=3))
        controller = scene.control(lambda key, observations, now: Plan(status={"n": 1}), workers=1)
        await asyncio.sleep(60)
        assert [controller.first_writes[urgent].count for urgent in (True, False)] == [0, 3]
        assert controller.first_writes[False].total == pytest.approx(0 + 2 + 4, abs=0.1)


async def test_under_a_ceiling_what_somebody_waits_for_is_sent_before_what_waits_for_its_turn_already() -> None:
    """Two requests a second, and status writes of all workers in line when somebody asks for something."""
    async with cluster(per_second=2) as scene:
        controller = controller_of_widgets(scene, lambda key, observations, now: Plan(status={"n": 1}), workers=5)
        scene.run(controller.run())
        for number in range(20):
            await scene.widget(f"another-{number}")
        await scene.widget("mine")
        await asyncio.sleep(1)
        assert (await scene.get("mine")).get("status") is None
        await scene.user.patch(ref("mine"), {"now": True})
        await asyncio.sleep(1.1)
        assert (await scene.get("mine")).get("status") == {"n": 1}
        assert scene.writes(part="widgets") < 21
