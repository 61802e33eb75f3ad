"""What a built-in function is, and how its arguments are checked, before and while it runs.

Owns the shape of an entry in the tables of `builtins_*`. Must not: implement a function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .errors import ExpressionError
from .limits import Budget
from .types import ANY, Type
from .values import Kind, go_type, kind_of

Kinds = frozenset[Kind]
ANYTHING: Kinds = frozenset()
NUMBER: Kinds = frozenset({Kind.INT, Kind.FLOAT})
INTEGER: Kinds = frozenset({Kind.INT})
TEXT: Kinds = frozenset({Kind.STRING})
LIST: Kinds = frozenset({Kind.ARRAY})
TABLE: Kinds = frozenset({Kind.MAP})


@dataclass(frozen=True, slots=True)
class Context:
    """What a function may know besides its arguments: the moment of evaluation, what is left to spend, and `result`."""

    now: datetime
    budget: Budget
    result: Any = None


@dataclass(frozen=True, slots=True)
class Builtin:
    """A function: its parameters' kinds (empty means any), how many are required, and the type of what it returns."""

    name: str
    run: Callable[..., Any]
    parameters: tuple[Kinds, ...]
    required: int
    result: Type | Callable[[Sequence[Type]], Type] = ANY
    variadic: bool = False
    """The last parameter may repeat."""
    lenient: bool = False
    """Kinds are checked only as far as they are known before evaluation; `run` takes whatever comes."""

    def kinds(self, index: int) -> Kinds:
        """Return the kinds allowed for the argument at `index`."""
        return self.parameters[min(index, len(self.parameters) - 1)]

    def check(self, arguments: Sequence[Type]) -> Type:
        """Return the result's type; raises ExpressionError when number or types of the arguments do not fit."""
        if len(arguments) < self.required:
            raise ExpressionError(f"not enough arguments to call {self.name} (expected {self.required}, got {len(arguments)})")
        if len(arguments) > len(self.parameters) and not self.variadic:
            raise ExpressionError(f"too many arguments to call {self.name} (expected {len(self.parameters)}, got {len(arguments)})")
        for index, argument in enumerate(arguments):
            kinds = self.kinds(index)
            if kinds and argument.kind is not Kind.ANY and argument.kind not in kinds:
                raise ExpressionError(f"invalid argument for {self.name} (type {argument})")
        return self.result if isinstance(self.result, Type) else self.result(arguments)

    def call(self, context: Context, arguments: Sequence[Any]) -> Any:
        """Run it; raises ExpressionError for an argument of the wrong kind."""
        for index, argument in enumerate(arguments):
            kinds = self.kinds(index)
            if kinds and not self.lenient and kind_of(argument) not in kinds:
                raise ExpressionError(f"invalid argument for {self.name} (type {go_type(argument)})")
        return self.run(context, *arguments)


def table(*entries: Builtin) -> Mapping[str, Builtin]:
    """Index functions by name."""
    return {entry.name: entry for entry in entries}
