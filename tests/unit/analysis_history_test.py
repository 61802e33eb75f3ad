"""Which finished AnalysisRuns of a Rollout are deleted."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.run.history import runs_to_delete


def a_past_run(name: str, phase: str, *, pod_hash: str | None = "new", minute: int = 0, deleting: bool = False) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "creationTimestamp": f"2026-08-01T12:{minute:02}:00Z"}
    if pod_hash:
        metadata["labels"] = {"rollouts-pod-template-hash": pod_hash}
    if deleting:
        metadata["deletionTimestamp"] = "2026-08-01T13:00:00Z"
    return {"metadata": metadata, "status": {"phase": phase}}


SUCCESSFUL = [a_past_run(f"s{minute}", "Successful", minute=minute) for minute in range(7)]
MIXED = [
    a_past_run(f"u{minute}", phase, minute=minute)
    for minute, phase in enumerate(["Failed", "Error", "Inconclusive", "Failed", "Error", "Inconclusive"])
]


@pytest.mark.parametrize(
    ("runs", "limits", "referenced", "gone"),
    [
        pytest.param(SUCCESSFUL, {}, [], ["s1", "s0"], id="the five newest successful ones stay by default"),
        pytest.param(MIXED, {}, [], ["u0"], id="failed, error and inconclusive share one limit"),
        pytest.param(
            SUCCESSFUL + MIXED,
            {"successful_limit": 1, "unsuccessful_limit": 6},
            [],
            [f"s{n}" for n in range(5, -1, -1)],
            id="own limits",
        ),
        pytest.param(SUCCESSFUL, {"successful_limit": 0}, ["s0", "s6"], ["s5", "s4", "s3", "s2", "s1"], id="referenced ones stay"),
        pytest.param(
            [a_past_run("r", "Running")], {"successful_limit": 0, "unsuccessful_limit": 0}, [], [], id="running ones stay"
        ),
        pytest.param(
            [a_past_run("r", "Weird")], {"successful_limit": 0, "unsuccessful_limit": 0}, [], [], id="one of an unknown phase stays"
        ),
        pytest.param([a_past_run("x", "Successful", pod_hash=None)], {}, [], ["x"], id="without a hash it goes"),
        pytest.param([a_past_run("x", "Running", pod_hash="old")], {}, [], ["x"], id="with its ReplicaSet gone it goes"),
        pytest.param([a_past_run("x", "Failed", pod_hash="old")], {}, ["x"], [], id="unless it is referenced"),
        pytest.param([a_past_run("x", "Failed", pod_hash="old", deleting=True)], {}, [], [], id="one that goes already"),
    ],
)
def test_old_runs_go(runs: list[Any], limits: dict[str, int], referenced: list[str], gone: list[str]) -> None:
    deleted = runs_to_delete(runs, referenced=referenced, existing_hashes={"new"}, **limits)
    assert [run["metadata"]["name"] for run in deleted] == gone
