"""A ceiling on requests per second."""

from __future__ import annotations

import asyncio

import pytest
from kube_fakes import LoopClock

from kube.pacing import Pace

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
