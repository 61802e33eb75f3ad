"""What a measurement without data means: the annotation `rollouts/no-data` (docs/extensions.md).

Upstream judges an empty result or NaN by the conditions, which ends in an obscure error, a failure or a silent success, as it
happens. The annotation says what is meant. Pure. Must not: measure, or count.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from analysis.errors import InvalidAnalysis
from kube.objects import Object, annotations_of

NO_DATA = "rollouts/no-data"
"""For all metrics; with `.METRIC` behind it, for that metric alone."""
_FOR_ONE = f"{NO_DATA}."
_KEY = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_LONGEST_KEY = 63
ADVICE = "check that requests reach the new version, that its pods are scraped and that the query's labels fit"


class NoData(StrEnum):
    """What a measurement counts as that has no data."""

    ERROR = "error"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    SUCCESSFUL = "successful"
    SKIP = "skip"
    """As nothing: it is not counted, and measured again at the next interval."""


def is_no_data(value: Any) -> bool:
    """Tell whether a measured value says nothing: absent, empty, or nothing but NaN."""
    match value:
        case None:
            return True
        case float():
            return math.isnan(value)
        case str() | dict():
            return not value
        case list() | tuple():
            return all(isinstance(one, float) and math.isnan(one) for one in value)
        case _:
            return False


def no_data_text(value: Any, policy: NoData) -> str:
    """Return the message of a measurement that a policy decided: what came, what it counts as, and what to do."""
    what = "the result is NaN" if value not in (None, "") and value else "the result is empty"
    counts = "not counted, measured again" if policy is NoData.SKIP else f"counts as {policy}"
    return f"no data: {what} ({counts} by {NO_DATA}); {ADVICE}"


def policies(run: Object, metrics: Collection[str]) -> dict[str, NoData]:
    """Return the policy of each metric of a run, or of a template, that has one.

    Raises:
        InvalidAnalysis: a value is unknown, or an annotation is for a metric that is not there.
    """
    found: dict[str, NoData] = {}
    for key, value in sorted(annotations_of(run).items()):
        if key != NO_DATA and not key.startswith(_FOR_ONE):
            continue
        if value not in set(NoData):
            raise InvalidAnalysis(f"annotation {key} is '{value}'; use one of {', '.join(NoData)}")
        metric = key.removeprefix(_FOR_ONE)
        if key != NO_DATA and metric not in metrics:
            raise InvalidAnalysis(f"annotation {key} is for a metric that is not there; there are {', '.join(sorted(metrics))}")
        found |= dict.fromkeys(metrics if key == NO_DATA else (metric,), NoData(value))
    return found


def carried(templates: Sequence[Object]) -> dict[str, str]:
    """Return the annotations of the run that is made of these templates: each policy goes with the metrics of its template.

    Raises:
        InvalidAnalysis: an annotation cannot be read, or a metric's name cannot be part of one.
    """
    by_template = [(names, policies(template, names)) for template in templates if (names := _names(template))]
    found = {metric: policy for _, chosen in by_template for metric, policy in chosen.items()}
    everywhere = {found.get(metric) for names, _ in by_template for metric in names}
    if len(everywhere) == 1:
        policy = everywhere.pop()
        return {NO_DATA: policy.value} if policy else {}
    return {_key_for(metric): policy.value for metric, policy in found.items()}


def _names(template: Object) -> list[str]:
    return [str(metric.get("name") or "") for metric in _metrics(template)]


def _metrics(template: Object) -> Iterator[Mapping[str, Any]]:
    metrics: Iterable[Any] = (template.get("spec") or {}).get("metrics") or ()
    return (metric for metric in metrics if isinstance(metric, Mapping))


def _key_for(metric: str) -> str:
    name = f"{_FOR_ONE}{metric}".partition("/")[2]
    if len(name) > _LONGEST_KEY or not _KEY.fullmatch(name):
        raise InvalidAnalysis(
            f"metric '{metric}' cannot have its own annotation {NO_DATA}: its name is too long or has other than letters, digits, "
            "'-', '_' and '.'; rename it, or give all templates of the analysis the same policy"
        )
    return f"{_FOR_ONE}{metric}"
