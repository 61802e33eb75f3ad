"""What the embedded API server had to learn from a real one; the comparison itself is in tests/conformance."""

from __future__ import annotations

from typing import Any

import pytest
from apiserver_harness import (
    CONFIG_MAPS,
    CRDS,
    DEPLOYMENTS,
    PODS,
    SERVICES,
    WIDGETS,
    Api,
    config_map,
    definition,
    deployment,
    pod,
    widget,
)

BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
JOBS = "/apis/batch/v1/namespaces/default/jobs"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"


@pytest.fixture
def api() -> Api:
    return Api()


def fields(obj: Any, manager: int = 0) -> Any:
    """Return what a manager owns."""
    return obj["metadata.managedFields"][manager]["fieldsV1"]


async def test_a_creation_owns_maps_that_it_makes_and_not_structures_that_are_always_there(api: Api) -> None:
    made = await api.create(CONFIG_MAPS, config_map("a", x="1"))
    shipped = await api.create(DEPLOYMENTS, deployment("web"))

    assert fields(made) == {"f:data": {".": {}, "f:x": {}}}
    template = fields(shipped)["f:spec"]["f:template"]
    assert set(template) == {"f:metadata", "f:spec"}
    assert "." not in fields(shipped)["f:spec"]["f:strategy"]


async def test_what_admission_adds_to_a_pod_belongs_to_nobody(api: Api) -> None:
    made = await api.create(PODS, pod("p"))

    assert [item["key"] for item in made["spec.tolerations"]] == ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]
    assert not {"f:tolerations", "f:serviceAccountName", "f:priority"} & set(fields(made)["f:spec"])


async def test_empty_maps_are_not_kept_and_structures_are_shown(api: Api) -> None:
    made = await api.create(DEPLOYMENTS, deployment("web", labels={}, annotations={}))

    assert not {"labels", "annotations"} & set(made["metadata"])
    assert made["status"] == {}


async def test_the_items_of_a_list_of_built_in_objects_do_not_say_what_they_are(api: Api) -> None:
    await api.create(CONFIG_MAPS, config_map("a"))
    await api.create(CRDS, definition())
    await api.create(WIDGETS, widget("w"))

    assert "kind" not in (await api.get(CONFIG_MAPS))["items.0"]
    assert (await api.get(WIDGETS))["items.0.kind"] == "Widget"


async def test_a_deployment_with_other_annotations_is_another_generation(api: Api) -> None:
    await api.create(DEPLOYMENTS, deployment("web"))

    got = await api.patch(f"{DEPLOYMENTS}/web", {"metadata": {"annotations": {"a": "b"}}})

    assert got["metadata.generation"] == 2


async def test_leases_and_services_are_made_by_replacing_them(api: Api) -> None:
    assert (await api.replace(f"{LEASES}/l", {"metadata": {"name": "l"}, "spec": {}})).status == 201
    assert (await api.replace(f"{SERVICES}/s", {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})).status == 201
    assert (await api.replace(f"{CONFIG_MAPS}/a", config_map("a"))).status == 404


async def test_a_custom_object_is_replaced_only_with_its_version(api: Api) -> None:
    await api.create(CRDS, definition())
    made = await api.create(WIDGETS, widget("w", size=1))

    assert (await api.replace(f"{WIDGETS}/w", widget("w", size=2))).status == 422
    assert (await api.replace(f"{WIDGETS}/w", {**made.body, "spec": {"size": 2}})).status == 200


async def test_deleting_the_status_of_a_custom_object_deletes_nothing(api: Api) -> None:
    await api.create(CRDS, definition())
    await api.create(WIDGETS, widget("w"))

    assert (await api.delete(f"{WIDGETS}/w/status")).status == 405
    assert (await api.get(f"{WIDGETS}/w")).status == 200


@pytest.mark.parametrize("query", [pytest.param({"dryRun": "All"}, id="query"), pytest.param({}, id="options")])
async def test_an_eviction_that_is_only_tried_evicts_nobody(api: Api, query: dict[str, str]) -> None:
    await api.create(PODS, pod("p"))
    options = {} if query else {"deleteOptions": {"dryRun": ["All"]}}

    assert (await api.create(f"{PODS}/p/eviction", {"metadata": {"name": "p"}, **options}, **query)).status == 201

    assert "deletionTimestamp" not in (await api.get(f"{PODS}/p"))["metadata"]


async def test_a_deletion_that_is_only_tried_by_its_options_deletes_nothing(api: Api) -> None:
    await api.create(CONFIG_MAPS, config_map("a"))

    assert (await api.delete(f"{CONFIG_MAPS}/a", {"dryRun": ["All"]})).status == 200
    assert (await api.get(f"{CONFIG_MAPS}/a")).status == 200


async def test_a_pod_that_serves_nobody_may_go_under_a_budget_that_is_met(api: Api) -> None:
    status = {"disruptionsAllowed": 0, "observedGeneration": 1, "currentHealthy": 1, "desiredHealthy": 1}
    await api.create(BUDGETS, {"metadata": {"name": "b"}, "spec": {"selector": {"matchLabels": {"app": "p"}}, "minAvailable": 1}})
    await api.patch(f"{BUDGETS}/b/status", {"status": status})
    await api.create(PODS, pod("p"))
    await api.patch(f"{PODS}/p/status", {"status": {"phase": "Running"}})

    assert (await api.create(f"{PODS}/p/eviction", {"metadata": {"name": "p"}})).status == 201


async def test_a_job_that_is_deleted_leaves_its_pods_and_says_so(api: Api) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "shop:1"}]}}
    await api.create(JOBS, {"metadata": {"name": "once"}, "spec": {"template": template}})

    gone = await api.delete(f"{JOBS}/once")

    assert gone["metadata.finalizers"] == ["orphan"]
    assert "child pods are preserved by default" in gone.headers["warning"]


async def test_the_owner_of_the_last_finalizer_leaves_the_event_as_it_was(api: Api) -> None:
    await api.create(CONFIG_MAPS, {**config_map("a"), "metadata": {"name": "a", "finalizers": ["shop.io/hold"]}})
    await api.delete(f"{CONFIG_MAPS}/a")

    async with api.watch(CONFIG_MAPS) as events:
        await events.next()
        await api.patch(f"{CONFIG_MAPS}/a", {"metadata": {"finalizers": None}})
        kind, last = await events.next()

    assert (kind, last["metadata"]["finalizers"]) == ("DELETED", ["shop.io/hold"])


async def test_applying_over_what_nobody_owns_is_a_conflict_with_before(api: Api) -> None:
    await api.create(CONFIG_MAPS, config_map("a", x="1"))
    await api.patch(f"{CONFIG_MAPS}/a", {"metadata": {"managedFields": [{}]}})
    body = {"apiVersion": "v1", "kind": "ConfigMap", **config_map("a", x="2")}

    refused = await api.apply(f"{CONFIG_MAPS}/a", body, "one")

    assert refused.status == 409
    assert refused.message == 'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.x'


@pytest.mark.parametrize(
    ("change", "text"),
    [
        pytest.param({"dta": {}}, ".dta: field not declared in schema", id="an unknown field"),
        pytest.param({"data": ["x"]}, ".data: expected map, got &{[x]}", id="another type"),
    ],
)
async def test_what_is_applied_must_be_of_its_type(api: Api, change: dict[str, Any], text: str) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", **config_map("a"), **change}

    refused = await api.apply(f"{CONFIG_MAPS}/a", body, "one")

    assert (refused.status, refused.message) == (
        500,
        f"failed to create typed patch object (/a; /v1, Kind=ConfigMap): {text}",
    )


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        pytest.param("tier=(web", "unable to parse requirement: found '(', expected: identifier", id="a bracket"),
        pytest.param(
            "tier web", "unable to parse requirement: found 'web', expected: in, notin, =, ==, !=, gt, lt", id="no operator"
        ),
        pytest.param("tier=we b", "found 'b', expected: ',' or 'end of string'", id="two values"),
    ],
)
async def test_a_selector_that_cannot_be_read_is_refused_as_a_real_server_does(api: Api, selector: str, text: str) -> None:
    assert (await api.get(CONFIG_MAPS, labelSelector=selector)).message == text


async def test_yaml_is_served_to_who_asks_for_it_and_nothing_to_who_asks_for_xml(api: Api) -> None:
    await api.create(CONFIG_MAPS, config_map("a", x="1"))

    text = await api.ask("GET", f"{CONFIG_MAPS}/a", accept="application/yaml")

    assert b"data:\n  x: '1'\n" in text.body
    assert (await api.ask("GET", CONFIG_MAPS, accept="application/xml")).status == 406


async def test_a_group_that_is_not_there_is_no_page(api: Api) -> None:
    got = await api.get("/apis/nothing.io/v1/things")

    assert (got.status, got.body) == (404, b"404 page not found\n")
