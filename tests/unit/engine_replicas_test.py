"""How many pods each side gets; one row per sentence of the arithmetic."""

from __future__ import annotations

import pytest

from rollouts.engine.replicas import (
    Counts,
    Side,
    basic_scale,
    canary_share,
    drain_others,
    surge_and_unavailable,
    weighted,
)


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        pytest.param(10, "25", "25", (3, 2), id="surge rounds up, unavailable rounds down"),
        pytest.param(10, "25%", "25%", (3, 2), id="the percent sign changes nothing"),
        pytest.param(10, 2, 3, (2, 3), id="integers are pods"),
        pytest.param(10, "5", 0, (1, 0), id="a string without sign is percent, not pods"),
        pytest.param(3, 0, "25", (0, 1), id="both zero makes one pod unavailable"),
        pytest.param(1, "100", "100", (1, 1), id="all of one pod"),
        pytest.param(2, 0, 5, (0, 2), id="no more than all pods can be unavailable"),
        pytest.param(0, "25", "25", (0, 1), id="no pods at all"),
    ],
)
def test_surge_and_unavailable(replicas: int, surge: int | str, unavailable: int | str, expected: tuple[int, int]) -> None:
    assert surge_and_unavailable(replicas=replicas, surge=surge, unavailable=unavailable) == expected


@pytest.mark.parametrize(
    ("replicas", "weight", "surge", "expected"),
    [
        pytest.param(10, 0, True, Counts(0, 10), id="no weight, no canary"),
        pytest.param(10, 100, True, Counts(10, 0), id="all weight, no stable"),
        pytest.param(10, 10, True, Counts(1, 9), id="an exact share needs no surge"),
        pytest.param(10, 25, False, Counts(3, 7), id="a tie goes to the larger canary"),
        pytest.param(10, 5, True, Counts(1, 9), id="a tie costs no surge pod"),
        pytest.param(3, 10, False, Counts(1, 2), id="some weight has at least one pod"),
        pytest.param(10, 99, False, Counts(9, 1), id="less than all keeps a stable pod"),
        pytest.param(2, 34, True, Counts(1, 2), id="one pod more comes closer to a third"),
        pytest.param(1, 5, True, Counts(1, 1), id="one pod cannot be split: a surge pod carries the canary"),
        pytest.param(1, 95, True, Counts(1, 1), id="one pod and nearly all of the weight still keeps stable"),
        pytest.param(1, 5, False, Counts(0, 1), id="one pod without surge stays stable below a half"),
        pytest.param(1, 60, False, Counts(1, 0), id="one pod without surge goes over above a half"),
        pytest.param(0, 50, True, Counts(0, 0), id="nothing to split"),
    ],
)
def test_canary_share(replicas: int, weight: int, *, surge: bool, expected: Counts) -> None:
    assert canary_share(replicas=replicas, weight=weight, surge=surge) == expected


def test_canary_share_stays_within_one_surge_pod() -> None:
    for replicas in range(12):
        for weight in range(101):
            for surge in (False, True):
                split = canary_share(replicas=replicas, weight=weight, surge=surge)
                assert min(split.canary, split.stable) >= 0
                assert replicas <= split.canary + split.stable <= replicas + surge


def full(pods: int) -> Side:
    return Side(spec=pods, available=pods)


@pytest.mark.parametrize(
    ("replicas", "weight", "new", "stable", "unavailable", "surge", "expected"),
    [
        pytest.param(10, 10, full(0), full(10), 1, 1, Counts(1, 9), id="both sides move when availability allows"),
        pytest.param(10, 30, full(0), full(10), 0, 3, Counts(3, 10), id="nothing may be unavailable: only surge"),
        pytest.param(10, 30, full(0), full(10), 5, 0, Counts(0, 7), id="no surge: stable makes room first"),
        pytest.param(10, 5, full(0), full(10), 1, 1, Counts(1, 9), id="a tie"),
        pytest.param(1, 5, full(0), full(1), 0, 1, Counts(1, 1), id="one pod, small weight"),
        pytest.param(1, 95, full(0), full(1), 0, 1, Counts(1, 1), id="one pod, large weight"),
        pytest.param(10, 50, Side(spec=5, available=0), full(10), 1, 5, Counts(5, 9), id="unavailable pods do not count"),
        pytest.param(10, 50, full(5), full(10), 1, 5, Counts(5, 5), id="with the canary there stable goes"),
        pytest.param(10, 0, full(5), full(5), 1, 5, Counts(4, 10), id="going back: stable grows first"),
        pytest.param(10, 0, Side(spec=5, available=0), full(10), 0, 5, Counts(0, 10), id="a dead canary goes at once"),
    ],
)
def test_basic_scale(
    *, replicas: int, weight: int, new: Side, stable: Side, unavailable: int, surge: int, expected: Counts
) -> None:
    target = canary_share(replicas=replicas, weight=weight, surge=surge > 0)
    assert basic_scale(replicas=replicas, target=target, new=new, stable=stable, surge=surge, unavailable=unavailable) == expected


def test_older_versions_drain_before_new_or_stable_shrink() -> None:
    counts = basic_scale(replicas=4, target=Counts(2, 2), new=full(0), stable=full(4), others=(full(1),), surge=1, unavailable=1)
    assert counts == Counts(0, 4)


@pytest.mark.parametrize(
    ("others", "total", "unavailable", "kept"),
    [
        pytest.param((full(3),), full(7), 1, (0,), id="enough others are available"),
        pytest.param((full(3),), full(4), 1, (2,), id="only what may be unavailable goes"),
        pytest.param((Side(spec=3, available=0),), Side(spec=7, available=4), 0, (0,), id="pods that serve nobody go first"),
        pytest.param((full(2), full(2)), full(5), 0, (1, 2), id="the oldest goes first"),
    ],
)
def test_drain_others(others: tuple[Side, ...], total: Side, unavailable: int, kept: tuple[int, ...]) -> None:
    assert drain_others(replicas=4, others=others, total=total, unavailable=unavailable) == kept


@pytest.mark.parametrize(
    ("replicas", "weight", "total", "pods"),
    [
        pytest.param(10, 5, 100, 1, id="five percent of ten is one pod"),
        pytest.param(10, 11, 100, 2, id="rounded up"),
        pytest.param(10, 25, 1000, 1, id="of another total"),
        pytest.param(10, 0, 100, 0, id="nothing"),
    ],
)
def test_weighted(replicas: int, weight: int, total: int, pods: int) -> None:
    assert weighted(replicas=replicas, weight=weight, total=total) == pods
