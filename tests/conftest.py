"""Fixtures that every tier shares."""

from __future__ import annotations

import asyncio

import pytest


@pytest.fixture(scope="session", autouse=True)
def no_loop_of_the_main_thread() -> None:
    """Otherwise pytest-asyncio asks for it before the first async test, and asyncio makes one that nobody closes."""
    asyncio.set_event_loop(None)
