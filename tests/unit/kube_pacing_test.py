"""A ceiling on requests per second."""

from __future__ import annotations

import asyncio

import pytest
from kube_fakes import LoopClock

from kube.pacing import Lane, Pace, lane

pytestmark = pytest.mark.looptime


async def moments(pace: Pace, count: int) -> list[float]:
    """Return when each of several callers got its turn, in seconds from now."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def one() -> float:
        await pace.turn()
        return round(loop.time() - began, 3)

    return list(await asyncio.gather(*(one() for _ in range(count))))


@pytest.mark.parametrize(
    ("per_second", "burst", "expected"),
    [
        pytest.param(0, 1, [0, 0, 0, 0], id="no ceiling"),
        pytest.param(10, 1, [0, 0.1, 0.2, 0.3], id="evenly"),
        pytest.param(10, 3, [0, 0, 0, 0.1], id="after a burst"),
        pytest.param(2, 0, [0, 0.5, 1, 1.5], id="a burst of none counts as one"),
    ],
)
async def test_callers_go_in_their_order_at_the_rate_asked_for(per_second: float, burst: int, expected: list[float]) -> None:
    assert await moments(Pace(LoopClock(), per_second=per_second, burst=burst), 4) == expected


async def test_a_rest_allows_a_burst_again_and_no_more_than_that() -> None:
    pace = Pace(LoopClock(), per_second=10, burst=2)
    await moments(pace, 4)
    await asyncio.sleep(60)
    assert await moments(pace, 3) == [0, 0, 0.1]


async def test_what_somebody_waits_for_goes_first_and_what_is_only_told_last() -> None:
    pace, order = Pace(LoopClock(), per_second=10, burst=1), []

    async def one(mine: Lane) -> None:
        lane.set(mine)
        await pace.turn()
        order.append(mine)

    await pace.turn()
    await asyncio.gather(*(one(mine) for mine in (Lane.LAST, Lane.ORDINARY, Lane.LAST, Lane.URGENT, Lane.ORDINARY)))
    assert order == sorted(order)


async def test_who_comes_late_goes_before_who_can_wait() -> None:
    pace, loop = Pace(LoopClock(), per_second=1, burst=1), asyncio.get_running_loop()

    async def one(mine: Lane, after_seconds: float) -> float:
        lane.set(mine)
        await asyncio.sleep(after_seconds)
        await pace.turn()
        return round(loop.time() - began, 3)

    began = loop.time()
    await pace.turn()
    told, asked = await asyncio.gather(one(Lane.LAST, 0.1), one(Lane.URGENT, 0.9))
    assert (asked, told) == (1, 2)


async def test_who_gave_up_takes_nobody_elses_turn() -> None:
    pace = Pace(LoopClock(), per_second=10, burst=1)
    await pace.turn()
    gone = asyncio.create_task(pace.turn())
    await asyncio.sleep(0)
    gone.cancel()
    assert await moments(pace, 1) == [0.1]
