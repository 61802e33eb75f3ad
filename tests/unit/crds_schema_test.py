"""The CRDs that we install: structural, small, up to date, and with the fields that existing clients know."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import ApiClient
from kubernetes.client.models import V1JSONSchemaProps
from pydantic import BaseModel

from crds import generate
from crds.common import Model
from crds.definitions import DEFINITIONS, Definition
from crds.manifests import custom_resource_definitions
from crds.schema import NotStructural, find, structural_errors, structural_schema

FIELDS = Path(__file__).parents[2].parent / "shared" / "spec" / "fields" / "argo-rollouts"
CLIENT_SIDE_APPLY_BYTES = 262_144
EMBEDDED = ("PodTemplateSpec", "JobSpec")
ALL = [pytest.param(crd, id=crd["spec"]["names"]["plural"]) for crd in custom_resource_definitions()]


def schema_of(crd: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def test_the_manifests_are_what_the_models_say() -> None:
    assert [path.name for path in generate.stale()] == [], "run python -m crds.generate"


def test_checking_names_a_stale_manifest_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "MANIFESTS", tmp_path / "manifests")
    assert generate.main(["--check"]) == 1
    assert "rollouts.yaml is stale" in capsys.readouterr().err
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0


@pytest.mark.parametrize("crd", ALL)
def test_every_node_is_structural(crd: dict[str, Any]) -> None:
    assert list(structural_errors(schema_of(crd))) == []


@pytest.mark.parametrize("crd", ALL)
def test_the_schema_holds_nothing_that_the_api_would_drop(crd: dict[str, Any]) -> None:
    client = ApiClient()
    schema = schema_of(crd)
    understood = client._ApiClient__deserialize(json.loads(json.dumps(schema)), V1JSONSchemaProps)  # type: ignore[attr-defined]
    assert client.sanitize_for_serialization(understood) == schema  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("crd", ALL)
def test_it_is_small_enough_for_plain_kubectl_apply(crd: dict[str, Any]) -> None:
    assert len(json.dumps(crd)) < CLIENT_SIDE_APPLY_BYTES / 4


@pytest.mark.parametrize("crd", ALL)
def test_nothing_is_defaulted_into_users_objects_but_three_fields_of_datadog(crd: dict[str, Any]) -> None:
    defaulted = {path for path, node in nodes(schema_of(crd)) if "default" in node}
    datadog = {f".spec.metrics[].provider.datadog.{name}" for name in ("apiVersion", "interval", "requestTimeout")}
    assert defaulted == (datadog if "analysis" in crd["metadata"]["name"] else set())


def test_the_selector_of_a_rollout_cannot_be_changed() -> None:
    rollouts = schema_of(custom_resource_definitions()[0])
    rule = {"rule": "self == oldSelf", "message": "selector is immutable"}
    assert find(rollouts, "spec", "selector")["x-kubernetes-validations"] == [rule]
    assert sum("x-kubernetes-validations" in node for _, node in nodes(rollouts)) == 1


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        pytest.param({}, "the root: type None", id="no type"),
        pytest.param({"type": "object", "properties": {"a": {"$ref": "#/x"}}}, ".a: $ref is forbidden", id="a reference"),
        pytest.param({"type": "array"}, "[]: type None", id="a list of anything"),
        pytest.param({"type": "string", "anyOf": [{"type": "string"}]}, "the root: anyOf is not used here", id="alternatives"),
        pytest.param({"x-kubernetes-int-or-string": True}, "the root: int-or-string needs anyOf", id="half of int-or-string"),
        pytest.param({"type": "string", "title": "x"}, "the root: title is forbidden", id="a title"),
        pytest.param({"type": "object", "required": ["x"]}, "the root: required x is no property", id="an unknown required field"),
        pytest.param(
            {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}},
            "the root: properties and additionalProperties exclude each other",
            id="known and unknown fields",
        ),
    ],
)
def test_the_check_finds_what_is_not_structural(broken: dict[str, Any], complaint: str) -> None:
    assert any(error.startswith(complaint) for error in structural_errors(broken))


class Endless(Model):
    """Contains itself."""

    next: Endless | None = None


class Undecided(Model):
    """Either of two."""

    value: int | bool | None = None


@pytest.mark.parametrize("model", [Endless, Undecided])
def test_a_model_without_structural_form_is_refused(model: type[Model]) -> None:
    with pytest.raises(NotStructural):
        structural_schema(model)


@pytest.mark.parametrize("definition", [pytest.param(one, id=one.plural) for one in DEFINITIONS])
def test_kinds_are_named_and_shown_as_clients_expect(definition: Definition) -> None:
    head, _ = expected(definition.plural)
    crd = next(one for one in custom_resource_definitions() if one["spec"]["names"]["plural"] == definition.plural)
    spec, version = crd["spec"], crd["spec"]["versions"][0]
    columns = "".join(f"\n# column {one['name']} {one['type']} {one['jsonPath']}" for one in version["additionalPrinterColumns"])
    shown = (
        f"# {spec['names']['kind']} {spec['group']}/{version['name']} scope={spec['scope']} plural={spec['names']['plural']} "
        f"short={','.join(spec['names']['shortNames'])} categories= served={version['served']} stored={version['storage']} "
        f"subresources={','.join(version.get('subresources', {}))}{columns}"
    )
    assert shown == head


@pytest.mark.parametrize("definition", [pytest.param(one, id=one.plural) for one in DEFINITIONS])
def test_every_field_that_clients_know_is_there_with_its_type(definition: Definition) -> None:
    _, fields = expected(definition.plural)
    crd = next(one for one in custom_resource_definitions() if one["spec"]["names"]["plural"] == definition.plural)
    assert dict(shown_fields(schema_of(crd))) == fields


def test_the_paths_of_a_scaled_rollout_are_those_that_autoscalers_follow() -> None:
    scale = custom_resource_definitions()[0]["spec"]["versions"][0]["subresources"]["scale"]
    assert scale == {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.HPAReplicas",
        "labelSelectorPath": ".status.selector",
    }


def test_every_model_says_what_it_is() -> None:
    def models(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
        for model in base.__subclasses__():
            yield model
            yield from models(model)

    ours = [model for model in models(Model) if model.__module__.startswith("crds.")]
    assert [model.__name__ for model in ours if model.__doc__ == model.__base__.__doc__ or not model.__doc__] == []


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every node of a schema with its path."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    if schema.get("type") == "array":
        yield from nodes(schema["items"], f"{path}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from nodes(schema["additionalProperties"], f"{path}{{}}")


def expected(plural: str) -> tuple[str, dict[str, str]]:
    """Return the head and the fields (path to type and `required`) of a field list; embedded core types are any content."""
    path = FIELDS / f"{plural[:-1]}.txt"
    if not path.exists():
        pytest.skip("the field lists are not here")
    lines = path.read_text().splitlines()
    head = "\n".join(line for line in lines if line.startswith("#"))
    fields = {}
    for line in lines:
        if line and not line.startswith("#"):
            name, _, kind = line.partition(" ")
            for embedded in EMBEDDED:
                kind = kind.replace(embedded, "object (any content)")
            fields[name] = re.sub(r" \{(.*)\}", lambda match: " {" + match[1].replace(" | ", ",") + "}", kind)
    return head, fields


def shown_fields(schema: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield path and type of spec and status as the field lists write them."""
    for name in ("spec", "status"):
        if name in schema["properties"]:
            yield from _shown(schema["properties"][name], f".{name}", required=name in schema.get("required", ()))


def _shown(node: dict[str, Any], path: str, *, required: bool) -> Iterator[tuple[str, str]]:
    node_path, inner = path, node
    while True:
        if inner.get("type") == "array":
            node_path, inner = f"{node_path}[]", inner["items"]
        elif isinstance(inner.get("additionalProperties"), dict):
            node_path, inner = f"{node_path}{{}}", inner["additionalProperties"]
        else:
            break
    yield node_path, _kind(inner) + (" required" if required else "")
    for name, child in inner.get("properties", {}).items():
        yield from _shown(child, f"{node_path}.{name}", required=name in inner.get("required", ()))


def _kind(node: dict[str, Any]) -> str:
    kind = "int-or-string" if node.get("x-kubernetes-int-or-string") else node["type"]
    kind += f"({node['format']})" if "format" in node else ""
    kind += " (any content)" if node.get("x-kubernetes-preserve-unknown-fields") else ""
    kind += f" {{{','.join(node['enum'])}}}" if "enum" in node else ""
    return kind + (f" = '{node['default']}'" if "default" in node else "")


NOT_SERVED = {
    *("blueGreen", "experiment", "plugin", "plugins", "antiAffinity", "pingPong"),
    *("alb", "ambassador", "apisix", "appMesh", "smi", "traefik"),
    *("cloudWatch", "datadog", "graphite", "influxdb", "job", "kayenta", "newRelic", "skywalking", "wavefront"),
}


def unexplained(schema: dict[str, Any], path: str) -> Iterator[str]:
    """Yield the fields of which nothing is said, but for what is not served."""
    for name, field in (schema.get("properties") or {}).items():
        if name in NOT_SERVED:
            continue
        if "description" not in field:
            yield f"{path}.{name}"
        inner = field.get("items", field)
        yield from unexplained(inner, f"{path}.{name}")
        if isinstance(inner.get("additionalProperties"), dict):
            yield from unexplained(inner["additionalProperties"], f"{path}.{name}.*")


@pytest.mark.parametrize("crd", [one for one in ALL if one.id != "experiments"])
def test_every_field_that_people_write_is_explained(crd: dict[str, Any]) -> None:
    assert list(unexplained(find(schema_of(crd), "spec"), "spec")) == []


def test_a_field_is_explained_by_the_text_below_it_and_an_object_else_by_its_type() -> None:
    spec = find(schema_of(next(one for one in custom_resource_definitions() if one["spec"]["names"]["kind"] == "Rollout")), "spec")
    canary = find(spec, "strategy", "canary")
    assert canary["description"] == "Ship step by step."
    assert find(canary, "stableService")["description"].startswith("The Service of the stable version's pods")
    assert find(canary, "analysis")["description"].startswith("Runs beside the steps")
    assert find(canary, "analysis", "startingStep")["description"].startswith("Begin when this step is reached")
    assert find(canary, "maxSurge")["description"].endswith("By default 25%.")
