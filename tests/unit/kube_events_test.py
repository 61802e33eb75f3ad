"""Events: told in order, repetitions counted, never in the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from kube_cluster import Cluster, cluster, ref

from kube.events import EventRecorder
from kube.kinds import CORE_EVENT, NODE, ObjectRef
from kube.objects import uid_of
from kube.plan import Event
from sandbox.apiserver.faults import Fault

pytestmark = pytest.mark.looptime


@asynccontextmanager
async def recorded() -> AsyncIterator[tuple[Cluster, EventRecorder]]:
    async with cluster() as scene:
        numbers = iter(range(10_000))
        recorder = EventRecorder(scene.client, clock=scene.clock, new_id=lambda _: f"{next(numbers):04}")
        scene.run(recorder.run())
        yield scene, recorder


async def events(scene: Cluster) -> list[Any]:
    found = (await scene.user.list(CORE_EVENT)).items
    return sorted(found, key=lambda event: str(event["metadata"]["name"]))


def event(reason: str = "Scaled", message: str = "from 1 to 2", **fields: Any) -> Event:
    return Event(about=fields.pop("about", ref()), reason=reason, message=message, **fields)


async def test_an_event_has_what_kubectl_describe_and_upstream_s_clients_read() -> None:
    async with recorded() as (scene, recorder):
        root = await scene.widget()
        recorder.record(event(warning=True), uid=uid_of(root))
        await asyncio.sleep(1)
        (found,) = await events(scene)
        assert found["involvedObject"] == {
            "apiVersion": "shop.example/v1",
            "kind": "Widget",
            "name": "a",
            "namespace": "default",
            "uid": uid_of(root),
        }
        assert (found["type"], found["reason"], found["message"], found["count"]) == ("Warning", "Scaled", "from 1 to 2", 1)
        assert found["source"] == {"component": "rollouts-controller"}
        assert found["reportingComponent"] == "rollouts-controller"
        assert found["firstTimestamp"] == found["lastTimestamp"] != ""


async def test_an_event_says_which_component_it_comes_from() -> None:
    async with cluster() as scene:
        recorder = EventRecorder(scene.client, clock=scene.clock, component="kubelet", instance="node-1")
        recorder.record(event())
        await recorder.flush()
        (found,) = await events(scene)
        assert found["source"] == {"component": "kubelet"}
        assert (found["reportingComponent"], found["reportingInstance"]) == ("kubelet", "node-1")


async def test_names_sort_as_the_events_came_even_within_one_moment() -> None:
    async with cluster() as scene:
        recorder = EventRecorder(scene.client, clock=scene.clock)
        reasons = [f"Step{number}" for number in range(20)]
        for reason in reasons:
            recorder.record(event(reason))
        await recorder.flush()
        assert [found["reason"] for found in await events(scene)] == reasons


async def test_a_repetition_raises_the_count_and_the_last_time() -> None:
    async with recorded() as (scene, recorder):
        for _ in range(3):
            recorder.record(event())
            await asyncio.sleep(2)
        (found,) = await events(scene)
        assert found["count"] == 3
        assert found["lastTimestamp"] > found["firstTimestamp"]


async def test_a_repetition_of_one_that_has_expired_is_told_anew() -> None:
    async with recorded() as (scene, recorder):
        recorder.record(event())
        await asyncio.sleep(1)
        await scene.user.delete(ObjectRef(CORE_EVENT, "default", (await events(scene))[0]["metadata"]["name"]))
        recorder.record(event())
        await asyncio.sleep(1)
        assert [found["count"] for found in await events(scene)] == [1]


async def test_events_arrive_in_the_order_in_which_they_were_told() -> None:
    async with recorded() as (scene, recorder):
        reasons = [f"Step{number}" for number in range(10)]
        for reason in reasons:
            recorder.record(event(reason))
        await asyncio.sleep(1)
        assert [found["reason"] for found in await events(scene)] == reasons


async def test_one_noisy_object_is_limited_and_others_are_not() -> None:
    async with recorded() as (scene, recorder):
        for number in range(100):
            recorder.record(event(message=f"{number}"))
        recorder.record(event(about=ref("quiet")))
        await asyncio.sleep(1)
        names = [found["involvedObject"]["name"] for found in await events(scene)]
        assert (names.count("a"), names.count("quiet"), recorder.dropped) == (25, 1, 75)
        await asyncio.sleep(60)
        recorder.record(event("Later"))
        await asyncio.sleep(1)
        assert "Later" in [found["reason"] for found in await events(scene)]


async def test_a_warning_arrives_however_much_else_was_told_of_its_object() -> None:
    async with recorded() as (scene, recorder):
        for number in range(100):
            recorder.record(event(message=f"{number}"))
        recorder.record(replace(event("Aborted"), warning=True))
        await asyncio.sleep(1)
        assert "Aborted" in [found["reason"] for found in await events(scene)]


async def test_a_server_that_refuses_events_disturbs_nobody_and_later_ones_arrive() -> None:
    async with recorded() as (scene, recorder):
        scene.server.faults.set(Fault(action="error", resource="events", times=1))
        recorder.record(event("Lost"))
        recorder.record(event("Kept"))
        await asyncio.sleep(1)
        assert [found["reason"] for found in await events(scene)] == ["Kept"]
        assert (recorder.sent, recorder.dropped) == (1, 1)


async def test_a_slow_server_holds_up_the_events_of_one_object_and_not_those_of_all() -> None:
    async with recorded() as (scene, recorder):
        scene.server.faults.set(Fault(action="delay", resource="events", verb="create", seconds=1))
        for number in range(8):
            recorder.record(event(f"First{number}", about=ref(f"widget-{number}")))
            recorder.record(event(f"Second{number}", about=ref(f"widget-{number}")))
        await asyncio.sleep(8.5)
        told = await events(scene)
        assert len(told) > 8, "one after the other only 8 would have come by now"
        names = {found["metadata"]["name"]: found["reason"] for found in told}
        for number in range(8):
            of_one = [reason for name, reason in names.items() if name.startswith(f"widget-{number}.")]
            assert of_one in ([], [f"First{number}"], [f"First{number}", f"Second{number}"])


async def test_what_waits_at_the_end_is_flushed() -> None:
    async with cluster() as scene:
        recorder = EventRecorder(scene.client, clock=scene.clock)
        recorder.record(event())
        await recorder.flush()
        assert len(await events(scene)) == 1


async def test_a_flush_does_not_wait_for_ever() -> None:
    async with cluster() as scene:
        scene.server.faults.set(Fault(action="delay", resource="events", seconds=3600))
        recorder = EventRecorder(scene.client, clock=scene.clock)
        recorder.record(event())
        before = scene.clock.monotonic()
        await recorder.flush()
        assert scene.clock.monotonic() - before < 10


async def test_an_event_about_a_cluster_wide_object_lives_in_the_default_namespace() -> None:
    async with recorded() as (scene, recorder):
        recorder.record(event(about=ObjectRef(NODE, "", "n")))
        await asyncio.sleep(1)
        (found,) = await events(scene)
        assert (found["metadata"]["namespace"], found["involvedObject"].get("namespace")) == ("default", None)


async def test_a_message_that_is_too_long_is_cut_so_that_the_server_takes_it() -> None:
    async with recorded() as (scene, recorder):
        recorder.record(event(message="x" * 5000))
        await asyncio.sleep(1)
        assert len((await events(scene))[0]["message"]) == 1024
