"""The condition language of success and failure conditions: expr-lang v1.17 as Argo Rollouts embeds it.

Owns `compile` and `Expression`; everything else in the package serves them. Must not: do I/O, read a clock, or use `random`;
`now()` is the moment given to `evaluate` (spec/analysis.md 1.7 and 1.8, spec/rollout.md 2.9).

Compared with expr-lang v1.17.8 by some hundred thousand expressions (tests/unit/expressions_upstream.json keeps a selection).
What differs, and stays so:

Stricter, where upstream gives a value that no condition can want:
- Functions are no values (`asInt`, `len` without a call), `$env` holds `result` only, and there are no byte strings (`b'..'`).
- `&&`, `||` and unary `+` always need booleans or numbers; upstream drops the test where it folds `true`, `false` or the sign away.
- Closures and `sum` take lists only; upstream also walks over the bytes of a string that it finds while running.
- `groupBy` takes keys of one plain kind, `fromPairs` strings; `max`, `min`, `mean`, `median` and `sum` take no durations.
- Arguments that can never fit (`date(1)`, `max(1, 'a')`, `join` of numbers) are refused before anything runs, not when reached.
- A text has 65,536 characters at most, syntax and data 200 levels, a pattern 1,000 characters, an evaluation 1,000,000 steps.

Kinder, where upstream ends in an error or in chance:
- Positions, slices and `len` of strings count characters (upstream cuts between bytes), and `keys`, `values` and `toPairs` come in
  the order of the keys (upstream in random order).
- A list equals a range with the same numbers (upstream holds `[]float64` and `[]int` apart). Months and weekdays are plain
  integers, `StatusCode` a plain string, so that they compare; a duration times a fraction is a duration; `date` of a time is that
  time; `toJSON` writes the map of a `groupBy`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any

from .builtins import Builtin, Context
from .builtins_collections import COLLECTIONS
from .builtins_numbers import ENVIRONMENT, NUMBERS
from .builtins_strings import STRINGS
from .builtins_time import TIMES
from .check import check
from .errors import ExpressionError
from .evaluate import evaluate
from .limits import Budget
from .parse import parse
from .syntax import Node
from .types import Type, type_named
from .values import Duration, from_json, go_type, show_float

__all__ = ["Duration", "Environment", "Expression", "ExpressionError", "compile", "from_json", "go_type", "show_float"]

_BUILTINS: Mapping[str, Builtin] = {**NUMBERS, **STRINGS, **COLLECTIONS, **TIMES}
_CONDITION_FUNCTIONS: Mapping[str, Builtin] = {**_BUILTINS, **ENVIRONMENT}


class Environment(Enum):
    """What an expression may name beside the built-ins."""

    CONDITION = "condition"
    """`result`, asInt, asFloat, isNaN, isInf, isNil and default."""
    TIME = "time"
    """Nothing: the start and end of a range query."""

    @property
    def functions(self) -> Mapping[str, Builtin]:
        """Every function that may be called."""
        return _CONDITION_FUNCTIONS if self is Environment.CONDITION else _BUILTINS


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression; immutable, so one may be used for every measurement."""

    text: str
    environment: Environment
    root: Node
    static_type: Type

    def evaluate(self, result: Any = None, *, now: datetime) -> Any:
        """Return the value for this `result` at this moment.

        Raises:
            ExpressionError: operands that do not fit, an index out of range, a spent budget; with its position.
        """
        names = {"result": result} if self.environment is Environment.CONDITION else {}
        context = Context(now, Budget(), result)
        return evaluate(self.root, text=self.text, names=names, functions=self.environment.functions, context=context)


@lru_cache(maxsize=1024)
def compile(text: str, *, result_type: str = "any", environment: Environment = Environment.CONDITION) -> Expression:
    """Parse and check an expression against what is known of `result` ("float64", "[]float64", "string", "any", ...).

    Raises:
        ExpressionError: its text shows the line and a caret.
    """
    root = parse(text)
    names = {"result": type_named(result_type)} if environment is Environment.CONDITION else {}
    found = check(root, text=text, names=names, functions=environment.functions)
    return Expression(text, environment, root, found)
