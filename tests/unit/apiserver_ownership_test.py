"""Server-side apply, field managers and strategic merge: whose field is it, and how do lists merge?"""

from __future__ import annotations

from typing import Any

import pytest
from apiserver_harness import (
    CONFIG_MAPS,
    CRDS,
    DEPLOYMENTS,
    JSON,
    SERVICES,
    STRATEGIC,
    WIDGETS,
    Api,
    config_map,
    definition,
    deployment,
    widget,
)

from sandbox.apiserver.applying import LAST_APPLIED


@pytest.fixture
def api() -> Api:
    return Api()


def applied(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def managers(obj: Any) -> dict[tuple[str, str], Any]:
    return {(entry["manager"], entry["operation"]): entry["fieldsV1"] for entry in obj["metadata.managedFields"]}


async def test_applying_twice_changes_nothing(api: Api) -> None:
    path = f"{CONFIG_MAPS}/a"

    first = await api.apply(path, applied("a", x="1"), "alice")
    second = await api.apply(path, applied("a", x="1"), "alice")

    assert (first.status, second.status) == (201, 200)
    assert second.body == first.body
    assert managers(first) == {("alice", "Apply"): {"f:data": {"f:x": {}}}}


async def test_a_field_that_is_no_longer_applied_goes(api: Api) -> None:
    path = f"{CONFIG_MAPS}/a"
    await api.apply(path, applied("a", x="1", y="2"), "alice")

    assert (await api.apply(path, applied("a", x="1"), "alice"))["data"] == {"x": "1"}


async def test_a_field_that_somebody_else_owns_too_stays(api: Api) -> None:
    path = f"{CONFIG_MAPS}/a"
    await api.apply(path, applied("a", x="1", y="2"), "alice")
    await api.apply(path, applied("a", y="2"), "bob")

    kept = await api.apply(path, applied("a", x="1"), "alice")

    assert kept["data"] == {"x": "1", "y": "2"}
    assert managers(kept)[("bob", "Apply")] == {"f:data": {"f:y": {}}}


async def test_fields_that_nobody_applied_are_left_alone(api: Api) -> None:
    await api.create(CONFIG_MAPS, config_map("a", z="9"))

    assert (await api.apply(f"{CONFIG_MAPS}/a", applied("a", x="1"), "alice"))["data"] == {"z": "9", "x": "1"}


async def test_changing_a_field_of_somebody_else_conflicts_until_it_is_forced(api: Api) -> None:
    path = f"{CONFIG_MAPS}/a"
    await api.apply(path, applied("a", x="1", y="1"), "alice")

    refused = await api.apply(path, applied("a", x="2"), "bob")
    assert (refused.status, refused["reason"]) == (409, "Conflict")
    assert refused.message == 'Apply failed with 1 conflict: conflict with "alice": .data.x'
    assert refused["details.causes"] == [{"reason": "FieldManagerConflict", "message": 'conflict with "alice"', "field": ".data.x"}]

    forced = await api.apply(path, applied("a", x="2"), "bob", force="true")
    assert forced["data"] == {"x": "2", "y": "1"}
    assert managers(forced) == {("alice", "Apply"): {"f:data": {"f:y": {}}}, ("bob", "Apply"): {"f:data": {"f:x": {}}}}


async def test_an_update_takes_ownership_of_what_it_changes(api: Api) -> None:
    path = f"{CONFIG_MAPS}/a"
    await api.apply(path, applied("a", x="1", y="1"), "alice")

    await api.patch(path, {"data": {"x": "2"}}, fieldManager="editor")

    assert managers(await api.get(path)) == {
        ("alice", "Apply"): {"f:data": {"f:y": {}}},
        ("editor", "Update"): {"f:data": {"f:x": {}}},
    }
    refused = await api.apply(path, applied("a", x="1", y="1"), "alice")
    assert 'conflict with "editor" using v1' in refused.message


async def test_containers_and_their_ports_merge_by_their_keys(api: Api) -> None:
    path = f"{DEPLOYMENTS}/web"
    await api.create(DEPLOYMENTS, deployment("web"))
    container = {"name": "main", "env": [{"name": "A", "value": "1"}], "ports": [{"containerPort": 80}]}
    patch = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    patch["spec"] = {"template": {"spec": {"containers": [container]}}}

    got = await api.apply(path, patch, "sidecar")

    assert len(got["spec.template.spec.containers"]) == 1
    assert got["spec.template.spec.containers.0.image"] == "shop:1"
    assert got["spec.template.spec.containers.0.ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    owned = managers(got)[("sidecar", "Apply")]["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"main"}']
    assert owned == {
        ".": {},
        "f:name": {},
        "f:env": {'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}}},
        "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
    }

    container["env"] = [{"name": "B", "value": "2"}]
    again = await api.apply(path, patch, "sidecar")
    assert again["spec.template.spec.containers.0.env"] == [{"name": "B", "value": "2"}]


async def test_a_status_writer_and_a_spec_writer_have_entries_of_their_own(api: Api) -> None:
    await api.create(DEPLOYMENTS, deployment("web"), fieldManager="ctl")

    got = await api.patch(f"{DEPLOYMENTS}/web/status", {"status": {"replicas": 1}}, fieldManager="ctl")

    assert [(entry["manager"], entry.get("subresource", "")) for entry in got["metadata.managedFields"]] == [
        ("ctl", ""),
        ("ctl", "status"),
    ]


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        pytest.param(
            {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"]},
            [{"id": "a", "v": 1}, {"id": "b", "v": 2}],
            id="map",
        ),
        pytest.param({"x-kubernetes-list-type": "atomic"}, None, id="atomic"),
        pytest.param({}, None, id="atomic is the default"),
    ],
)
async def test_lists_of_custom_resources_merge_as_their_schema_says(api: Api, listing: dict[str, Any], expected: Any) -> None:
    item = {"type": "object", "properties": {"id": {"type": "string"}, "v": {"type": "integer"}}, "required": ["id"]}
    await api.create(
        CRDS, definition(schema={"type": "object", "properties": {"parts": {"type": "array", "items": item, **listing}}})
    )
    head = {"apiVersion": "shop.io/v1", "kind": "Widget"}
    await api.apply(f"{WIDGETS}/w", {**head, **widget("w", parts=[{"id": "a", "v": 1}])}, "alice")

    got = await api.apply(f"{WIDGETS}/w", {**head, **widget("w", parts=[{"id": "b", "v": 2}])}, "bob")

    if expected is None:
        assert got.status == 409
        assert got.message.endswith(".spec.parts")
    else:
        assert got["spec.parts"] == expected


async def test_applying_needs_a_manager_and_no_managed_fields(api: Api) -> None:
    nameless = await api.patch(f"{CONFIG_MAPS}/a", applied("a"), "application/apply-patch+yaml")
    assert "fieldManager: Required value" in nameless.message

    body = applied("a")
    body["metadata"]["managedFields"] = [{"manager": "x"}]
    assert (await api.apply(f"{CONFIG_MAPS}/a", body, "alice")).status == 400


async def test_yaml_is_applied_as_well_as_json(api: Api) -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: '1'}\n"

    assert (await api.apply(f"{CONFIG_MAPS}/a", text, "alice"))["data"] == {"x": "1"}


def containers(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": list(items), **more}}}}


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        pytest.param(containers({"name": "main", "image": "shop:2"}), [("main", "shop:2")], id="merged by name"),
        pytest.param(containers({"name": "side", "image": "s:1"}), [("side", "s:1"), ("main", "shop:1")], id="added in front"),
        pytest.param(
            containers({"name": "side", "image": "s:1"}, **{"$setElementOrder/containers": [{"name": "side"}, {"name": "main"}]}),
            [("side", "s:1"), ("main", "shop:1")],
            id="in the order asked for",
        ),
        pytest.param(
            containers({"name": "main", "$patch": "delete"}, {"name": "side", "image": "s:1"}), [("side", "s:1")], id="one deleted"
        ),
        pytest.param(containers({"$patch": "replace"}, {"name": "only", "image": "o:1"}), [("only", "o:1")], id="replaced"),
    ],
)
async def test_a_strategic_merge_patch_merges_containers_by_name(api: Api, patch: Any, expected: Any) -> None:
    await api.create(DEPLOYMENTS, deployment("web"))

    got = await api.patch(f"{DEPLOYMENTS}/web", patch, STRATEGIC)

    assert [(item["name"], item["image"]) for item in got["spec.template.spec.containers"]] == expected


async def test_strategic_merge_directives_on_maps_and_primitive_lists(api: Api) -> None:
    await api.create(CONFIG_MAPS, {**config_map("a", x="1", y="2"), "metadata": {"name": "a", "finalizers": ["x.io/a", "x.io/b"]}})
    path = f"{CONFIG_MAPS}/a"

    fewer = await api.patch(path, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x.io/a"]}}, STRATEGIC)
    assert fewer["metadata.finalizers"] == ["x.io/b"]
    more = await api.patch(path, {"metadata": {"finalizers": ["x.io/c"]}}, STRATEGIC)
    assert more["metadata.finalizers"] == ["x.io/c", "x.io/b"]
    retained = await api.patch(path, {"data": {"$retainKeys": ["y"], "y": "3"}}, STRATEGIC)
    assert retained["data"] == {"y": "3"}
    replaced = await api.patch(path, {"data": {"$patch": "replace", "z": "4"}}, STRATEGIC)
    assert replaced["data"] == {"z": "4"}


async def test_a_strategic_patch_without_the_merge_key_is_a_bad_request(api: Api) -> None:
    await api.create(SERVICES, {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})

    refused = await api.patch(f"{SERVICES}/s", {"spec": {"ports": [{"name": "web"}]}}, STRATEGIC)

    assert refused.status == 400
    assert "does not contain declared merge key: port" in refused.message


async def test_a_client_may_hand_over_fields_by_rewriting_the_entries(api: Api) -> None:
    """kubectl does so when an object that it applied on the client side is first applied on the server side."""
    path = f"{CONFIG_MAPS}/a"
    made = await api.create(CONFIG_MAPS, config_map("a", x="1"), fieldManager="kubectl-client-side-apply")
    entry = {**made["metadata.managedFields.0"], "manager": "kubectl", "operation": "Apply"}

    await api.patch(path, [{"op": "replace", "path": "/metadata/managedFields", "value": [entry]}], JSON)

    assert (await api.apply(path, applied("a", x="2"), "kubectl"))["data"] == {"x": "2"}


async def test_entries_can_be_cleared(api: Api) -> None:
    await api.create(CONFIG_MAPS, config_map("a", x="1"))

    assert "managedFields" not in (await api.patch(f"{CONFIG_MAPS}/a", {"metadata": {"managedFields": []}}))["metadata"]


async def test_kubectl_takes_over_what_it_applied_on_the_client_side_and_nothing_else(api: Api) -> None:
    last = '{"metadata":{"name":"a"},"data":{"x":"1"}}'
    body = {**config_map("a", x="1", y="1"), "metadata": {"name": "a", "annotations": {LAST_APPLIED: last}}}
    await api.create(CONFIG_MAPS, body, fieldManager="kubectl-client-side-apply")

    refused = await api.apply(f"{CONFIG_MAPS}/a", applied("a", x="2", y="2"), "kubectl")
    taken = await api.apply(f"{CONFIG_MAPS}/a", applied("a", x="2"), "kubectl")

    assert refused.message.endswith(": .data.y")
    assert taken["data"] == {"x": "2", "y": "1"}
    assert '"x":"2"' in taken["metadata.annotations"][LAST_APPLIED], "people may go back to client-side apply"
