"""What `lint` says about a file before it is applied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rollouts.cli.linting import Report
from rollouts.cli.linting import lint as lint_documents
from rollouts.cli.manifests import Document
from rollouts.cli.spelling import unknown_fields

ACCEPTANCE = Path(__file__).parents[3] / "shared" / "acceptance" / "rollouts"


def shop(*, canary: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a Rollout that is fine."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "shop"},
        "spec": {
            "selector": {"matchLabels": {"app": "shop"}},
            "template": {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}},
            "strategy": {"canary": canary or {"steps": [{"setWeight": 20}]}},
            **spec,
        },
    }


def lint(documents: list[Any]) -> list[str]:
    """Return the problems of objects of one file."""
    return [str(one) for one in report(documents).problems]


def report(documents: list[Any]) -> Report:
    """Return everything that is said about objects of one file."""
    return lint_documents([Document(one, "shop.yaml") for one in documents])


NGINX = {
    "stableService": "stable",
    "canaryService": "canary",
    "trafficRouting": {"nginx": {"stableIngress": "web"}},
    "steps": [{"setWeight": 20}, {"analysis": {"templates": [{"templateName": "rate"}]}}],
}


def ingress(service: str) -> dict[str, Any]:
    """Return an Ingress that leads to a Service."""
    backend = {"service": {"name": service, "port": {"number": 80}}}
    rules = [{"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web"}, "spec": {"rules": rules}}


def template(**metric: Any) -> dict[str, Any]:
    """Return an AnalysisTemplate with one metric."""
    provider = {"prometheus": {"address": "http://p", "query": "up"}}
    found = {"name": "rate", "provider": provider, **metric}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": "rate"},
        "spec": {"metrics": [found]},
    }


@pytest.mark.parametrize(
    "documents",
    [
        pytest.param([], id="nothing"),
        pytest.param([shop()], id="a plain canary"),
        pytest.param([shop(canary=NGINX)], id="references to what is not in the file"),
        pytest.param([shop(canary=NGINX), ingress("stable"), template()], id="references that fit"),
        pytest.param([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "anything": 1}], id="a foreign kind"),
        pytest.param(
            [{"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "x"}}], id="a sister project's"
        ),
        pytest.param([{"apiVersion": "rollouts.kruise.io/v1", "kind": "Rollout", "metadata": {"name": "x"}}], id="a namesake"),
        pytest.param([{"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}], id="a kustomization"),
    ],
)
def test_good_files_pass(documents: list[Any]) -> None:
    assert lint(documents) == []


@pytest.mark.parametrize(
    ("documents", "text"),
    [
        pytest.param([shop(replica=2)], 'Rollout "shop": unknown field "spec.replica"', id="a field misspelt"),
        pytest.param(
            [shop(canary={"steps": [{"setWeigth": 2}]})], 'unknown field "spec.strategy.canary.steps[0].setWeigth"', id="in a list"
        ),
        pytest.param([shop(canary={"steps": [{"setWeight": 120}]})], 'The Rollout "shop" is invalid', id="a weight that cannot be"),
        pytest.param([shop(selector={"matchLabels": {"app": "cart"}})], "selector", id="a selector for other pods"),
        pytest.param([shop(canary=NGINX), ingress("other")], "no rules using service stable", id="an Ingress that leads elsewhere"),
        pytest.param([shop(canary=NGINX), template(count=3)], "interval", id="a template that cannot run"),
        pytest.param(
            [shop(canary={"steps": [{"setWieght": 2}]})],
            'shop.yaml: Rollout "shop": unknown field "spec.strategy.canary.steps[0].setWieght"; did you mean setWeight?',
            id="a field misspelt, with what was meant",
        ),
        pytest.param(
            [shop() | {"kind": "Rolout"}], "kind Rolout is not known in argoproj.io/v1alpha1; did you mean Rollout?", id="a kind"
        ),
        pytest.param([shop() | {"apiVersion": "argoproj.io/v1"}], "write apiVersion: argoproj.io/v1alpha1", id="a version"),
        pytest.param([shop() | {"apiVersion": "argoprj.io/v1alpha1"}], "write apiVersion: argoproj.io/v1alpha1", id="a group"),
        pytest.param([ingress("a") | {"kind": "Ingres"}], "did you mean Ingress?", id="a foreign kind misspelt"),
        pytest.param([{"apiVerison": "v1", "kind": "Pod"}], "needs apiVersion; is apiVerison misspelt?", id="apiVersion misspelt"),
        pytest.param([shop() | {"spec": []}], 'Rollout "shop": spec must be an object', id="a list for a spec"),
        pytest.param([shop() | {"metadata": {"name": "shop", "labels": {"a": 1}}}], "put numbers and true", id="a number as label"),
        pytest.param([shop() | {"metadata": {"name": "Shop_1"}}], "metadata.name may have lower case letters", id="a name"),
        pytest.param([shop() | {"metadata": {"name": 300 * "y"}}], "metadata.name may have lower case letters", id="a long name"),
        pytest.param(
            [template(count=3) | {"kind": "AnalysisRun", "metadata": {"generateName": "r-"}}], 'AnalysisRun "r-": ', id="a run"
        ),
        pytest.param(["text"], "shop.yaml: must be an object", id="a text"),
        pytest.param([{"kind": "Rollout"}], "needs apiVersion", id="no version"),
        pytest.param([{"apiVersion": "v1", "kind": "Pod"}], "needs metadata.name", id="no name"),
    ],
)
def test_bad_files_are_told_where(documents: list[Any], text: str) -> None:
    problems = lint(documents)
    assert len(problems) == 1
    assert text in problems[0]


def test_fields_below_a_free_form_object_are_not_judged() -> None:
    schema = {
        "properties": {
            "config": {"x-kubernetes-preserve-unknown-fields": True},
            "labels": {"additionalProperties": {"type": "string"}},
        }
    }
    found = unknown_fields({"config": {"a": {"b": 1}}, "labels": {"c": "d"}, "e": 1}, schema)
    assert [str(one) for one in found] == ['unknown field "e"']


@pytest.mark.skipif(not ACCEPTANCE.exists(), reason="the acceptance manifests are not here")
@pytest.mark.parametrize(
    "name", ["02-canary-replica-weighted", "03-canary-istio-subset-split", "06-canary-istio-background-analysis-wrong-target"]
)
def test_the_acceptance_manifests_pass(name: str) -> None:
    assert lint([one for one in yaml.safe_load_all((ACCEPTANCE / f"{name}.yaml").read_text()) if one]) == []


def test_a_template_that_no_rollout_of_the_file_uses_is_judged_by_itself() -> None:
    [problem] = lint([template(successCondition="result[0] >== 0.9")])
    assert "metric rate: successCondition cannot be read" in problem


def test_one_object_that_is_wrong_does_not_hide_what_is_wrong_with_another() -> None:
    other = shop(replicas=-1) | {"metadata": {"name": "other"}}
    found = report([shop(replica=2), other, template(count=3) | {"metadata": {"name": "unused"}}])
    assert [str(one).partition(":")[2].split(":")[0] for one in found.problems] == [
        ' Rollout "shop"',
        ' The Rollout "other" is invalid',
        " AnalysisTemplate unused",
    ]
    assert found.wrong == 3


@pytest.mark.parametrize(
    ("canary", "note"),
    [
        pytest.param({"maxSurge": 0, "maxUnavailable": 0}, "0 of 1 pods with maxSurge 0 leaves none to spare", id="both zero"),
        pytest.param(
            {"maxSurge": "0%", "maxUnavailable": "10%"}, "10% of 1 pods with maxSurge 0% leaves none", id="rounded to zero"
        ),
        pytest.param({"maxSurge": 0}, "25% of 1 pods with maxSurge 0 leaves none", id="the default rounded to zero"),
        pytest.param({"maxSurge": 0, "maxUnavailable": 1}, "", id="one may go"),
        pytest.param({"maxUnavailable": 0}, "", id="one may come"),
        pytest.param({**NGINX, "maxSurge": 0, "maxUnavailable": 0}, "", id="a router moves users, so pods need not give way"),
    ],
)
def test_a_rollout_that_may_neither_add_nor_take_away_pods_is_told_that_one_goes(canary: dict[str, Any], note: str) -> None:
    found = report([shop(canary=canary)])
    assert found.problems == ()
    assert [note in str(one) for one in found.notes] == [True] * bool(note)


def test_an_argument_that_no_template_declares_is_mentioned_but_is_no_problem() -> None:
    analysis = {"templates": [{"templateName": "rate"}], "args": [{"name": "app", "value": "x"}, {"name": "aap", "value": "x"}]}
    declaring = template(provider={"prometheus": {"address": "http://p", "query": "up{app='{{args.app}}'}"}})
    declaring["spec"]["args"] = [{"name": "app"}]
    found = report([shop(canary={"steps": [{"analysis": analysis}]}), declaring])
    assert found.problems == ()
    assert [one.text for one in found.notes] == [
        'Rollout "shop": spec.strategy.canary.steps[0].analysis.args[1]: argument aap is in none of the templates, so it has no '
        "effect; they declare app"
    ]


def test_a_kind_that_nothing_acts_on_is_mentioned() -> None:
    experiment = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Experiment", "metadata": {"name": "x"}, "spec": {"templates": []}}
    found = report([experiment])
    assert found.problems == ()
    assert [one.text for one in found.notes] == ['Experiment "x": this kind can be stored, but nothing acts on it']
