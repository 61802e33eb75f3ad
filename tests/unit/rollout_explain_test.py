"""What `explain` tells a person in the situations that make people ask."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from kube.kinds import ROLLOUT
from rollouts.rollout.explain import duration_text, explain
from rollouts.rollout.gather import gather
from tests.model import World
from tests.shops import nginx_shop

STEPS: list[dict[str, Any]] = [
    {"setWeight": 20},
    {"pause": {}},
    {"analysis": {"templates": [{"templateName": "good"}]}},
    {"setWeight": 60},
    {"pause": {"duration": "10m"}},
]
TEMPLATE = """
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: good}
spec: {metrics: [{name: good, provider: {prometheus: {address: "http://prometheus", query: up}}}]}
"""


def told(world: World) -> list[str]:
    """Return the sentences, hashes cut out."""
    snapshot = gather(world.stores, ("default", "shop"))
    assert snapshot is not None
    new = world.status().get("currentPodHash") or "-"
    stable = world.status().get("stableRS") or "-"
    return [line.strip().replace(f"shop-{new}", "NEW").replace(f"shop-{stable}", "STABLE") for line in explain(snapshot, world.now)]


def nothing(world: World) -> None:
    """Leave the world as it is."""


def deployed(world: World) -> None:
    world.apply(TEMPLATE)
    world.settle()


def shipped(world: World) -> None:
    deployed(world)
    world.set_image("shop:2")
    world.settle()


def not_ready(world: World) -> None:
    world.broken.add("shop:2")
    shipped(world)


def resumed(world: World) -> None:
    shipped(world)
    world.patch_status({"pauseConditions": None})
    world.settle()


def measured(world: World) -> None:
    resumed(world)
    world.finish_run("Successful")
    world.settle()
    world.now += timedelta(seconds=61)


def abort_asked(world: World) -> None:
    shipped(world)
    world.patch_status({"abort": True})


def aborted(world: World) -> None:
    abort_asked(world)
    world.settle()


def paused_by_spec(world: World) -> None:
    shipped(world)
    world.edit(ROLLOUT, "shop", {"spec": {"paused": True}})
    world.settle()


def promoted(world: World) -> None:
    shipped(world)
    world.patch_status({"promoteFull": True})
    world.settle()


def being_deleted(world: World) -> None:
    shipped(world)
    world.edit(ROLLOUT, "shop", {"metadata": {"deletionTimestamp": "2026-03-01T12:00:00Z"}})


SITUATIONS: list[tuple[str, Callable[[World], None], list[str]]] = [
    ("a reference is missing", nothing, ["AnalysisTemplate 'good' not found"]),
    (
        "it is the first version",
        lambda world: world.apply(TEMPLATE),
        ["This is the first version", "create ReplicaSet default/shop-"],
    ),
    ("nothing is to be done", deployed, ["Healthy.", "All 5 steps are done.", "Traffic: everybody is on stable."]),
    (
        "pods are not ready",
        not_ready,
        ["At step 1 of 5 (setWeight: 20).", "Waiting for pods: the new version has 0 of 2 available."],
    ),
    (
        "a person is asked",
        shipped,
        [
            "Paused: CanaryPauseStep.",
            "At step 2 of 5 (pause).",
            "Traffic: 20 to the new version, 80 to stable.",
            "Paused until a person promotes or aborts.",
            "After that: analysis, then setWeight: 60, then pause: 10m, then promotion.",
        ],
    ),
    ("it is measured", resumed, ["Waiting for the analysis of step 3 (NEW-2-2)."]),
    ("time has to pass", measured, ["Paused for 10m (8m59s left).", "After that: promotion."]),
    ("an abort was asked for", abort_asked, ["Next: change who is sent where in Ingress default/shop-web-canary."]),
    (
        "it was aborted",
        aborted,
        [
            "Degraded: RolloutAborted: Rollout aborted update to revision 2.",
            "The pods of the aborted canary (NEW) stay until their scale-down delay is over (30s left).",
            "The update was aborted: retry it, or change the template back to the stable version.",
        ],
    ),
    (
        "somebody paused it",
        paused_by_spec,
        ["Paused: manually paused.", "The Rollout is paused by spec.paused; set it to false to go on."],
    ),
    ("the old version stays for a while", promoted, ["Healthy.", "stay until their scale-down delay is over (30s left)."]),
    ("it is being deleted", being_deleted, ["It is being deleted"]),
]


@pytest.mark.parametrize(("happens", "sentences"), [pytest.param(run, said, id=name) for name, run, said in SITUATIONS])
def test_people_are_told_where_it_stands_and_what_comes(happens: Callable[[World], None], sentences: list[str]) -> None:
    world = nginx_shop(STEPS, deployed=False)
    happens(world)
    lines = told(world)
    for sentence in sentences:
        assert any(sentence in line for line in lines), f"{sentence!r} is not in {lines}"


def test_explaining_changes_nothing() -> None:
    world = nginx_shop(STEPS, deployed=False)
    abort_asked(world)
    before = world.rollout()
    told(world)
    assert (world.rollout(), world.weight()) == (before, 20)


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0s"), (59, "59s"), (60, "1m"), (3600, "1h"), (3725, "1h2m5s"), (-5, "0s")])
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert duration_text(timedelta(seconds=seconds)) == text
