"""`lint` tells all that is wrong with a file at once, each thing at its line."""

from __future__ import annotations

import pytest

from rollouts.cli.linting import lint
from rollouts.cli.manifests import parse

ROLLOUT = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: shop
spec:
  replicas: 2
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
      - name: web
        image: "web:1"
  strategy:
    canary:
      stableService: stable
      canaryService: canary
      steps:
      - setWeight: 20
      - pause: {duration: 10s}
      - analysis:
          templates:
          - templateName: rate
"""
TEMPLATE = """\
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata:
  name: rate
spec:
  args:
  - name: app
  metrics:
  - name: one
    interval: 10s
    count: 3
    successCondition: result[0] > 0.9
    provider:
      prometheus:
        address: http://prometheus
        query: up{app="{{args.app}}"}
  - name: two
    provider:
      prometheus:
        address: http://prometheus
        query: up
  dryRun:
  - metricName: one
"""
RUN = TEMPLATE.replace("AnalysisTemplate", "AnalysisRun").replace("- name: app\n", "- name: app\n    value: x\n")


def problems(text: str, *changes: tuple[str, str]) -> list[str]:
    """Return what is said of a text in which each first part of a change is replaced; without the file's name."""
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return [str(one).removeprefix("shop.yaml:") for one in lint(parse(text, "shop.yaml")).problems]


def said(found: list[str]) -> list[tuple[int, str]]:
    """Return lines and the ends of sentences, after the title of the object."""
    return [(int(line), rest.split(": ", 1)[1]) for line, _, rest in (one.partition(": ") for one in found)]


def test_good_ones_have_no_problem() -> None:
    assert problems(ROLLOUT) == problems(TEMPLATE) == problems(RUN) == []


def test_a_rollout_is_told_all_that_is_wrong_by_line() -> None:
    found = problems(
        ROLLOUT,
        ("replicas: 2", "replicas: many"),
        ('image: "web:1"', 'imge: "web:1"'),
        ("setWeight: 20", "setWeight: 120"),
        ("duration: 10s", "duraton: 10s"),
        ("  stableService", "  stabelService"),
    )
    assert [line for line, _ in said(found)] == [6, 13, 16, 19, 20]
    texts = ("spec.replicas", "did you mean image?", "did you mean stableService?", "120", "did you mean duration?")
    for text, one in zip(texts, found, strict=True):
        assert text in one


def test_a_reference_is_judged_although_the_spec_is_wrong_elsewhere() -> None:
    circle = TEMPLATE.replace("spec:\n", "spec:\n  templates: [{templateName: rate}]\n")
    found = problems(f"{ROLLOUT}---\n{circle}", ("replicas: 2", "replicas: -1"), ("setWeight: 20", "setWeight: 120"))
    assert [line for line, _ in said(found)] == [6, 19, 22]
    assert "refer to each other in a circle" in found[-1]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(("setWeight: 20", "setWieght: 20"), id="a step"),
        pytest.param(("  template:\n    metadata", "  templte:\n    metadata"), id="the template"),
        pytest.param(("canary:\n      stable", "canry:\n      stable"), id="the strategy"),
        pytest.param(("matchLabels", "matchLabel"), id="the selector"),
        pytest.param(("    metadata: {labels", "    metdata: {labels"), id="the labels"),
        pytest.param(("image:", "imge:"), id="an image"),
    ],
)
def test_what_only_comes_of_a_misspelt_field_is_not_told_beside_it(change: tuple[str, str]) -> None:
    [found] = problems(ROLLOUT, change)
    assert "did you mean" in found


@pytest.mark.parametrize("text", [pytest.param(TEMPLATE, id="template"), pytest.param(RUN, id="run")])
def test_an_analysis_is_told_all_that_is_wrong_by_line(text: str) -> None:
    found = problems(
        text,
        ("interval: 10s", "interval: soon"),
        ("count: 3", "count: x"),
        ("  - name: two\n", "  - name: two\n    failureLimit: -7\n"),
        ("{{args.app}}", "{{args.app}}{{args.none}}"),
        ("metricName: one", "metricName: three"),
    )
    first = text.splitlines().index("  - name: one") + 1
    assert [
        (line - first, one.split("]: ")[-1].removeprefix("Unable to resolve metric arguments: ")) for line, one in said(found)
    ] == [
        (1, 'invalid interval string: "soon" is not a duration; write for example "90s", "5m" or "1h30m"'),
        (2, "count is 'x'; it must be a whole number"),
        (7, "failed to resolve {{args.none}}"),
        (9, "failureLimit must be >= -1"),
        (15, "Rule didn't match any metric name(s)"),
    ]


def test_conditions_names_and_shapes_of_a_template_have_their_lines_too() -> None:
    found = problems(
        TEMPLATE,
        ("result[0] > 0.9", "result[0] >== 0.9"),
        ("  - name: two\n", "  - name: one\n"),
        ("  dryRun:", "  measurementRetention: [{metricName: one, limit: x}]\n  dryRun:"),
    )
    assert [line for line, _ in said(found)] == [12, 17, 22]
    assert "two metrics have the same name 'one'" in found[1]


def test_a_metric_without_a_name_is_told_at_the_metric() -> None:
    found = problems(TEMPLATE, ("  - name: two\n    provider", "  - provider"), ("count: 3", "count: x"))
    assert said(found)[-1] == (17, "spec.metrics[1].name: is required")
    assert len(found) == 2


def test_a_tag_that_is_not_closed_is_told_where_it_stands_and_hides_nothing() -> None:
    found = problems(
        TEMPLATE,
        ("{{args.app}}", "{{args.app"),
        ("  - name: two\n    provider:\n      prometheus:", "  - name: two\n    provider:\n      datadog:"),
    )
    assert [line for line, _ in said(found)] == [16, 18, 20], "the tag, a provider that is not served, and a field it has not"


def test_metrics_that_are_no_list_are_told_once() -> None:
    [found] = problems("apiVersion: argoproj.io/v1alpha1\nkind: AnalysisTemplate\nmetadata: {name: x}\nspec:\n  metrics: {}\n")
    assert found == '5: AnalysisTemplate "x": spec.metrics: must be a list'


def test_a_template_that_is_wrong_is_told_once_and_not_for_the_rollouts_that_use_it() -> None:
    found = problems(f"{ROLLOUT}---\n{TEMPLATE}", ("count: 3", "count: x"))
    assert [one.split(": ")[1] for one in found] == ["AnalysisTemplate rate"]


def test_a_misspelt_field_of_metadata_is_named() -> None:
    [found] = problems(ROLLOUT, ("  name: shop\n", "  name: shop\n  lables: {a: b}\n"))
    assert found == '5: Rollout "shop": unknown field "metadata.lables"; did you mean labels?'
