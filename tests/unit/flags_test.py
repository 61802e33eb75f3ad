"""The arguments of a deployment of Argo Rollouts start this controller, too."""

from __future__ import annotations

import logging
from typing import Any

import click
import pytest
from click.testing import CliRunner

from rollouts.app import command as controller
from rollouts.flags import Command, Seconds, warn_of_flags_without_effect


def parsed(*arguments: str) -> Any:
    """Parse arguments as the controller does, without running it; returns what it would be called with, or the complaint."""
    found: list[dict[str, Any]] = []

    @click.command(cls=Command)
    def stand_in(**values: Any) -> None:
        warn_of_flags_without_effect()
        found.append(values)

    stand_in.params = controller.params
    done = CliRunner().invoke(stand_in, list(arguments))
    return found[0] if found else done.output


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        pytest.param(["--leader-elect=false"], "leader_elect", False, id="a switch turned off by its value"),
        pytest.param(["--leader-elect=true"], "leader_elect", True, id="a switch turned on by its value"),
        pytest.param(["--namespaced=false"], "namespaced", False, id="a switch without an opposite"),
        pytest.param(["--leader-election-lease-duration", "1m30s"], "lease", 90.0, id="a duration with units"),
        pytest.param(["--leader-election-retry-period=0.5"], "retry", 0.5, id="a duration in seconds"),
        pytest.param(["--service-threads", "40", "--loglevel", "debug"], "loglevel", "debug", id="what follows one without effect"),
        pytest.param(["--qps=40", "--burst", "60"], "qps", 40.0, id="a ceiling on requests"),
        pytest.param(["--alb-ingress-classes=alb", "--metricsPort=9090"], "metrics_port", 9090, id="with its value behind a ="),
        pytest.param(["--aws-verify-target-group", "--take-over"], "take_over", True, id="a switch without effect"),
    ],
)
def test_arguments_as_upstream_takes_them_are_taken(arguments: list[str], name: str, value: Any) -> None:
    assert parsed(*arguments)[name] == value


def test_flags_without_effect_are_told() -> None:
    told: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("rollouts.flags").addHandler(handler)
    try:
        parsed("--kloglevel=4", "--istio-api-version", "v1beta1")
    finally:
        logging.getLogger("rollouts.flags").removeHandler(handler)
    assert told == [
        f"the flag {name} of Argo Rollouts has no effect here; leave it out" for name in ("--kloglevel", "--istio-api-version")
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["--leader-elect=perhaps"], "--leader-elect is true or false, got 'perhaps'", id="a switch"),
        pytest.param(["--leader-election-renew-deadline", "soon"], '"soon" is not a duration', id="a duration"),
        pytest.param(["--healthzPort=99999"], "not in the range 0<=x<=65535", id="a port"),
        pytest.param(["--no-such-flag"], "--no-such-flag", id="a flag nobody knows"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], says: str) -> None:
    assert says in parsed(*arguments)


def test_defaults_are_upstreams() -> None:
    found = parsed()
    assert (found["lease"], found["renew"], found["retry"], found["leader_elect"]) == (15.0, 10.0, 2.0, True)
    assert (found["health_port"], found["metrics_port"]) == (8080, 8090)
    assert Seconds().convert("15s", None, None) == 15.0
