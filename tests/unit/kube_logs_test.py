"""Log lines and owner references: small things that people and garbage collectors read."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
from kube_fakes import widget

from kube import logs
from kube.errors import InvalidConfig
from kube.owners import owner_reference


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    """The root logger, put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


def logged(style: str, *, failing: bool = False) -> str:
    stream = io.StringIO()
    logs.set_up(style=style, stream=stream)
    tokens = logs.subject.set("Rollout shop/web"), logs.reconcile_id.set("2a")
    try:
        if failing:
            raise ValueError("no weight")
        logging.getLogger("kube.test").info("weight is %d", 40)
    except ValueError:
        logging.getLogger("kube.test").exception("it failed")
    finally:
        logs.subject.reset(tokens[0])
        logs.reconcile_id.reset(tokens[1])
    return stream.getvalue()


def test_a_json_line_names_object_and_reconcile(root_logger: logging.Logger) -> None:
    fields = json.loads(logged("json"))
    assert fields.pop("time").endswith("+00:00")
    assert fields == {
        "level": "info",
        "logger": "kube.test",
        "msg": "weight is 40",
        "object": "Rollout shop/web",
        "reconcile": "2a",
    }


def test_a_text_line_names_object_and_reconcile(root_logger: logging.Logger) -> None:
    assert logged("text").endswith("INFO kube.test Rollout shop/web [2a] weight is 40\n")


@pytest.mark.parametrize(
    ("style", "found"),
    [
        pytest.param("text", "Rollout shop/web [2a 0af7651916cd43dd8448eb211c80319c] weight", id="text"),
        pytest.param("json", '"reconcile": "2a", "trace_id": "0af7651916cd43dd8448eb211c80319c"', id="JSON"),
    ],
)
def test_a_line_names_the_trace_of_its_reconcile(root_logger: logging.Logger, style: str, found: str) -> None:
    token = logs.trace_id.set("0af7651916cd43dd8448eb211c80319c")
    try:
        assert found in logged(style)
    finally:
        logs.trace_id.reset(token)


def test_a_json_line_holds_the_whole_trace_in_one_line(root_logger: logging.Logger) -> None:
    (line,) = logged("json", failing=True).splitlines()
    assert "ValueError: no weight" in json.loads(line)["error"]


@pytest.mark.parametrize(("level", "style"), [("loud", "text"), ("info", "xml")])
def test_an_unknown_level_or_format_is_refused_with_the_choices(root_logger: logging.Logger, level: str, style: str) -> None:
    with pytest.raises(InvalidConfig, match="choose"):
        logs.set_up(level=level, style=style)


def test_an_owner_reference_names_the_controller() -> None:
    assert owner_reference(widget("a")) == {
        "apiVersion": "shop.example/v1",
        "kind": "Widget",
        "name": "a",
        "uid": "uid-a",
        "controller": True,
        "blockOwnerDeletion": True,
    }


def test_who_was_never_stored_cannot_own() -> None:
    with pytest.raises(ValueError, match="no uid yet"):
        owner_reference({"kind": "Widget", "metadata": {"name": "a"}})
