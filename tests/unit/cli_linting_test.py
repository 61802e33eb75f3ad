"""What `lint` says about a file before it is applied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rollouts.cli.linting import lint, unknown_fields

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
        pytest.param(["text"], "document 1: must be an object", id="a text"),
        pytest.param([{"kind": "Rollout"}], "needs apiVersion and kind", id="no version"),
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
    assert list(unknown_fields({"config": {"a": {"b": 1}}, "labels": {"c": "d"}, "e": 1}, schema)) == ['unknown field "e"']


@pytest.mark.skipif(not ACCEPTANCE.exists(), reason="the acceptance manifests are not here")
@pytest.mark.parametrize(
    "name", ["02-canary-replica-weighted", "03-canary-istio-subset-split", "06-canary-istio-background-analysis-wrong-target"]
)
def test_the_acceptance_manifests_pass(name: str) -> None:
    assert lint([one for one in yaml.safe_load_all((ACCEPTANCE / f"{name}.yaml").read_text()) if one]) == []


def test_a_template_that_no_rollout_of_the_file_uses_is_judged_by_itself() -> None:
    [problem] = lint([template(successCondition="result[0] >== 0.9")])
    assert "metric rate: successCondition cannot be read" in problem
