"""All recorded cases, by area.

Owns the list of areas, which docs/sandbox.md repeats. Must not: hold cases itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from differential_applying import APPLYING
from differential_definitions import DEFINING
from differential_deleting import BINDING, DELETING, EVICTING
from differential_kinds import NETWORK, OTHERS, WORKLOADS
from differential_reading import LISTING, TABLES, WATCHING
from differential_refusing import REFUSING
from differential_requests import Case
from differential_subresources import SCALING, STATUS
from differential_writing import CREATING, PATCHING, REPLACING

AREAS: Mapping[str, Sequence[Case]] = {
    "creating": CREATING,
    "replacing": REPLACING,
    "patching": PATCHING,
    "status": STATUS,
    "scaling": SCALING,
    "applying": APPLYING,
    "listing": LISTING,
    "watching": WATCHING,
    "tables": TABLES,
    "deleting": DELETING,
    "evicting": EVICTING,
    "binding": BINDING,
    "refusing": REFUSING,
    "workloads": WORKLOADS,
    "network": NETWORK,
    "other kinds": OTHERS,
    "definitions": DEFINING,
}
