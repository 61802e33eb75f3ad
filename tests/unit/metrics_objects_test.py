"""What `/metrics` tells of Rollouts and analyses, by the names that upstream's dashboards ask for."""

from __future__ import annotations

from typing import Any

import pytest

from kube.metrics import Family, render
from rollouts.metrics import analyses, rollouts


def lines(families: Any) -> list[str]:
    return [line for line in render(families).splitlines() if not line.startswith("#")]


def a_rollout(*, progressing: str = "NewReplicaSetAvailable", **status: Any) -> dict[str, Any]:
    conditions = [{"type": "Progressing", "status": "True", "reason": progressing}]
    return {
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": 5, "strategy": {"canary": {"trafficRouting": {"nginx": {}, "istio": {}, "managedRoutes": []}}}},
        "status": {"replicas": 6, "availableReplicas": 4, "updatedReplicas": 2, "conditions": conditions, **status},
    }


def a_run(name: str = "web-1", phase: str = "Running", *, created: str = "2026-03-01T12:00:00Z") -> dict[str, Any]:
    metric = {"name": "errors", "provider": {"prometheus": {}}}
    result = {"name": "errors", "phase": phase, "dryRun": True}
    return {
        "metadata": {"name": name, "namespace": "shop", "creationTimestamp": created},
        "spec": {"metrics": [metric]},
        "status": {"phase": phase, "metricResults": [result]},
    }


def test_a_rollout_is_told_with_strategy_router_phase_and_replicas() -> None:
    assert lines(rollouts.families([a_rollout()])) == [
        'rollout_info{name="web",namespace="shop",strategy="canary",traffic_router="Istio,Nginx",phase="Completed"} 1',
        'rollout_phase{name="web",namespace="shop",strategy="canary",phase="Completed"} 1',
        'rollout_info_replicas_available{name="web",namespace="shop"} 4',
        'rollout_info_replicas_unavailable{name="web",namespace="shop"} 2',
        'rollout_info_replicas_desired{name="web",namespace="shop"} 5',
        'rollout_info_replicas_updated{name="web",namespace="shop"} 2',
    ]


@pytest.mark.parametrize(
    ("reason", "phase"),
    [
        ("ReplicaSetUpdated", "Progressing"),
        ("RolloutPaused", "Paused"),
        ("RolloutAborted", "Abort"),
        ("ProgressDeadlineExceeded", "Timeout"),
        ("ReplicaSetCreateError", "Error"),
        ("NewReplicaSetAvailable", "Completed"),
    ],
)
def test_the_phase_is_named_as_upstream_names_it(reason: str, phase: str) -> None:
    assert rollouts.phase_of(a_rollout(progressing=reason)) == phase


def test_a_spec_that_makes_no_sense_is_an_invalid_spec_whatever_went_before() -> None:
    assert rollouts.phase_of(a_rollout(conditions=[{"type": "InvalidSpec", "status": "True"}])) == "InvalidSpec"


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"strategy": {"blueGreen": {}}}, id="blue-green"),
        pytest.param({"strategy": None}, id="no strategy"),
        pytest.param({"strategy": {"canary": {"trafficRouting": "nginx"}}, "replicas": "three"}, id="wrong types"),
        pytest.param(None, id="no spec"),
    ],
)
def test_whatever_stands_in_a_spec_the_scrape_goes_on(spec: Any) -> None:
    assert "rollout_info{" in render(rollouts.families([{**a_rollout(), "spec": spec}, a_rollout()]))


def test_a_finished_update_is_told_with_how_long_it_took_and_waited() -> None:
    duration = {
        "rolloutStartedAt": "2026-03-01T12:00:00Z",
        "finishedAt": "2026-03-01T12:10:00Z",
        "totalManualPauseDurationSeconds": 240,
        "completionStatus": "Promoted",
    }
    assert lines(rollouts.families([a_rollout(duration=duration)]))[-3:] == [
        'rollout_duration_seconds{name="web",namespace="shop",status="Promoted"} 600',
        'rollout_progression_duration_seconds{name="web",namespace="shop",status="Promoted"} 360',
        'rollout_manual_pause_duration_seconds{name="web",namespace="shop",status="Promoted"} 240',
    ]


def test_events_are_counted_by_reason_and_not_by_rollout() -> None:
    recorded = {
        ("Rollout", False, "RolloutUpdated"): 7,
        ("Rollout", True, "RolloutAborted"): 2,
        ("AnalysisRun", False, "MetricRunning"): 9,
    }
    assert lines(rollouts.event_families(recorded)) == [
        'rollout_events_total{type="Normal",reason="RolloutUpdated"} 7',
        'rollout_events_total{type="Warning",reason="RolloutAborted"} 2',
    ]


def test_an_analysis_run_is_told_with_its_metrics() -> None:
    assert lines(analyses.run_families([a_run()])) == [
        'rollouts_analysis_runs{namespace="shop",phase="Running"} 1',
        "rollouts_analysis_runs_left_out 0",
        'analysis_run_info{name="web-1",namespace="shop",phase="Running"} 1',
        'analysis_run_phase{name="web-1",namespace="shop",phase="Running"} 1',
        'analysis_run_metric_type{name="web-1",namespace="shop",metric="errors",type="prometheus"} 1',
        'analysis_run_metric_phase{name="web-1",namespace="shop",metric="errors",dry_run="true",phase="Running"} 1',
    ]


def test_of_ten_thousand_runs_the_unfinished_and_the_newest_are_told_and_all_are_counted() -> None:
    old = [a_run(f"old-{number}", "Successful", created="2026-01-01T00:00:00Z") for number in range(10_000)]
    new, going_on = a_run("new", "Failed"), a_run("going-on", created="2025-01-01T00:00:00Z")
    families = {one.name: one for one in analyses.run_families([*old, new, going_on])}
    told = [sample.labels["name"] for sample in families["analysis_run_info"].samples]
    assert told[:2] == ["going-on", "new"]
    assert len(told) == analyses.MOST_RUNS
    assert [sample.value for sample in families["rollouts_analysis_runs"].samples] == [1, 1, 10_000]
    assert families["rollouts_analysis_runs_left_out"].samples[0].value == 10_002 - analyses.MOST_RUNS
    assert sum(len(one.samples) for one in families.values()) < 5 * analyses.MOST_RUNS


def test_templates_are_told_with_what_they_measure_by() -> None:
    def template(namespace: str, metrics: Any) -> dict[str, Any]:
        return {"metadata": {"name": "quality", **({"namespace": namespace} if namespace else {})}, "spec": {"metrics": metrics}}

    found = lines(
        analyses.template_families([template("shop", [{"name": "errors", "provider": {"web": {}}}]), template("", "none")])
    )
    assert found == [
        'analysis_template_info{name="quality",namespace="shop"} 1',
        'analysis_template_info{name="quality",namespace=""} 1',
        'analysis_template_metric_info{name="quality",namespace="shop",metric="errors",type="web"} 1',
    ]


def test_no_series_is_told_twice() -> None:
    """Prometheus refuses a whole scrape with two samples of the same name and labels."""
    twice = {"metadata": {"name": "a", "namespace": "shop"}, "spec": {"metrics": [{"name": "x"}, {"name": "x"}, "no metric"]}}
    for families in (analyses.run_families([twice]), analyses.template_families([twice]), analyses.experiment_families([twice])):
        for family in families:
            assert_unique(family)


def assert_unique(family: Family) -> None:
    keys = [(sample.suffix, *sorted(sample.labels.items())) for sample in family.samples]
    assert len(keys) == len(set(keys)), family.name
