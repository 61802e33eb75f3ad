"""Which custom resources a sandbox serves: the product's own, and those of traffic routers, which take any field.

Must not: talk to a server.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from crds.manifests import custom_resource_definitions


class Foreign(NamedTuple):
    """A kind of somebody else's: the first version is the stored one."""

    group: str
    kind: str
    plural: str
    versions: tuple[str, ...]
    short: tuple[str, ...] = ()
    namespaced: bool = True


ISTIO, ISTIO_VERSIONS = "networking.istio.io", ("v1beta1", "v1alpha3", "v1")
GATEWAY_API = "gateway.networking.k8s.io"
FOREIGN = (
    Foreign(ISTIO, "VirtualService", "virtualservices", ISTIO_VERSIONS, ("vs",)),
    Foreign(ISTIO, "DestinationRule", "destinationrules", ISTIO_VERSIONS, ("dr",)),
    Foreign(ISTIO, "Gateway", "gateways", ISTIO_VERSIONS, ("gw",)),
    Foreign(ISTIO, "ServiceEntry", "serviceentries", ISTIO_VERSIONS, ("se",)),
    Foreign(GATEWAY_API, "GatewayClass", "gatewayclasses", ("v1", "v1beta1"), ("gc",), namespaced=False),
    Foreign(GATEWAY_API, "Gateway", "gateways", ("v1", "v1beta1"), ("gtw",)),
    Foreign(GATEWAY_API, "HTTPRoute", "httproutes", ("v1", "v1beta1")),
    Foreign(GATEWAY_API, "ReferenceGrant", "referencegrants", ("v1beta1",), ("refgrant",)),
)


def definitions() -> list[dict[str, Any]]:
    """Return every CustomResourceDefinition of a sandbox, ready to be created."""
    return [*custom_resource_definitions(), *map(_permissive, FOREIGN)]


def _permissive(foreign: Foreign) -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    names = {"kind": foreign.kind, "listKind": f"{foreign.kind}List", "plural": foreign.plural, "singular": foreign.kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{foreign.plural}.{foreign.group}"},
        "spec": {
            "group": foreign.group,
            "scope": "Namespaced" if foreign.namespaced else "Cluster",
            "names": names | ({"shortNames": list(foreign.short)} if foreign.short else {}),
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == foreign.versions[0],
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                }
                for version in foreign.versions
            ],
        },
    }
