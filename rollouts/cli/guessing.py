"""What was probably meant by a word that is misspelt.

Must not: guess where nothing is near; a wrong hint is worse than none.
"""

from __future__ import annotations

from collections.abc import Iterable

_LEAST_LIKENESS = 0.75


def closest(word: str, known: Iterable[str], *, least: float = _LEAST_LIKENESS) -> str:
    """Return the known word that is nearest, whatever its case; empty when none is as like as `least` (1 is equal).

    >>> closest("Rolout", ["Rollout", "Service"]), closest("setweight", ["setWeight", "pause"]), closest("web", ["rollout"])
    ('Rollout', 'setWeight', '')
    """
    from difflib import get_close_matches

    by_lower = {one.lower(): one for one in sorted(known, reverse=True)}
    found = get_close_matches(word.lower(), by_lower, n=1, cutoff=least)
    return by_lower[found[0]] if found else ""
