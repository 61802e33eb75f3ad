"""Arguments: where their values come from, and how they get into a metric."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.arguments import field_value, merge_arguments, rollout_arguments, secret_references, substitute, tags
from analysis.errors import InvalidAnalysis, UnresolvedArgument

ROLLOUT: dict[str, Any] = {
    "metadata": {
        "name": "shop",
        "namespace": "web",
        "uid": "u-1",
        "labels": {"team": "blue", "app.kubernetes.io/name": "shop"},
        "annotations": {"note": 'say "hi"'},
    },
    "spec": {
        "replicas": 3,
        "paused": True,
        "strategy": {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}},
        "template": {"spec": {"containers": [{"image": "shop:2"}]}},
    },
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param("metadata.name", "shop", id="the name"),
        pytest.param("metadata.namespace", "web", id="the namespace"),
        pytest.param("metadata.uid", "u-1", id="the uid"),
        pytest.param("metadata.labels['app.kubernetes.io/name']", "shop", id="one label, its key may have dots"),
        pytest.param("metadata.labels['absent']", "", id="an absent label is empty as in the downward API"),
        pytest.param("metadata.annotations['note']", 'say "hi"', id="one annotation"),
        pytest.param("metadata.labels", 'app.kubernetes.io/name="shop"\nteam="blue"', id="all labels, sorted and quoted"),
        pytest.param("metadata.annotations", 'note="say \\"hi\\""', id="all annotations"),
        pytest.param("spec.replicas", "3", id="a number"),
        pytest.param("spec.paused", "true", id="a boolean as Go writes it"),
        pytest.param("spec.strategy.canary.steps[0].setWeight", "20", id="an element of a list"),
        pytest.param("spec.template.spec.containers[0].image", "shop:2", id="a path through the pod template"),
    ],
)
def test_a_field_of_the_rollout_becomes_text(path: str, value: str) -> None:
    assert field_value(ROLLOUT, path) == value


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param("metadata.owner", "unsupported fieldPath: metadata.owner", id="unknown metadata"),
        pytest.param("spec.nothing", "must terminate in a primitive value", id="nothing there"),
        pytest.param("spec.strategy", "must terminate in a primitive value", id="a mapping"),
        pytest.param("spec.replicas.more", "invalid path spec.replicas.more in rollout", id="a path through a number"),
        pytest.param("spec.strategy.canary.steps[9].setWeight", "index 9 out of range", id="past the end of a list"),
        pytest.param("spec.strategy.canary.steps.first", "invalid index 'first'", id="a name where an index belongs"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused_with_its_text(path: str, text: str) -> None:
    with pytest.raises(InvalidAnalysis, match=text.replace("[", r"\[")):
        field_value(ROLLOUT, path)


def test_a_rollout_gives_its_arguments_values() -> None:
    given = rollout_arguments(
        [
            {"name": "plain", "value": "x"},
            {"name": "empty", "value": ""},
            {"name": "old", "valueFrom": {"podTemplateHashValue": "Stable"}},
            {"name": "new", "valueFrom": {"podTemplateHashValue": "Latest"}},
            {"name": "who", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
        rollout=ROLLOUT,
        stable_hash="aaa",
        latest_hash="bbb",
    )
    assert {argument["name"]: argument["value"] for argument in given} == {
        "plain": "x",
        "empty": "",
        "old": "aaa",
        "new": "bbb",
        "who": "shop",
    }


def test_a_hash_that_is_not_known_yet_is_empty() -> None:
    (argument,) = rollout_arguments(
        [{"name": "old", "valueFrom": {"podTemplateHashValue": "Stable"}}], rollout=ROLLOUT, stable_hash=None, latest_hash="b"
    )
    assert argument["value"] == ""


def test_an_unknown_hash_name_is_refused() -> None:
    wrong = [{"name": "old", "valueFrom": {"podTemplateHashValue": "Newest"}}]
    with pytest.raises(InvalidAnalysis, match="it can be Stable or Latest"):
        rollout_arguments(wrong, rollout=ROLLOUT, stable_hash="a", latest_hash="b")


def test_incoming_arguments_override_only_what_templates_declare() -> None:
    merged = merge_arguments(
        [{"name": "host", "value": "mine"}, {"name": "undeclared", "value": "x"}],
        [{"name": "host", "value": "default"}, {"name": "path", "value": "/"}],
    )
    assert merged == ({"name": "host", "value": "mine"}, {"name": "path", "value": "/"})


def test_an_incoming_value_replaces_a_reference() -> None:
    declared = [{"name": "token", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
    assert merge_arguments([{"name": "token", "value": "plain"}], declared) == ({"name": "token", "value": "plain"},)
    assert secret_references(declared) == {"token": ("s", "k")}


def test_an_argument_nobody_supplies_is_named() -> None:
    with pytest.raises(UnresolvedArgument, match=r"^args\.service-name was not resolved$"):
        merge_arguments([{"name": "service-name"}], [{"name": "service-name"}])


VALUES = {"args.host": "shop.web", "args.n": "3", "args.quoted": 'a "b"\n\\c', "args.brace": "{{args.host}}"}


@pytest.mark.parametrize(
    ("value", "result"),
    [
        pytest.param("up{host='{{args.host}}'}", "up{host='shop.web'}", id="inside a query"),
        pytest.param("{{ args.host }}:{{args.n}}", "shop.web:3", id="blanks around the name, several tags"),
        pytest.param("{{args.quoted}}", 'a "b"\n\\c', id="quotes, line ends and backslashes survive"),
        pytest.param("{{args.brace}}", "{{args.host}}", id="a value is not substituted again"),
        pytest.param({"count": "{{args.n}}"}, {"count": "3"}, id="counts and limits are strings until read"),
        pytest.param({"h": [{"key": "X", "value": "{{args.host}}"}]}, {"h": [{"key": "X", "value": "shop.web"}]}, id="in lists"),
        pytest.param({"{{args.host}}": 1}, {"shop.web": 1}, id="keys too"),
        pytest.param({"n": 1, "b": True, "z": None}, {"n": 1, "b": True, "z": None}, id="other values stay"),
        pytest.param("sum(x) by (y) }} {", "sum(x) by (y) }} {", id="closing braces alone are text"),
    ],
)
def test_tags_are_replaced_wherever_there_is_text(value: Any, result: Any) -> None:
    assert substitute(value, VALUES) == result


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param("{{args.nobody}}", "failed to resolve {{args.nobody}}", id="an unknown argument"),
        pytest.param("{{ inputs.x }}", "failed to resolve {{ inputs.x }}", id="another language's tag"),
        pytest.param("a {{args.host", "without '}}'", id="a tag that is not closed"),
    ],
)
def test_a_tag_that_stands_for_nothing_is_an_error(text: str, error: str) -> None:
    with pytest.raises(InvalidAnalysis) as caught:
        substitute({"query": text}, VALUES)
    assert error in str(caught.value)


def test_secrets_take_the_place_of_their_references() -> None:
    arguments: list[dict[str, Any]] = [
        {"name": "a", "value": "1"},
        {"name": "t", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
    ]
    assert tags(arguments, secrets={"t": "*****"}) == {"args.a": "1", "args.t": "*****"}
    with pytest.raises(UnresolvedArgument, match=r"args\.t was not resolved"):
        tags(arguments, secrets={})
