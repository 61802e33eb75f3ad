"""`trafficRouting` of the canary strategy: one block for each traffic router.

Must not: know what a router does with its block.
"""

from __future__ import annotations

from pydantic import Field

from crds.common import AnyObject, Int32, Int64, Model, NamedObject, StringMap


class NginxRouting(Model):
    """ingress-nginx: a canary Ingress beside each stable one."""

    annotation_prefix: str | None = None
    """Of the annotations. By default nginx.ingress.kubernetes.io."""
    stable_ingress: str | None = None
    """The Ingress that leads to the stable Service."""
    stable_ingresses: list[str] | None = None
    """Several such Ingresses, instead of `stableIngress`."""
    additional_ingress_annotations: StringMap | None = None
    """More annotations of the canary Ingress, such as `canary-by-header`; the prefix is put before each."""
    canary_ingress_annotations: StringMap | None = None
    """Annotations of the canary Ingress as they are written, without a prefix."""


class TlsRoute(Model):
    """TLS routes of a VirtualService, by port, by SNI hosts, or both."""

    port: Int64 | None = None
    """Of the route."""
    sni_hosts: list[str] | None = None
    """All of the route's SNI hosts."""


class TcpRoute(Model):
    """TCP routes of a VirtualService, by port."""

    port: Int64 | None = None
    """Of the route."""


class VirtualService(Model):
    """An Istio VirtualService and those of its routes that are weighted."""

    name: str
    """Of the VirtualService; `name.namespace` for another namespace."""
    routes: list[str] | None = None
    """Names of its HTTP routes; they may be left out when there is only one."""
    tls_routes: list[TlsRoute] | None = None
    """Its TLS routes that are weighted."""
    tcp_routes: list[TcpRoute] | None = None
    """Its TCP routes that are weighted."""


class DestinationRule(Model):
    """An Istio DestinationRule whose subsets select the versions."""

    name: str
    """Of the DestinationRule."""
    canary_subset_name: str
    """The subset of the new version."""
    stable_subset_name: str
    """The subset of the stable version."""
    additional_subset_names: list[str] | None = None
    """Subsets of versions beside these two."""


class IstioRouting(Model):
    """Istio: weights in VirtualServices, between Services or between subsets of a DestinationRule."""

    virtual_service: VirtualService | None = None
    virtual_services: list[VirtualService] | None = None
    """Several of them, instead of `virtualService`."""
    destination_rule: DestinationRule | None = None


class StickinessConfig(Model):
    """Target group stickiness of an AWS load balancer."""

    enabled: bool
    duration_seconds: Int64


class AlbRouting(Model):
    """AWS load balancers, by annotations of an Ingress."""

    ingress: str | None = None
    ingresses: list[str] | None = None
    service_port: Int32
    root_service: str | None = None
    annotation_prefix: str | None = None
    stickiness_config: StickinessConfig | None = None


class SmiRouting(Model):
    """Service Mesh Interface: a TrafficSplit."""

    root_service: str | None = None
    traffic_split_name: str | None = None


class AmbassadorRouting(Model):
    """Ambassador: a canary Mapping beside each of these."""

    mappings: list[str]


class AppMeshVirtualService(Model):
    """An App Mesh virtual service and its routes."""

    name: str
    routes: list[str] | None = None


class AppMeshVirtualNodeGroup(Model):
    """The virtual nodes of both versions."""

    canary_virtual_node_ref: NamedObject
    stable_virtual_node_ref: NamedObject


class AppMeshRouting(Model):
    """AWS App Mesh: weights in the routes of a virtual service."""

    virtual_service: AppMeshVirtualService | None = None
    virtual_node_group: AppMeshVirtualNodeGroup | None = None


class TraefikRouting(Model):
    """Traefik: weights in a TraefikService."""

    weighted_traefik_service_name: str


class ApisixRoute(Model):
    """An ApisixRoute and those of its rules that are weighted."""

    name: str
    rules: list[str] | None = None


class ApisixRouting(Model):
    """Apache APISIX: weights in an ApisixRoute."""

    route: ApisixRoute | None = None


class TrafficRouting(Model):
    """Who shifts the traffic, and how."""

    alb: AlbRouting | None = None
    ambassador: AmbassadorRouting | None = None
    apisix: ApisixRouting | None = None
    app_mesh: AppMeshRouting | None = Field(None, alias="appMesh")
    istio: IstioRouting | None = None
    managed_routes: list[NamedObject] | None = None
    """Routes that steps set and remove; those named first come first."""
    max_traffic_weight: Int32 | None = None
    """What all shares add up to. By default 100."""
    nginx: NginxRouting | None = None
    plugins: AnyObject | None = None
    smi: SmiRouting | None = None
    traefik: TraefikRouting | None = None
