"""Fixtures that every tier shares."""

from __future__ import annotations

import asyncio
import os

import pytest
from hypothesis import HealthCheck, settings

from sandbox.cluster import ControlPlane
from sandbox.controlplane.programs import NoControlPlane, Programs, find

settings.register_profile("on a busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("on a busy machine")
OPTION, VARIABLE = "--control-plane", "ROLLOUTS_CONTROL_PLANE"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run choose what the sandboxes of tests stand on."""
    parser.addoption(
        OPTION,
        choices=[one.value for one in ControlPlane],
        default=os.environ.get(VARIABLE, ControlPlane.EMBEDDED.value),
        help=f"the control plane of the sandboxes in tests (default: {VARIABLE}, or embedded); "
        "with `real`, those tests alone run that have such a sandbox",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what a real control plane makes no difference to."""
    if chosen(config) is not ControlPlane.REAL:
        return
    kept = [one for one in items if "conformance" in one.path.parts or "control_plane" in getattr(one, "fixturenames", ())]
    config.hook.pytest_deselected(items=[one for one in items if one not in kept])
    items[:] = kept


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


@pytest.fixture(scope="session", autouse=True)
def no_loop_of_the_main_thread() -> None:
    """Otherwise pytest-asyncio asks for it before the first async test, and asyncio makes one that nobody closes."""
    asyncio.set_event_loop(None)
