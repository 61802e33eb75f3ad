"""The law of convergence: whatever goes wrong on the way, the end is the one that came without it, and users never notice.

Two kinds of people are tried. Patient ones wait until the Rollout is at rest before they do the next thing: then the end with
faults must be the end without them, in everything but times and names. Hasty ones wait for nothing: then the end is the version
and size they wanted last. At every write that the server accepts, tests/convergence/rules.py are checked.

`make test` plays some hundred histories, `make long` 2,000 and more, always the same ones. On request:
- `CONVERGENCE_HISTORIES=20000` plays so many in each long test,
- `CONVERGENCE_SEED=7` plays others; the seed `random` picks one and prints it, and the same number plays them again.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.convergence.histories import HASTY, PATIENT, TROUBLES, Act, History, Trouble
from tests.convergence.scene import MOST_RECONCILES, Ending, play

QUICK, MANY = 100, int(os.environ.get("CONVERGENCE_HISTORIES", "1000"))
SEED = os.environ.get("CONVERGENCE_SEED", "")


def like_without_trouble(history: History, troubles: Sequence[Trouble]) -> None:
    """Play a history with and without trouble, and compare the ends.

    Raises:
        AssertionError: they differ, or a rule was broken on the way.
    """
    calm, troubled = play(history), play(history, troubles)
    right_on_the_way(calm)
    right_on_the_way(troubled)
    assert troubled.outcome == calm.outcome
    twice = {text: count for text, count in troubled.told.items() if count > max(1, calm.told.get(text, 0))}
    assert not twice, f"told more than once: {twice}"


def as_wanted_last(history: History, troubles: Sequence[Trouble]) -> None:
    """Play a history of people who wait for nothing, and look whether they have what they wanted last.

    Raises:
        AssertionError: they have not, or a rule was broken on the way.
    """
    ending = play(history, troubles, hasty=True)
    right_on_the_way(ending)
    image = _last(history, "ship", "shop:1")
    size = _last(history, "scale", history.shop.replicas)
    found = ending.outcome
    assert (found["phase"], found["stable"], found["aborted"]) == ("Healthy", image, False)
    assert {one: count for one, count in found["sizes"].items() if count} == {image: size}
    assert found["pods"] == [image] * int(size)
    assert found["users"] in ({}, {"stable": (100, image), "canary": (0, image)})


def right_on_the_way(ending: Ending) -> None:
    """Look at what was noted while a history was played."""
    assert not ending.failures, "\n".join(ending.failures)
    assert ending.reconciles <= MOST_RECONCILES, f"{ending.reconciles} looks at the Rollout after all was well"


def _last(history: History, what: str, otherwise: str | int) -> str | int:
    return next((act.argument for act in reversed(history.acts) if act.what == what), otherwise)


def histories(count: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Play so many histories, the same each time unless a seed is given."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        wanted = settings(
            max_examples=count,
            deadline=None,
            derandomize=not SEED,
            database=None,
            print_blob=True,
            phases=(Phase.explicit, Phase.generate, Phase.shrink),
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        if not SEED:
            return wanted(test)
        number = random.SystemRandom().randrange(10**6) if SEED == "random" else int(SEED)
        print(f"repeat with CONVERGENCE_SEED={number}")
        return seed(number)(wanted(test))

    return decorate


@pytest.mark.timeout(600)
@histories(QUICK)
@given(history=PATIENT, troubles=TROUBLES)
def test_trouble_does_not_change_the_end(history: History, troubles: tuple[Trouble, ...]) -> None:
    like_without_trouble(history, troubles)


@pytest.mark.timeout(600)
@histories(QUICK)
@given(history=HASTY, troubles=TROUBLES)
def test_who_waits_for_nothing_gets_what_was_wanted_last(history: History, troubles: tuple[Trouble, ...]) -> None:
    as_wanted_last(history, troubles)


@pytest.mark.long
@pytest.mark.timeout(3600)
@histories(MANY)
@given(history=PATIENT, troubles=TROUBLES)
def test_trouble_does_not_change_the_end_of_many_histories(history: History, troubles: tuple[Trouble, ...]) -> None:
    like_without_trouble(history, troubles)


@pytest.mark.long
@pytest.mark.timeout(3600)
@histories(MANY)
@given(history=HASTY, troubles=TROUBLES)
def test_who_waits_for_nothing_gets_what_was_wanted_last_in_many_histories(history: History, troubles: tuple[Trouble, ...]) -> None:
    as_wanted_last(history, troubles)


__all__ = ["Act"]
