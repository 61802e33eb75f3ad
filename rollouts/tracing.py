"""Whether traces were asked for, and that what they need is there.

Owns the reading of the environment variables that OpenTelemetry specifies, as far as they decide this. Must not: import
OpenTelemetry (rollouts/otlp.py does, and is imported only when traces were asked for), or put an address or a header into a
message.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from kube.errors import InvalidConfig
from kube.tracing import Tracer, Untraced

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""The first that is set is where spans go; the second is completed with `/v1/traces`."""
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROTOCOL = "http/protobuf"
EXPORTERS = "OTEL_TRACES_EXPORTER"
DISABLED = "OTEL_SDK_DISABLED"
COLLECTOR = "localhost:4318"
"""Where OpenTelemetry looks for a collector when nothing is said."""


def tracer_of(environment: Mapping[str, str], *, asked: bool | None) -> Tracer:
    """Return the tracer that was asked for by environment or flag; the one that tells nobody when none was.

    Args:
        environment: variables of the process. The OpenTelemetry SDK reads those that do not decide anything here by itself.
        asked: what `--traces` or `--no-traces` says; None when neither was given.

    Raises:
        InvalidConfig: traces were asked for in a way that is not served, or without what they need.
    """
    if not is_asked_for(environment, asked=asked):
        return Untraced()
    collector = _collector(environment)
    try:
        from rollouts.otlp import open_telemetry
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("opentelemetry"):
            raise
        raise InvalidConfig(
            "traces were asked for, and OpenTelemetry is not installed: pip install 'rollouts[traces]', or start with --no-traces"
        ) from None
    try:
        return open_telemetry(collector)
    except ValueError as error:
        raise InvalidConfig(f"OpenTelemetry cannot do what the variables OTEL_BSP_* ask for: {error}") from None


def is_asked_for(environment: Mapping[str, str], *, asked: bool | None) -> bool:
    """Tell whether traces are to be sent.

    An endpoint asks for them. The flag goes before it, and what switches OpenTelemetry off goes before both.

    Raises:
        InvalidConfig: they are to be sent by an exporter that is not served.
    """
    exporters = environment.get(EXPORTERS, "").strip().lower()
    if asked is False or exporters == "none" or environment.get(DISABLED, "").strip().lower() == "true":
        return False
    if not (asked or exporters or any(environment.get(name) for name in ENDPOINTS)):
        return False
    if exporters not in ("", "otlp"):
        raise InvalidConfig(f"{EXPORTERS} asks for {exporters!r}; set it to otlp, or to none, or leave it out")
    return True


def _collector(environment: Mapping[str, str]) -> str:
    """Return host and port of the collector, and nothing else of its address, which may hold a secret."""
    protocol = next((environment[name] for name in PROTOCOLS if environment.get(name)), PROTOCOL)
    if protocol != PROTOCOL:
        raise InvalidConfig(f"spans are sent by {PROTOCOL} only, not by {protocol!r}; set {PROTOCOLS[0]}={PROTOCOL}")
    name = next((name for name in ENDPOINTS if environment.get(name)), None)
    if name is None:
        return COLLECTOR
    try:
        where = urlsplit(environment[name])
        host, port = where.hostname, where.port
    except ValueError:
        where, host, port = None, None, None
    if where is None or where.scheme not in ("http", "https") or not host:
        raise InvalidConfig(f"{name} is no URL of a collector; write it as http://collector.observability:4318")
    return f"{host}:{port or (443 if where.scheme == 'https' else 80)}"
