"""Label selectors mean the same to everybody who asks: the API server's rules, and nothing for what cannot be read."""

from __future__ import annotations

from typing import Any

import pytest

from kube.selectors import is_empty, selects, selects_for_workload

LABELS = {"app": "web", "tier": "front", "blank": ""}


def expression(key: Any, operator: Any, *values: Any) -> dict[str, Any]:
    """Return a selector of one expression."""
    return {"matchExpressions": [{"key": key, "operator": operator, **({"values": list(values)} if values else {})}]}


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        pytest.param({"matchLabels": {"app": "web"}}, True, id="a label that is equal"),
        pytest.param({"matchLabels": {"app": "web", "tier": "front"}}, True, id="all labels equal"),
        pytest.param({"matchLabels": {"app": "web", "tier": "back"}}, False, id="one label differs"),
        pytest.param({"matchLabels": {"zone": "a"}}, False, id="a label that is not there"),
        pytest.param({"matchLabels": {"zone": None}}, False, id="a null value is no wish for absence"),
        pytest.param({"matchLabels": {"blank": ""}}, True, id="an empty value equals an empty value"),
        pytest.param({"matchLabels": {"zone": ""}}, False, id="an empty value is not absence"),
        pytest.param(expression("app", "In", "api", "web"), True, id="In, one of the values"),
        pytest.param(expression("app", "In", "api"), False, id="In, none of the values"),
        pytest.param(expression("zone", "In", "a"), False, id="In, no such label"),
        pytest.param(expression("app", "In"), False, id="In without values"),
        pytest.param(expression("zone", "In", None), False, id="In null is not In absent"),
        pytest.param(expression("app", "NotIn", "api"), True, id="NotIn, another value"),
        pytest.param(expression("app", "NotIn", "web"), False, id="NotIn, one of the values"),
        pytest.param(expression("zone", "NotIn", "a"), True, id="NotIn, no such label"),
        pytest.param(expression("zone", "NotIn", None), True, id="NotIn null, no such label"),
        pytest.param(expression("app", "Exists"), True, id="Exists"),
        pytest.param(expression("blank", "Exists"), True, id="Exists, with an empty value"),
        pytest.param(expression("zone", "Exists"), False, id="Exists, no such label"),
        pytest.param(expression("zone", "DoesNotExist"), True, id="DoesNotExist, no such label"),
        pytest.param(expression("app", "DoesNotExist"), False, id="DoesNotExist, but it does"),
        pytest.param({"matchLabels": {"app": "web"}, **expression("tier", "In", "back")}, False, id="both parts must hold"),
        pytest.param({}, True, id="empty selects everything"),
        pytest.param({"matchLabels": {}, "matchExpressions": []}, True, id="empty parts select everything"),
        pytest.param({"matchLabels": None, "matchExpressions": None}, True, id="null parts select everything"),
        pytest.param(None, False, id="none selects nothing"),
    ],
)
def test_a_selector_selects_what_the_api_server_says(selector: Any, *, selected: bool) -> None:
    assert selects(selector, LABELS) is selected


@pytest.mark.parametrize(
    "selector",
    [
        pytest.param(expression("app", "Equals", "web"), id="an unknown operator"),
        pytest.param(expression("app", "in", "web"), id="an operator in lower case"),
        pytest.param(expression("app", None, "web"), id="no operator"),
        pytest.param(expression(None, "Exists"), id="no key"),
        pytest.param(expression(["app"], "Exists"), id="a list for a key"),
        pytest.param(expression("app", ["In"], "web"), id="a list for an operator"),
        pytest.param({"matchExpressions": [{"key": "app", "operator": "In", "values": "web"}]}, id="a text for values"),
        pytest.param({"matchExpressions": ["app=web"]}, id="a text for an expression"),
        pytest.param({"matchExpressions": {"key": "app", "operator": "Exists"}}, id="a map for a list"),
        pytest.param({"matchLabels": ["app"]}, id="a list for a map"),
        pytest.param({"matchLabels": {"app": ["web"]}}, id="a list for a value"),
        pytest.param("app=web", id="a text"),
        pytest.param([], id="a list"),
    ],
)
def test_a_selector_that_cannot_be_read_selects_nothing(selector: Any) -> None:
    assert not selects(selector, LABELS)
    assert not selects_for_workload(selector, LABELS)


@pytest.mark.parametrize("selector", [None, {}, {"matchLabels": {}}, {"matchLabels": None, "matchExpressions": []}])
def test_a_workload_with_an_empty_selector_owns_no_pods(selector: Any) -> None:
    assert is_empty(selector)
    assert not selects_for_workload(selector, LABELS)


def test_a_workload_owns_the_pods_that_its_selector_selects() -> None:
    assert selects_for_workload({"matchLabels": {"app": "web"}}, LABELS)
    assert not selects_for_workload({"matchLabels": {"app": "api"}}, LABELS)
