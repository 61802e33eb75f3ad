"""The executor: order, refusals, and the one status write."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from kube_cluster import GADGET, Cluster, child, cluster, definition, ref
from kube_fakes import WIDGET

from kube.differences import is_applied, merge_patch
from kube.errors import ApiError, NotFound, ServerError
from kube.executor import NameTaken, Outcome
from kube.kinds import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, POD, ObjectRef
from kube.objects import Object, uid_of, version_of
from kube.plan import Delete, Event, Evict, NotLeading, Patch, Plan, PlanOutdated, Stage, Write
from sandbox.apiserver.faults import Fault
from tests.shops import POD_DISRUPTION_BUDGET

pytestmark = pytest.mark.looptime
CHILD = ObjectRef(CONFIG_MAP, "default", "child")


async def carry_out(scene: Cluster, root: Object, *writes: Write, **plan: Any) -> Outcome:
    stages = tuple(Stage(f"stage-{number}", (write,)) for number, write in enumerate(writes))
    return await scene.executor.execute(root, Plan(stages=stages, **plan), kind=WIDGET)


async def test_stages_run_in_order_then_the_status_then_events() -> None:
    async with cluster() as scene:
        root = await scene.widget()
        event = Event(about=ref(), reason="Done", message="it is")
        patch = Patch(ref=CHILD, patch={"data": {"x": "2"}})
        await carry_out(scene, root, child(root), patch, status={"phase": "Ready"}, events=(event,))
        assert [(method, path.split("/")[-1]) for method, path in scene.requests if method != "GET"] == [
            ("POST", "configmaps"),
            ("PATCH", "child"),
            ("PATCH", "status"),
        ]
        assert (await scene.get())["status"] == {"phase": "Ready"}
        assert scene.recorded.events == [event]


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        pytest.param(Fault(action="conflict", verb="patch", resource="configmaps"), PlanOutdated, id="a conflict"),
        pytest.param(Fault(action="error", verb="patch", resource="configmaps"), ServerError, id="a server error"),
    ],
)
async def test_after_a_failed_stage_nothing_more_is_written_and_nothing_told(fault: Fault, raised: type[Exception]) -> None:
    async with cluster() as scene:
        root = await scene.widget()
        await carry_out(scene, root, child(root))
        scene.server.faults.set(fault)
        patch = Patch(ref=CHILD, patch={"data": {"x": "2"}})
        event = Event(about=ref(), reason="Done", message="it is")
        with pytest.raises(raised):
            await carry_out(scene, root, patch, child(root, "late"), status={"phase": "Ready"}, events=(event,))
        assert "status" not in await scene.get()
        assert scene.recorded.events == []
        with pytest.raises(NotFound):
            await scene.get("late", CONFIG_MAP)


async def test_writes_of_a_stage_go_out_together_and_all_finish_even_if_one_fails() -> None:
    async with cluster() as scene:
        root = await scene.widget()
        scene.server.faults.set(Fault(action="delay", verb="create", resource="configmaps", seconds=5))
        stage = Stage("both", (Patch(ref=ref("none"), patch={}), child(root, "one"), child(root, "two")))
        before = scene.clock.monotonic()
        with pytest.raises(PlanOutdated):
            await scene.executor.execute(root, Plan(stages=(stage,)), kind=WIDGET)
        assert scene.clock.monotonic() - before == pytest.approx(5)
        assert await scene.get("one", CONFIG_MAP)
        assert await scene.get("two", CONFIG_MAP)


async def test_creating_what_we_created_already_is_done() -> None:
    async with cluster() as scene:
        root = await scene.widget()
        await carry_out(scene, root, child(root))
        await carry_out(scene, root, child(root), status={"phase": "Ready"})
        assert (await scene.get())["status"] == {"phase": "Ready"}


async def test_a_name_that_belongs_to_somebody_else_is_an_error_that_names_him() -> None:
    async with cluster() as scene:
        root, other = await scene.widget(), await scene.widget("other")
        await carry_out(scene, other, child(other))
        with pytest.raises(NameTaken, match="ConfigMap default/child is there already and belongs to Widget other"):
            await carry_out(scene, root, child(root))


async def test_a_create_in_a_namespace_that_is_not_there_is_an_error_with_the_reason() -> None:
    async with cluster() as scene:
        root = await scene.widget()
        write = child(root)
        body = {**write.body, "metadata": {**write.body["metadata"], "namespace": "nowhere"}}
        with pytest.raises(ApiError, match="nowhere"):
            await carry_out(scene, root, type(write)(kind=CONFIG_MAP, body=body))


async def test_deleting_what_is_gone_or_replaced_is_done() -> None:
    async with cluster() as scene:
        root = await scene.widget()
        await carry_out(scene, root, Delete(ref=CHILD, uid="gone"))
        await carry_out(scene, root, child(root))
        await carry_out(scene, root, Delete(ref=CHILD, uid="another"))
        assert await scene.get("child", CONFIG_MAP)
        await carry_out(scene, root, Delete(ref=CHILD, uid=uid_of(await scene.get("child", CONFIG_MAP))))
        with pytest.raises(NotFound):
            await scene.get("child", CONFIG_MAP)


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param(Patch(ref=CHILD, patch={"data": {}}), id="of what is gone"),
        pytest.param(Patch(ref=ref(), patch={"spec": {}}, version="1"), id="made from an older version"),
    ],
)
async def test_a_patch_of_something_else_than_was_planned_for_asks_for_another_plan(patch: Patch) -> None:
    async with cluster() as scene:
        root = await scene.widget()
        with pytest.raises(PlanOutdated):
            await carry_out(scene, root, patch)


async def test_an_eviction_that_a_budget_forbids_is_asked_for_again_later() -> None:
    async with cluster() as scene:
        root = await scene.widget()
        meta = {"name": "p", "namespace": "default", "labels": {"app": "p"}}
        await scene.user.create(POD, {"metadata": meta, "spec": {"containers": [{"name": "c", "image": "i"}]}})
        budget = {"selector": {"matchLabels": {"app": "p"}}, "minAvailable": 1}
        await scene.user.create(POD_DISRUPTION_BUDGET, {"metadata": {"name": "b", "namespace": "default"}, "spec": budget})
        scene.server.faults.set(Fault(action="too-many-requests", subresource="eviction", resource="pods"))
        outcome = await carry_out(scene, root, Evict(ref=ObjectRef(POD, "default", "p"), uid=""), status={"phase": "Ready"})
        assert outcome.look_again_seconds == 10
        assert (await scene.get())["status"] == {"phase": "Ready"}


async def test_the_status_is_written_once_and_only_what_differs() -> None:
    async with cluster() as scene:
        await scene.widget()
        await scene.user.patch(ref(), {"status": {"old": 1, "kept": {"a": 1}}}, subresource="status")
        root = await scene.get()
        await scene.user.patch(ref(), {"status": {"foreign": "written meanwhile"}}, subresource="status")
        wanted = {"kept": {"a": 1}, "new": True}
        await carry_out(scene, root, status=wanted)
        assert (await scene.get())["status"] == {**wanted, "foreign": "written meanwhile"}
        await carry_out(scene, await scene.get(), status=(await scene.get())["status"])
        assert scene.writes() == 1


async def test_a_status_that_replaces_a_list_is_refused_when_somebody_changed_the_object_meanwhile() -> None:
    async with cluster() as scene:
        root = await scene.widget()
        await scene.user.patch(ref(), {"status": {"conditions": [{"type": "Theirs"}]}}, subresource="status")
        with pytest.raises(PlanOutdated):
            await carry_out(scene, root, status={"conditions": [{"type": "Ours"}]})


async def test_a_stage_that_patches_the_root_itself_does_not_make_its_status_conflict() -> None:
    async with cluster() as scene:
        root = await scene.widget()
        for version in (None, version_of(root)):
            current = await scene.get()
            patch = Patch(ref=ref(), patch={"spec": {"n": version or "0"}}, version=version and version_of(current))
            await carry_out(scene, current, patch, status={"conditions": [{"type": str(version)}]})
        assert (await scene.get())["status"]["conditions"] == [{"type": version_of(root)}]


async def test_the_status_of_an_object_that_was_replaced_is_not_written_to_its_successor() -> None:
    async with cluster() as scene:
        root = await scene.widget()
        await scene.user.delete(ref())
        await scene.widget()
        with pytest.raises(PlanOutdated):
            await carry_out(scene, root, status={"phase": "Ready"})
        assert "status" not in await scene.get()


async def test_a_kind_without_a_status_subresource_has_its_status_in_the_object_and_is_remembered() -> None:
    async with cluster() as scene:
        for phase in ("One", "Two"):
            root = await scene.get(kind=GADGET) if phase == "Two" else await scene.widget(kind=GADGET)
            await scene.executor.execute(root, Plan(status={"phase": phase}), kind=GADGET)
        assert (await scene.get(kind=GADGET))["status"] == {"phase": "Two"}
        assert scene.writes("PATCH", "/status") == 1
        assert scene.writes("PATCH") == 3


async def test_a_kind_that_gets_the_status_subresource_later_has_its_status_there() -> None:
    async with cluster() as scene:
        await scene.executor.execute(await scene.widget(kind=GADGET), Plan(status={"n": 1}), kind=GADGET)
        versions = definition(GADGET, status=True)["spec"]["versions"]
        address = ObjectRef(CUSTOM_RESOURCE_DEFINITION, "", f"{GADGET.plural}.{GADGET.group}")
        await scene.user.patch(address, {"spec": {"versions": versions}})
        await asyncio.sleep(0.1)
        with pytest.raises(PlanOutdated, match="was not taken"):
            await scene.executor.execute(await scene.get(kind=GADGET), Plan(status={"n": 2}), kind=GADGET)
        await scene.executor.execute(await scene.get(kind=GADGET), Plan(status={"n": 2}), kind=GADGET)
        assert (await scene.get(kind=GADGET))["status"] == {"n": 2}


@pytest.mark.parametrize(
    ("current", "patch", "applied"),
    [
        pytest.param({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, True, id="what is named is there"),
        pytest.param({"a": {"b": 2}}, {"a": {"b": 1}}, False, id="another value"),
        pytest.param({}, {"a": {"b": 1}}, False, id="not there"),
        pytest.param({}, {"a": None}, True, id="absent as wanted"),
        pytest.param({"a": 1}, {"a": None}, False, id="still there"),
        pytest.param({"a": 1}, {"a": True}, False, id="one is not true"),
    ],
)
def test_a_patch_is_applied_when_it_would_change_nothing(current: Any, patch: Any, *, applied: bool) -> None:
    assert is_applied(current, patch) is applied


async def test_a_status_that_may_wait_is_written_when_its_time_has_come() -> None:
    async with cluster() as scene:
        root = await scene.widget()
        wait = timedelta(seconds=10)
        first = await carry_out(scene, root, status={"n": 1}, status_may_wait=wait)
        assert (first.settled, first.look_again_seconds, scene.writes()) == (False, 10, 0)
        await asyncio.sleep(4)
        second = await carry_out(scene, root, status={"n": 2}, status_may_wait=wait)
        assert second.look_again_seconds == pytest.approx(6)
        await asyncio.sleep(6)
        third = await carry_out(scene, root, status={"n": 3}, status_may_wait=wait)
        assert (third.settled, scene.writes(), (await scene.get())["status"]) == (True, 1, {"n": 3})


async def test_a_status_that_may_wait_does_so_beside_writes_that_may_not() -> None:
    """What the writes bring about is often worth a status of its own: the two then go together."""
    async with cluster() as scene:
        root = await scene.widget()
        await carry_out(scene, root, child(root), status={"n": 1}, status_may_wait=timedelta(seconds=10))
        assert "status" not in await scene.get()
        await carry_out(scene, root, status={"n": 2})
        assert (scene.writes("PATCH"), (await scene.get())["status"]) == (1, {"n": 2})


async def test_a_status_beside_an_event_does_not_wait_or_the_event_would_be_told_again() -> None:
    async with cluster() as scene:
        root = await scene.widget()
        event = Event(about=ref(), reason="R", message="m")
        await carry_out(scene, root, events=(event,), status={"n": 1}, status_may_wait=timedelta(seconds=10))
        assert (await scene.get())["status"] == {"n": 1}


async def test_what_a_stage_did_is_told_even_if_the_status_is_refused() -> None:
    async with cluster() as scene:
        root = await scene.widget()
        scene.server.faults.set(Fault(action="conflict", verb="patch", resource="widgets"))
        done, stored = (Event(about=ref(), reason=reason, message="m") for reason in ("Created", "Stored"))
        plan = Plan(stages=(Stage("create", (child(root),), (done,)),), status={"n": 1}, events=(stored,))
        with pytest.raises(PlanOutdated):
            await scene.executor.execute(root, plan, kind=WIDGET)
        assert scene.recorded.events == [done]


async def test_the_rest_of_a_plan_gives_way_to_what_others_wait_for_and_is_asked_for_again() -> None:
    async with cluster() as scene:
        root = await scene.widget()
        done, late = (Event(about=ref(), reason=reason, message="it is") for reason in ("Done", "Late"))
        stages = (Stage("first", (child(root),), events=(done,), others_first=True), Stage("second", (child(root, "late"),)))
        plan = Plan(stages=stages, status={"phase": "Ready"}, events=(late,))
        outcome = await scene.executor.execute(root, plan, kind=WIDGET, gives_way=lambda: True)
        assert (outcome.settled, outcome.look_again_seconds) == (False, 0.0)
        assert await scene.get("child", CONFIG_MAP)
        with pytest.raises(NotFound):
            await scene.get("late", CONFIG_MAP)
        assert "status" not in await scene.get()
        assert scene.recorded.events == [done]


async def test_a_plan_gives_way_only_where_it_says_that_it_may() -> None:
    async with cluster() as scene:
        root = await scene.widget()
        stages = (Stage("first", (child(root),)), Stage("second", (child(root, "late"),)))
        plan = Plan(stages=stages, status={"phase": "Ready"})
        await scene.executor.execute(root, plan, kind=WIDGET, gives_way=lambda: True)
        assert await scene.get("late", CONFIG_MAP)
        assert (await scene.get())["status"] == {"phase": "Ready"}


async def test_without_the_lease_nothing_is_written() -> None:
    async with cluster() as scene:
        root = await scene.widget()
        scene.leading = False
        with pytest.raises(NotLeading):
            await carry_out(scene, root, child(root), status={"n": 1})
        assert (scene.writes("POST"), scene.writes("PATCH")) == (0, 0)


@pytest.mark.parametrize(
    ("current", "wanted", "patch"),
    [
        pytest.param({"a": 1}, {"a": 1}, {}, id="equal"),
        pytest.param({"a": 1, "b": 2}, {"a": 1}, {"b": None}, id="a field to remove"),
        pytest.param({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"c": None}}, id="a nested field to remove"),
        pytest.param({"a": 1}, {"a": {"b": 1}}, {"a": {"b": 1}}, id="a number becomes an object"),
        pytest.param({"a": {"b": 1}}, {"a": 1}, {"a": 1}, id="an object becomes a number"),
        pytest.param({"a": [1]}, {"a": [1, 2]}, {"a": [1, 2]}, id="lists are replaced"),
        pytest.param({}, {"a": None, "b": {"c": None}}, {"b": {}}, id="null means absent"),
        pytest.param({"a": 1}, {"a": None}, {"a": None}, id="null removes"),
        pytest.param({"a": 1}, {"a": True}, {"a": True}, id="one is not true"),
        pytest.param({"a": 1}, {"a": 1.0}, {}, id="one is one"),
        pytest.param({}, {"a": {}}, {"a": {}}, id="an empty object is something"),
        pytest.param({"a": ""}, {"a": ""}, {}, id="an empty text stays"),
    ],
)
def test_the_difference_is_the_smallest_merge_patch(current: Any, wanted: Any, patch: Any) -> None:
    assert merge_patch(current, wanted) == patch
