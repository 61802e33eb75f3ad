"""Numbers in a line: quantiles, the share of what is missing, and a sparkline. Pure; must not know where values come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.history.series import Floats

QUANTILES = {"min": 0.0, "p1": 0.01, "p5": 0.05, "median": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
_BARS = "▁▂▃▄▅▆▇█"
_GAP = " "


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a series is like. Shares are parts of all moments, 0 to 1."""

    quantiles: dict[str, float]
    """By the names of `QUANTILES`, of all that is a number (infinity is one); empty when nothing is."""
    nan: float
    missing: float


def summary(values: Floats, *, expected: int | None = None) -> Summary:
    """Summarise samples; of `expected` ones, those that are not there are missing.

    >>> summary(np.array([1.0, 3.0, float("nan")]), expected=4).nan
    0.25
    """
    total = max(len(values), expected or 0) or 1
    numbers = values[~np.isnan(values)]
    places = list(QUANTILES.values()) if numbers.size else []
    found = [float(np.quantile(numbers, place, method="closest_observation")) for place in places]
    return Summary(
        quantiles=dict(zip(QUANTILES, found, strict=False)),
        nan=(len(values) - len(numbers)) / total,
        missing=(total - len(values)) / total,
    )


def sparkline(values: Floats, *, width: int = 60) -> str:
    """Draw values in their order as bars, several to a bar by their mean; what is no finite number leaves a gap.

    >>> sparkline(np.array([0.0, 1.0, float("nan"), 3.0]))
    '▁▃ █'
    """
    if not values.size:
        return ""
    parts = np.array_split(np.where(np.isfinite(values), values, np.nan), min(width, len(values)))
    means = np.array([part[~np.isnan(part)].mean() if not np.isnan(part).all() else np.nan for part in parts])
    known = means[~np.isnan(means)]
    if not known.size:
        return _GAP * len(means)
    low, height = known.min(), np.ptp(known)
    return "".join(_GAP if np.isnan(mean) else _BARS[int((mean - low) / height * 7 + 0.5) if height else 0] for mean in means)


def share_text(share: float) -> str:
    """Write a part of a whole in percent; what is not none never reads as none.

    >>> share_text(0.0189), share_text(0.0), share_text(0.00001)
    ('1.9 %', '0 %', '<0.1 %')
    """
    if 0 < share < 0.001:
        return "<0.1 %"
    if 0.999 < share < 1:
        return ">99.9 %"
    return f"{round(share * 100, 1):g} %"
