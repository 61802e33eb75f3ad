"""Metric providers: one file each, and the one table of them."""

from __future__ import annotations

from collections.abc import Mapping

from analysis.providers.base import Provider
from analysis.providers.prometheus import Prometheus
from analysis.providers.web import Web

KNOWN = (
    "cloudWatch",
    "datadog",
    "graphite",
    "influxdb",
    "job",
    "kayenta",
    "newRelic",
    "plugin",
    "prometheus",
    "skywalking",
    "wavefront",
    "web",
)
"""Every key that `metric.provider` may have; those without an entry in `served` are refused by name."""


def served(*, prometheus_address: str = "") -> Mapping[str, Provider]:
    """Return the providers that measurements can be made with, by their key in `metric.provider`."""
    providers: tuple[Provider, ...] = (Prometheus(prometheus_address), Web())
    return {provider.name: provider for provider in providers}
