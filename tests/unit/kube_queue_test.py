"""The work queue: each key once, one worker at a time, urgent ones first, failures ever later."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kube_fakes import LoopClock

from kube.queue import Priority, WorkQueue

pytestmark = pytest.mark.looptime


async def next_key(queue: WorkQueue[str]) -> str | None:
    async with asyncio.timeout(10_000):
        return await queue.get()


async def nothing_for(queue: WorkQueue[str], seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await queue.get()
    except TimeoutError:
        return True
    return False


async def test_a_key_added_many_times_is_worked_on_once() -> None:
    queue: WorkQueue[str] = WorkQueue(LoopClock())
    for _ in range(5):
        queue.add("a")
    assert (await next_key(queue), len(queue)) == ("a", 0)


async def test_a_key_added_while_it_is_worked_on_comes_again_afterwards_and_not_before() -> None:
    queue: WorkQueue[str] = WorkQueue(LoopClock())
    queue.add("a")
    assert await next_key(queue) == "a"
    queue.add("a")
    assert await nothing_for(queue, 1)
    queue.done("a")
    assert await next_key(queue) == "a"


async def test_live_keys_go_before_resynced_ones_and_a_change_makes_a_key_live() -> None:
    queue: WorkQueue[str] = WorkQueue(LoopClock())
    for key in ("r1", "r2"):
        queue.add(key, Priority.RESYNC)
    queue.add("live")
    queue.add("r2")
    assert [await next_key(queue) for _ in range(3)] == ["live", "r2", "r1"]


async def test_what_is_urgent_goes_before_everything_else_even_when_it_waited_already() -> None:
    queue: WorkQueue[str] = WorkQueue(LoopClock())
    for key in ("l1", "l2"):
        queue.add(key)
    queue.add("urgent", Priority.URGENT)
    queue.add("l2", Priority.URGENT)
    queue.add("urgent", Priority.RESYNC)
    assert [await next_key(queue) for _ in range(3)] == ["urgent", "l2", "l1"]


async def test_a_busy_cluster_cannot_starve_what_goes_later() -> None:
    queue: WorkQueue[str] = WorkQueue(LoopClock())
    queue.add("resynced", Priority.RESYNC)
    queue.add("live")
    for number in range(200):
        queue.add(f"urgent-{number}", Priority.URGENT)
    first = [await next_key(queue) for _ in range(100)]
    assert {"live", "resynced"} <= set(first)


async def test_somebody_waits_until_what_he_waits_for_is_done_or_given_up() -> None:
    queue: WorkQueue[str] = WorkQueue(LoopClock())
    queue.add("live")
    assert not queue.is_urgent()
    for key in ("a", "b"):
        queue.add(key, Priority.URGENT)
    assert [await next_key(queue) for _ in range(2)] == ["a", "b"]
    assert queue.is_urgent()
    queue.heard("a")
    assert queue.is_urgent()
    queue.forget("b")
    queue.done("b")
    assert not queue.is_urgent()


async def test_what_somebody_waits_for_stays_urgent_until_it_is_done() -> None:
    """Work that had to be put off, or failed, has done nothing for whoever waits."""
    queue: WorkQueue[str] = WorkQueue(LoopClock())
    queue.add("a", Priority.URGENT)
    await queue.get()
    queue.retry("a")
    queue.done("a")
    assert not queue.is_urgent()
    queue.add("live")
    await asyncio.sleep(1)
    assert await next_key(queue) == "a"
    assert queue.is_awaited("a")
    queue.forget("a")
    queue.done("a")
    queue.add("a")
    assert await queue.get() == "live"


async def test_workers_are_short_only_when_somebody_waits_and_all_are_busy() -> None:
    queue: WorkQueue[str] = WorkQueue(LoopClock())
    queue.add("live")
    assert not queue.is_short_of_workers()
    queue.add("urgent", Priority.URGENT)
    assert queue.is_short_of_workers()
    assert [await next_key(queue) for _ in range(2)] == ["urgent", "live"]
    idle = [asyncio.create_task(queue.get()) for _ in range(2)]
    await asyncio.sleep(0)
    queue.add("another", Priority.URGENT)
    assert not queue.is_short_of_workers()
    queue.close()
    await asyncio.gather(*idle)


async def test_of_two_delays_the_earlier_wins_and_answers_for_both() -> None:
    clock = LoopClock()
    queue: WorkQueue[str] = WorkQueue(clock)
    queue.add_after("a", 60)
    queue.add_after("a", 5)
    queue.add_after("a", 30)
    before = clock.monotonic()
    assert await next_key(queue) == "a"
    assert clock.monotonic() - before == pytest.approx(5)
    queue.done("a")
    assert await nothing_for(queue, 100)


async def test_time_goes_on_while_a_key_waits_however_short_the_wait() -> None:
    clock = LoopClock()
    queue: WorkQueue[str] = WorkQueue(clock)
    await clock.sleep(2.578826)
    before = clock.monotonic()
    queue.add_after("a", 4.4e-16)
    assert await next_key(queue) == "a"
    assert clock.monotonic() > before


async def test_delays_of_many_keys_ring_in_order() -> None:
    queue: WorkQueue[str] = WorkQueue(LoopClock())
    for key, seconds in (("c", 3.0), ("a", 1.0), ("b", 2.0)):
        queue.add_after(key, seconds)
    assert [await next_key(queue) for _ in range(3)] == ["a", "b", "c"]


async def test_waits_double_from_5_ms_to_1000_s_until_forgotten() -> None:
    queue: WorkQueue[str] = WorkQueue(LoopClock())
    waits = [queue.retry("a") for _ in range(20)]
    assert waits[:4] == [0.005, 0.01, 0.02, 0.04]
    assert waits[-1] == 1000
    queue.forget("a")
    assert queue.retry("a") == 0.005


async def test_a_failing_key_does_not_slow_others() -> None:
    queue: WorkQueue[str] = WorkQueue(LoopClock())
    for _ in range(10):
        queue.retry("bad")
    assert queue.retry("good") == 0.005


async def test_closing_sends_every_waiting_worker_home() -> None:
    queue: WorkQueue[str] = WorkQueue(LoopClock())
    workers = [asyncio.create_task(queue.get()) for _ in range(3)]
    queue.add_after("late", 5)
    await asyncio.sleep(0)
    queue.close()
    assert await asyncio.gather(*workers) == [None] * 3
    queue.add("a")
    assert await queue.get() is None


async def test_a_worker_cancelled_as_it_wakes_leaves_the_key_to_another() -> None:
    queue: WorkQueue[str] = WorkQueue(LoopClock())
    first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    first.cancel()
    async with asyncio.timeout(5):
        assert await second == "a"
    assert first.cancelled()


async def test_depth_and_age_are_measured() -> None:
    queue: WorkQueue[str] = WorkQueue(LoopClock())
    assert queue.age_seconds() == 0
    queue.add("a")
    await asyncio.sleep(3)
    queue.add("b")
    assert (len(queue), queue.age_seconds()) == (2, 3)
    assert await queue.get() == "a"
    assert queue.age_seconds() == 0


OPERATIONS = st.lists(st.tuples(st.sampled_from(["add", "resync", "after", "get", "done"]), st.sampled_from("abc")), max_size=60)


@given(OPERATIONS)
def test_no_key_is_lost_and_none_is_given_to_two_workers(operations: list[tuple[str, str]]) -> None:
    async def play() -> None:
        queue: WorkQueue[str] = WorkQueue(LoopClock())
        working: set[str] = set()
        owed: set[str] = set()
        for operation, key in operations:
            match operation:
                case "add" | "resync":
                    queue.add(key, Priority.LIVE if operation == "add" else Priority.RESYNC)
                    owed.add(key)
                case "get" if len(queue):
                    taken = await queue.get()
                    assert taken is not None
                    assert taken not in working
                    working.add(taken)
                    owed.discard(taken)
                case "done" if key in working:
                    working.discard(key)
                    queue.done(key)
        for key in sorted(working):
            queue.done(key)
        while len(queue):
            taken = await queue.get()
            assert taken is not None
            owed.discard(taken)
            queue.done(taken)
        assert owed == set()
        queue.close()

    asyncio.run(play())
