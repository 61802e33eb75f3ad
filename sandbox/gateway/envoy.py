"""Envoy resources as JSON: clusters, listeners, virtual hosts, routes.

Owns the shape of Envoy's configuration and the defaults that keep requests from being lost. Must not: know Kubernetes
objects beyond the catalogue's endpoints.

Requests are retried only while nothing can have reached an application (connection refused, stream refused, reset before
the request was sent). Idle upstream connections are closed after `IDLE`, sooner than common servers close theirs, so
that no request meets a connection that is just being closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.gateway.catalog import Endpoint
from sandbox.gateway.world import Json, Socket

TYPE = "type.googleapis.com/"
LISTENER = TYPE + "envoy.config.listener.v3.Listener"
CLUSTER = TYPE + "envoy.config.cluster.v3.Cluster"
ROUTES = TYPE + "envoy.config.route.v3.RouteConfiguration"
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
METADATA = "rollouts.gateway"
"""Key of the route metadata that the access log hands to the metrics."""
VHOST_HEADER = "x-rollouts-service"
"""Set by the listener of a Service port, so that all of them share one route table."""
IDLE = "4s"
SAFE_RETRIES: Json = {"retry_on": "connect-failure,refused-stream,reset-before-request", "num_retries": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A destination of a route: a cluster's name, its weight, and what to change in headers on the way there."""

    cluster: str
    weight: int = 1
    headers: Mapping[str, Any] | None = None


def cluster(name: str, endpoints: Sequence[Endpoint], *, http2: bool = False, policy: str = "ROUND_ROBIN") -> Json:
    """Return a cluster with its endpoints in line.

    In line, since Envoy spends one inotify instance per separate endpoint file and a user commonly has 128 of them.
    """
    hosts = [{"endpoint": {"address": _address(one.address, one.port)}} for one in endpoints]
    protocol: Json = {"http2_protocol_options": {}} if http2 else {"http_protocol_options": {}}
    ample = {"max_connections": 100_000, "max_pending_requests": 100_000, "max_requests": 100_000, "max_retries": 1_000}
    return {
        "@type": CLUSTER,
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "lb_policy": policy,
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": hosts}]},
        "circuit_breakers": {"thresholds": [ample]},
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "typed_extension_protocol_options": {
            HTTP_OPTIONS: {
                "@type": TYPE + HTTP_OPTIONS,
                "common_http_protocol_options": {"idle_timeout": IDLE},
                "explicit_http_config": protocol,
            }
        },
    }


def route(match: Json, action: Json, *, metadata: Mapping[str, str] | None = None, **more: Any) -> Json:
    """Return a route: what it matches, what it does, and the labels its requests are counted under."""
    found: Json = {"match": match, **action, **{key: value for key, value in more.items() if value}}
    if metadata:
        found["metadata"] = {"filter_metadata": {METADATA: dict(metadata)}}
    return found


def forward(shares: Sequence[Share], *, timeout: str = "0s", retries: Json | None = None, **more: Any) -> Json:
    """Return the action that sends requests on, divided by weight. Shares without weight get nothing.

    With no weight at all there is nobody to send to: 503.
    """
    wanted = [share for share in shares if share.weight > 0]
    if not wanted:
        return answer(503, "no destination has any weight")
    common: Json = {"timeout": timeout, "retry_policy": SAFE_RETRIES if retries is None else retries}
    common.update({key: value for key, value in more.items() if value})
    if len(wanted) == 1 and not wanted[0].headers:
        return {"route": {"cluster": wanted[0].cluster, **common}}
    weights = [{"name": share.cluster, "weight": share.weight, **(share.headers or {})} for share in wanted]
    return {"route": {"weighted_clusters": {"clusters": weights}, **common}}


def answer(status: int, text: str) -> Json:
    """Return the action that answers from the proxy itself."""
    return {"direct_response": {"status": status, "body": {"inline_string": text + "\n"}}}


def virtual_host(name: str, domains: Iterable[str], routes: Sequence[Json], **more: Any) -> Json:
    """Return a virtual host. Its requests lose the header that chose it."""
    return {"name": name, "domains": list(domains), "routes": list(routes), "request_headers_to_remove": [VHOST_HEADER], **more}


def route_table(name: str, hosts: Sequence[Json], *, by_header: bool = False) -> Json:
    """Return a route table; `by_header` picks the virtual host by the listener's own header instead of the Host."""
    table: Json = {"@type": ROUTES, "name": name, "virtual_hosts": list(hosts), "ignore_port_in_host_matching": False}
    if by_header:
        table["vhost_header"] = VHOST_HEADER
    return table


def http_filter(kind: str, table: Json, **more: Any) -> Json:
    """Return an HTTP connection manager. `kind` (`ingress`, `mesh`) goes into the access log; `table` is its `rds` part."""
    manager: Json = {
        "@type": TYPE + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": kind,
        "rds": table,
        "http_filters": [{"name": "router", "typed_config": {"@type": TYPE + "envoy.extensions.filters.http.router.v3.Router"}}],
        "access_log": [access_log(kind)],
        "http_protocol_options": {"accept_http_10": True, "default_host_for_http_10": "http-1.0"},
        "server_header_transformation": "PASS_THROUGH",
        "normalize_path": True,
        "stream_idle_timeout": "0s",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        **more,
    }
    return {"name": "http", "typed_config": manager}


def tcp_filter(name: str, shares: Sequence[Share]) -> Json:
    """Return a TCP proxy to the shares, divided by weight per connection."""
    wanted = [share for share in shares if share.weight > 0] or list(shares[:1])
    proxy: Json = {"@type": TYPE + "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix": name}
    if len(wanted) == 1:
        proxy["cluster"] = wanted[0].cluster
    else:
        proxy["weighted_clusters"] = {"clusters": [{"name": share.cluster, "weight": share.weight} for share in wanted]}
    return {"name": "tcp", "typed_config": proxy}


def access_log(kind: str) -> Json:
    """Return the access log that the metrics are counted from: one JSON line per request on Envoy's standard output."""
    fields = {
        "k": kind,
        "m": "%REQ(:METHOD)%",
        "s": "%RESPONSE_CODE%",
        "f": "%RESPONSE_FLAGS%",
        "d": "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%",
        "u": "%COMMON_DURATION(US_TX_BEG:US_RX_END:us)%",
        "c": "%UPSTREAM_CLUSTER_RAW%",
        "h": "%UPSTREAM_HOST%",
        "r": f"%METADATA(ROUTE:{METADATA})%",
        "p": "%PROTOCOL%",
        "i": "%BYTES_RECEIVED%",
        "o": "%BYTES_SENT%",
    }
    log = "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"
    return {"name": "stdout", "typed_config": {"@type": TYPE + log, "log_format": {"json_format": fields}}}


def listener(name: str, socket: Socket, chains: Sequence[Json], *, inspect: Sequence[str] = ()) -> Json:
    """Return a listener. `inspect` names listener filters (`http_inspector`, `tls_inspector`) that look before choosing a chain."""
    found: Json = {"@type": LISTENER, "name": name, "address": _address(socket.address, socket.port), "filter_chains": list(chains)}
    found["enable_reuse_port"] = False  # or two gateways would share an address, and each other's requests
    if inspect:
        kinds = {"http_inspector": "HttpInspector", "tls_inspector": "TlsInspector"}
        found["listener_filters"] = [
            {
                "name": one,
                "typed_config": {"@type": f"{TYPE}envoy.extensions.filters.listener.{one}.v3.{kinds[one]}"},
            }
            for one in inspect
        ]
        found["listener_filters_timeout"] = "0.3s"
        found["continue_on_listener_filters_timeout"] = True
    return found


def set_vhost(service: str) -> Json:
    """Return the early mutation by which the listener of a Service port names its virtual host."""
    mutation = "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
    change = {"append": {"header": {"key": VHOST_HEADER, "value": service}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}
    return {"name": "vhost", "typed_config": {"@type": TYPE + mutation, "mutations": [change]}}


def _address(address: str, port: int) -> Json:
    return {"socket_address": {"address": address, "port_value": port}}
