"""Updates that are tried again by themselves: how often, when, after whose abort, and that no crash makes it one too many."""

from __future__ import annotations

from typing import Any

import pytest

from kube.kinds import ANALYSIS_RUN, REPLICA_SET, ROLLOUT
from kube.objects import name_of
from tests.model import World
from tests.shops import NGINX, nginx_shop, routed_rollout

TEMPLATE = """
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: good}
spec:
  metrics:
  - {name: good, successCondition: "result[0] > 0.9", provider: {prometheus: {address: "http://prometheus", query: up}}}
"""
STEPS: list[dict[str, Any]] = [{"setWeight": 20}, {"analysis": {"templates": [{"templateName": "good"}]}}]


def retried_shop(**annotations: str) -> World:
    """An update whose analysis runs, and that is to be tried again as the annotations say."""
    world = nginx_shop(STEPS, deployed=False)
    world.apply(TEMPLATE)
    world.settle()
    asked = {f"rollouts/{key.replace('_', '-')}": value for key, value in annotations.items()}
    world.edit(ROLLOUT, "shop", {"metadata": {"annotations": asked}})
    world.set_image("shop:2")
    world.settle()
    return world


def retries_told(world: World) -> list[str]:
    return [event.partition(": ")[2] for event in world.events if event.startswith("RolloutRetry")]


def fail(world: World) -> None:
    world.finish_run("Failed", "too slow")
    world.settle()


def test_a_failed_update_is_tried_again_after_its_time_until_its_retries_are_used_up() -> None:
    world = retried_shop(retry_limit="2", retry_after="5m")
    for number in (1, 2):
        fail(world)
        assert world.weight() == 0
        at = f"12:{5 * number:02}:00"
        assert world.status()["message"].endswith(f"analysis phase error/failed: too slow (retry {number} of 2 at {at} UTC)")
        world.wait(299)
        assert world.status()["phase"] == "Degraded"
        world.wait(1)
        assert (world.status()["phase"], world.weight()) == ("Progressing", 20)
        assert retries_told(world)[-1] == f"Retrying the update to revision 2 by itself (retry {number} of 2)"
    fail(world)
    assert world.status()["message"].endswith("too slow (all 2 retries are used up)")
    world.wait(3600)
    assert world.status()["phase"] == "Degraded"
    assert len(world.all(ANALYSIS_RUN)) == 3
    assert "all 2 retries are used up: retry it by hand, or ship a version that is mended" in [
        reason.text for reason in world.plan().reasons
    ]


def test_a_retry_that_goes_well_ends_promoted() -> None:
    world = retried_shop(retry_limit="1")
    fail(world)
    world.wait(300)
    world.finish_run("Successful")
    world.settle()
    assert (world.status()["phase"], world.selected("shop")) == ("Healthy", "shop:2")


def test_a_missed_deadline_is_tried_again_too() -> None:
    world = nginx_shop([{"setWeight": 20}])
    world.edit(ROLLOUT, "shop", {"metadata": {"annotations": {"rollouts/retry-limit": "1", "rollouts/retry-after": "1m"}}})
    world.edit(ROLLOUT, "shop", {"spec": {"progressDeadlineSeconds": 60, "progressDeadlineAbort": True}})
    world.broken.add("shop:2")
    world.set_image("shop:2")
    world.settle()
    world.wait(70)
    assert "timed out progressing. (retry 1 of 1 at " in world.status()["message"]
    world.broken.clear()
    world.wait(70)
    assert (world.status()["phase"], world.selected("shop")) == ("Healthy", "shop:2")


def test_an_update_that_a_person_aborted_stays_aborted() -> None:
    world = retried_shop(retry_limit="3", retry_after="1s")
    world.patch_status({"abort": True})
    world.settle()
    assert world.status()["message"] == "RolloutAborted: Rollout aborted update to revision 2"
    world.wait(3600)
    assert world.status()["phase"] == "Degraded"
    assert retries_told(world) == []


def test_without_annotations_nothing_is_tried_again() -> None:
    world = retried_shop()
    fail(world)
    assert world.status()["message"].endswith("analysis phase error/failed: too slow")
    world.wait(36000)
    assert world.status()["phase"] == "Degraded"


@pytest.mark.parametrize("written", [pytest.param(1, id="the note is written"), pytest.param(2, id="one write more")])
def test_a_controller_killed_in_a_retry_counts_it_once(written: int) -> None:
    world = retried_shop(retry_limit="2", retry_after="1m")
    fail(world)
    aborted_at = world.status()["abortedAt"]
    world.now = world.now.replace(minute=world.now.minute + 1)
    wanted = world.reconcile(killed_after=written)
    assert "abortedAt" not in (wanted.status or {})
    assert world.status()["abortedAt"] == aborted_at, "the status was not written"
    world.settle()
    assert world.status()["phase"] == "Progressing"
    assert retries_told(world) == ["Retrying the update to revision 2 by itself (retry 1 of 2)"]
    fail(world)
    assert "(retry 2 of 2 at " in world.status()["message"]


def test_a_new_revision_has_retries_of_its_own_even_if_its_pods_are_known() -> None:
    world = retried_shop(retry_limit="1", retry_after="1m")
    fail(world)
    world.wait(60)
    fail(world)
    assert "used up" in world.status()["message"]
    world.set_image("shop:1")
    world.settle()
    world.set_image("shop:2")
    world.settle()
    fail(world)
    assert "(retry 1 of 1 at " in world.status()["message"]


def test_a_paused_spec_is_tried_again_only_when_it_goes_on() -> None:
    world = retried_shop(retry_limit="1", retry_after="1m")
    fail(world)
    world.edit(ROLLOUT, "shop", {"spec": {"paused": True}})
    world.wait(600)
    assert retries_told(world) == []
    world.edit(ROLLOUT, "shop", {"spec": {"paused": False}})
    world.settle()
    assert len(retries_told(world)) == 1


def test_going_back_to_the_stable_template_ends_the_retries() -> None:
    world = retried_shop(retry_limit="3", retry_after="1m")
    fail(world)
    world.set_image("shop:1")
    world.settle()
    world.wait(600)
    assert (world.status()["phase"], retries_told(world)) == ("Healthy", [])


@pytest.mark.parametrize(
    ("key", "value", "advice"),
    [
        pytest.param("retry-limit", "often", "use a whole number from 0 (never) to 999", id="a limit that is no number"),
        pytest.param("retry-limit", "-1", "use a whole number from 0 (never) to 999", id="a limit below zero"),
        pytest.param("retry-after", "soon", "use a duration from 1s to 8760h, such as 5m or 1h30m", id="a time that is none"),
        pytest.param("retry-after", "0s", "use a duration from 1s to 8760h, such as 5m or 1h30m", id="no time at all"),
    ],
)
def test_what_is_wrong_with_an_annotation_is_told(key: str, value: str, advice: str) -> None:
    world = World()
    rollout = routed_rollout([], NGINX)
    world.put({**rollout, "metadata": {"name": "shop", "annotations": {f"rollouts/{key}": value}}})
    world.settle()
    assert f'metadata.annotations[rollouts/{key}]: Invalid value: "{value}": {advice}' in world.status()["message"]
    assert world.all(REPLICA_SET) == []


def test_a_note_that_nobody_can_read_counts_as_none() -> None:
    world = retried_shop(retry_limit="1", retry_after="1m")
    noted = name_of(next(one for one in world.all(REPLICA_SET) if world._image(one) == "shop:2"))
    world.edit(REPLICA_SET, noted, {"metadata": {"annotations": {"rollouts/retries": "[1"}}})
    fail(world)
    assert "(retry 1 of 1 at " in world.status()["message"]
