"""What Prometheus reads: the text format, histograms, and requests by what they were about."""

from __future__ import annotations

import asyncio
import math

import pytest
from kube_fakes import WIDGET, LoopClock, ScriptedTransport, ok, refusal, widget

from kube.client import Client
from kube.counting import resource_of
from kube.errors import ApiError, Unreachable
from kube.kinds import ObjectRef
from kube.metrics import Histogram, counters, gauge, gauges, histograms, render

REF = ObjectRef(WIDGET, "shop", "a")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(3, "3", id="whole numbers without a fraction"),
        pytest.param(0.25, "0.25", id="others as they are"),
        pytest.param(1e-7, "1e-07", id="small ones"),
        pytest.param(math.inf, "+Inf", id="infinity"),
    ],
)
def test_a_number_is_written_as_prometheus_reads_it(value: float, text: str) -> None:
    assert render([gauge("x", "A number.", value)]).splitlines() == ["# HELP x A number.", "# TYPE x gauge", f"x {text}"]


def test_labels_are_escaped() -> None:
    text = render([counters("x_total", "Things.", [({"path": 'a\\b"c\nd'}, 1)])])
    assert text.splitlines()[-1] == r'x_total{path="a\\b\"c\nd"} 1'


def test_a_family_without_samples_is_left_out() -> None:
    assert render([gauges("x", "Nothing.", [])]) == ""


def test_buckets_count_all_that_took_no_longer() -> None:
    histogram = Histogram((0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(seconds)
    assert render([histograms("x", "Times.", [({"verb": "Get"}, histogram)])]).splitlines()[2:] == [
        'x_bucket{verb="Get",le="0.1"} 2',
        'x_bucket{verb="Get",le="1"} 3',
        'x_bucket{verb="Get",le="+Inf"} 4',
        'x_sum{verb="Get"} 7.65',
        'x_count{verb="Get"} 4',
    ]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/api/v1/pods", ("pods", False)),
        ("/api/v1/namespaces/shop/pods", ("pods", False)),
        ("/api/v1/namespaces/shop", ("namespaces", True)),
        ("/api/v1/namespaces", ("namespaces", False)),
        ("/api/v1/namespaces/shop/pods/a/eviction", ("pods/eviction", True)),
        ("/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/a/status", ("rollouts/status", True)),
        ("/apis/argoproj.io/v1alpha1/clusteranalysistemplates/a", ("clusteranalysistemplates", True)),
        ("/apis/argoproj.io/v1alpha1", ("discovery", True)),
        ("/version", ("discovery", True)),
    ],
)
def test_a_request_is_counted_by_what_it_is_about_and_never_by_name(path: str, found: tuple[str, bool]) -> None:
    assert resource_of(path) == found


@pytest.mark.looptime
async def test_every_attempt_is_counted_with_its_answer() -> None:
    transport = ScriptedTransport(
        [ok(widget("a")), Unreachable("gone", maybe_applied=False), ok(widget("a"), 201), refusal(409, "Conflict"), ok({}, 200)]
    )
    client = Client(transport, clock=LoopClock())
    await client.get(WIDGET, "shop", "a")
    await client.create(WIDGET, {"metadata": {"name": "a", "namespace": "shop"}})
    with pytest.raises(ApiError):
        await client.patch(REF, {}, subresource="status")
    await client.delete(REF)
    async with client.watch(WIDGET, resource_version="1"):
        await asyncio.sleep(0)
    assert client.requests.by_answer == {
        ("Get", "widgets", 200): 1,
        ("Create", "widgets", 0): 1,
        ("Create", "widgets", 201): 1,
        ("Patch", "widgets/status", 409): 1,
        ("Delete", "widgets", 200): 1,
        ("Watch", "widgets", 200): 1,
    }
    assert {verb: histogram.count for verb, histogram in client.requests.seconds.items()} == {
        "Get": 1,
        "Create": 2,
        "Patch": 1,
        "Delete": 1,
    }
