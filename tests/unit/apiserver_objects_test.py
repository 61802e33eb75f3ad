"""Creating, changing and reading objects: what a client notices."""

from __future__ import annotations

import base64

import pytest
from apiserver_harness import CONFIG_MAPS, DEPLOYMENTS, JSON, MERGE, PODS, Api, FrozenClock, config_map, deployment, pod

from sandbox.apiserver.server import ApiServer


@pytest.fixture
def api() -> Api:
    return Api(ApiServer(clock=FrozenClock(), seed=1))


async def test_a_new_object_gets_identity_and_keeps_its_data(api: Api) -> None:
    made = await api.create(CONFIG_MAPS, config_map("a", x="1"))

    assert made.status == 201
    assert made["metadata.creationTimestamp"] == "2026-01-01T00:00:00Z"
    assert made["metadata.uid"]
    assert made["metadata.namespace"] == "default"
    assert (await api.get(f"{CONFIG_MAPS}/a")).body == made.body


async def test_versions_only_ever_grow(api: Api) -> None:
    versions = [int((await api.create(CONFIG_MAPS, config_map(name)))["metadata.resourceVersion"]) for name in "abc"]
    versions.append(int((await api.patch(f"{CONFIG_MAPS}/a", {"data": {"x": "1"}}))["metadata.resourceVersion"]))

    assert versions == sorted(set(versions))


async def test_a_write_that_changes_nothing_keeps_the_version_and_wakes_nobody(api: Api) -> None:
    made = await api.create(DEPLOYMENTS, deployment("web"))

    again = await api.patch(f"{DEPLOYMENTS}/web", {"spec": {"replicas": 1}})

    assert again.body == made.body


async def test_a_generated_name_has_the_prefix_and_is_new_each_time(api: Api) -> None:
    names = [(await api.create(CONFIG_MAPS, {"metadata": {"generateName": "job-"}}))["metadata.name"] for _ in range(20)]

    assert len(set(names)) == 20
    assert all(name.startswith("job-") and len(name) == 9 for name in names)


@pytest.mark.parametrize(
    ("path", "body", "code", "reason", "text"),
    [
        pytest.param(
            CONFIG_MAPS, config_map("taken"), 409, "AlreadyExists", 'configmaps "taken" already exists', id="a name that is taken"
        ),
        pytest.param(CONFIG_MAPS, config_map("Bad_Name"), 422, "Invalid", "RFC 1123 subdomain", id="a name that is no DNS name"),
        pytest.param(CONFIG_MAPS, {"metadata": {}}, 422, "Invalid", "name or generateName is required", id="no name"),
        pytest.param(
            "/api/v1/namespaces/nowhere/configmaps",
            config_map("a"),
            404,
            "NotFound",
            'namespaces "nowhere" not found',
            id="a namespace that is not there",
        ),
        pytest.param(
            CONFIG_MAPS,
            {"metadata": {"name": "a", "namespace": "kube-system"}},
            400,
            "BadRequest",
            "does not match the namespace",
            id="two namespaces",
        ),
        pytest.param(
            CONFIG_MAPS,
            {"kind": "Secret", "metadata": {"name": "a"}},
            400,
            "BadRequest",
            'Secret in version "v1" cannot be handled as a ConfigMap',
            id="another kind",
        ),
        pytest.param(
            CONFIG_MAPS,
            {"metadata": {"name": "a", "resourceVersion": "1"}},
            500,
            "",
            "should not be set on objects",
            id="a version",
        ),
        pytest.param(CONFIG_MAPS, b"{", 400, "BadRequest", "unrecognized", id="half an object"),
        pytest.param(
            CONFIG_MAPS, {"metadata": {"name": "a", "labels": {"x": "-"}}}, 422, "Invalid", "a valid label must", id="a bad label"
        ),
        pytest.param(
            "/api/v1/namespaces/default/nothings", config_map("a"), 404, "NotFound", "could not find", id="no such resource"
        ),
        pytest.param(
            "/api/v1/namespaces/default/nodes", config_map("a"), 404, "NotFound", "could not find", id="a namespace for a node"
        ),
    ],
)
async def test_a_creation_is_refused_in_words_people_know(
    api: Api, path: str, body: object, code: int, reason: str, text: str
) -> None:
    await api.create(CONFIG_MAPS, config_map("taken"))

    refused = await api.create(path, body)

    assert (refused.status, refused.body.get("reason", "")) == (code, reason)
    assert text in refused.message


async def test_an_invalid_object_lists_every_cause_with_its_field(api: Api) -> None:
    body = deployment("web")
    body["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    body["spec"]["template"]["spec"]["containers"] = [{"name": "main"}]

    refused = await api.create(DEPLOYMENTS, body)

    assert refused["details.kind"] == "Deployment"
    assert {cause["field"]: cause["reason"] for cause in refused["details.causes"]} == {
        "spec.template.metadata.labels": "FieldValueInvalid",
        "spec.template.spec.containers[0].image": "FieldValueRequired",
    }
    assert refused.message.startswith('Deployment.apps "web" is invalid: [spec.template.metadata.labels: Invalid value: ')


async def test_an_update_from_an_old_version_conflicts_and_changes_nothing(api: Api) -> None:
    made = await api.create(CONFIG_MAPS, config_map("a", x="1"))
    await api.patch(f"{CONFIG_MAPS}/a", {"data": {"x": "2"}})

    late = await api.replace(f"{CONFIG_MAPS}/a", {**made.body, "data": {"x": "3"}})

    assert (late.status, late["reason"]) == (409, "Conflict")
    assert late.message == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    assert (await api.get(f"{CONFIG_MAPS}/a"))["data"] == {"x": "2"}


async def test_a_patch_may_guard_version_and_identity(api: Api) -> None:
    made = await api.create(CONFIG_MAPS, config_map("a"))
    version = made["metadata.resourceVersion"]

    assert (await api.patch(f"{CONFIG_MAPS}/a", {"metadata": {"resourceVersion": version}, "data": {"x": "1"}})).status == 200
    assert (await api.patch(f"{CONFIG_MAPS}/a", {"metadata": {"resourceVersion": version}, "data": {"x": "2"}})).status == 409
    stranger = await api.patch(f"{CONFIG_MAPS}/a", {"metadata": {"uid": "someone-else"}, "data": {"x": "2"}})
    assert stranger.status in (409, 422)
    assert (await api.get(f"{CONFIG_MAPS}/a"))["data"] == {"x": "1"}


@pytest.mark.parametrize(
    ("path", "patch", "bumps"),
    [
        pytest.param("", {"spec": {"replicas": 2}}, True, id="a new spec"),
        pytest.param("", {"metadata": {"labels": {"x": "y"}}}, False, id="a label"),
        pytest.param("", {"spec": {"replicas": 1}}, False, id="the same spec"),
        pytest.param("/status", {"status": {"replicas": 1}}, False, id="a status"),
        pytest.param("/scale", {"spec": {"replicas": 7}}, True, id="a new scale"),
    ],
)
async def test_only_a_new_desired_state_is_a_new_generation(api: Api, path: str, patch: object, bumps: bool) -> None:
    await api.create(DEPLOYMENTS, deployment("web"))

    await api.patch(f"{DEPLOYMENTS}/web{path}", patch)

    assert (await api.get(f"{DEPLOYMENTS}/web"))["metadata.generation"] == (2 if bumps else 1)


async def test_status_and_spec_cannot_be_written_through_each_other(api: Api) -> None:
    made = await api.create(DEPLOYMENTS, {**deployment("web"), "status": {"replicas": 9}})
    assert made["status"] == {}

    by_status = await api.patch(f"{DEPLOYMENTS}/web/status", {"spec": {"replicas": 5}, "status": {"replicas": 3}})
    assert (by_status["spec.replicas"], by_status["status.replicas"]) == (1, 3)

    by_spec = await api.patch(f"{DEPLOYMENTS}/web", {"spec": {"replicas": 5}, "status": {"replicas": 4}})
    assert (by_spec["spec.replicas"], by_spec["status.replicas"]) == (5, 3)


async def test_a_dry_run_answers_but_stores_nothing(api: Api) -> None:
    made = await api.create(DEPLOYMENTS, deployment("web"), dryRun="All")
    assert made.status == 201
    assert made["spec.strategy.type"] == "RollingUpdate"
    assert (await api.get(f"{DEPLOYMENTS}/web")).status == 404

    await api.create(DEPLOYMENTS, deployment("web"))
    assert (await api.patch(f"{DEPLOYMENTS}/web", {"spec": {"replicas": 4}}, dryRun="All"))["spec.replicas"] == 4
    assert (await api.delete(f"{DEPLOYMENTS}/web", dryRun="All")).status == 200
    assert (await api.get(f"{DEPLOYMENTS}/web"))["spec.replicas"] == 1


@pytest.mark.parametrize(
    ("mode", "status", "warned"),
    [
        pytest.param("Strict", 400, False, id="strict"),
        pytest.param("Warn", 201, True, id="warn"),
        pytest.param("Ignore", 201, False, id="ignore"),
    ],
)
async def test_an_unknown_field_is_refused_warned_of_or_dropped_in_silence(api: Api, mode: str, status: int, warned: bool) -> None:
    body = deployment("web")
    body["spec"]["replica"] = 3

    made = await api.create(DEPLOYMENTS, body, fieldValidation=mode)

    assert made.status == status
    assert ("warning" in made.headers) is warned
    if mode == "Strict":
        assert 'strict decoding error: unknown field "spec.replica"' in made.message
    else:
        assert "replica" not in made["spec"]


async def test_a_value_of_the_wrong_type_in_a_builtin_kind_is_a_bad_request(api: Api) -> None:
    body = deployment("web")
    body["spec"]["replicas"] = "three"

    refused = await api.create(DEPLOYMENTS, body)

    assert refused.status == 400
    assert "cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32" in refused.message


async def test_a_merge_patch_removes_with_null_and_replaces_lists(api: Api) -> None:
    await api.create(
        PODS, {**pod("p"), "metadata": {"name": "p", "labels": {"a": "1", "b": "2"}, "finalizers": ["x.io/a", "x.io/b"]}}
    )

    got = await api.patch(f"{PODS}/p", {"metadata": {"labels": {"a": None, "c": "3"}, "finalizers": ["x.io/c"]}})

    assert got["metadata.labels"] == {"b": "2", "c": "3"}
    assert got["metadata.finalizers"] == ["x.io/c"]


async def test_a_json_patch_tests_before_it_acts(api: Api) -> None:
    await api.create(CONFIG_MAPS, config_map("a", x="1"))
    path = f"{CONFIG_MAPS}/a"

    failed = await api.patch(path, [{"op": "test", "path": "/data/x", "value": "2"}, {"op": "remove", "path": "/data/x"}], JSON)
    passed = await api.patch(
        path, [{"op": "test", "path": "/data/x", "value": "1"}, {"op": "add", "path": "/data/y", "value": "2"}], JSON
    )

    assert failed.status == 422
    assert failed.message == "the server rejected our request due to an error in our request"
    assert passed["data"] == {"x": "1", "y": "2"}
    assert (await api.patch(path, [{"op": "remove", "path": "/data/nothing"}], JSON)).status == 422
    assert (await api.patch(path, {"op": "remove"}, JSON)).status == 400


async def test_a_patch_of_an_unknown_format_is_refused(api: Api) -> None:
    await api.create(CONFIG_MAPS, config_map("a"))

    refused = await api.patch(f"{CONFIG_MAPS}/a", {}, "application/xml")

    assert (refused.status, refused.message) == (415, "415: Unsupported Media Type")


async def test_deleting_what_is_not_there_is_not_found(api: Api) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        assert (await api.ask(method, f"{CONFIG_MAPS}/ghost", {}, kind=MERGE)).status == 404


async def test_every_request_is_counted_by_user_verb_and_resource(api: Api) -> None:
    await api.create(DEPLOYMENTS, deployment("web"))
    await api.patch(f"{DEPLOYMENTS}/web/status", {"status": {"replicas": 1}})
    await api.get(DEPLOYMENTS)

    counts = api.server.counts
    assert counts.total(user="admin", verb="create", resource="deployments") == 1
    assert counts.total(verb="patch", resource="deployments/status") == 1
    assert counts.writes() == 2
    assert {"user": "admin", "verb": "list", "resource": "deployments", "count": 1} in (await api.get("/debug/requests"))[
        "requests"
    ]


async def test_without_a_known_token_nobody_gets_in() -> None:
    server = ApiServer(tokens={"sesame": "alice"})

    assert server.admit("/api/v1/pods", {"authorization": "Bearer sesame"}) == ("alice", "/api/v1/pods")
    assert server.admit("/token/sesame/api/v1/pods", {}) == ("alice", "/api/v1/pods")
    basic = {"authorization": "Basic " + base64.b64encode(b"admin:sesame").decode()}
    assert server.admit("/api/v1/pods", basic) == ("alice", "/api/v1/pods")
    for path, headers in (("/api/v1/pods", {}), ("/token/wrong/api", {}), ("/api", {"authorization": "Basic sesame"})):
        with pytest.raises(Exception, match="Unauthorized"):
            server.admit(path, headers)
