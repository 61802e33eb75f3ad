"""Custom resources: served as soon as they are defined, checked as their schema says."""

from __future__ import annotations

from typing import Any

import pytest
from apiserver_harness import APPLY, CRDS, STRATEGIC, WIDGETS, Api, definition, widget

from sandbox.apiserver.assets.third_party import permissive_definition, third_party_definitions
from sandbox.apiserver.installing import install, install_all, project_definitions
from sandbox.apiserver.rules import UnsupportedRule, compiled


@pytest.fixture
def api() -> Api:
    return Api()


async def test_a_definition_is_established_and_served_at_once(api: Api) -> None:
    assert (await api.get(WIDGETS)).status == 404

    await api.create(CRDS, definition())

    conditions = {item["type"]: item["status"] for item in (await api.get(f"{CRDS}/widgets.shop.io"))["status.conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    assert (await api.create(WIDGETS, widget("w", size=1))).status == 201
    groups = (await api.get("/apis"))["groups"]
    assert "shop.io" in [group["name"] for group in groups]


async def test_removing_a_definition_removes_its_objects_and_its_paths(api: Api) -> None:
    await api.create(CRDS, definition())
    await api.create(WIDGETS, widget("w"))

    await api.delete(f"{CRDS}/widgets.shop.io")
    assert (await api.get(WIDGETS)).status == 404

    await api.create(CRDS, definition())
    assert await api.names(WIDGETS) == []


async def test_a_definition_waits_for_objects_that_controllers_are_not_done_with(api: Api) -> None:
    await api.create(CRDS, definition())
    held = widget("held")
    held["metadata"]["finalizers"] = ["shop.io/clean"]
    await api.create(WIDGETS, held)
    await api.create(WIDGETS, widget("free"))

    await api.delete(f"{CRDS}/widgets.shop.io")

    assert await api.names(WIDGETS) == ["held"]
    assert (await api.get(f"{WIDGETS}/held"))["metadata.deletionTimestamp"]
    assert "terminating" in (await api.create(WIDGETS, widget("late"))).message
    await api.patch(f"{WIDGETS}/held", {"metadata": {"finalizers": None}})
    assert (await api.get(f"{CRDS}/widgets.shop.io")).status == 404
    assert (await api.get(WIDGETS)).status == 404


async def test_fields_beside_those_of_a_closed_schema_are_pruned(api: Api) -> None:
    size = {"type": "integer"}
    closed = {"type": "object", "properties": {"size": size}, "additionalProperties": False}
    await api.create(CRDS, definition(schema={"type": "object", "properties": {"closed": closed}}))

    made = await api.create(WIDGETS, widget("w", closed={"size": 1, "colour": "red"}))

    assert (made.status, made["spec"]) == (201, {"closed": {"size": 1}})


async def test_unknown_fields_are_pruned_except_where_the_schema_keeps_them(api: Api) -> None:
    keep = {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"known": {"type": "object"}}}
    await api.create(CRDS, definition(schema={"type": "object", "properties": {"open": keep, "size": {"type": "integer"}}}))

    made = await api.create(WIDGETS, widget("w", size=1, colour="red", open={"any": {"thing": 1}, "known": {"no": 1}}))

    assert made["spec"] == {"size": 1, "open": {"any": {"thing": 1}, "known": {}}}
    assert made.headers["warning"] == '299 - "unknown field \\"spec.colour\\"", 299 - "unknown field \\"spec.open.known.no\\""'


async def test_defaults_are_filled_in_deep_inside_but_not_over_given_values(api: Api) -> None:
    part = {
        "type": "object",
        "properties": {"kind": {"type": "string", "default": "plain"}, "count": {"type": "integer", "default": 1}},
    }
    parts = {"type": "array", "items": part}
    await api.create(
        CRDS, definition(schema={"type": "object", "properties": {"parts": parts, "on": {"type": "boolean", "default": True}}})
    )

    made = await api.create(WIDGETS, widget("w", parts=[{"kind": "odd"}, {}]))

    assert made["spec"] == {"on": True, "parts": [{"kind": "odd", "count": 1}, {"kind": "plain", "count": 1}]}


CASES: list[Any] = [
    pytest.param(
        {"type": "integer"},
        "x",
        "FieldValueTypeInvalid",
        'Invalid value: "string": spec.f in body must be of type integer: "string"',
        id="type",
    ),
    pytest.param({"type": "integer"}, True, "FieldValueTypeInvalid", "must be of type integer", id="a boolean is no integer"),
    pytest.param({"type": "string"}, 5, "FieldValueTypeInvalid", "must be of type string", id="a number is no string"),
    pytest.param(
        {"type": "integer", "minimum": 1},
        0,
        "FieldValueInvalid",
        "spec.f in body should be greater than or equal to 1",
        id="minimum",
    ),
    pytest.param(
        {"type": "integer", "minimum": 1, "exclusiveMinimum": True},
        1,
        "FieldValueInvalid",
        "greater than 1",
        id="exclusive minimum",
    ),
    pytest.param({"type": "integer", "maximum": 5}, 6, "FieldValueInvalid", "less than or equal to 5", id="maximum"),
    pytest.param(
        {"type": "string", "enum": ["a", "b"]},
        "c",
        "FieldValueNotSupported",
        'Unsupported value: "c": supported values: "a", "b"',
        id="enum",
    ),
    pytest.param({"type": "string", "pattern": "^a+$"}, "b", "FieldValueInvalid", "should match '^a+$'", id="pattern"),
    pytest.param({"type": "string", "maxLength": 2}, "abc", "FieldValueTooLong", "Too long", id="too long"),
    pytest.param({"type": "string", "format": "date-time"}, "noon", "FieldValueInvalid", "date-time", id="date"),
    pytest.param(
        {"type": "array", "maxItems": 1, "items": {"type": "integer"}},
        [1, 2],
        "FieldValueTooMany",
        "must have at most 1 items",
        id="items",
    ),
    pytest.param(
        {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        ["a", "a"],
        "FieldValueDuplicate",
        '"a"',
        id="set",
    ),
    pytest.param(
        {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}},
        {},
        "FieldValueRequired",
        "Required value",
        id="required",
    ),
    pytest.param(
        {"x-kubernetes-int-or-string": True}, [], "FieldValueTypeInvalid", "must be of type integer,string", id="int or string"
    ),
    pytest.param(
        {
            "type": "object",
            "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
            "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
        },
        {"a": "1", "b": "2"},
        "FieldValueInvalid",
        "must validate one and only one schema (oneOf). Found 2 valid alternatives",
        id="one of",
    ),
]


@pytest.mark.parametrize(("schema", "value", "reason", "text"), CASES)
async def test_a_value_that_breaks_its_schema_is_named_with_its_cause(
    api: Api, schema: dict[str, Any], value: Any, reason: str, text: str
) -> None:
    await api.create(CRDS, definition(schema={"type": "object", "properties": {"f": schema}}))

    refused = await api.create(WIDGETS, widget("w", f=value))

    assert refused.status == 422
    assert refused["details.causes.0.reason"] == reason
    assert text in refused.message
    assert refused.message.startswith('Widget.shop.io "w" is invalid: spec.f')


@pytest.mark.parametrize("value", [3, "25%"])
async def test_int_or_string_takes_both(api: Api, value: Any) -> None:
    await api.create(CRDS, definition(schema={"type": "object", "properties": {"f": {"x-kubernetes-int-or-string": True}}}))

    assert (await api.create(WIDGETS, widget("w", f=value)))["spec.f"] == value


async def test_a_null_counts_as_absent_unless_the_schema_takes_it(api: Api) -> None:
    fields = {"a": {"type": "string"}, "b": {"type": "string", "nullable": True}, "c": {"type": "integer", "default": 7}}
    await api.create(CRDS, definition(schema={"type": "object", "properties": fields}))

    assert (await api.create(WIDGETS, widget("w", a=None, b=None, c=None)))["spec"] == {"b": None, "c": 7}


@pytest.mark.parametrize(
    ("rule", "new", "allowed"),
    [
        pytest.param("self == oldSelf", {"size": 2}, False, id="immutable"),
        pytest.param("self.size >= oldSelf.size", {"size": 2}, True, id="may grow"),
        pytest.param("!has(self.low) || self.low <= self.size", {"size": 2, "low": 3}, False, id="two fields"),
        pytest.param("self.size in [1, 2, 3] && size(self) < 3", {"size": 9}, False, id="in a list"),
        pytest.param("has(self.low) ? self.low > 0 : true", {"size": 1}, True, id="choice"),
    ],
)
async def test_a_validation_rule_is_kept(api: Api, rule: str, new: dict[str, int], allowed: bool) -> None:
    fields = {"size": {"type": "integer"}, "low": {"type": "integer"}}
    schema = {"type": "object", "properties": fields, "x-kubernetes-validations": [{"rule": rule, "message": "not like this"}]}
    await api.create(CRDS, definition(schema=schema))
    await api.create(WIDGETS, widget("w", size=1))

    got = await api.patch(f"{WIDGETS}/w", {"spec": new})

    assert got.status == (200 if allowed else 422)
    if not allowed:
        assert got.message == 'Widget.shop.io "w" is invalid: spec: Invalid value: "object": not like this'


@pytest.mark.parametrize("rule", ["self.all(x, x > 1)", "self.matches('a')", "self +", "'open", "self == other"])
async def test_a_rule_that_cannot_be_evaluated_is_refused_when_it_is_defined(api: Api, rule: str) -> None:
    with pytest.raises(UnsupportedRule):
        compiled(rule)

    refused = await api.create(CRDS, definition(schema={"type": "object", "x-kubernetes-validations": [{"rule": rule}]}))

    assert refused.status == 422
    assert "not evaluated by this API server" in refused.message


@pytest.mark.parametrize(
    ("change", "text"),
    [
        pytest.param({"group": ""}, "spec.group: Required value", id="no group"),
        pytest.param({"scope": "Galaxy"}, 'Unsupported value: "Galaxy"', id="scope"),
        pytest.param({"versions": []}, "at least one version", id="no version"),
        pytest.param({"names": {"plural": "gadgets", "kind": "Gadget"}}, "must be spec.names.plural", id="another name"),
    ],
)
async def test_a_broken_definition_is_refused(api: Api, change: dict[str, Any], text: str) -> None:
    body = definition()
    body["spec"] |= change

    refused = await api.create(CRDS, body)

    assert refused.status == 422
    assert text in refused.message


@pytest.mark.parametrize(
    ("note", "says"),
    [
        pytest.param(None, "protected groups must have approval annotation", id="no note"),
        pytest.param("fine", "must be a URL of the review", id="a note that is none"),
        pytest.param("unapproved, experimental-only", "", id="not reviewed, and says so"),
        pytest.param("https://github.com/kubernetes-sigs/gateway-api/pull/2466", "", id="reviewed"),
    ],
)
async def test_a_definition_in_a_group_of_kubernetes_says_whether_it_was_reviewed(api: Api, note: str | None, says: str) -> None:
    body = permissive_definition(group="shop.k8s.io", kind="Widget", plural="widgets", versions=["v1"])
    body["metadata"]["annotations"] = {"api-approved.kubernetes.io": note} if note else {}

    made = await api.create(CRDS, body)

    assert (made.status, says in str(made.body)) == (422 if says else 201, True)


async def test_versions_share_their_objects(api: Api) -> None:
    await install(api.server, third_party_definitions())
    base = "/apis/networking.istio.io/{}/namespaces/default/virtualservices"

    await api.create(base.format("v1alpha3"), {"metadata": {"name": "v"}, "spec": {"hosts": ["a"]}})

    for version in ("v1alpha3", "v1beta1", "v1"):
        got = await api.get(base.format(version) + "/v")
        assert (got["apiVersion"], got["spec"]) == (f"networking.istio.io/{version}", {"hosts": ["a"]})


async def test_a_definition_without_status_subresource_has_one_generation_for_everything(api: Api) -> None:
    body = definition()
    del body["spec"]["versions"][0]["subresources"]
    await api.create(CRDS, body)
    made = await api.create(WIDGETS, {**widget("w"), "status": {"ready": True}})
    assert made["status"] == {"ready": True}

    changed = await api.patch(f"{WIDGETS}/w", {"status": {"ready": False}})

    assert changed["metadata.generation"] == 2
    assert (await api.patch(f"{WIDGETS}/w/status", {"status": {}})).status == 404


async def test_scale_reads_and_writes_where_the_definition_says(api: Api) -> None:
    fields = {"count": {"type": "integer"}}
    scale = {"specReplicasPath": ".spec.count", "statusReplicasPath": ".status.count", "labelSelectorPath": ".status.selector"}
    await api.create(CRDS, definition(schema={"type": "object", "properties": fields}, subresources={"status": {}, "scale": scale}))
    await api.create(WIDGETS, widget("w", count=2))
    await api.patch(f"{WIDGETS}/w/status", {"status": {"count": 1, "selector": "app=w"}})

    got = await api.get(f"{WIDGETS}/w/scale")
    assert (got["kind"], got["spec"], got["status"]) == ("Scale", {"replicas": 2}, {"replicas": 1, "selector": "app=w"})

    assert (await api.patch(f"{WIDGETS}/w/scale", {"spec": {"replicas": 5}}))["spec.replicas"] == 5
    assert (await api.get(f"{WIDGETS}/w"))["spec.count"] == 5
    assert (await api.patch(f"{WIDGETS}/w/scale", {"spec": {"replicas": -1}})).status == 422


async def test_printer_columns_become_the_table(api: Api) -> None:
    columns = [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
        {"name": "Since", "type": "date", "jsonPath": ".metadata.creationTimestamp", "priority": 1},
    ]
    await api.create(CRDS, definition(additionalPrinterColumns=columns))
    await api.create(WIDGETS, widget("w", size=3))
    await api.patch(
        f"{WIDGETS}/w/status",
        {"status": {"conditions": [{"type": "Live", "status": "False"}, {"type": "Ready", "status": "True"}]}},
    )

    table = await api.ask("GET", WIDGETS, accept="application/json;as=Table;v=v1;g=meta.k8s.io,application/json")

    assert [(column["name"], column["priority"]) for column in table["columnDefinitions"]] == [
        ("Name", 0),
        ("Size", 0),
        ("Ready", 0),
        ("Since", 1),
    ]
    assert table["rows.0.cells"] == ["w", 3, "True", "0s"]


async def test_custom_resources_have_no_strategic_merge(api: Api) -> None:
    await api.create(CRDS, definition())
    await api.create(WIDGETS, widget("w"))

    refused = await api.patch(f"{WIDGETS}/w", {}, STRATEGIC)

    assert refused.status == 415
    assert APPLY in refused.message


async def test_the_definitions_of_the_project_install_and_are_served(api: Api) -> None:
    await install_all(api.server)

    served = {resource["name"] for resource in (await api.get("/apis/argoproj.io/v1alpha1"))["resources"]}

    assert {"rollouts", "rollouts/status", "rollouts/scale", "analysisruns", "experiments"} <= served


def test_no_two_kinds_share_a_short_name() -> None:
    """kubectl warns when it has to guess: `kubectl get ar` is about AnalysisRuns alone."""
    definitions = [*project_definitions(), *third_party_definitions()]
    named = [(short, one["metadata"]["name"]) for one in definitions for short in one["spec"]["names"].get("shortNames") or ()]
    owners: dict[str, set[str]] = {}
    for short, name in named:
        owners.setdefault(short, set()).add(name)
    assert {short: names for short, names in owners.items() if len(names) > 1} == {}
    assert owners["ar"] == {"analysisruns.argoproj.io"}
