"""What analyses are doing, by upstream's names (spec/rollout.md 5.1).

A cluster keeps thousands of runs that have ended. So every run is counted by phase, and only the unfinished and the newest have
series of their own; how many have none is told, too. Must not: decide anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kube.metrics import Family, Labels, gauge, gauges
from kube.objects import Object, key_of, namespace_of

MOST_RUNS = 500
"""Runs with series of their own."""
_UNFINISHED = ("", "Pending", "Running")


def run_families(runs: Sequence[Object]) -> Iterable[Family]:
    """Return phases of AnalysisRuns and of their metrics."""
    counted = Counter((namespace_of(run), _phase(run)) for run in runs)
    rows: list[tuple[Labels, float]] = [
        ({"namespace": ns, "phase": phase}, count) for (ns, phase), count in sorted(counted.items())
    ]
    yield gauges("rollouts_analysis_runs", "AnalysisRuns there are.", rows)
    told = sorted(sorted(runs, key=_created, reverse=True), key=_has_ended)[:MOST_RUNS]
    yield gauge("rollouts_analysis_runs_left_out", "AnalysisRuns without series of their own.", len(runs) - len(told))
    phases = [({**_labels(run), "phase": _phase(run)}, 1.0) for run in told]
    yield gauges("analysis_run_info", "One for every AnalysisRun that is told, with its phase.", phases)
    yield gauges("analysis_run_phase", "The same (deprecated, use analysis_run_info).", phases)
    types = [({**_labels(run), "metric": name, "type": _provider(metric)}, 1.0) for run in told for name, metric in _metrics(run)]
    yield gauges("analysis_run_metric_type", "One for every metric of a run, with what it is measured by.", types)
    results = [({**_labels(run), **_result(result)}, 1.0) for run in told for result in _results(run)]
    yield gauges("analysis_run_metric_phase", "One for every metric of a run, with its phase.", results)


def template_families(templates: Sequence[Object]) -> Iterable[Family]:
    """Return which templates there are, and what they measure with. Those of the cluster have no namespace."""
    yield gauges("analysis_template_info", "One for every template.", [(_labels(one), 1.0) for one in templates])
    rows = [
        ({**_labels(one), "metric": name, "type": _provider(metric)}, 1.0) for one in templates for name, metric in _metrics(one)
    ]
    yield gauges("analysis_template_metric_info", "One for every metric of a template, with what it is measured by.", rows)


def experiment_families(experiments: Sequence[Object]) -> Iterable[Family]:
    """Return phases of Experiments."""
    rows = [({**_labels(one), "phase": _phase(one)}, 1.0) for one in experiments]
    yield gauges("experiment_info", "One for every Experiment, with its phase.", rows)
    yield gauges("experiment_phase", "The same (deprecated, use experiment_info).", rows)


def _labels(obj: Object) -> dict[str, str]:
    namespace, name = key_of(obj)
    return {"name": name, "namespace": namespace}


def _phase(obj: Object) -> str:
    return str((obj.get("status") or {}).get("phase") or "")


def _created(run: Object) -> str:
    """Return what sorts by age: RFC 3339 times do as text."""
    return str(run["metadata"].get("creationTimestamp") or "")


def _has_ended(run: Object) -> bool:
    return _phase(run) not in _UNFINISHED


def _metrics(obj: Object) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the metrics of a spec by name; one that is none is left out, whatever a person wrote."""
    spec = obj.get("spec")
    metrics = spec.get("metrics") if isinstance(spec, Mapping) else None
    found = metrics if isinstance(metrics, list) else []
    return list({str(one.get("name")): one for one in found if isinstance(one, Mapping)}.items())


def _provider(metric: Mapping[str, Any]) -> str:
    provider = metric.get("provider")
    return str(next(iter(provider), "unknown")) if isinstance(provider, Mapping) else "unknown"


def _results(run: Object) -> Sequence[Mapping[str, Any]]:
    return (run.get("status") or {}).get("metricResults") or ()


def _result(result: Mapping[str, Any]) -> dict[str, str]:
    dry = "true" if result.get("dryRun") else "false"
    return {"metric": str(result.get("name")), "dry_run": dry, "phase": str(result.get("phase") or "")}
