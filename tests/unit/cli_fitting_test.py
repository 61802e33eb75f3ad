"""What stays in sight of `get rollout --watch` on a terminal of few rows."""

from __future__ import annotations

from typing import Any

import pytest
from cli_objects import NOW, pod, replica_set, rollout

from rollouts.cli.fitting import cut, fitted_text
from rollouts.cli.info import rollout_info
from rollouts.cli.model import RolloutInfo
from rollouts.cli.tree import rollout_text

STATUS: dict[str, Any] = {
    "phase": "Progressing",
    "currentStepIndex": 0,
    "stableRS": "ccc",
    "currentPodHash": "ddd",
    "replicas": 12,
    "updatedReplicas": 5,
    "readyReplicas": 9,
    "availableReplicas": 9,
}


def info() -> RolloutInfo:
    """Return a Rollout in the middle of an update, some pods of the new version in trouble."""
    sets = [replica_set(one, at + 1, count) for at, (one, count) in enumerate((("aaa", 0), ("bbb", 0), ("ccc", 7), ("ddd", 5)))]
    pods = [
        *(pod(f"shop-ccc-{number}", "ccc") for number in range(7)),
        pod("shop-ddd-0", "ddd"),
        pod("shop-ddd-1", "ddd", ready=False),
        pod("shop-ddd-2", "ddd", waiting="ContainerCreating"),
        pod("shop-ddd-3", "ddd", waiting="CrashLoopBackOff"),
        pod("shop-ddd-4", "ddd", restarts=1),
    ]
    return rollout_info(rollout(canary={"steps": [{"setWeight": 40}]}, status=STATUS), now=NOW, replica_sets=sets, pods=pods)


def test_all_is_shown_while_there_is_room_and_one_row_for_the_cursor() -> None:
    whole = rollout_text(info())
    lines = len(whole.splitlines())
    assert fitted_text(info(), height=lines + 1) == whole
    assert fitted_text(info(), height=lines) != whole


def test_pods_that_run_give_way_first_and_those_in_trouble_come_first() -> None:
    shown = fitted_text(info(), height=len(rollout_text(info()).splitlines()))
    named = [line.split("□ ")[1].split("  ")[0] for line in shown.splitlines() if "□" in line]
    assert named == ["shop-ddd-3", "shop-ddd-2", "shop-ddd-1", "2 pods running", "7 pods running"]
    assert "  Available:     9\n" in shown


def test_on_a_usual_terminal_of_24_rows_new_and_stable_version_are_in_sight() -> None:
    shown = fitted_text(info(), height=24)
    assert len(shown.splitlines()) < 24
    for text in ("Status:", "Replicas:        5 desired, 12 current, 5 updated, 9 ready, 9 available", "shop-ddd ", "shop-ccc "):
        assert text in shown
    for text in ("shop-ddd-3", "CrashLoopBackOff", "7 pods running", "└──# 2 more"):
        assert text in shown
    assert "more lines" not in shown


def test_what_does_not_fit_at_all_is_cut_and_the_new_version_stays() -> None:
    rows = fitted_text(info(), height=17).splitlines()
    assert len(rows) == 16
    assert rows[-1] == "... 7 more lines"
    assert any("shop-ddd " in row for row in rows)


def test_colours_change_nothing_of_what_fits() -> None:
    assert len(fitted_text(info(), height=24, colour=True).splitlines()) == len(fitted_text(info(), height=24).splitlines())


@pytest.mark.parametrize(
    ("height", "expected"),
    [
        pytest.param(5, "status\na\nb\nc\n", id="all when the cursor still has its line"),
        pytest.param(4, "status\na\n... 2 more lines\n", id="the beginning and what is missing"),
        pytest.param(1, "status\n... 3 more lines\n", id="the status at the very least"),
    ],
)
def test_a_text_that_is_too_high_keeps_its_beginning(height: int, expected: str) -> None:
    assert cut("status\na\nb\nc\n", height) == expected
