"""The contract of a traffic router: pure functions from a wanted `Split` to writes, and from objects back to a `Split`.

Must not: do I/O, read a clock, know a rollout's status or another router.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from kube.kinds import Kind, ObjectRef
from kube.objects import Object
from kube.plan import Write


class RoutingError(Exception):
    """The router cannot do what is wanted with the objects there are; the text says what to mend.

    `reason` is the event reason and condition reason that users see (spec/rollout.md 3, 5.2).
    """

    def __init__(self, message: str, *, reason: str = "TrafficRoutingError") -> None:
        super().__init__(message)
        self.reason = reason


class InvalidRouting(RoutingError):
    """The spec or an object it refers to is wrong; shown as the `InvalidSpec` condition until mended."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="InvalidSpec")


class MissingObject(InvalidRouting):
    """An object that the spec names does not exist, or not yet; `reason` is the event reason of its kind."""

    def __init__(self, message: str, *, reason: str = "InvalidSpec") -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A further version that gets a fixed share (an experiment's): its Service, pod hash and weight."""

    service: str
    pod_hash: str = field(compare=False)
    """Not compared: a route names the Service only, so what is observed may not know it and leaves it empty."""
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderRoute:
    """Requests whose headers match one of `match` go to the canary. `match` as in `setHeaderRoute.match[]`."""

    name: str
    match: tuple[Mapping[str, Any], ...] = field(hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorRoute:
    """Requests that match one of `match` are copied to the canary. `match` as in `setMirrorRoute.match[]`."""

    name: str
    match: tuple[Mapping[str, Any], ...] = field(hash=False)
    percentage: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """How traffic is, or is to be, divided. Stable gets `total` minus everything else.

    The further versions and the routes are kept in order of their names, so that equal splits compare equal.
    """

    canary: int
    total: int = 100
    additional: tuple[Destination, ...] = ()
    header_routes: tuple[HeaderRoute, ...] = ()
    mirror_routes: tuple[MirrorRoute, ...] = ()

    def __post_init__(self) -> None:
        """Put what has a name into the order of names."""
        object.__setattr__(self, "additional", tuple(sorted(self.additional, key=lambda one: one.service)))
        object.__setattr__(self, "header_routes", tuple(sorted(self.header_routes, key=lambda route: route.name)))
        object.__setattr__(self, "mirror_routes", tuple(sorted(self.mirror_routes, key=lambda route: route.name)))

    @property
    def stable(self) -> int:
        """The weight that is left for stable."""
        return self.total - self.canary - sum(one.weight for one in self.additional)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingSpec:
    """What a router is told about the workload: names, its own part of the spec, and the hashes that subsets select.

    `config` is the provider's part of `spec.strategy.canary.trafficRouting` as a plain mapping, `owner` the Rollout.
    A hash of None leaves what a subset selects as it is; an empty one takes the label away.
    """

    owner: Object
    namespace: str
    stable_service: str | None
    canary_service: str | None
    config: Mapping[str, Any]
    managed_routes: tuple[str, ...] = ()
    stable_hash: str | None = None
    canary_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects a router may read, looked up by reference. Raw dictionaries; treat them as frozen."""

    by_ref: Mapping[ObjectRef, Object] = field(default_factory=dict)

    def find(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Return the object, or None when the cluster has none such."""
        return self.by_ref.get(ObjectRef(kind, namespace, name))


class Router(Protocol):
    """One traffic router. After `desired(spec, split)` is applied, `observed` gives that split and `desired` is empty."""

    name: str
    """The key in `trafficRouting`."""
    can_match_headers: bool
    can_mirror: bool
    can_weigh_additional: bool

    def watches(self, spec: RoutingSpec) -> Iterable[ObjectRef]:
        """Name the objects whose change matters, whether they exist or not; `desired` is given exactly these."""
        ...

    def validate(self, spec: RoutingSpec, objects: Objects) -> None:
        """Check the references.

        Raises:
            InvalidRouting: something is missing or contradictory; the text says what to mend.
        """
        ...

    def desired(self, spec: RoutingSpec, split: Split, objects: Objects) -> list[Write]:
        """Return the writes that bring the objects to `split`; none when they are there already.

        Fields and routes that are not this router's stay as they are.

        Raises:
            RoutingError: it cannot be done.
        """
        ...

    def observed(self, spec: RoutingSpec, objects: Objects) -> Split | None:
        """Return the split that the objects express; None while one is missing or they are not all the same."""
        ...

    def cleaned(self, spec: RoutingSpec, objects: Objects) -> list[Write]:
        """Return the writes that remove what was put into other people's objects, for when the workload is deleted."""
        ...
