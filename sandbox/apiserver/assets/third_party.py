"""Definitions of other projects' kinds, so that manifests which use them apply: permissive, any field is kept.

Owns their names, versions and scopes. Must not: describe fields; whoever needs checks installs the project's own definitions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

# group, kind, plural, short names, versions (the first is the stored one), scope
_NAMESPACED, _CLUSTER = "Namespaced", "Cluster"
_PROTECTED = (".k8s.io", ".kubernetes.io")
_UNREVIEWED = {"api-approved.kubernetes.io": "unapproved, experimental-only"}
"""Without this note a real API server takes no definition of such a group."""
_ISTIO = ("v1beta1", "v1", "v1alpha3")
_GATEWAY = ("v1", "v1beta1")
# APISIX gives its routes the short name `ar`, as AnalysisRuns have it: here, where nobody installed APISIX, it is theirs alone.
_KINDS: tuple[tuple[str, str, str, str, Sequence[str], str], ...] = (
    ("networking.istio.io", "VirtualService", "virtualservices", "vs", _ISTIO, _NAMESPACED),
    ("networking.istio.io", "DestinationRule", "destinationrules", "dr", _ISTIO, _NAMESPACED),
    ("networking.istio.io", "Gateway", "gateways", "gw", _ISTIO, _NAMESPACED),
    ("networking.istio.io", "ServiceEntry", "serviceentries", "se", _ISTIO, _NAMESPACED),
    ("gateway.networking.k8s.io", "GatewayClass", "gatewayclasses", "gc", _GATEWAY, _CLUSTER),
    ("gateway.networking.k8s.io", "Gateway", "gateways", "gtw", _GATEWAY, _NAMESPACED),
    ("gateway.networking.k8s.io", "HTTPRoute", "httproutes", "", _GATEWAY, _NAMESPACED),
    ("gateway.networking.k8s.io", "GRPCRoute", "grpcroutes", "", ("v1",), _NAMESPACED),
    ("gateway.networking.k8s.io", "TCPRoute", "tcproutes", "", ("v1alpha2",), _NAMESPACED),
    ("gateway.networking.k8s.io", "TLSRoute", "tlsroutes", "", ("v1alpha2",), _NAMESPACED),
    ("gateway.networking.k8s.io", "ReferenceGrant", "referencegrants", "refgrant", ("v1beta1",), _NAMESPACED),
    ("traefik.io", "TraefikService", "traefikservices", "", ("v1alpha1",), _NAMESPACED),
    ("traefik.io", "IngressRoute", "ingressroutes", "", ("v1alpha1",), _NAMESPACED),
    ("split.smi-spec.io", "TrafficSplit", "trafficsplits", "ts", ("v1alpha2", "v1alpha1", "v1alpha3", "v1alpha4"), _NAMESPACED),
    ("projectcontour.io", "HTTPProxy", "httpproxies", "proxy", ("v1",), _NAMESPACED),
    ("apisix.apache.org", "ApisixRoute", "apisixroutes", "", ("v2",), _NAMESPACED),
    ("apisix.apache.org", "SetHeader", "setheaders", "", ("v2",), _NAMESPACED),
    ("getambassador.io", "Mapping", "mappings", "", ("v2", "v3alpha1"), _NAMESPACED),
    ("elbv2.k8s.aws", "TargetGroupBinding", "targetgroupbindings", "", ("v1beta1",), _NAMESPACED),
    ("appmesh.k8s.aws", "VirtualService", "virtualservices", "", ("v1beta2",), _NAMESPACED),
    ("appmesh.k8s.aws", "VirtualRouter", "virtualrouters", "", ("v1beta2",), _NAMESPACED),
    ("appmesh.k8s.aws", "VirtualNode", "virtualnodes", "", ("v1beta2",), _NAMESPACED),
    ("gloo.solo.io", "Upstream", "upstreams", "", ("v1",), _NAMESPACED),
    ("gateway.solo.io", "RouteTable", "routetables", "rt", ("v1",), _NAMESPACED),
    ("kuma.io", "TrafficRoute", "trafficroutes", "", ("v1alpha1",), _CLUSTER),
    ("keda.sh", "ScaledObject", "scaledobjects", "so", ("v1alpha1",), _NAMESPACED),
)


def permissive_definition(
    *, group: str, kind: str, plural: str, versions: Sequence[str], scope: str = _NAMESPACED, short_names: Iterable[str] = ()
) -> dict[str, Any]:
    """Return a CustomResourceDefinition that keeps every field; the first version is the stored one."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": anything, "status": anything}, "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", **({"annotations": _UNREVIEWED} if group.endswith(_PROTECTED) else {})},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"kind": kind, "plural": plural, "shortNames": list(short_names)},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": index == 0,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                }
                for index, version in enumerate(versions)
            ],
        },
    }


def third_party_definitions() -> list[dict[str, Any]]:
    """Return the definitions of the kinds that the supported traffic routers write."""
    return [
        permissive_definition(
            group=group, kind=kind, plural=plural, versions=versions, scope=scope, short_names=filter(None, [short])
        )
        for group, kind, plural, short, versions, scope in _KINDS
    ]
