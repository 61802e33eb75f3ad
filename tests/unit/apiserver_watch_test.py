"""Lists and watches: what a client that follows a resource sees."""

from __future__ import annotations

import asyncio

import pytest
from apiserver_harness import CONFIG_MAPS, PODS, Api, config_map, pod


@pytest.fixture
def api() -> Api:
    return Api()


async def test_a_watch_from_a_list_sees_every_later_change_once_and_in_order(api: Api) -> None:
    await api.create(CONFIG_MAPS, config_map("a"))
    version = (await api.get(CONFIG_MAPS))["metadata.resourceVersion"]
    await api.create(CONFIG_MAPS, config_map("b"))

    async with api.watch(CONFIG_MAPS, resourceVersion=version) as events:
        assert await events.seen(1) == [("ADDED", "b")]
        await api.patch(f"{CONFIG_MAPS}/a", {"data": {"x": "1"}})
        await api.delete(f"{CONFIG_MAPS}/b")
        assert await events.seen(2) == [("MODIFIED", "a"), ("DELETED", "b")]


async def test_a_watch_without_a_version_begins_with_what_is_there(api: Api) -> None:
    for name in ("b", "a"):
        await api.create(CONFIG_MAPS, config_map(name))

    async with api.watch(CONFIG_MAPS) as events:
        assert await events.seen(2) == [("ADDED", "a"), ("ADDED", "b")]


async def test_a_deletion_carries_a_new_version_so_that_a_watch_can_go_on_from_it(api: Api) -> None:
    made = await api.create(CONFIG_MAPS, config_map("a", x="1"))
    version = made["metadata.resourceVersion"]
    await api.delete(f"{CONFIG_MAPS}/a")

    async with api.watch(CONFIG_MAPS, resourceVersion=version) as events:
        kind, last = await events.next()

    assert kind == "DELETED"
    assert last["data"] == {"x": "1"}
    assert int(last["metadata"]["resourceVersion"]) > int(version)


async def test_an_object_that_starts_or_stops_matching_appears_or_vanishes(api: Api) -> None:
    await api.create(CONFIG_MAPS, {"metadata": {"name": "a", "labels": {"tier": "web"}}})
    version = (await api.get(CONFIG_MAPS))["metadata.resourceVersion"]
    for tier in ("db", "web", "web2"):
        await api.patch(f"{CONFIG_MAPS}/a", {"metadata": {"labels": {"tier": tier}}})

    async with api.watch(CONFIG_MAPS, resourceVersion=version, labelSelector="tier=web") as events:
        gone = await events.next()
        back = await events.next()

    assert (gone[0], gone[1]["metadata"]["labels"]) == ("DELETED", {"tier": "web"})
    assert (back[0], back[1]["metadata"]["labels"]) == ("ADDED", {"tier": "web"})


async def test_a_watch_from_compacted_history_is_told_to_list_again(api: Api) -> None:
    made = await api.create(CONFIG_MAPS, config_map("a"))
    await api.patch(f"{CONFIG_MAPS}/a", {"data": {"x": "1"}})
    api.server.storage.compact()

    expired = await api.get(CONFIG_MAPS, watch="true", resourceVersion=made["metadata.resourceVersion"])

    assert (expired.status, expired["reason"]) == (410, "Expired")
    assert "too old resource version" in expired.message


async def test_a_slow_watch_that_is_overtaken_ends_with_an_error_event(api: Api) -> None:
    await api.create(CONFIG_MAPS, config_map("a"))
    async with api.watch(CONFIG_MAPS) as events:
        await events.next()
        await api.patch(f"{CONFIG_MAPS}/a", {"data": {"x": "1"}})
        api.server.storage.compact()

        kind, status = await events.next()

    assert (kind, status["code"], status["reason"]) == ("ERROR", 410, "Expired")


async def test_a_watch_list_marks_the_end_of_the_initial_events(api: Api) -> None:
    await api.create(CONFIG_MAPS, config_map("a"))
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}

    async with api.watch(CONFIG_MAPS, **query) as events:
        first = await events.next()
        kind, mark = await events.next()

    assert first[0] == "ADDED"
    assert kind == "BOOKMARK"
    assert mark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert mark["metadata"]["resourceVersion"] == (await api.get(CONFIG_MAPS))["metadata.resourceVersion"]


@pytest.mark.looptime
async def test_a_quiet_watch_sends_a_bookmark_each_minute_and_ends_at_its_timeout(api: Api) -> None:
    await api.create(CONFIG_MAPS, config_map("a"))
    version = (await api.get(CONFIG_MAPS))["metadata.resourceVersion"]
    await api.create(PODS, pod("elsewhere"))
    begun = asyncio.get_running_loop().time()

    async with api.watch(CONFIG_MAPS, resourceVersion=version, allowWatchBookmarks="true", timeoutSeconds="150") as events:
        marks = [await events.next() for _ in range(2)]
        with pytest.raises(StopAsyncIteration):
            await events.next()

    assert [kind for kind, _ in marks] == ["BOOKMARK", "BOOKMARK"]
    assert int(marks[0][1]["metadata"]["resourceVersion"]) > int(version), (
        "a bookmark is newer than the last event of this resource"
    )
    assert asyncio.get_running_loop().time() - begun == pytest.approx(150)


async def test_watchers_share_the_bytes_of_an_event(api: Api) -> None:
    await api.create(CONFIG_MAPS, config_map("a", x="1"))
    stored = api.server.storage.get("configmaps", ("default", "a"))
    assert stored is not None

    assert stored.encoded("v1") is stored.encoded("v1")


async def test_pages_show_one_moment_however_much_changes_between_them(api: Api) -> None:
    for name in "abcde":
        await api.create(CONFIG_MAPS, config_map(name))
    first = await api.get(CONFIG_MAPS, limit="2")
    await api.delete(f"{CONFIG_MAPS}/c")
    await api.create(CONFIG_MAPS, config_map("bb"))

    second = await api.get(CONFIG_MAPS, limit="2", **{"continue": first["metadata.continue"]})
    third = await api.get(CONFIG_MAPS, limit="2", **{"continue": second["metadata.continue"]})

    assert first["metadata.remainingItemCount"] == 3
    assert [[item["metadata"]["name"] for item in page["items"]] for page in (first, second, third)] == [
        ["a", "b"],
        ["c", "d"],
        ["e"],
    ]
    assert "continue" not in third["metadata"]
    assert {page["metadata.resourceVersion"] for page in (first, second, third)} == {first["metadata.resourceVersion"]}


async def test_a_page_of_forgotten_history_is_expired(api: Api) -> None:
    for name in "abc":
        await api.create(CONFIG_MAPS, config_map(name))
    token = (await api.get(CONFIG_MAPS, limit="1"))["metadata.continue"]
    await api.delete(f"{CONFIG_MAPS}/a")
    api.server.storage.compact()
    await api.delete(f"{CONFIG_MAPS}/b")

    assert (await api.get(CONFIG_MAPS, limit="1", **{"continue": token})).status == 410
    assert (await api.get(CONFIG_MAPS, limit="1", **{"continue": "nonsense"})).status == 400


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        pytest.param("app=a", ["a"], id="equal"),
        pytest.param("app==a", ["a"], id="double equal"),
        pytest.param("app!=a", ["b", "c"], id="unequal matches a missing label too"),
        pytest.param("app in (a, b)", ["a", "b"], id="in"),
        pytest.param("app notin (a)", ["b", "c"], id="notin matches a missing label too"),
        pytest.param("app", ["a", "b"], id="exists"),
        pytest.param("!app", ["c"], id="does not exist"),
        pytest.param("size>5", ["b"], id="greater"),
        pytest.param("size<5", ["a"], id="less"),
        pytest.param("app in (a,b),size>5", ["b"], id="both"),
        pytest.param("", ["a", "b", "c"], id="none"),
    ],
)
async def test_a_label_selector_selects(api: Api, selector: str, names: list[str]) -> None:
    for name, labels in (("a", {"app": "a", "size": "3"}), ("b", {"app": "b", "size": "9"}), ("c", {"x": "y"})):
        await api.create(PODS, {**pod(name), "metadata": {"name": name, "labels": labels}})

    assert await api.names(PODS, labelSelector=selector) == names


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        pytest.param("metadata.name=a", ["a"], id="name"),
        pytest.param("spec.nodeName=n1", ["b"], id="node"),
        pytest.param("spec.nodeName=", ["a"], id="no node"),
        pytest.param("status.phase!=Running,spec.nodeName!=n1", ["a"], id="both"),
        pytest.param("status.phase=Running", [], id="none"),
    ],
)
async def test_a_field_selector_selects(api: Api, selector: str, names: list[str]) -> None:
    await api.create(PODS, pod("a"))
    await api.create(PODS, pod("b", nodeName="n1"))

    assert await api.names(PODS, fieldSelector=selector) == names


@pytest.mark.parametrize(
    "query", [{"labelSelector": "a=b=c"}, {"labelSelector": "x>y"}, {"fieldSelector": "spec.colour=red"}, {"limit": "x"}]
)
async def test_a_selector_that_cannot_be_read_is_a_bad_request(api: Api, query: dict[str, str]) -> None:
    assert (await api.get(PODS, **query)).status == 400


async def test_a_list_of_all_namespaces_is_sorted_by_namespace_and_name(api: Api) -> None:
    for namespace, name in (("kube-system", "a"), ("default", "b"), ("default", "a")):
        await api.create(f"/api/v1/namespaces/{namespace}/configmaps", config_map(name))

    items = (await api.get("/api/v1/configmaps"))["items"]

    assert [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in items] == [
        ("default", "a"),
        ("default", "b"),
        ("kube-system", "a"),
    ]


async def test_an_exact_version_shows_the_past_and_a_future_one_is_refused(api: Api) -> None:
    made = await api.create(CONFIG_MAPS, config_map("a", x="1"))
    version = made["metadata.resourceVersion"]
    await api.patch(f"{CONFIG_MAPS}/a", {"data": {"x": "2"}})

    exact = await api.get(CONFIG_MAPS, resourceVersion=version, resourceVersionMatch="Exact")

    assert exact["items.0.data"] == {"x": "1"}
    assert (await api.get(CONFIG_MAPS, resourceVersion="99999")).status == 504
    assert (await api.get(CONFIG_MAPS, resourceVersionMatch="Exact")).status == 422


async def test_changes_made_while_the_client_was_busy_are_not_forgotten(api: Api) -> None:
    await api.create(CONFIG_MAPS, config_map("a"))

    async with api.watch(CONFIG_MAPS) as events:
        for step in range(20):
            await events.next()
            await api.patch(f"{CONFIG_MAPS}/a", {"data": {"step": str(step)}})
        kind, last = await events.next()

    assert (kind, last["data"]) == ("MODIFIED", {"step": "19"})


@pytest.mark.looptime
async def test_a_bookmark_is_never_ahead_of_the_events_that_were_sent(api: Api) -> None:
    await api.create(CONFIG_MAPS, config_map("a"))
    version = (await api.get(CONFIG_MAPS))["metadata.resourceVersion"]
    await api.create(CONFIG_MAPS, config_map("b"))

    async with api.watch(CONFIG_MAPS, resourceVersion=version, allowWatchBookmarks="true") as events:
        _, last_sent = await events.next()
        await asyncio.sleep(61)
        await api.create(CONFIG_MAPS, config_map("c"))
        kind, mark = await events.next()
        later = await events.seen(1)

    assert (kind, mark["metadata"]["resourceVersion"]) == ("BOOKMARK", last_sent["metadata"]["resourceVersion"])
    assert later == [("ADDED", "c")]
