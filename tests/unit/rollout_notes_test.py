"""What a Rollout may have but probably does not mean is said by `explain`, and holds nothing up."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.rollout.explain import explain
from rollouts.rollout.gather import gather
from tests.model import World
from tests.shops import routed_rollout

TEMPLATE: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "AnalysisTemplate",
    "metadata": {"name": "rate"},
    "spec": {
        "args": [{"name": "app"}, {"name": "zone", "value": "a"}],
        "metrics": [{"name": "m", "provider": {"web": {"url": "http://{{args.app}}"}}}],
    },
}


def notes(canary: dict[str, Any], *, replicas: int = 3) -> list[str]:
    """Return the notes about a Rollout that was deployed."""
    world = World()
    world.put(TEMPLATE)
    world.put(routed_rollout([{"setWeight": 20}], canary, replicas=replicas))
    world.settle()
    assert world.status()["phase"] == "Healthy"
    snapshot = gather(world.stores, ("default", "shop"))
    assert snapshot is not None
    return [one for one in explain(snapshot, world.now) if one.startswith("Note: ")]


def analysed(*names: str) -> dict[str, Any]:
    """Return a strategy whose background analysis is given these arguments."""
    args = [{"name": name, "value": "x"} for name in names]
    return {"analysis": {"templates": [{"templateName": "rate"}], "args": args}}


@pytest.mark.parametrize(
    ("canary", "replicas", "note"),
    [
        pytest.param({"maxSurge": 0, "maxUnavailable": 0}, 3, "0 of 3 pods with maxSurge 0 leaves none", id="both zero"),
        pytest.param({"maxSurge": 0, "maxUnavailable": "30%"}, 3, "30% of 3 pods with maxSurge 0 leaves", id="rounded to zero"),
        pytest.param({"maxSurge": 0, "maxUnavailable": "34%"}, 3, "", id="one may go"),
        pytest.param({"maxSurge": 0, "maxUnavailable": 0}, 0, "", id="no pods at all"),
        pytest.param({"maxSurge": 1, "maxUnavailable": 0}, 3, "", id="one may come"),
        pytest.param({}, 3, "", id="what applies when nothing is said"),
        pytest.param(analysed("app", "zone"), 3, "", id="arguments that are declared"),
        pytest.param(analysed("app", "zome"), 3, "argument zome is in none of the templates", id="an argument that is not"),
    ],
)
def test_what_is_probably_not_meant_is_noted(canary: dict[str, Any], replicas: int, note: str) -> None:
    found = notes(canary, replicas=replicas)
    assert [note in one for one in found] == [True] * bool(note)


def test_an_unknown_argument_is_told_with_those_there_are() -> None:
    [note] = notes(analysed("app", "zome"))
    assert note == (
        "Note: spec.strategy.canary.analysis.args[1]: argument zome is in none of the templates, so it has no effect; "
        "they declare app, zone."
    )
