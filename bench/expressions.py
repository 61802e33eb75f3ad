"""How many conditions a second: run `python bench/expressions.py`.

A controller with 1,000 runs of ten metrics, each measured every ten seconds, judges 1,000 measurements a second.
"""

from __future__ import annotations

import timeit
from datetime import UTC, datetime
from typing import Any

from analysis.conditions import judge
from analysis.expressions import compile

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CASES: tuple[tuple[str, str, Any], ...] = (
    ("result[0] >= 0.95", "[]float64", [0.99]),
    ("len(result) == 0 || isNaN(result[0]) || result[0] < 1", "[]float64", [0.5]),
    ("all(result, # < 1000)", "[]float64", [1.0] * 100),
    ("result.data.items[0].ok == true", "any", {"data": {"items": [{"ok": True}]}}),
)


def per_second(work: Any, seconds: float = 0.5) -> float:
    """Return how often `work` runs in a second."""
    timer = timeit.Timer(work)
    rounds, taken = timer.autorange()
    rounds = max(1, int(rounds * seconds / taken))
    return rounds / timer.timeit(rounds)


def main() -> None:
    """Print one line per condition: first compilation, evaluation, and the whole verdict."""
    print(f"{'compile/s':>12} {'evaluate/s':>12} {'judge/s':>12}  condition")
    for text, static_type, value in CASES:
        expression = compile(text, result_type=static_type)
        compiled = per_second(lambda text=text, known=static_type: compile.__wrapped__(text, result_type=known))
        evaluated = per_second(lambda expression=expression, value=value: expression.evaluate(value, now=NOW))
        judged = per_second(
            lambda value=value, known=static_type, text=text: judge(value, known, success_condition=text, now=NOW),
        )
        print(f"{compiled:12,.0f} {evaluated:12,.0f} {judged:12,.0f}  {text}")


if __name__ == "__main__":
    main()
