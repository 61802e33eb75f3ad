"""Who asked the API server for what, and how often, on either control plane."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from kube.config import load
from kube.quick import QuickClient
from sandbox.cluster import Cluster
from sandbox.cluster.account import USER


def requests_of(cluster: Cluster) -> Counter[tuple[str, str, str]]:
    """Return the requests so far by user, verb and resource; a real API server tells them in its audit log.

    The controller is called `controller` on either. On a cluster that is there already nobody tells us, and the test is skipped.
    """
    if cluster.record.control_plane == "existing":
        pytest.skip("only the owner of the cluster can count its requests")
    if cluster.record.control_plane == "real":
        return _audited(cluster)
    with QuickClient(load(str(cluster.kubeconfig))) as client:
        rows = client.read("/debug/requests")["requests"]
    found: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        found[row["user"], row["verb"], row["resource"]] += row["count"]
    return found


def _audited(cluster: Cluster) -> Counter[tuple[str, str, str]]:
    found: Counter[tuple[str, str, str]] = Counter()
    for line in (cluster.state.path / "logs" / "audit.log").read_text().splitlines():
        event = json.loads(line)
        if event["stage"] == "ResponseComplete":
            user = event["user"].get("username", "")  # of nobody while the accounts cannot be looked up
            found["controller" if user == USER else user, event["verb"], (event.get("objectRef") or {}).get("resource", "")] += 1
    return found
