"""Checking templates before they run: for `lint`, and for a Rollout's InvalidSpec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from analysis.providers import served
from analysis.run.validation import validate_template, validate_templates

ACCEPTANCE = Path(__file__).parents[2].parent / "shared" / "acceptance" / "rollouts"


def a_template(*metrics: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "rate"}, "spec": {"metrics": list(metrics), **spec}}


def a_metric(**fields: Any) -> dict[str, Any]:
    return {"name": "m", "provider": {"prometheus": {"query": "up{app='{{args.app}}'}"}}, **fields}


APP = {"args": [{"name": "app"}, {"name": "n"}]}


@pytest.mark.parametrize(
    ("template", "for_background", "problem"),
    [
        pytest.param(a_template(a_metric(), **APP), False, None, id="one measurement"),
        pytest.param(a_template(a_metric(interval="1m", count=3), **APP), False, None, id="a finite count"),
        pytest.param(a_template(a_metric(interval="1m"), **APP), True, None, id="without end in the background"),
        pytest.param(
            a_template(a_metric(interval="1m"), **APP),
            False,
            "AnalysisTemplate rate has metric m which runs indefinitely. Invalid value for count: none; give it a count",
            id="without end in a step",
        ),
        pytest.param(
            a_template(a_metric(interval="1m", count="{{args.n}}", failureLimit="{{args.n}}"), **APP),
            False,
            None,
            id="numbers that are not known yet are taken to be fine",
        ),
        pytest.param(
            a_template(a_metric(count=2), **APP), False, "AnalysisTemplate rate: metrics[0]: interval must be", id="no interval"
        ),
        pytest.param(a_template(a_metric()), False, "failed to resolve {{args.app}}", id="an argument that is not declared"),
        pytest.param(a_template(), False, "no metrics specified", id="no metric"),
        pytest.param(
            a_template({"name": "m", "provider": {"job": {"spec": {}}}}),
            False,
            "AnalysisTemplate rate: metrics[0]: provider job is not served yet",
            id="a provider that is not served yet",
        ),
        pytest.param(
            a_template(a_metric(), dryRun=[{"metricName": "x"}], **APP), False, "dryRun[0]: Rule didn't match", id="a dead rule"
        ),
    ],
)
def test_a_template_is_checked(template: Any, for_background: bool, problem: str | None) -> None:
    problems = validate_template(template, for_background=for_background, served=served().keys())
    assert len(problems) == (problem is not None)
    assert (problem or "") in "".join(problems)


PART = [{"templateName": "other"}]


@pytest.mark.parametrize(
    "template",
    [
        pytest.param(a_template(templates=PART), id="references alone"),
        pytest.param(a_template(a_metric(), templates=PART), id="an argument that another declares"),
        pytest.param(
            a_template(a_metric(), templates=PART, dryRun=[{"metricName": "theirs"}], **APP), id="a rule for another's metric"
        ),
    ],
)
def test_a_part_of_an_analysis_leaves_to_the_others_what_they_may_bring(template: Any) -> None:
    assert validate_template(template, for_background=False, served=served().keys()) == ()


def test_a_part_of_an_analysis_has_its_own_metrics_checked() -> None:
    (problem,) = validate_template(a_template(a_metric(count=2), templates=PART), for_background=False, served=served().keys())
    assert "interval must be specified when count > 1" in problem


def test_templates_are_checked_together() -> None:
    one, other = a_template(a_metric(), dryRun=[{"metricName": "theirs"}]), a_template({**a_metric(), "name": "theirs"}, **APP)
    assert validate_templates([one, other], for_background=False, served=served().keys()) == ()
    (problem,) = validate_templates([one, one], for_background=False, served=served().keys())
    assert problem == "AnalysisTemplate rate, rate: two metrics have the same name 'm'"


def test_values_that_are_known_are_checked() -> None:
    template = a_template(a_metric(count="{{args.n}}"), **APP)
    (problem,) = validate_template(
        template,
        for_background=True,
        served=served().keys(),
        arguments=[{"name": "n", "value": "2"}, {"name": "app", "value": "x"}],
    )
    assert "interval must be specified when count > 1" in problem


def test_templates_that_people_have_are_accepted() -> None:
    if not ACCEPTANCE.is_dir():
        pytest.skip("the acceptance manifests are not beside this repository")
    documents = [one for path in sorted(ACCEPTANCE.rglob("*.yaml")) for one in yaml.safe_load_all(path.read_text()) if one]
    templates = [one for one in documents if one["kind"] == "AnalysisTemplate"]
    assert templates
    for template in templates:
        assert validate_template(template, for_background=False, served=served().keys()) == ()


def test_a_condition_that_cannot_be_read_is_refused_before_anything_runs() -> None:
    """A background run would be stopped at the end of the update, and pass for successful."""
    provider = {"prometheus": {"address": "http://p", "query": "up"}}
    broken = {"name": "ok", "successCondition": "result[0] >== 0.9", "provider": provider}
    template = {"metadata": {"name": "rate"}, "spec": {"metrics": [broken]}}
    [problem] = validate_templates([template], for_background=True, served=("prometheus",))
    assert "metric ok: successCondition cannot be read" in problem
    later = {
        **template,
        "spec": {"args": [{"name": "least"}], "metrics": [{**broken, "successCondition": "result[0] >= {{args.least}}"}]},
    }
    assert validate_templates([later], for_background=True, served=("prometheus",)) == ()
