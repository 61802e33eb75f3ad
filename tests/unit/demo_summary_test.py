"""The figures that the demo ends with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rollouts.demo.script import SCRIPTS, Outcome
from rollouts.demo.story import Happening, Sample, What
from rollouts.demo.summary import Performance, Summary, shares, summarise, with_users_seconds
from rollouts.demo.watching import sample_of
from sandbox.load.result import Answer, Tally

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
SCRIPT = SCRIPTS["nginx"]
GOOD, BAD = SCRIPT.acts


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def sample(seconds: float, *, errors: dict[str, int] | None = None, lost: int = 0, **answers: int) -> Sample:
    counts = {name.removeprefix("v").replace("_", "-"): count for name, count in answers.items()}
    return Sample(at=after(seconds), sent=sum(counts.values()) + lost, lost=lost, answers=counts, errors=errors or {})


def performance(number: int, *samples: Sample, outcome: Outcome | None = None, weights: tuple[int, ...] = ()) -> Performance:
    act = SCRIPT.acts[number]
    happenings = tuple(
        Happening(at=after(at + 1), what=What.WEIGHT, text="", weight=weight, step=at) for at, weight in enumerate(weights)
    )
    return Performance(
        act=act, outcome=outcome or act.ends, began=samples[0].at, ended=samples[-1].at, happenings=happenings, samples=samples
    )


def good() -> Performance:
    return performance(0, sample(0, v1=100), sample(5, v1=150, v2=50), sample(10, v1=150, v2=150), weights=(10, 50))


def bad(*, errors: dict[str, int], lost: int = 0) -> Performance:
    return performance(
        1,
        sample(20, v1=150, v2=300),
        sample(21, v1=150, v2=340, v3_bad=10, errors={"3-bad": 3} if errors else {}),
        sample(22, v1=150, v2=380, v3_bad=30, errors=errors, lost=lost),
        sample(26, v1=150, v2=620, v3_bad=30, errors=errors, lost=lost),
    )


def figures(*played: Performance) -> Summary:
    return summarise("nginx", SCRIPT, played, seconds=42.0, last=played[-1].samples[-1])


def test_a_demo_in_which_only_the_bad_version_failed_is_a_success() -> None:
    found = figures(good(), bad(errors={"3-bad": 10}))
    assert (found.ok, found.problems) == (True, ())
    assert (found.requests, found.failed, found.lost) == (800, 10, 0)


def test_it_tells_how_many_users_the_bad_version_had_and_for_how_long() -> None:
    act = figures(good(), bad(errors={"3-bad": 10})).acts[1]
    assert (act.answered_by_it, act.failed, act.with_users_seconds, act.seconds) == (30, 10, 2.0, 6.0)


def test_weights_are_told_with_the_seconds_since_the_version_was_shipped() -> None:
    assert [(one.seconds, one.weight) for one in figures(good(), bad(errors={})).acts[0].weights] == [(1.0, 10), (2.0, 50)]


@pytest.mark.parametrize(
    ("played", "problem"),
    [
        pytest.param(
            (good(), bad(errors={"3-bad": 10, "2": 1})), "1 requests were answered with 5xx", id="the stable version failed"
        ),
        pytest.param((good(), bad(errors={"3-bad": 10}, lost=2)), "2 requests were lost", id="a request was lost"),
        pytest.param((good(),), "shop:3-bad was never shipped", id="the demo stopped half way"),
        pytest.param(
            (performance(0, sample(0, v1=1), sample(9, v1=9), outcome=Outcome.TAKEN_BACK), bad(errors={})),
            "shop:2 was taken back, not promoted",
            id="the good version was taken back",
        ),
        pytest.param(
            (good(), performance(1, sample(0, v1=1), sample(9, v1=9), outcome=Outcome.PROMOTED)),
            "shop:3-bad was promoted, not taken back",
            id="the bad version was promoted",
        ),
        pytest.param(
            (performance(0, sample(0, v1=9), sample(9, v1=9, v2=9, errors={"2": 4})), bad(errors={"2": 4, "3-bad": 9})),
            "4 requests were answered with 5xx",
            id="the good version failed",
        ),
    ],
)
def test_everything_else_is_no_success_and_says_why(played: tuple[Performance, ...], problem: str) -> None:
    found = figures(*played)
    assert not found.ok
    assert any(one.startswith(problem) for one in found.problems), found.problems


def test_a_request_that_a_gateway_answered_for_want_of_an_application_is_one_problem_and_not_two() -> None:
    tally = Tally()
    for status, headers in ((200, {"x-version": "1"}), (503, {}), (500, {"x-version": "3-bad"})):
        tally.add(Answer(status=status, headers=headers, body=b""), epoch=0, latency_seconds=0.01)
    end = sample_of(tally.snapshot(), after(30))
    assert (end.sent, end.lost, end.errors) == (3, 1, {"3-bad": 1})
    begin = Sample(at=after(20), sent=0, lost=0)
    found = figures(good(), performance(1, begin, end))
    assert found.problems == ("1 requests were lost",)


def test_shares_are_those_of_the_last_seconds_alone() -> None:
    samples = [sample(0, v1=1000), sample(10, v1=1000), sample(13, v1=1090, v2=10)]
    assert shares(samples, window_seconds=3.0) == {"1": 90.0, "2": 10.0}


@pytest.mark.parametrize("samples", [pytest.param([], id="no sample"), pytest.param([sample(0, v1=5)], id="nothing new")])
def test_without_new_answers_there_are_no_shares(samples: list[Sample]) -> None:
    assert shares(samples) == {}


def test_a_version_that_never_answered_had_no_users() -> None:
    assert with_users_seconds([sample(0, v1=1), sample(1, v1=9)], "2") == 0.0
