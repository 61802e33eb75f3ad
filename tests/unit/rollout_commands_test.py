"""What people and tools ask of a Rollout through its status, also when they ask twice, too late or in an odd order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kube.kinds import ROLLOUT
from tests.model import World
from tests.shops import nginx_shop

STEPS: list[dict[str, Any]] = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {}}]


def in_mid_update(steps: list[dict[str, Any]] | None = None, **canary: Any) -> World:
    world = nginx_shop(STEPS if steps is None else steps, **canary)
    world.set_image("shop:2")
    world.settle()
    return world


def where(world: World) -> tuple[str, int, int]:
    """Return phase, step and weight."""
    status = world.status()
    return status["phase"], status["currentStepIndex"], world.weight()


def test_an_abort_during_a_full_promotion_takes_users_back() -> None:
    world = in_mid_update()
    world.broken.add("shop:2")
    world.patch_status({"promoteFull": True})
    world.settle()
    assert world.weight() == 20
    world.patch_status({"abort": True})
    world.settle()
    assert where(world) == ("Degraded", 0, 0)
    assert "promoteFull" not in world.status()


def test_a_full_promotion_after_an_abort_ends_it() -> None:
    world = in_mid_update()
    world.patch_status({"abort": True})
    world.settle()
    world.patch_status({"promoteFull": True})
    world.settle()
    assert where(world) == ("Healthy", 4, 0)
    assert world.selected("shop") == "shop:2"
    assert not {"abort", "abortedAt", "promoteFull"} & set(world.status())


def test_abort_and_resume_together_abort() -> None:
    world = in_mid_update()
    world.patch_status({"abort": True, "pauseConditions": None})
    world.settle()
    assert where(world) == ("Degraded", 0, 0)
    assert not world.status().get("controllerPause")


def test_a_rollback_within_the_window_can_be_aborted() -> None:
    world = nginx_shop(STEPS)
    world.edit(ROLLOUT, "shop", {"spec": {"rollbackWindow": {"revisions": 3}}})
    for image in ("shop:2", "shop:3"):
        world.now += timedelta(seconds=10)
        world.set_image(image)
        world.settle()
        world.patch_status({"promoteFull": True})
        world.settle()
    world.wait(60)
    world.broken.add("shop:2")
    world.set_image("shop:2")
    world.settle()
    assert world.status()["phase"] == "Progressing"
    world.patch_status({"abort": True})
    world.settle()
    assert where(world) == ("Degraded", 0, 0)


def test_an_abort_of_what_is_fully_promoted_is_forgotten() -> None:
    world = nginx_shop(STEPS)
    world.patch_status({"abort": True})
    world.settle()
    assert where(world) == ("Healthy", 4, 0)
    assert "abort" not in world.status()


def test_a_retry_after_an_abort_at_full_weight_starts_at_the_first_step() -> None:
    world = in_mid_update([{"setWeight": 100}, {"pause": {}}])
    assert world.weight() == 100
    world.patch_status({"abort": True})
    world.settle()
    assert where(world) == ("Degraded", 0, 0)
    world.patch_status({"abort": False})
    world.settle()
    assert where(world) == ("Paused", 1, 100)


@pytest.mark.parametrize("index", [4, 99], ids=["past the last step", "far past it"])
def test_a_client_may_move_past_the_end_while_paused(index: int) -> None:
    world = in_mid_update()
    world.patch_status({"currentStepIndex": index})
    world.settle()
    assert where(world) == ("Healthy", 4, 0)
    assert world.selected("shop") == "shop:2"


def test_a_client_may_skip_a_step_of_a_paused_spec() -> None:
    """`promote` of a user-paused canary un-pauses and skips the step."""
    world = in_mid_update([{"setWeight": 20}, {"pause": {"duration": "1h"}}, {"setWeight": 60}, {"pause": {}}])
    world.edit(ROLLOUT, "shop", {"spec": {"paused": True}})
    world.settle()
    world.patch_status({"currentStepIndex": 2, "pauseConditions": None, "controllerPause": False})
    world.edit(ROLLOUT, "shop", {"spec": {"paused": False}})
    world.settle()
    assert where(world) == ("Paused", 3, 60)


def test_a_step_index_below_zero_counts_as_the_first() -> None:
    world = in_mid_update()
    world.patch_status({"currentStepIndex": -5, "pauseConditions": None, "controllerPause": False})
    world.settle()
    assert where(world) == ("Paused", 1, 20)


def test_the_controllers_mark_without_a_pause_on_another_step_is_just_taken_back() -> None:
    world = in_mid_update()
    world.patch_status({"pauseConditions": None, "controllerPause": True, "currentStepIndex": 2})
    world.settle()
    assert where(world) == ("Paused", 3, 60)


def test_a_paused_spec_can_be_aborted_and_says_so() -> None:
    world = in_mid_update()
    world.edit(ROLLOUT, "shop", {"spec": {"paused": True}})
    world.settle()
    world.patch_status({"abort": True})
    world.settle()
    world.wait(31)
    assert where(world) == ("Degraded", 0, 0)
    assert world.sizes() == {"shop:1": 10, "shop:2": 0}


def test_a_pause_that_was_resumed_while_the_spec_is_paused_is_over() -> None:
    """The command line resumes first and un-pauses the spec after that."""
    world = in_mid_update()
    world.edit(ROLLOUT, "shop", {"spec": {"paused": True}})
    world.settle()
    world.patch_status({"pauseConditions": None})
    world.settle()
    world.edit(ROLLOUT, "shop", {"spec": {"paused": False}})
    world.settle()
    assert where(world) == ("Paused", 3, 60)


def test_promote_full_of_what_is_promoted_is_forgotten() -> None:
    world = nginx_shop(STEPS)
    world.patch_status({"promoteFull": True})
    world.settle()
    assert "promoteFull" not in world.status()
    world.set_image("shop:2")
    world.settle()
    assert where(world) == ("Paused", 1, 20)


def test_changed_steps_in_mid_update_start_again_at_the_first() -> None:
    world = in_mid_update()
    world.patch_status({"pauseConditions": None})
    world.settle()
    assert where(world) == ("Paused", 3, 60)
    world.edit(ROLLOUT, "shop", {"spec": {"strategy": {"canary": {"steps": [{"setWeight": 10}, {"pause": {}}]}}}})
    world.settle()
    assert where(world) == ("Paused", 1, 10)


def test_without_steps_any_more_the_update_goes_to_its_end() -> None:
    world = in_mid_update()
    world.edit(ROLLOUT, "shop", {"spec": {"strategy": {"canary": {"steps": None}}}})
    world.settle()
    assert world.status()["phase"] == "Healthy"
    assert "currentStepIndex" not in world.status()
    assert world.selected("shop") == "shop:2"


def test_changed_steps_of_an_idle_rollout_change_nothing_else() -> None:
    world = nginx_shop(STEPS)
    world.events.clear()
    world.edit(ROLLOUT, "shop", {"spec": {"strategy": {"canary": {"steps": [{"setWeight": 10}]}}}})
    world.settle()
    assert where(world) == ("Healthy", 1, 0)
    assert world.events == []
