"""Templates: nested references, merging, and the run that comes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from analysis.errors import InvalidAnalysis, TemplateNotFound, UnresolvedArgument
from analysis.templates import TemplateRef, build_run, collect, flatten, references
from kube.objects import Object


def a_template(name: str, *metrics: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"metrics": [{"name": metric} for metric in metrics], **spec}}


def a_lookup(*templates: Object, cluster: tuple[Object, ...] = ()) -> Mapping[TemplateRef, Object]:
    own = {TemplateRef(template["metadata"]["name"]): template for template in templates}
    return own | {TemplateRef(template["metadata"]["name"], True): template for template in cluster}


def refs(*names: str) -> list[dict[str, Any]]:
    return [{"templateName": name} for name in names]


def test_nested_references_are_followed_and_each_template_counts_once() -> None:
    known = a_lookup(
        a_template("top", templates=refs("left", "right")),
        a_template("left", "l", templates=refs("shared")),
        a_template("right", "r", templates=refs("shared")),
        a_template("shared", "s"),
    )
    found = collect(references({"templates": refs("top")}), known.get)
    assert [template["metadata"]["name"] for template in found] == ["top", "left", "shared", "right"]


def test_cluster_templates_come_after_those_of_the_namespace() -> None:
    known = a_lookup(a_template("x", "own"), cluster=(a_template("x", "cluster"),))
    found = collect([TemplateRef("x", True), TemplateRef("x")], known.get)
    assert [metric["name"] for metric in flatten(found).metrics] == ["own", "cluster"]


def test_a_circle_of_references_is_refused_and_shown() -> None:
    known = a_lookup(a_template("a", templates=refs("b")), a_template("b", templates=refs("a")))
    with pytest.raises(InvalidAnalysis, match="AnalysisTemplate a -> AnalysisTemplate b -> AnalysisTemplate a"):
        collect([TemplateRef("a")], known.get)


@pytest.mark.parametrize(
    ("ref", "text"),
    [
        pytest.param(TemplateRef("gone"), "AnalysisTemplate 'gone' not found", id="in the namespace"),
        pytest.param(TemplateRef("gone", True), "ClusterAnalysisTemplate 'gone' not found", id="in the cluster"),
    ],
)
def test_a_missing_template_is_named(ref: TemplateRef, text: str) -> None:
    with pytest.raises(TemplateNotFound) as caught:
        collect([ref], a_lookup().get)
    assert str(caught.value) == text


def argument(name: str, value: str | None = None) -> dict[str, Any]:
    return {"name": name} if value is None else {"name": name, "value": value}


@pytest.mark.parametrize(
    ("first", "second", "merged"),
    [
        pytest.param(argument("a", "1"), argument("a", "1"), argument("a", "1"), id="the same default twice"),
        pytest.param(argument("a"), argument("a", "2"), argument("a", "2"), id="no default gives way to a later one"),
        pytest.param(argument("a", "1"), argument("a"), argument("a", "1"), id="a default stays when the later has none"),
        pytest.param(argument("a", ""), argument("a"), argument("a", ""), id="an empty text is a default"),
    ],
)
def test_declarations_of_one_argument_are_merged(first: Any, second: Any, merged: Any) -> None:
    assert flatten([a_template("x", args=[first]), a_template("y", args=[second])]).arguments == (merged,)


@pytest.mark.parametrize(
    ("templates", "text"),
    [
        pytest.param(
            [a_template("x", "m"), a_template("y", "m")], "two metrics have the same name 'm'", id="a metric name comes twice"
        ),
        pytest.param(
            [a_template("x", args=[argument("a", "1")]), a_template("y", args=[argument("a", "2")])],
            "Argument `a` specified multiple times with different values: '1', '2'",
            id="two different defaults",
        ),
        pytest.param(
            [a_template("x", dryRun=[{"metricName": "m"}]), a_template("y", dryRun=[{"metricName": "m"}])],
            "two Dry-Run metric rules have the same name 'm'",
            id="a dry-run rule comes twice",
        ),
        pytest.param(
            [a_template(name, measurementRetention=[{"metricName": "m", "limit": 1}]) for name in "xy"],
            "two Measurement Retention metric rules have the same name 'm'",
            id="a retention rule comes twice",
        ),
        pytest.param([a_template("x", args=["host"])], "args[0] must be an object", id="an argument that is a text"),
        pytest.param([a_template("x", dryRun="all")], "dryRun must be a list", id="rules that are a text"),
    ],
)
def test_templates_that_contradict_each_other_are_refused(templates: list[Object], text: str) -> None:
    with pytest.raises(InvalidAnalysis) as caught:
        flatten(templates)
    assert str(caught.value) == text


def test_a_run_carries_metrics_arguments_and_rules_of_both_sides() -> None:
    run = build_run(
        metadata={"name": "shop-abc-2-1", "namespace": "web"},
        templates=[a_template("x", "m", "n", args=[argument("host"), argument("path", "/")], dryRun=[{"metricName": "m"}])],
        arguments=[argument("host", "shop"), argument("ignored", "x")],
        dry_run=[{"metricName": "n"}],
        retention=[{"metricName": ".*", "limit": 20}],
    )
    assert run == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {"name": "shop-abc-2-1", "namespace": "web"},
        "spec": {
            "metrics": [{"name": "m"}, {"name": "n"}],
            "args": [argument("host", "shop"), argument("path", "/")],
            "dryRun": [{"metricName": "m"}, {"metricName": "n"}],
            "measurementRetention": [{"metricName": ".*", "limit": 20}],
        },
    }


def test_a_template_may_read_a_field_of_the_owner() -> None:
    reading = {"name": "who", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    run = build_run(metadata={"name": "r"}, templates=[a_template("x", "m", args=[reading])], owner={"metadata": {"name": "shop"}})
    assert run["spec"]["args"] == [{"name": "who", "value": "shop"}]


def test_secrets_stay_references_in_the_run() -> None:
    secret = {"name": "token", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    assert build_run(metadata={"name": "r"}, templates=[a_template("x", "m", args=[secret])])["spec"]["args"] == [secret]


def test_a_run_without_a_needed_argument_is_refused() -> None:
    with pytest.raises(UnresolvedArgument, match=r"^args\.service-name was not resolved$"):
        build_run(metadata={"name": "r"}, templates=[a_template("x", "m", args=[argument("service-name")])])
