"""Probes: they are answered even when the event loop is stuck, and say so; metrics are gathered on the loop."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import urllib.error
import urllib.request

import pytest
from kube_fakes import LoopClock

from kube.clock import SystemClock
from kube.errors import InvalidConfig
from kube.health import Address, Health, Pages, Pulse, served

HERE = Address("127.0.0.1", 0, "--healthzPort")


def fetched(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


async def ask(port: int, path: str) -> tuple[int, str]:
    return await asyncio.to_thread(fetched, port, path)


@pytest.mark.parametrize(
    ("health", "healthz", "readyz"),
    [
        pytest.param(Health(), 200, 200, id="all is well"),
        pytest.param(Health(unready=("not everything is listed yet",)), 200, 503, id="alive and not ready"),
        pytest.param(Health(wedged=("the event loop is 20 s late",)), 503, 503, id="stuck"),
    ],
)
async def test_the_status_code_says_what_the_body_explains(health: Health, healthz: int, readyz: int) -> None:
    async with served(Pages(health=lambda: health, metrics=str), [HERE]) as (port,):
        alive, ready = await ask(port, "/healthz"), await ask(port, "/readyz")
    assert (alive[0], ready[0]) == (healthz, readyz)
    assert json.loads(ready[1]).get("problems", []) == [*health.wedged, *health.unready]


async def test_what_else_there_is_to_know_is_in_the_body() -> None:
    async with served(Pages(health=lambda: Health(facts={"role": "standby"}), metrics=str), [HERE]) as (port,):
        assert json.loads((await ask(port, "/healthz"))[1]) == {"status": "ok", "role": "standby"}


async def test_a_stuck_event_loop_is_told_while_it_is_stuck() -> None:
    """The loop waits, as it must not, until the probe has been answered."""
    pulse, told, answers = Pulse(SystemClock()), threading.Event(), list[tuple[int, str]]()

    def health() -> Health:
        late = pulse.late_seconds()
        return Health(wedged=(f"{late:.1f} s late",) if late > 0.2 else ())

    def probe(port: int) -> None:
        while not answers or answers[-1][0] == 200:
            answers.append(fetched(port, "/healthz"))
        told.set()

    async with served(Pages(health=health, metrics=str), [HERE]) as (port,):
        beating = asyncio.create_task(pulse.run())
        await asyncio.sleep(0)
        prober = threading.Thread(target=probe, args=(port,))
        prober.start()
        assert told.wait(30)  # on the loop: nothing else runs on it
        prober.join()
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
    assert (answers[0][0], answers[-1][0]) == (200, 503)


async def test_metrics_are_gathered_on_the_event_loop() -> None:
    own, gathered_on = threading.get_ident(), list[int]()

    def gather() -> str:
        gathered_on.append(threading.get_ident())
        return "up 1\n"

    async with served(Pages(health=Health, metrics=gather), [HERE]) as (port,):
        assert await ask(port, "/metrics") == (200, "up 1\n")
    assert gathered_on == [own]


async def test_a_port_that_is_taken_is_told_with_the_flag_that_changes_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidConfig, match=rf"port {port} of 127.0.0.1 cannot be used: .*; choose another with --healthzPort"):
            async with served(Pages(health=Health, metrics=str), [Address("127.0.0.1", port, "--healthzPort")]):
                pass


async def test_an_address_that_cannot_be_is_told_and_not_waited_for() -> None:
    with pytest.raises(OverflowError):
        async with served(Pages(health=Health, metrics=str), [Address("127.0.0.1", 99_999, "--healthzPort")]):
            pass


async def test_nothing_is_served_where_nothing_was_asked_for() -> None:
    async with served(Pages(health=Health, metrics=str), []) as ports:
        assert ports == []


@pytest.mark.looptime
async def test_lateness_is_what_passes_beyond_a_beat_and_is_remembered_for_a_minute() -> None:
    clock = LoopClock()
    pulse = Pulse(clock)
    assert (pulse.late_seconds(), pulse.worst_seconds()) == (0, 0)
    beating = asyncio.create_task(pulse.run())
    await asyncio.sleep(10.5)
    assert pulse.worst_seconds() < 0.01
    clock.jump_seconds = 7.0
    assert pulse.late_seconds() == pytest.approx(6.5)
    await asyncio.sleep(30)
    assert pulse.late_seconds() == 0
    assert pulse.worst_seconds() == pytest.approx(7.0)
    await asyncio.sleep(60)
    assert pulse.worst_seconds() < 0.01
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)
