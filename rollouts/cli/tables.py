"""Columns of text that line up, and the colours of words in them.

Owns widths and ANSI codes. Must not: know what is shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class Colour(IntEnum):
    """Foreground colours by their ANSI numbers."""

    NONE = 0
    RED = 31
    GREEN = 32
    YELLOW = 33
    BRIGHT_BLUE = 94


def coloured(text: str, colour: Colour) -> str:
    """Return the text in a colour, as a terminal shows it."""
    return f"\x1b[{colour.value}m{text}\x1b[0m" if colour else text


def aligned(rows: Sequence[Sequence[str]], *, gap: int = 2) -> list[str]:
    """Return one line per row, every column but the last as wide as its widest cell plus a gap.

    >>> aligned([["NAME", "AGE"], ["shop", "3m"]])
    ['NAME  AGE', 'shop  3m']
    """
    if not rows:
        return []
    widths = [max(_width(row[column]) for row in rows) + gap for column in range(len(rows[0]) - 1)]
    return ["".join(_padded(cell, width) for cell, width in zip(row, widths, strict=False)) + row[-1] for row in rows]


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - _width(cell))


def _width(cell: str) -> int:
    return len(_ANSI.sub("", cell))
