"""What `lint` says about annotations that ask for more than upstream's fields can."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.cli.linting import lint
from rollouts.cli.manifests import Document

METRIC = {"name": "rate", "provider": {"prometheus": {"address": "http://prometheus", "query": "rate(x[1m])"}}}


def rollout(**annotations: str) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "shop", "annotations": annotations},
        "spec": {
            "selector": {"matchLabels": {"app": "shop"}},
            "template": {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}},
            "strategy": {"canary": {"steps": [{"setWeight": 20}]}},
        },
    }


def measured(kind: str, **annotations: str) -> dict[str, Any]:
    metadata = {"name": "rate", "annotations": annotations}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": {"metrics": [METRIC]}}


@pytest.mark.parametrize(
    ("document", "text"),
    [
        pytest.param(rollout(**{"rollouts/on-failure": "stop"}), "use abort (the default) or pause", id="on-failure"),
        pytest.param(
            measured("AnalysisTemplate", **{"rollouts/no-data": "ignore"}),
            "annotation rollouts/no-data is 'ignore'; use one of error, failed, inconclusive, successful, skip",
            id="no-data of a template",
        ),
        pytest.param(
            measured("AnalysisRun", **{"rollouts/no-data.rat": "skip"}),
            "annotation rollouts/no-data.rat is for a metric that is not there; there are rate",
            id="no-data of a metric that a run does not have",
        ),
    ],
)
def test_a_wrong_annotation_is_told_before_it_is_applied(document: dict[str, Any], text: str) -> None:
    [problem] = lint([Document(document, "shop.yaml")]).problems
    assert text in str(problem)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(rollout(**{"rollouts/on-failure": "pause"}), id="on-failure"),
        pytest.param(measured("AnalysisTemplate", **{"rollouts/no-data": "skip"}), id="no-data"),
        pytest.param(measured("AnalysisRun", **{"rollouts/no-data.rate": "failed"}), id="no-data of a metric"),
    ],
)
def test_annotations_that_can_be_read_pass(document: dict[str, Any]) -> None:
    assert lint([Document(document, "shop.yaml")]).problems == ()
