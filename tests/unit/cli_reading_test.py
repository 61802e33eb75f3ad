"""What the command line asks the server for: the parts of one Rollout, never all there is."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.cli.reading import sources
from tests.shops import NGINX, routed_rollout


@pytest.mark.parametrize(
    "status", [pytest.param({}, id="before its first status"), pytest.param({"selector": "app=shop"}, id="by its status")]
)
def test_the_parts_of_a_rollout_are_listed_by_its_selector(status: dict[str, Any]) -> None:
    rollout = routed_rollout([], NGINX)
    rollout = {**rollout, "metadata": {"name": "shop", "namespace": "default"}, "status": status}
    asked = {one.kind.name: (one.namespace, one.label_selector, one.field_selector) for one in sources(rollout)}
    assert asked == {
        "Rollout": ("default", "", "metadata.name=shop"),
        "ReplicaSet": ("default", "app=shop", ""),
        "Pod": ("default", "app=shop", ""),
        "AnalysisRun": ("default", "app=shop", ""),
    }
