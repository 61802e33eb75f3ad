"""What the gateway translates from: the objects of the cluster, and how the gateway is set up.

Owns the inputs of the translation and the list of things it had to leave out. Must not: translate, read files, talk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from kube.kinds import Kind
from kube.objects import Object, name_of, namespace_of

Json: TypeAlias = dict[str, Any]
"""One Envoy resource or a part of it, as its JSON form."""

UNREADABLE = (AttributeError, KeyError, TypeError, ValueError, OverflowError)
"""What reading an object that is not of the expected form raises. Caught object by object: the others go on."""

GATEWAY = Kind("networking.istio.io", "v1beta1", "Gateway", "gateways")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The objects the translation reads; each tuple may be in any order."""

    services: tuple[Object, ...] = ()
    slices: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()
    ingresses: tuple[Object, ...] = ()
    virtual_services: tuple[Object, ...] = ()
    destination_rules: tuple[Object, ...] = ()
    gateways: tuple[Object, ...] = ()


@dataclass(frozen=True, slots=True)
class Socket:
    """A loopback address and a port to listen on."""

    address: str
    port: int

    def __str__(self) -> str:
        """`127.0.0.1:8080`."""
        return f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the gateway listens and which objects it serves."""

    ingress: Socket
    proxy: Socket
    annotation_prefix: str = "nginx.ingress.kubernetes.io"
    ingress_classes: tuple[str, ...] = ("nginx",)
    """Ingresses of these classes, and those that name none, are served."""
    domain: str = "cluster.local"
    lowest_port: int = 0
    """Service ports below it get no listener: the process may not bind them."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something that was left out of the configuration: about what, and what to mend."""

    about: str
    message: str

    def __str__(self) -> str:
        """One line for the log."""
        return f"{self.about}: {self.message}"


@dataclass(frozen=True, slots=True)
class Notes:
    """Collects the problems of one translation, each once."""

    problems: dict[Problem, None] = field(default_factory=dict)

    def add(self, about: Object | str, message: str) -> None:
        """Note that (part of) `about`, an object or a name, is left out."""
        self.problems[Problem(about if isinstance(about, str) else title(about), message)] = None


def title(obj: Object) -> str:
    """Name an object as people write it: `Ingress shop/web`."""
    return f"{obj.get('kind') or 'object'} {namespace_of(obj)}/{name_of(obj)}"


def oldest_first(objects: tuple[Object, ...]) -> list[Object]:
    """Sort by age, then by namespace and name: who came first wins a conflict."""

    def order(obj: Object) -> tuple[str, str, str]:
        return str(obj["metadata"].get("creationTimestamp") or ""), namespace_of(obj), name_of(obj)

    return sorted(objects, key=order)


def spec_of(obj: Object) -> Mapping[str, Any]:
    """Return `spec`, empty when there is none, or none that can be read."""
    spec = obj.get("spec")
    return spec if isinstance(spec, Mapping) else {}
