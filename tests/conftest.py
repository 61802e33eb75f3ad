"""Fixtures that every tier shares."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from sandbox.cluster import ControlPlane
from sandbox.controlplane.programs import NoControlPlane, Programs, find
from tests.failed import Failed
from tests.helm_chart import Helm
from tests.stuck import allowed, ended_if_stuck

settings.register_profile("on a busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("on a busy machine")
OPTION, VARIABLE = "--control-plane", "ROLLOUTS_CONTROL_PLANE"
STDERR = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run choose what the sandboxes of tests stand on."""
    parser.addoption(
        OPTION,
        choices=[one.value for one in ControlPlane],
        default=os.environ.get(VARIABLE, ControlPlane.EMBEDDED.value),
        help=f"the control plane of the sandboxes in tests (default: {VARIABLE}, or embedded); "
        "with `real` and `existing` (the cluster of KUBECONFIG), those tests alone run that have such a sandbox",
    )
    parser.addoption("--failed-to", type=Path, metavar="FILE", help="write the ids of failed tests here: `pytest @FILE` runs them")


def pytest_configure(config: pytest.Config) -> None:
    """Keep a way to the standard error that no test captures; note what fails where that was asked for."""
    config.stash[STDERR] = os.dup(2)
    path = config.getoption("--failed-to")
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Failed(path, float(config.getoption("maxworkerrestart", None) or "inf")))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close it again."""
    os.close(config.stash[STDERR])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Let no test hang for ever."""
    with ended_if_stuck(item, item.config.stash[STDERR]):
        return (yield)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the control plane makes no difference to and, where one is given, tests that put several sandboxes on it.

    What may take longest goes first, so that no worker is left alone with it in the end.
    """
    match chosen(config):
        case ControlPlane.EMBEDDED:
            kept = items[:]
        case ControlPlane.REAL:
            kept = [one for one in items if "conformance" in one.path.parts or "control_plane" in fixtures_of(one)]
        case ControlPlane.EXISTING:
            kept = [one for one in items if {"control_plane", "cluster"} <= fixtures_of(one)]
    there = set(kept)
    config.hook.pytest_deselected(items=[one for one in items if one not in there])
    items[:] = sorted(kept, key=lambda one: -allowed(one))


def fixtures_of(item: pytest.Item) -> set[str]:
    """Return the names of the fixtures that a test uses, directly or not."""
    return set(getattr(item, "fixturenames", ()))


def chosen(config: pytest.Config) -> ControlPlane:
    """Return what the run stands on."""
    return ControlPlane(config.getoption(OPTION))


@pytest.fixture(scope="session")
def real_programs() -> Programs:
    """The programs of a real control plane; without them the test is skipped, but in CI it fails."""
    try:
        return find()
    except NoControlPlane as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def control_plane(request: pytest.FixtureRequest) -> ControlPlane:
    """What sandboxes stand on in this run."""
    found = chosen(request.config)
    if found is ControlPlane.REAL:
        request.getfixturevalue("real_programs")
    return found


@pytest.fixture(scope="session")
def helm() -> Helm:
    """Helm, without a cluster; where its library is missing the test is skipped."""
    return Helm(pytest.importorskip("helm_python", reason="Helm's library is not installed: make long does that"))


@pytest.fixture(scope="session", autouse=True)
def no_loop_of_the_main_thread() -> None:
    """Otherwise pytest-asyncio asks for it before the first async test, and asyncio makes one that nobody closes."""
    asyncio.set_event_loop(None)
