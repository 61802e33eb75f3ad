"""What each step asks for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from rollouts.engine.steps import (
    CanaryScale,
    canary_scale_at,
    describe,
    header_routes_at,
    mirror_routes_at,
    pause_duration,
    weight_at,
    weight_before,
)
from routers.base import HeaderRoute, MirrorRoute

STEPS: list[dict[str, Any]] = [{"pause": {}}, {"setWeight": 20}, {"pause": {}}, {"setWeight": 60}]


@pytest.mark.parametrize(
    ("index", "weight", "before"),
    [
        pytest.param(0, 0, 0, id="none before the first setWeight"),
        pytest.param(1, 20, 0, id="the first"),
        pytest.param(2, 20, 0, id="it lasts until the next"),
        pytest.param(3, 60, 20, id="the next"),
        pytest.param(4, 100, 60, id="everything past the end"),
    ],
)
def test_weights(index: int, weight: int, before: int) -> None:
    assert weight_at(STEPS, index) == weight
    assert weight_before(STEPS, index) == before


def test_past_the_end_of_no_steps_is_everything() -> None:
    assert weight_at([], 0) == 100


@pytest.mark.parametrize(
    ("steps", "scale"),
    [
        pytest.param([{"setCanaryScale": {"replicas": 0}}, {"setWeight": 5}], CanaryScale(replicas=0), id="it lasts"),
        pytest.param([{"setCanaryScale": {"weight": 25}}], CanaryScale(weight=25), id="a share"),
        pytest.param(
            [{"setCanaryScale": {"weight": 9}}, {"setCanaryScale": {"matchTrafficWeight": True}}], None, id="until it ends"
        ),
        pytest.param([{"setWeight": 5}], None, id="never set"),
    ],
)
def test_canary_scale(steps: list[dict[str, Any]], scale: CanaryScale | None) -> None:
    assert canary_scale_at(steps, len(steps) - 1) == scale
    assert canary_scale_at(steps, len(steps)) is None


def test_a_share_of_the_replicas_is_rounded_up() -> None:
    assert CanaryScale(weight=25).pods(10) == 3


def test_routes_are_set_replaced_and_removed() -> None:
    match = {"headerName": "x", "headerValue": {"exact": "1"}}
    steps: list[dict[str, Any]] = [
        {"setHeaderRoute": {"name": "a", "match": [match]}},
        {"setMirrorRoute": {"name": "m", "match": [{"method": {"exact": "GET"}}], "percentage": 0}},
        {"setHeaderRoute": {"name": "a"}},
    ]
    assert header_routes_at(steps, 0) == (HeaderRoute(name="a", match=(match,)),)
    assert header_routes_at(steps, 2) == ()
    assert mirror_routes_at(steps, 2) == (MirrorRoute(name="m", match=({"method": {"exact": "GET"}},), percentage=0),)
    assert mirror_routes_at(steps, 3) == ()


@pytest.mark.parametrize(
    ("step", "duration"),
    [
        pytest.param({"pause": {}}, None, id="until a person goes on"),
        pytest.param({"pause": {"duration": 20}}, timedelta(seconds=20), id="an integer is seconds"),
        pytest.param({"pause": {"duration": "20"}}, timedelta(seconds=20), id="so is a string of digits"),
        pytest.param({"pause": {"duration": "1h30m"}}, timedelta(minutes=90), id="a duration"),
    ],
)
def test_pauses(step: dict[str, Any], duration: timedelta | None) -> None:
    assert pause_duration(step) == duration


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ({"setWeight": 20}, "setWeight: 20"),
        ({"pause": {}}, "pause"),
        ({"pause": {"duration": "1m"}}, "pause: 1m"),
        ({"setCanaryScale": {"matchTrafficWeight": True}}, "setCanaryScale{matchTrafficWeight: true}"),
        ({"analysis": {"templates": []}}, "analysis"),
        ({"setHeaderRoute": {"name": "x"}}, "setHeaderRoute"),
    ],
)
def test_descriptions(step: dict[str, Any], text: str) -> None:
    assert describe(step) == text
