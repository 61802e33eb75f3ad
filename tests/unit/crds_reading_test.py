"""Reading raw objects: unknown fields stay, wrong types are named with their path, null counts as left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from crds.analysis import AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate
from crds.common import Model, Resource
from crds.experiment import Experiment
from crds.reading import read
from crds.rollout import CanaryStrategy, Rollout, RolloutSpec
from crds.steps import CanaryStep

MODELS: dict[str, type[Resource]] = {
    model.__name__: model for model in (Rollout, AnalysisTemplate, ClusterAnalysisTemplate, AnalysisRun, Experiment)
}
MANIFESTS = Path(__file__).parents[2].parent / "shared" / "acceptance" / "rollouts"


def problems(model: type[Model], raw: Any, at: str = "") -> list[str]:
    found = read(model, raw, at=at)
    assert isinstance(found, tuple), f"nothing is wrong with {raw}"
    return [str(one) for one in found]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        pytest.param({"replicas": "3"}, "spec.replicas: must be an integer", id="a text for a number"),
        pytest.param({"replicas": True}, "spec.replicas: must be an integer", id="a bool for a number"),
        pytest.param({"replicas": 2**31}, "spec.replicas: is too large a number", id="beyond 32 bits"),
        pytest.param({"replicas": -(2**31) - 1}, "spec.replicas: is too small a number", id="below 32 bits"),
        pytest.param({"paused": "yes"}, "spec.paused: must be true or false", id="a text for a bool"),
        pytest.param({"restartAt": 5}, "spec.restartAt: must be a string", id="a number for a text"),
        pytest.param({"template": []}, "spec.template: must be an object", id="a list for an object that is kept whole"),
        pytest.param({"strategy": "canary"}, "spec.strategy: must be an object", id="a text for an object"),
        pytest.param({"selector": {"matchLabels": {"a": 1}}}, "spec.selector.matchLabels.a: must be a string", id="a label"),
        pytest.param({"strategy": {"canary": {"steps": {}}}}, "spec.strategy.canary.steps: must be a list", id="steps"),
        pytest.param({"strategy": {"canary": {"steps": [None]}}}, "spec.strategy.canary.steps[0]: must be an object", id="a step"),
        pytest.param(
            {"strategy": {"canary": {"maxSurge": 1.5}}},
            "spec.strategy.canary.maxSurge: must be an integer or a string",
            id="int-or-string, told once",
        ),
        pytest.param(
            {"strategy": {"canary": {"steps": [{"setMirrorRoute": {}}]}}},
            "spec.strategy.canary.steps[0].setMirrorRoute.name: is required",
            id="a missing field",
        ),
    ],
)
def test_a_wrong_type_is_named_with_its_path(raw: dict[str, Any], text: str) -> None:
    assert problems(RolloutSpec, raw, at="spec") == [text]


@pytest.mark.parametrize("raw", [None, "x", 3, [], True])
def test_what_is_no_object_at_all_is_a_problem_too(raw: Any) -> None:
    assert problems(Rollout, raw) == ["object: must be an object"]


def test_everything_malformed_is_told_at_once() -> None:
    assert len(problems(RolloutSpec, {"replicas": "x", "paused": 1, "template": 2})) == 3


def test_null_counts_as_left_out() -> None:
    spec = read(RolloutSpec, {"replicas": None, "strategy": {"canary": {"steps": None, "maxSurge": None}}})
    assert isinstance(spec, RolloutSpec)
    assert spec.replicas is None
    assert spec.strategy is not None
    assert spec.strategy.canary is not None
    assert spec.strategy.canary.steps is None


@pytest.mark.parametrize("kind", MODELS)
def test_a_status_can_be_taken_away(kind: str) -> None:
    spec: dict[str, Any] = {"metrics": [], "templates": []}
    assert isinstance(read(MODELS[kind], {"kind": kind, "spec": spec, "status": None}), MODELS[kind])


def test_acronyms_are_spelt_as_clients_do() -> None:
    status = {"stableRS": "abc", "HPAReplicas": 3, "canary": {"stablePingPong": "ping"}}
    rollout = read(Rollout, {"spec": {}, "status": status})
    assert isinstance(rollout, Rollout)
    assert rollout.status is not None
    assert (rollout.status.stable_rs, rollout.status.hpa_replicas) == ("abc", 3)
    assert rollout.dump()["status"] == status


def test_a_snake_case_field_of_a_user_is_unknown_and_kept_as_it_is() -> None:
    canary = read(CanaryStrategy, {"max_surge": 1, "dynamic_stable_scale": "x"})
    assert isinstance(canary, CanaryStrategy)
    assert canary.dynamic_stable_scale is None
    assert canary.dump() == {"max_surge": 1, "dynamic_stable_scale": "x"}


def test_unknown_fields_of_newer_versions_stay_at_every_depth() -> None:
    raw = {"new": 1, "strategy": {"canary": {"newer": [{}], "steps": [{"setWeight": 5, "newest": {"a": None}}]}}}
    spec = read(RolloutSpec, raw)
    assert isinstance(spec, RolloutSpec)
    assert spec.dump() == raw


def test_defaults_are_never_written() -> None:
    assert (CanaryStrategy().dump(), RolloutSpec().dump()) == ({}, {})


def test_models_made_in_code_are_written_with_the_names_of_the_api() -> None:
    assert CanaryStep(set_weight=5).dump() == {"setWeight": 5}


def test_a_model_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        CanaryStep(set_weight=5).set_weight = 6  # type: ignore[misc]


def test_manifests_that_people_use_are_read_and_lose_nothing() -> None:
    documents = [
        document
        for path in sorted(MANIFESTS.rglob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text())
        if document and document.get("kind") in MODELS
    ]
    if not documents:
        pytest.skip("the manifests are not here")
    for document in documents:
        model = read(MODELS[document["kind"]], document)
        assert isinstance(model, Model), (document["metadata"]["name"], model)
        assert model.dump() == document
