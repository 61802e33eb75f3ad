"""What the documentation says is refused, is refused, and the reverse."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from analysis.providers import KNOWN, served
from crds.analysis import AnalysisTemplate, Metric
from crds.common import Model
from crds.providers import MetricProvider
from crds.rollout import Rollout
from crds.routing import TrafficRouting
from crds.schema import structural_schema
from rollouts.cli.commands_refused import INSTEAD
from rollouts.cli.main import COMMANDS, run
from rollouts.rollout.unserved import UNSERVED_IN_ROLLOUTS, UNSERVED_KINDS, UNSERVED_PROVIDERS, Unserved
from rollouts.rollout.validation import validate
from routers import ROUTERS

DOCUMENT = (Path(__file__).parents[2] / "docs" / "compatibility.md").read_text()


def test_the_document_names_exactly_what_is_refused_and_what_to_do_instead() -> None:
    documented = {tuple(row) for row in re.findall(r"^\| `(spec\.[^`]+)` \| ((?!yes)[^|]+) \|$", DOCUMENT, re.MULTILINE)}
    assert documented == {(one.path, one.instead) for one in (*UNSERVED_IN_ROLLOUTS, *UNSERVED_PROVIDERS)}


@pytest.mark.parametrize("kind", UNSERVED_KINDS)
def test_the_document_names_the_kinds_that_nothing_acts_on(kind: str) -> None:
    assert f"| `{kind}` |" in DOCUMENT


def test_the_document_names_exactly_the_commands_that_are_refused_and_what_to_do_instead() -> None:
    section = DOCUMENT.partition("## Commands")[2].partition("\n## ")[0]
    documented = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|$", section, re.MULTILINE))
    assert documented == dict(INSTEAD)
    assert set(INSTEAD) <= set(COMMANDS)


@pytest.mark.parametrize("name", INSTEAD)
@pytest.mark.parametrize(
    "arguments", [(), ("-p", "3100", "--root-path", "x"), ("template", "get", "--config-map", "x")], ids=" ".join
)
def test_a_command_of_upstream_that_is_not_served_says_what_to_do_instead(
    name: str, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([name, *arguments], prog="rollouts") == 1
    assert capsys.readouterr() == ("", f"Error: {name} is not served: {INSTEAD[name]}\n")


@pytest.mark.parametrize("field", [pytest.param(one, id=one.path) for one in UNSERVED_IN_ROLLOUTS])
@pytest.mark.parametrize("value", [pytest.param({}, id="empty"), pytest.param({"name": "x"}, id="with a name")])
def test_a_field_that_is_not_served_is_refused_by_name(field: Unserved, value: dict[str, Any]) -> None:
    texts = [str(one) for one in validate(placed(field.path, value))]
    place = field.path.replace("[]", "[0]")
    assert f"{place}: Forbidden: {field.name} is not served yet; {field.instead}" in texts
    assert not any(one.startswith(f"{place}.") for one in texts), "what is refused as a whole is not looked at further"


@pytest.mark.parametrize("field", [pytest.param(one, id=one.path) for one in UNSERVED_IN_ROLLOUTS])
def test_a_field_that_is_null_is_not_refused(field: Unserved) -> None:
    assert not any("not served" in str(one) for one in validate(placed(field.path, None)))


@pytest.mark.parametrize(
    ("fields", "model"),
    [
        pytest.param(UNSERVED_IN_ROLLOUTS, Rollout, id="Rollout"),
        pytest.param(UNSERVED_PROVIDERS, AnalysisTemplate, id="AnalysisTemplate"),
    ],
)
def test_every_refused_field_is_a_field_of_the_api(fields: tuple[Unserved, ...], model: type[Model]) -> None:
    schema = structural_schema(model)
    for field in fields:
        node = schema
        for name in field.path.split("."):
            node = node["properties"][name.removesuffix("[]")]
            node = node["items"] if name.endswith("[]") else node


def test_every_router_of_the_api_is_either_served_or_refused() -> None:
    routers = {info.alias or name for name, info in TrafficRouting.model_fields.items()} - {"managedRoutes", "maxTrafficWeight"}
    refused = {one.name for one in UNSERVED_IN_ROLLOUTS if ".trafficRouting." in one.path}
    assert refused == routers - set(ROUTERS)


def test_every_metric_provider_of_the_api_is_either_served_or_refused() -> None:
    providers = {info.alias or name for name, info in MetricProvider.model_fields.items()}
    assert providers == set(KNOWN)
    assert {one.name for one in UNSERVED_PROVIDERS} == providers - set(served())
    assert Metric.model_fields["provider"].annotation is MetricProvider


def placed(path: str, value: Any) -> dict[str, Any]:
    """Return a Rollout in which nothing is given but one field."""
    node = value
    for name in reversed(path.split(".")):
        node = {name.removesuffix("[]"): [node]} if name.endswith("[]") else {name: node}
    return {"metadata": {"name": "web"}, **node}
