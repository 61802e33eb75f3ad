"""`status.duration`: when an update began and ended, how, and how long it waited for people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from kube.kinds import ROLLOUT
from tests.model import World
from tests.shops import nginx_shop

STEPS: list[dict[str, Any]] = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {"duration": 60}}]


def in_mid_update(steps: list[dict[str, Any]] = STEPS) -> World:
    """Version 2 waits for a person since 12:10:00."""
    world = nginx_shop(steps)
    world.now += timedelta(minutes=10)
    world.set_image("shop:2")
    world.settle()
    return world


def promote(world: World) -> None:
    world.patch_status({"pauseConditions": None})
    world.settle()


def test_waiting_for_a_person_is_told_apart_from_waiting_for_time() -> None:
    world = in_mid_update()
    began = {"rolloutStartedAt": "2026-03-01T12:10:00Z"}
    assert world.status()["duration"] == {**began, "manualPauseStartedAt": "2026-03-01T12:10:00Z"}
    world.wait(300)
    promote(world)
    assert world.status()["duration"] == {**began, "totalManualPauseDurationSeconds": 300}
    world.wait(61)
    assert world.status()["duration"] == {
        **began,
        "totalManualPauseDurationSeconds": 300,
        "finishedAt": "2026-03-01T12:16:00Z",
        "completionStatus": "Promoted",
    }


def full(world: World) -> None:
    world.patch_status({"promoteFull": True})


def abort(world: World) -> None:
    world.patch_status({"abort": True})


def stable_again(world: World) -> None:
    world.set_image("shop:1")


@pytest.mark.parametrize(
    ("end", "status"),
    [
        pytest.param(full, "FastPromoted", id="a full promotion"),
        pytest.param(abort, "Aborted", id="an abort"),
        pytest.param(stable_again, "RolledBack", id="the stable template again"),
    ],
)
def test_an_update_tells_how_it_ended(end: Callable[[World], None], status: str) -> None:
    world = in_mid_update()
    world.now += timedelta(seconds=90)
    end(world)
    world.settle()
    assert world.status()["duration"]["completionStatus"] == status
    assert world.status()["duration"]["finishedAt"] == "2026-03-01T12:11:30Z"
    assert "manualPauseStartedAt" not in world.status()["duration"]


@pytest.mark.parametrize(
    ("window", "status"),
    [pytest.param(0, "RolledBack", id="by its steps"), pytest.param(3, "FastRolledBack", id="within the window")],
)
def test_an_older_revision_that_is_promoted_again_is_a_rollback(window: int, status: str) -> None:
    world = nginx_shop([{"setWeight": 50}])
    world.edit(ROLLOUT, "shop", {"spec": {"rollbackWindow": {"revisions": window}}})
    world.now += timedelta(minutes=10)
    world.set_image("shop:2")
    world.settle()
    assert world.status()["duration"]["completionStatus"] == "Promoted"
    world.now += timedelta(minutes=10)
    world.set_image("shop:1")
    world.settle()
    assert world.status()["duration"]["completionStatus"] == status


def test_a_retry_is_measured_anew() -> None:
    world = in_mid_update()
    abort(world)
    world.settle()
    world.now += timedelta(minutes=10)
    world.patch_status({"abort": False})
    world.settle()
    assert world.status()["duration"] == {
        "rolloutStartedAt": "2026-03-01T12:20:00Z",
        "manualPauseStartedAt": "2026-03-01T12:20:00Z",
    }


def test_a_rollout_that_was_idle_before_this_was_measured_is_left_alone() -> None:
    world = nginx_shop(STEPS)
    world.patch_status({"duration": None})
    world.log.clear()
    world.settle()
    assert world.log == []
    assert "duration" not in world.status()
