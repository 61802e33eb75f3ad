"""The controller: every object is seen to, by one worker at a time, never from data older than our own writes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from kube_cluster import Cluster, child, cluster, ref
from kube_fakes import WIDGET

from kube.controller import Controller, Watch, own_key
from kube.errors import NotFound
from kube.kinds import CONFIG_MAP, ObjectRef
from kube.objects import Key
from kube.plan import Delete, Effect, Observation, Plan, Stage
from sandbox.apiserver.faults import Fault

pytestmark = pytest.mark.looptime


def counting(scene: Cluster, seen: list[int] | None = None) -> Any:
    """A reconcile that adds one to `status.n` until it is 5: each step must build on the one before."""

    def reconcile(key: Key, observations: Sequence[Observation], now: datetime) -> Plan | None:
        root = scene.widgets.store.get(*key)
        if root is None:
            return None
        n = (root.get("status") or {}).get("n", 0)
        if seen is not None:
            seen.append(n)
        return Plan(status={"n": min(n + 1, 5)}, look_again=timedelta(milliseconds=1) if n < 5 else None)

    return reconcile


async def test_objects_there_already_and_new_ones_are_brought_to_what_is_planned() -> None:
    async with cluster() as scene:
        await scene.widget("early")
        scene.control(counting(scene))
        await asyncio.sleep(5)
        await scene.widget("late")
        await asyncio.sleep(5)
        assert [(await scene.get(name))["status"] for name in ("early", "late")] == [{"n": 5}] * 2
        assert scene.writes("PATCH", "/early/status") == 5


async def test_a_plan_is_never_made_from_data_older_than_the_last_write() -> None:
    """The watch lags by two seconds: whoever looked again meanwhile would count some numbers twice."""
    async with cluster() as scene:
        scene.server.faults.set(Fault(action="delay-events", verb="watch", resource="widgets", seconds=2))
        await scene.widget()
        seen: list[int] = []
        scene.control(counting(scene, seen))
        await asyncio.sleep(60)
        assert seen[:6] == [0, 1, 2, 3, 4, 5]
        assert scene.writes() == 5


async def test_an_event_that_never_comes_is_made_up_for_by_a_list() -> None:
    async with cluster() as scene:
        scene.server.faults.set(Fault(action="lose-events", verb="watch", resource="widgets", skip=2, times=1))
        await scene.widget()
        seen: list[int] = []
        scene.control(counting(scene, seen))
        await asyncio.sleep(30)
        assert seen[:6] == [0, 1, 2, 3, 4, 5]
        assert scene.widgets.lists == 2


@pytest.mark.parametrize("action", ["lose-answer", "drop-before"])
async def test_a_status_write_without_an_answer_is_looked_up_before_the_next_plan(action: str) -> None:
    async with cluster() as scene:
        await scene.widget()
        scene.server.faults.set(Fault(action=action, verb="patch", resource="widgets", times=6, skip=1))
        seen: list[int] = []
        scene.control(counting(scene, seen))
        await asyncio.sleep(120)
        assert (await scene.get())["status"] == {"n": 5}
        assert seen == sorted(seen)


def with_children(scene: Cluster, count: int, made: list[int]) -> Any:
    """A reconcile that creates a child more until there are enough; a stale store would make it create too many."""

    def reconcile(key: Key, observations: Sequence[Observation], now: datetime) -> Plan | None:
        root = scene.widgets.store.get(*key)
        children = [one for one in scene.maps.store.all() if one["metadata"].get("ownerReferences")]
        if root is None or len(children) >= count:
            return Plan()
        made.append(len(children))
        return Plan(stages=(Stage("grow", (child(root, f"child-{len(made)}"),)),), look_again=timedelta(milliseconds=1))

    return reconcile


async def test_a_created_child_is_waited_for_before_the_children_are_counted_again() -> None:
    async with cluster() as scene:
        scene.server.faults.set(Fault(action="delay-events", verb="watch", resource="configmaps", seconds=2))
        await scene.widget()
        made: list[int] = []
        scene.control(with_children(scene, 3, made))
        await asyncio.sleep(60)
        assert made == [0, 1, 2]


async def test_a_create_without_an_answer_is_looked_up_before_the_children_are_counted_again() -> None:
    async with cluster() as scene:
        scene.server.faults.set(
            Fault(action="delay-events", verb="watch", resource="configmaps", seconds=2),
            Fault(action="lose-answer", verb="create", resource="configmaps", times=1),
        )
        await scene.widget()
        made: list[int] = []
        scene.control(with_children(scene, 3, made))
        await asyncio.sleep(60)
        assert made == [0, 1, 2]


async def test_a_deleted_child_is_not_deleted_twice_and_a_child_deleted_by_others_is_made_again() -> None:
    async with cluster() as scene:
        scene.server.faults.set(Fault(action="delay-events", verb="watch", resource="configmaps", seconds=2))
        root = await scene.widget()
        await scene.user.create(CONFIG_MAP, child(root).body)
        deletions: list[str] = []

        def reconcile(key: Key, observations: Sequence[Observation], now: datetime) -> Plan | None:
            there = scene.maps.store.get("default", "child")
            if there is None:
                return Plan()
            deletions.append(there["metadata"]["uid"])
            delete = Delete(ref=ObjectRef(CONFIG_MAP, "default", "child"), uid=there["metadata"]["uid"])
            return Plan(stages=(Stage("delete", (delete,)),), look_again=timedelta(milliseconds=1))

        scene.control(reconcile)
        await asyncio.sleep(30)
        assert len(deletions) == 1
        with pytest.raises(NotFound):
            await scene.get("child", CONFIG_MAP)


async def test_an_expectation_of_an_object_that_nobody_informs_about_holds_up_nothing() -> None:
    async with cluster() as scene:
        root = await scene.widget()
        await scene.widgets.synced()
        with scene.executor.expectations.writing(ObjectRef(WIDGET, "default", "a")) as note:
            scene.executor.expectations.wrote(ref(), note, root)
        assert not scene.executor.expectations.waits(ref())


async def test_an_object_has_one_worker_at_a_time() -> None:
    async with cluster() as scene:
        await scene.widget()
        busy: list[int] = [0]
        most: list[int] = [0]
        inner = counting(scene)
        scene.server.faults.set(Fault(action="delay", verb="patch", seconds=1))
        execute = scene.executor.execute

        async def watched(*args: Any, **options: Any) -> Any:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
            try:
                return await execute(*args, **options)
            finally:
                busy[0] -= 1

        scene.executor.execute = watched  # type: ignore[method-assign]
        controller = scene.control(inner, workers=8)
        for _ in range(20):
            controller.queue.add(("default", "a"))
            await asyncio.sleep(0.3)
        assert most == [1]


async def test_a_change_of_a_child_wakes_its_owner() -> None:
    async with cluster() as scene:
        root = await scene.widget()
        looks: list[float] = []

        def reconcile(key: Key, observations: Sequence[Observation], now: datetime) -> Plan | None:
            looks.append(scene.clock.monotonic())
            return Plan()

        scene.control(reconcile)
        await asyncio.sleep(10)
        before = len(looks)
        await scene.user.create(CONFIG_MAP, child(root).body)
        await asyncio.sleep(1)
        assert len(looks) == before + 1


async def test_a_failing_reconcile_backs_off_and_its_users_are_told() -> None:
    async with cluster() as scene:
        await scene.widget("bad")
        await scene.widget("good")
        inner = counting(scene)
        attempts: list[float] = []

        def reconcile(key: Key, observations: Sequence[Observation], now: datetime) -> Plan | None:
            if key[1] == "bad":
                attempts.append(scene.clock.monotonic())
                raise RuntimeError("cannot")
            result: Plan | None = inner(key, observations, now)
            return result

        controller = scene.control(reconcile)
        await asyncio.sleep(100)
        waits = [later - earlier for earlier, later in pairwise(attempts)]
        assert waits == sorted(waits)
        assert len(attempts) < 20
        assert (await scene.get("good"))["status"] == {"n": 5}
        event = scene.recorded.events[0]
        assert (event.about.name, event.reason, event.message, event.warning) == ("bad", "ReconciliationError", "cannot", True)
        assert controller.errors == len(attempts)


async def test_a_conflict_is_no_error_and_leads_to_another_plan_soon() -> None:
    async with cluster() as scene:
        await scene.widget()
        scene.server.faults.set(Fault(action="conflict", verb="patch", times=5))
        controller = scene.control(counting(scene))
        await asyncio.sleep(5)
        assert (await scene.get())["status"] == {"n": 5}
        assert (controller.errors, scene.recorded.events, controller.conflicts) == (0, [], 5)


async def test_every_object_is_looked_at_again_every_quarter_of_an_hour() -> None:
    async with cluster() as scene:
        await scene.widget()
        looks: list[float] = []

        def reconcile(key: Key, observations: Sequence[Observation], now: datetime) -> Plan | None:
            looks.append(scene.clock.monotonic())
            return Plan()

        scene.control(reconcile)
        await asyncio.sleep(2000)
        assert len(looks) == 3


class Outside:
    """Effects whose answers the test gives."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.cancelled: list[str] = []
        self.answers: dict[str, asyncio.Future[Any]] = {}

    async def perform(self, key: Key, effect: Effect) -> Any:
        self.asked.append(effect.id)
        self.answers[effect.id] = asyncio.get_running_loop().create_future()
        try:
            return await self.answers[effect.id]
        except asyncio.CancelledError:
            self.cancelled.append(effect.id)
            raise


def measuring(scene: Cluster, seen: list[tuple[Any, ...]], **plan: Any) -> Any:
    """A reconcile that asks for `measure/<n>`, and counts its answers in the status."""

    def reconcile(key: Key, observations: Sequence[Observation], now: datetime) -> Plan | None:
        root = scene.widgets.store.get(*key)
        values = list(((root or {}).get("status") or {}).get("values", []))
        seen.append(tuple(one.answer for one in observations))
        found = [one for one in observations if one.effect_id == f"measure/{len(values)}"]
        values += [one.answer for one in found]
        return Plan(
            status={"values": values},
            effects=(Effect(f"measure/{len(values)}", None),) if len(values) < 2 else (),
            consumed=tuple(one.effect_id for one in found),
            **plan,
        )

    return reconcile


async def test_an_effect_is_started_once_and_its_answer_reaches_the_plan_and_is_forgotten_once_written() -> None:
    async with cluster() as scene:
        outside, seen = Outside(), list[tuple[Any, ...]]()
        await scene.widget()
        controller = scene.control(measuring(scene, seen), perform=outside.perform)
        await asyncio.sleep(1)
        controller.queue.add(("default", "a"))
        await asyncio.sleep(1)
        assert outside.asked == ["measure/0"]
        outside.answers["measure/0"].set_result(7)
        await asyncio.sleep(1)
        outside.answers["measure/1"].set_result(8)
        await asyncio.sleep(1)
        assert (await scene.get())["status"] == {"values": [7, 8]}
        assert outside.asked == ["measure/0", "measure/1"]
        assert seen[-1] == ()


async def test_an_answer_is_kept_until_the_status_that_accounts_for_it_is_written() -> None:
    async with cluster() as scene:
        outside, seen = Outside(), list[tuple[Any, ...]]()
        await scene.widget()
        scene.control(measuring(scene, seen), perform=outside.perform)
        await asyncio.sleep(1)
        scene.server.faults.set(Fault(action="error", verb="patch", resource="widgets", times=3))
        outside.answers["measure/0"].set_result(7)
        await asyncio.sleep(10)
        assert (await scene.get())["status"] == {"values": [7]}
        assert outside.asked == ["measure/0", "measure/1"]


async def test_an_answer_outlives_a_status_write_that_waits_for_company() -> None:
    async with cluster() as scene:
        outside, seen = Outside(), list[tuple[Any, ...]]()
        await scene.widget()
        waiting = measuring(scene, seen, status_may_wait=timedelta(seconds=20))
        scene.control(waiting, perform=outside.perform)
        await asyncio.sleep(25)
        outside.answers["measure/0"].set_result(7)
        await asyncio.sleep(5)
        assert (await scene.get())["status"] == {"values": []}
        await asyncio.sleep(20)
        assert (await scene.get())["status"] == {"values": [7]}
        assert scene.writes() == 2


async def test_an_effect_that_raises_is_tried_again_later_and_holds_up_nothing() -> None:
    async with cluster() as scene:
        attempts: list[float] = []

        async def perform(key: Key, effect: Effect) -> Any:
            attempts.append(scene.clock.monotonic())
            if len(attempts) < 4:
                raise RuntimeError("a defect")
            return 1

        await scene.widget()
        scene.control(measuring(scene, []), perform=perform)
        await asyncio.sleep(60)
        assert (await scene.get())["status"] == {"values": [1, 1]}
        waits = [round(later - earlier) for earlier, later in pairwise(attempts)]
        assert waits[:3] == [1, 2, 4]


async def test_effects_of_a_deleted_object_are_cancelled_and_its_successor_starts_afresh() -> None:
    async with cluster() as scene:
        outside, seen = Outside(), list[tuple[Any, ...]]()
        await scene.widget()
        scene.control(measuring(scene, seen), perform=outside.perform)
        await asyncio.sleep(1)
        await scene.user.delete(ref())
        await asyncio.sleep(1)
        assert outside.cancelled == ["measure/0"]
        await scene.widget()
        await asyncio.sleep(1)
        assert outside.asked == ["measure/0", "measure/0"]


async def test_an_effect_that_the_plan_does_not_ask_for_any_more_is_cancelled_and_may_be_asked_for_again() -> None:
    async with cluster() as scene:
        outside, seen, asks = Outside(), list[tuple[Any, ...]](), [True]
        plan = measuring(scene, seen)

        def reconcile(key: Key, observations: Sequence[Observation], now: datetime) -> Plan | None:
            made: Plan | None = plan(key, observations, now)
            return made if made is None or asks[0] else replace(made, effects=())

        await scene.widget()
        controller = scene.control(reconcile, perform=outside.perform)
        await asyncio.sleep(1)
        asks[0] = False
        controller.queue.add(("default", "a"))
        await asyncio.sleep(1)
        assert outside.cancelled == ["measure/0"]
        asks[0] = True
        controller.queue.add(("default", "a"))
        await asyncio.sleep(1)
        assert outside.asked == ["measure/0", "measure/0"]
        outside.answers["measure/0"].set_result(7)
        await asyncio.sleep(1)
        assert (await scene.get())["status"] == {"values": [7]}


async def test_an_effect_that_failed_and_was_given_up_is_started_at_once_when_it_is_asked_for_again() -> None:
    async with cluster() as scene:
        attempts, asks = list[float](), [True]
        plan = measuring(scene, [])

        async def perform(key: Key, effect: Effect) -> Any:
            attempts.append(scene.clock.monotonic())
            raise OSError("the disk is full")

        def reconcile(key: Key, observations: Sequence[Observation], now: datetime) -> Plan | None:
            made: Plan | None = plan(key, observations, now)
            return made if made is None or asks[0] else replace(made, effects=())

        await scene.widget()
        controller = scene.control(reconcile, perform=perform)
        await asyncio.sleep(200)
        asks[0] = False
        controller.queue.add(("default", "a"))
        await asyncio.sleep(1)
        asks[0], asked_again = True, scene.clock.monotonic()
        attempts.clear()
        controller.queue.add(("default", "a"))
        await asyncio.sleep(5)
        waits = [round(later - earlier) for earlier, later in pairwise((asked_again, *attempts))]
        assert waits == [0, 1, 2]


async def test_when_it_stops_writes_under_way_are_finished_and_effects_are_cancelled() -> None:
    async with cluster() as scene:
        outside = Outside()
        await scene.widget()
        controller = scene.control(measuring(scene, []), perform=outside.perform)
        await asyncio.sleep(1)
        scene.server.faults.set(Fault(action="delay", verb="patch", seconds=3))
        outside.answers["measure/0"].set_result(7)
        await asyncio.sleep(1)
        task = scene.tasks[-1]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (await scene.get())["status"] == {"values": [7]}
        assert controller.queue.closed


async def test_a_replica_without_the_lease_waits_and_goes_on_when_it_has_it() -> None:
    async with cluster() as scene:
        await scene.widget()
        scene.leading = False
        scene.control(counting(scene))
        await asyncio.sleep(10)
        assert scene.writes() == 0
        scene.leading = True
        await asyncio.sleep(10)
        assert (await scene.get())["status"] == {"n": 5}


async def test_a_controller_without_a_watch_of_its_root_kind_is_refused() -> None:
    async with cluster() as scene:
        with pytest.raises(ValueError, match="needs a watch of its root kind Widget"):
            Controller(
                "widgets",
                root=WIDGET,
                watches=[Watch(scene.maps, own_key)],
                reconcile=counting(scene),
                perform=Outside().perform,
                executor=scene.executor,
                clock=scene.clock,
            )
