"""Fault switches: what each does to whom, and that they stop."""

from __future__ import annotations

from contextlib import aclosing

import pytest
from apiserver_harness import CONFIG_MAPS, DEPLOYMENTS, Api, config_map, deployment

from kube.errors import Unreachable
from sandbox.apiserver.faults import ACTIONS, Fault


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        pytest.param(Fault(action="conflict", verb="write", times=1), 409, "Conflict", id="conflict"),
        pytest.param(Fault(action="gone", times=1), 410, "Expired", id="gone"),
        pytest.param(Fault(action="error", times=1), 500, "InternalError", id="error"),
        pytest.param(Fault(action="too-many-requests", seconds=7, times=1), 429, "TooManyRequests", id="too many requests"),
    ],
)
async def test_an_injected_refusal_hits_once_and_changes_nothing(api: Api, fault: Fault, status: int, reason: str) -> None:
    api.server.faults.set(fault)

    refused = await api.create(CONFIG_MAPS, config_map("a"))

    assert (refused.status, refused["reason"]) == (status, reason)
    if status == 429:
        assert refused.headers["retry-after"] == "7"
    assert (await api.get(f"{CONFIG_MAPS}/a")).status == 404
    assert (await api.create(CONFIG_MAPS, config_map("a"))).status == 201


async def test_the_nth_write_conflicts(api: Api) -> None:
    api.server.faults.set(Fault(action="conflict", verb="create", resource="configmaps", skip=2, times=1))

    answers = [(await api.create(CONFIG_MAPS, config_map(name))).status for name in "abcd"]

    assert answers == [201, 201, 409, 201]


@pytest.mark.parametrize(
    ("action", "is_there"),
    [
        pytest.param("drop-before", False, id="before it is applied"),
        pytest.param("drop-after", True, id="after it was applied"),
        pytest.param("lose-answer", True, id="the answer is lost"),
    ],
)
async def test_a_cut_connection_leaves_the_client_without_an_answer(api: Api, action: str, is_there: bool) -> None:
    api.server.faults.set(Fault(action=action, verb="write", times=1))

    with pytest.raises(Unreachable) as caught:
        await api.create(CONFIG_MAPS, config_map("a"))

    assert caught.value.maybe_applied is is_there
    assert (await api.get(f"{CONFIG_MAPS}/a")).status == (200 if is_there else 404)


async def test_a_stale_read_answers_from_some_versions_ago(api: Api) -> None:
    await api.create(CONFIG_MAPS, config_map("a", x="1"))
    await api.patch(f"{CONFIG_MAPS}/a", {"data": {"x": "2"}})
    api.server.faults.set(Fault(action="stale", resource="configmaps", versions=1))

    assert (await api.get(f"{CONFIG_MAPS}/a"))["data.x"] == "1"
    assert (await api.get(CONFIG_MAPS))["items.0.data.x"] == "1"

    api.server.faults.clear()
    assert (await api.get(f"{CONFIG_MAPS}/a"))["data.x"] == "2"


async def test_only_matching_requests_are_hit(api: Api) -> None:
    api.server.faults.set(Fault(action="error", verb="patch", resource="deployments", subresource="status", name="web"))
    for name in ("web", "api"):
        await api.create(DEPLOYMENTS, deployment(name))

    assert (await api.patch(f"{DEPLOYMENTS}/web/status", {"status": {"replicas": 1}})).status == 500
    assert (await api.patch(f"{DEPLOYMENTS}/web", {"spec": {"replicas": 2}})).status == 200
    assert (await api.patch(f"{DEPLOYMENTS}/api/status", {"status": {"replicas": 1}})).status == 200


async def test_a_skewed_clock_stamps_other_times(api: Api) -> None:
    api.server.faults.set(Fault(action="skew", seconds=3600))
    ahead = await api.create(CONFIG_MAPS, config_map("a"))
    api.server.faults.clear()
    now = await api.create(CONFIG_MAPS, config_map("b"))

    assert ahead["metadata.creationTimestamp"][11:13] != now["metadata.creationTimestamp"][11:13]


async def test_duplicated_events_come_twice(api: Api) -> None:
    api.server.faults.set(Fault(action="duplicate-events", resource="configmaps", times=1))
    await api.create(CONFIG_MAPS, config_map("a"))

    async with api.watch(CONFIG_MAPS) as events:
        await api.create(CONFIG_MAPS, config_map("b"))
        assert await events.seen(3) == [("ADDED", "a"), ("ADDED", "a"), ("ADDED", "b")]


async def test_a_line_may_arrive_in_pieces(api: Api) -> None:
    api.server.faults.set(Fault(action="split-line", resource="configmaps"))
    await api.create(CONFIG_MAPS, config_map("a"))

    async with api.transport.stream(CONFIG_MAPS, query={"watch": "true"}) as stream, aclosing(stream.chunks()) as chunks:
        pieces = [await anext(chunks), await anext(chunks)]

    assert not pieces[0].endswith(b"\n")
    assert (pieces[0] + pieces[1]).count(b"\n") == 1


async def test_a_connection_may_be_cut_in_the_middle_of_a_line(api: Api) -> None:
    api.server.faults.set(Fault(action="drop-line", resource="configmaps", times=1))
    await api.create(CONFIG_MAPS, config_map("a"))

    async with api.watch(CONFIG_MAPS) as events:
        with pytest.raises(Unreachable):
            await events.next()


async def test_lost_events_end_in_a_410_and_the_watch_cannot_resume(api: Api) -> None:
    version = (await api.get(CONFIG_MAPS))["metadata.resourceVersion"]
    api.server.faults.set(Fault(action="lose-events", resource="configmaps", times=1))
    await api.create(CONFIG_MAPS, config_map("a"))

    async with api.watch(CONFIG_MAPS, resourceVersion=version) as events:
        kind, status = await events.next()

    assert (kind, status["code"]) == ("ERROR", 410)
    assert (await api.get(CONFIG_MAPS, watch="true", resourceVersion=version)).status == 410


@pytest.mark.looptime
async def test_delayed_events_come_late(api: Api) -> None:
    import asyncio

    api.server.faults.set(Fault(action="delay-events", resource="configmaps", seconds=5, times=1))
    await api.create(CONFIG_MAPS, config_map("a"))
    begun = asyncio.get_running_loop().time()

    async with api.watch(CONFIG_MAPS) as events:
        assert await events.seen(1) == [("ADDED", "a")]

    assert asyncio.get_running_loop().time() - begun == pytest.approx(5)


async def test_faults_are_set_listed_and_cleared_over_the_api(api: Api) -> None:
    listed = await api.create("/debug/faults", [{"action": "error", "verb": "list", "times": 1}])
    assert listed["faults.0.action"] == "error"
    assert (await api.get(CONFIG_MAPS)).status == 500
    assert (await api.get("/debug/faults"))["faults.0.acted"] == 1

    assert (await api.delete("/debug/faults"))["faults"] == []
    unknown = await api.create("/debug/faults", {"action": "explode"})
    assert unknown.status == 400
    assert all(action in unknown.message for action in ACTIONS)
    assert "unknown fields ['colour']" in (await api.create("/debug/faults", {"action": "error", "colour": "red"})).message
