"""Who asked the API server of a test's sandbox for what, where it can be known."""

from __future__ import annotations

import pytest

from sandbox.cluster import Cluster, SandboxError
from sandbox.cluster.requests import RequestLog, Requests


def requests_of(cluster: Cluster) -> Requests:
    """Return all requests so far; the test is skipped on a cluster that is there already."""
    try:
        return RequestLog(cluster).take()
    except SandboxError as error:
        pytest.skip(str(error))
