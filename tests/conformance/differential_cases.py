"""All recorded cases, by area.

Owns the list of areas, which docs/sandbox.md repeats. Must not: hold cases itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from differential_requests import Case
from differential_writing import CREATING, PATCHING, REPLACING, SCALING, STATUS

AREAS: Mapping[str, Sequence[Case]] = {
    "creating": CREATING,
    "replacing": REPLACING,
    "patching": PATCHING,
    "status": STATUS,
    "scaling": SCALING,
}
