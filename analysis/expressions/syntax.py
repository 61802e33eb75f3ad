"""The syntax tree of the condition language. Data only; positions are character offsets into the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, string, bool or nil."""

    value: int | float | str | bool | None
    position: int


@dataclass(frozen=True, slots=True)
class Name:
    """A name of the environment: `result`."""

    text: str
    position: int


@dataclass(frozen=True, slots=True)
class Pointer:
    """`#` (text is empty), `#index` or `#acc` of the innermost closure."""

    text: str
    position: int


@dataclass(frozen=True, slots=True)
class Unary:
    """`!`, `-` or `+`; `not` is written `!`."""

    operator: str
    operand: Node
    position: int


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands; `and`, `or` and `^` are written `&&`, `||` and `**`."""

    operator: str
    left: Node
    right: Node
    position: int


@dataclass(frozen=True, slots=True)
class Conditional:
    """`condition ? then : otherwise`, and `if condition { then } else { otherwise }`."""

    condition: Node
    then: Node
    otherwise: Node
    position: int


@dataclass(frozen=True, slots=True)
class Member:
    """`base.name`, `base[index]` and their optional forms, which end the chain with nil when the base is nil."""

    base: Node
    property: Node
    optional: bool
    position: int


@dataclass(frozen=True, slots=True)
class Slice:
    """`base[start:end]`; None means from the beginning or to the end."""

    base: Node
    start: Node | None
    end: Node | None
    position: int


@dataclass(frozen=True, slots=True)
class Chain:
    """The extent that `?.` may cut short."""

    body: Node
    position: int


@dataclass(frozen=True, slots=True)
class Call:
    """A built-in or a function of the environment."""

    name: str
    arguments: tuple[Node, ...]
    position: int


@dataclass(frozen=True, slots=True)
class MethodCall:
    """`base.Name(...)` on a time or a duration."""

    base: Node
    name: str
    arguments: tuple[Node, ...]
    optional: bool
    position: int


@dataclass(frozen=True, slots=True)
class Closure:
    """The predicate of `all`, `filter` and their like."""

    body: Node
    position: int


@dataclass(frozen=True, slots=True)
class ListOf:
    """`[a, b]`."""

    items: tuple[Node, ...]
    position: int


@dataclass(frozen=True, slots=True)
class MapOf:
    """`{a: 1, "b": 2, (expression): 3}`."""

    pairs: tuple[tuple[Node, Node], ...]
    position: int


@dataclass(frozen=True, slots=True)
class Let:
    """`let name = value; body`."""

    name: str
    value: Node
    body: Node
    position: int


@dataclass(frozen=True, slots=True)
class Sequence:
    """`a; b`: the value is that of the last."""

    items: tuple[Node, ...]
    position: int


Node: TypeAlias = (
    Literal
    | Name
    | Pointer
    | Unary
    | Binary
    | Conditional
    | Member
    | Slice
    | Chain
    | Call
    | MethodCall
    | Closure
    | ListOf
    | MapOf
    | Let
    | Sequence
)
