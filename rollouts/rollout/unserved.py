"""The fields of the API that are not served yet: one table, and how to find them in an object.

docs/compatibility.md tells users the same and is checked against this table. Must not: judge anything else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kube.objects import Object
from rollouts.rollout.problems import Problem, forbidden


@dataclass(frozen=True, slots=True)
class Unserved:
    """A field that is refused wherever it is set, and what to do instead."""

    path: str
    """From the object's root; `[]` stands for every item of a list."""
    instead: str

    @property
    def name(self) -> str:
        """The field's last name."""
        return self.path.rpartition(".")[2]


_CANARY = "spec.strategy.canary"
_ROUTER = "shift traffic with nginx or istio"
_METRIC = "measure with prometheus or web"
UNSERVED_IN_ROLLOUTS: tuple[Unserved, ...] = (
    Unserved("spec.workloadRef", "write the pod template into spec.template"),
    Unserved("spec.strategy.blueGreen", "use strategy.canary"),
    Unserved(f"{_CANARY}.antiAffinity", "write podAntiAffinity into the pod template"),
    Unserved(f"{_CANARY}.pingPong", "use canaryService and stableService"),
    Unserved(f"{_CANARY}.steps[].experiment", "use an analysis step"),
    Unserved(f"{_CANARY}.steps[].plugin", "use the built-in steps"),
    Unserved(f"{_CANARY}.trafficRouting.alb", _ROUTER),
    Unserved(f"{_CANARY}.trafficRouting.ambassador", _ROUTER),
    Unserved(f"{_CANARY}.trafficRouting.apisix", _ROUTER),
    Unserved(f"{_CANARY}.trafficRouting.appMesh", _ROUTER),
    Unserved(f"{_CANARY}.trafficRouting.plugins", _ROUTER),
    Unserved(f"{_CANARY}.trafficRouting.smi", _ROUTER),
    Unserved(f"{_CANARY}.trafficRouting.traefik", _ROUTER),
)
UNSERVED_PROVIDERS: tuple[Unserved, ...] = tuple(
    Unserved(f"spec.metrics[].provider.{key}", _METRIC)
    for key in (
        "cloudWatch",
        "datadog",
        "graphite",
        "influxdb",
        "job",
        "kayenta",
        "newRelic",
        "plugin",
        "skywalking",
        "wavefront",
    )
)
"""Metric providers of templates and runs; refused by `analysis`, which may not import this."""
UNSERVED_KINDS: tuple[str, ...] = ("Experiment",)
"""Kinds whose objects can be stored but that nothing acts on."""


def _by_parent(entries: tuple[Unserved, ...]) -> Mapping[tuple[str, ...], tuple[Unserved, ...]]:
    parents = dict.fromkeys(one.path.rpartition(".")[0] for one in entries)
    return {
        tuple(parent.split(".")): tuple(one for one in entries if one.path.rpartition(".")[0] == parent)  # one walk for all of them
        for parent in parents
    }


_IN_ROLLOUTS_BY_PARENT = _by_parent(UNSERVED_IN_ROLLOUTS)


def unserved_fields(rollout: Object) -> Iterator[Problem]:
    """Yield a problem for each field of a Rollout that is set and not served."""
    for parent, entries in _IN_ROLLOUTS_BY_PARENT.items():
        for path, node in _places(rollout, parent, ""):
            for entry in entries:
                if node.get(entry.name) is not None:
                    yield forbidden(f"{path}.{entry.name}", f"{entry.name} is not served yet; {entry.instead}")


def _places(node: Any, names: Sequence[str], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects that are at a path, each with its place; what has another shape on the way holds none."""
    if not isinstance(node, dict):
        return
    if not names:
        yield path, node
        return
    name = names[0].removesuffix("[]")
    child = node.get(name)
    at = f"{path}.{name}" if path else name
    if names[0].endswith("[]"):
        for position, item in enumerate(child if isinstance(child, list) else ()):
            yield from _places(item, names[1:], f"{at}[{position}]")
    else:
        yield from _places(child, names[1:], at)
