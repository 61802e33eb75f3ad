"""Traffic routers: one file each, pure; `ROUTERS` is the one table."""

from collections.abc import Mapping
from types import MappingProxyType

from routers.base import Router
from routers.istio import Istio
from routers.nginx import Nginx

ROUTERS: Mapping[str, Router] = MappingProxyType({router.name: router for router in (Istio(), Nginx())})
"""Every router by its key in `trafficRouting`."""
