"""What a query found, as rows for a table. Pure; must not print or align."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.history.answers import Answer, HistoryError
from analysis.history.series import Table
from analysis.history.statistics import share_text, sparkline, summary

_SHOWN = ("min", "median", "p95", "p99", "max")


def series_text(labels: Mapping[str, str]) -> str:
    """Write labels as PromQL does.

    >>> series_text({"__name__": "up", "job": "shop"}), series_text({})
    ('up{job="shop"}', '{}')
    """
    rest = ", ".join(f'{name}="{value}"' for name, value in labels.items() if name != "__name__")
    name = labels.get("__name__", "")
    return f"{name}{{{rest}}}" if rest or not name else name


def instant_rows(answer: Answer) -> list[list[str]]:
    """Return one row per sample of an instant query.

    Raises:
        HistoryError: the result is none that Prometheus gives.
    """
    try:
        match answer.kind:
            case "vector":
                return [[series_text(one["metric"]), _value(one)] for one in answer.result]
            case "matrix":
                return [
                    [series_text(one["metric"]), _value({"value": sample})] for one in answer.result for sample in one["values"]
                ]
            case "scalar" | "string":
                return [[answer.kind, str(answer.result[1])]]
    except (KeyError, TypeError, IndexError, AttributeError):
        pass  # told below, with what nobody expected
    raise HistoryError(f"Prometheus answered with a {answer.kind} in an unknown form; is this a Prometheus?")


def _value(sample: Mapping[str, Any]) -> str:
    return "(histogram)" if "histogram" in sample else str(sample["value"][1])


def range_rows(found: Table) -> list[list[str]]:
    """Return one row per series of a range: what it was like, how much of it is missing or NaN, and how it went."""
    rows = []
    for labels, values, present in zip(found.labels, found.values, found.present, strict=True):
        like = summary(values[present], expected=found.grid.count)
        numbers = [f"{like.quantiles[name]:.5g}" if like.quantiles else "-" for name in _SHOWN]
        gaps = [share_text(like.missing), share_text(like.nan)]
        rows.append([series_text(labels), *numbers, *gaps, sparkline(values, width=40).rstrip()])
    return rows


RANGE_HEADER = ["SERIES", *(name.upper() for name in _SHOWN), "NO DATA", "NAN", ""]


def range_data(found: Table) -> list[dict[str, Any]]:
    """Return the summary of each series as JSON; shares are 0 to 1."""
    summaries = [
        (labels, summary(values[present], expected=found.grid.count))
        for labels, values, present in zip(found.labels, found.values, found.present, strict=True)
    ]
    return [
        {"metric": labels, "quantiles": {name: str(value) for name, value in one.quantiles.items()}}
        | {"nan": one.nan, "noData": one.missing}
        for labels, one in summaries
    ]
