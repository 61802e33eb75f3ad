"""An analysis that fitted is looked at again when its template changes, and only then."""

from __future__ import annotations

from typing import Any

from tests.model import World
from tests.shops import nginx_shop


def template(**metric: Any) -> dict[str, Any]:
    source = {"prometheus": {"address": "http://prometheus:9090", "query": "up"}}
    metrics = [{"name": "up", "interval": "1m", "successCondition": "result[0] > 0", "provider": source, **metric}]
    metadata = {"name": "checks", "namespace": "default"}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": metadata, "spec": {"metrics": metrics}}


def message(world: World) -> str:
    found = [one for one in world.status()["conditions"] if one["type"] == "InvalidSpec"]
    return str(found[0]["message"]) if found and found[0]["status"] == "True" else ""


def test_a_template_that_is_broken_later_is_told_and_its_mending_heard() -> None:
    world = nginx_shop([{"setWeight": 20}, {"pause": {}}], analysis={"templates": [{"templateName": "checks"}]}, deployed=False)
    world.put(template())
    world.settle()
    world.set_image("shop:2")
    world.settle()
    assert message(world) == ""
    world.put(template(interval="soon"))
    world.settle()
    assert "interval" in message(world)
    world.put(template())
    world.settle()
    assert message(world) == ""
