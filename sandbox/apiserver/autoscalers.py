"""The two forms of HorizontalPodAutoscaler: `autoscaling/v2`, in which they are stored, and `autoscaling/v1`, which knows CPU only.

Owns the conversion. What the first form cannot say travels in annotations, so that nothing is lost by writing back what was
read. Must not: store. Pure; arguments are never changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sandbox.apiserver.core import without
from sandbox.apiserver.resources import Body

METRICS = "autoscaling.alpha.kubernetes.io/metrics"
BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
CURRENT_METRICS = "autoscaling.alpha.kubernetes.io/current-metrics"
CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
_PERCENT = "targetCPUUtilizationPercentage"
_CURRENT_PERCENT = "currentCPUUtilizationPercentage"
_CARRIED = (
    ("spec", "metrics", METRICS),
    ("spec", "behavior", BEHAVIOR),
    ("status", "currentMetrics", CURRENT_METRICS),
    ("status", "conditions", CONDITIONS),
)


def cpu_target(percent: int) -> dict[str, Any]:
    """Return the metric that asks for this share of the requested CPU."""
    return {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}}}


def to_first(autoscaler: Body) -> Body:
    """Return a stored autoscaler as `autoscaling/v1` shows it."""
    spec, status = dict(autoscaler.get("spec") or {}), dict(autoscaler.get("status") or {})
    annotations: dict[str, str] = dict(autoscaler["metadata"].get("annotations") or {})
    metrics = spec.pop("metrics", None) or []
    rest = [one for one in metrics if _percent(one, "target") is None]
    for one in metrics:
        if (percent := _percent(one, "target")) is not None:
            spec[_PERCENT] = percent
    current = status.pop("currentMetrics", None) or []
    for one in current:
        if (percent := _percent(one, "current")) is not None:
            status[_CURRENT_PERCENT] = percent
    carried = {METRICS: rest, BEHAVIOR: spec.pop("behavior", None), CURRENT_METRICS: current}
    carried[CONDITIONS] = status.pop("conditions", None)
    annotations |= {name: json.dumps(value, separators=(",", ":")) for name, value in carried.items() if value}
    return _assembled(autoscaler, annotations, spec, status)


def to_second(autoscaler: Mapping[str, Any]) -> Body:
    """Return an autoscaler of `autoscaling/v1` as it is stored; one that is in that form already stays as it is."""
    spec, status = dict(autoscaler.get("spec") or {}), dict(autoscaler.get("status") or {})
    annotations: dict[str, str] = dict(autoscaler["metadata"].get("annotations") or {})
    parts = {"spec": spec, "status": status}
    for part, field, name in _CARRIED:
        carried = _read(annotations.pop(name, ""))
        if carried and field not in parts[part]:
            parts[part][field] = carried
    percent = spec.pop(_PERCENT, None)
    if percent is not None:
        spec["metrics"] = [cpu_target(int(percent)), *(spec.get("metrics") or ())]
    status.pop(_CURRENT_PERCENT, None)
    return _assembled(autoscaler, annotations, spec, status)


def _assembled(
    autoscaler: Mapping[str, Any], annotations: Mapping[str, str], spec: Mapping[str, Any], status: Mapping[str, Any]
) -> Body:
    metadata = without(autoscaler["metadata"], "annotations")
    found = {**autoscaler, "metadata": {**metadata, **({"annotations": annotations} if annotations else {})}, "spec": spec}
    return {**found, "status": status} if "status" in autoscaler else found


def _percent(metric: Mapping[str, Any], side: str) -> int | None:
    resource = metric.get("resource") or {}
    percent = (resource.get(side) or {}).get("averageUtilization")
    return percent if metric.get("type") == "Resource" and resource.get("name") == "cpu" else None


def _read(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None
