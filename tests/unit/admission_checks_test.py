"""Who is let into the cluster: wrong specs are refused with the text of their condition, everything else passes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from kube.kinds import (
    ANALYSIS_RUN,
    ANALYSIS_TEMPLATE,
    CLUSTER_ANALYSIS_TEMPLATE,
    EXPERIMENT,
    POD,
    ROLLOUT,
    SERVICE,
    Kind,
)
from rollouts.admission.checks import Verdict, judge
from rollouts.experiment.refusal import REFUSAL
from rollouts.rollout.gather import Stores, gather
from rollouts.rollout.plan import plan
from tests.model import merge
from tests.shops import NGINX, routed_rollout

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
STEPS: list[dict[str, Any]] = [{"setWeight": 20}, {"pause": {}}]
SHOP: dict[str, Any] = merge(
    routed_rollout(STEPS, NGINX, replicas=2), {"metadata": {"namespace": "default", "uid": "shop", "generation": 1}}
)
METRIC: dict[str, Any] = {
    "name": "errors",
    "count": 3,
    "interval": "10s",
    "successCondition": "result < 1",
    "provider": {"prometheus": {"address": "http://prometheus", "query": "up"}},
}


def analysis(**metric: Any) -> dict[str, Any]:
    """Return a template, or a run, with one metric."""
    return {"metadata": {"name": "errors", "namespace": "default"}, "spec": {"metrics": [{**METRIC, **metric}]}}


BAD_METRIC = analysis(interval="soon")
REFUSED = [
    pytest.param(ROLLOUT, merge(SHOP, {"spec": {"replicas": -1}}), "spec.replicas: Invalid value: -1", id="a Rollout's number"),
    pytest.param(
        ROLLOUT, merge(SHOP, {"spec": {"strategy": {"blueGreen": {}}}}), "blueGreen", id="a strategy that is not served, or two"
    ),
    pytest.param(
        ROLLOUT,
        merge(SHOP, {"metadata": {"annotations": {"rollouts/on-failure": "weep"}}}),
        "use abort (the default) or pause",
        id="an extension's value",
    ),
    pytest.param(ROLLOUT, {**SHOP, "spec": "none"}, "spec", id="a spec of another shape"),
    pytest.param(ANALYSIS_TEMPLATE, BAD_METRIC, "interval", id="a template's duration"),
    pytest.param(CLUSTER_ANALYSIS_TEMPLATE, analysis(successCondition="result <"), "cannot be read", id="a template's condition"),
    pytest.param(ANALYSIS_RUN, BAD_METRIC, "interval", id="a run's duration"),
    pytest.param(EXPERIMENT, {"metadata": {"name": "e"}, "spec": {}}, REFUSAL, id="a kind that is not served"),
]


@pytest.mark.parametrize(("kind", "new", "text"), REFUSED)
def test_what_is_wrong_is_refused_when_it_is_created(kind: Kind, new: dict[str, Any], text: str) -> None:
    assert text in judge(kind, new).refusal


@pytest.mark.parametrize(("kind", "new", "text"), REFUSED)
def test_what_was_wrong_before_can_still_be_changed_elsewhere(kind: Kind, new: dict[str, Any], text: str) -> None:
    labelled = merge(new, {"metadata": {"labels": {"team": "shop"}}})
    assert judge(kind, labelled, new) == Verdict()


def test_a_rollout_is_refused_with_the_text_of_its_condition() -> None:
    wrong = merge(SHOP, {"spec": {"replicas": -1}})
    stores = Stores.empty()
    stores[ROLLOUT].put(wrong)
    snapshot = gather(stores, ("default", "shop"))
    assert snapshot is not None
    status = plan(snapshot, NOW).status
    assert status is not None
    assert [judge(ROLLOUT, wrong).refusal] == [one["message"] for one in status["conditions"] if one["type"] == "InvalidSpec"]


@pytest.mark.parametrize(
    ("kind", "new"),
    [
        pytest.param(ROLLOUT, SHOP, id="a Rollout"),
        pytest.param(ANALYSIS_TEMPLATE, analysis(), id="a template"),
        pytest.param(ANALYSIS_TEMPLATE, {"metadata": {"name": "t"}, "spec": {"templates": [{"templateName": "u"}]}}, id="a list"),
        pytest.param(ANALYSIS_TEMPLATE, analysis(count="{{args.count}}") | {}, id="a number that comes later"),
        pytest.param(ANALYSIS_RUN, analysis(), id="a run"),
        pytest.param(POD, {"metadata": {"name": "p"}, "spec": {"replicas": -1}}, id="a kind it does not know"),
    ],
)
def test_what_is_right_or_unknown_is_let_in(kind: Kind, new: dict[str, Any]) -> None:
    spec = {**new["spec"], "args": [{"name": "count"}]} if "{{args.count}}" in str(new) else new["spec"]
    assert judge(kind, {**new, "spec": spec}) == Verdict()


@pytest.mark.parametrize("kind", [ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE, ANALYSIS_RUN])
def test_everything_that_is_wrong_with_an_analysis_is_told_at_once(kind: Kind) -> None:
    metrics = [
        METRIC | {"name": "a", "interval": "soon", "failureLimit": "few"},
        METRIC | {"name": "b", "provider": {}},
        METRIC | {"name": "c", "count": -1},
    ]
    refusal = judge(kind, {"metadata": {"name": "errors"}, "spec": {"metrics": metrics}}).refusal
    for told in (
        "metrics[0]: invalid interval",
        "metrics[0]: failureLimit is 'few'",
        "metrics[1]: no provider",
        "metrics[2]: count",
    ):
        assert refusal.count(told) == 1, refusal


def test_of_many_mistakes_the_first_are_told_and_the_rest_are_counted() -> None:
    metrics = [METRIC | {"name": f"m{at}", "interval": "soon"} for at in range(9)]
    refusal = judge(ANALYSIS_TEMPLATE, {"metadata": {"name": "errors"}, "spec": {"metrics": metrics}}).refusal
    assert refusal.count("invalid interval") == 5
    assert refusal.endswith("; and 4 more")


def test_of_a_template_with_an_old_mistake_only_the_new_one_is_refused() -> None:
    old = analysis(interval="soon")
    new = {**old, "spec": {"metrics": [*old["spec"]["metrics"], METRIC | {"name": "other", "count": -1}]}}
    verdict = judge(ANALYSIS_TEMPLATE, new, old)
    assert "metrics[1]: count" in verdict.refusal
    assert "interval" not in verdict.refusal
    assert [text for text in verdict.warnings if "invalid interval" in text]


def test_a_new_mistake_is_refused_and_an_old_one_is_told() -> None:
    old = merge(SHOP, {"spec": {"replicas": -1}})
    image = [{"name": "shop", "image": "shop:2"}]
    shipped = judge(ROLLOUT, merge(old, {"spec": {"template": {"spec": {"containers": image}}}}), old)
    assert shipped.refusal == ""
    assert [text for text in shipped.warnings if "spec.replicas" in text]
    worse = judge(ROLLOUT, merge(old, {"spec": {"revisionHistoryLimit": -1}}), old)
    assert "spec.revisionHistoryLimit" in worse.refusal
    assert "spec.replicas" not in worse.refusal


def test_a_mended_spec_is_let_in_silently() -> None:
    assert judge(ROLLOUT, SHOP, merge(SHOP, {"spec": {"replicas": -1}})) == Verdict()


def test_what_is_being_deleted_is_never_held_up() -> None:
    gone = merge(SHOP, {"metadata": {"deletionTimestamp": "2026-01-31T12:00:00Z"}, "spec": {"replicas": -1}})
    assert judge(ROLLOUT, gone, SHOP) == Verdict()


def test_a_missing_service_is_a_warning_because_it_may_be_applied_next() -> None:
    stores = Stores.empty()
    verdict = judge(ROLLOUT, SHOP, stores=stores)
    assert verdict.refusal == ""
    assert [text for text in verdict.warnings if 'service "shop" not found' in text]
    before = len(verdict.warnings)
    stores[SERVICE].put({"metadata": {"name": "shop", "namespace": "default", "uid": "s"}, "spec": {}})
    assert len(judge(ROLLOUT, SHOP, stores=stores).warnings) == before - 1


def test_an_object_whose_name_is_still_to_be_made_is_judged_too() -> None:
    named = {**SHOP, "metadata": {"generateName": "shop-", "namespace": "default"}}
    assert judge(ROLLOUT, named) == Verdict()
    assert judge(ROLLOUT, named, stores=Stores.empty()).warnings
    assert '"shop-xxxxx"' in judge(ROLLOUT, merge(named, {"spec": {"replicas": -1}})).refusal


def test_judging_leaves_the_stores_as_they_were() -> None:
    stores = Stores.empty()
    judge(ROLLOUT, SHOP, stores=stores)
    assert stores[ROLLOUT].all() == []
