"""Which program stands for which image, and how it is told to behave."""

from __future__ import annotations

import pytest

from sandbox.apps.behaviour import BadSwitch, Behaviour, from_environment, to_environment
from sandbox.apps.catalogue import Entry, Missing, Program, look_up
from sandbox.apps.metrics import Metrics
from sandbox.apps.web import App, Settings


@pytest.mark.parametrize(
    ("image", "name", "version", "port", "program"),
    [
        pytest.param("shop:2", "shop", "2", 8080, Program.WEB, id="the demo shop"),
        pytest.param("docker.io/library/nginx:1.27@sha256:ab", "nginx", "1.27", 80, Program.WEB, id="registry and digest"),
        pytest.param("nginx", "nginx", "latest", 80, Program.WEB, id="no tag"),
        pytest.param("argoproj/rollouts-demo:blue", "rollouts-demo", "blue", 8080, Program.WEB, id="the colours"),
        pytest.param(
            "ikubernetes/spring-boot-helloworld:v0.9.2", "spring-boot-helloworld", "v0.9.2", 80, Program.WEB, id="port 80"
        ),
        pytest.param("alpine:3", "alpine", "3", 8080, Program.SHELL, id="a shell"),
        pytest.param("localhost:5000/acme/api:7", "api", "7", 8080, Program.WEB, id="allowed, from a registry with a port"),
    ],
)
def test_an_image_is_found(image: str, name: str, version: str, port: int, program: Program) -> None:
    found = look_up(image, allowed=["localhost:5000/acme/*"])
    assert isinstance(found, Entry)
    assert (found.name, found.version, found.port, found.program) == (name, version, port, program)


@pytest.mark.parametrize(
    ("image", "behaviour"),
    [
        pytest.param("shop:bad", Behaviour(error_every=3), id="a third of its answers fail"),
        pytest.param("shop:3-crash", Behaviour(crash_after_s=0.2), id="a version that crashes"),
        pytest.param("shop:unready", Behaviour(ready=False), id="never ready"),
        pytest.param("argoproj/rollouts-demo:slow-green", Behaviour(latency_ms=2000), id="slow colour"),
        pytest.param("shop:4", Behaviour(), id="a good version"),
    ],
)
def test_a_tag_says_how_the_program_behaves(image: str, behaviour: Behaviour) -> None:
    found = look_up(image)
    assert isinstance(found, Entry)
    assert found.behaviour == behaviour
    assert from_environment(Behaviour(), to_environment(found.behaviour)) == behaviour


@pytest.mark.parametrize("image", ["acme/api:1", "argoproj/rollouts-demo:pink", "shop:missing"])
def test_an_image_that_is_not_there_says_what_to_use_instead(image: str) -> None:
    found = look_up(image)
    assert isinstance(found, Missing)
    assert image.partition(":")[0] in found.message


def test_variables_of_the_container_win_over_the_image() -> None:
    behaviour = from_environment(Behaviour(error_every=3), {"ERROR_RATE": "0", "LATENCY_MS": "20", "READY": "false"})
    assert behaviour == Behaviour(latency_ms=20, ready=False)


@pytest.mark.parametrize(("name", "value"), [("ERROR_RATE", "2"), ("LATENCY_MS", "fast"), ("CRASH_AFTER_S", "-1")])
def test_a_variable_that_cannot_be_read_is_named(name: str, value: str) -> None:
    with pytest.raises(BadSwitch, match=name):
        from_environment(Behaviour(), {name: value})


async def test_the_share_of_errors_is_exact() -> None:
    behaviour = from_environment(Behaviour(), {"ERROR_RATE": "0.05"})
    app = App(Settings(address="", ports=(1,), name="shop", version="1", pod="p", namespace="n", behaviour=behaviour))
    codes = [app.answer("/")[0] for _ in range(1000)]
    assert codes.count(500) == 50


async def test_health_and_metrics_never_fail_on_purpose() -> None:
    app = App(
        Settings(address="", ports=(1,), name="shop", version="1", pod="p", namespace="n", behaviour=Behaviour(error_every=1))
    )
    assert [app.answer(path)[0] for path in ("/healthz", "/readyz", "/metrics", "/")] == [200, 200, 200, 500]


def test_durations_are_counted_in_every_bucket_they_fit() -> None:
    metrics = Metrics()
    metrics.observe(200, "GET", "/", seconds=0.02)
    metrics.observe(500, "GET", "/", seconds=3.0)
    text = metrics.text()
    assert 'http_requests_total{code="500",method="GET",path="/"} 1' in text
    assert 'http_request_duration_seconds_bucket{method="GET",path="/",le="0.01"} 0' in text
    assert 'http_request_duration_seconds_bucket{method="GET",path="/",le="0.025"} 1' in text
    assert 'http_request_duration_seconds_bucket{method="GET",path="/",le="+Inf"} 2' in text
    assert "process_resident_memory_bytes " in text
