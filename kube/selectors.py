"""Whether a `metav1.LabelSelector` selects labels, for selectors as users wrote them.

One rule for everybody who asks. Must not: judge a selector (a wrong one selects nothing), or read the text form of queries.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def selects(selector: Any, labels: Mapping[str, Any]) -> bool:
    """Tell whether a label selector selects these labels, as the API server would.

    None selects nothing, an empty selector everything. Null parts count as absent. A selector that cannot be read (an
    unknown operator, a list for a map) selects nothing: what is not understood must not widen what is acted upon.

    >>> selects({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]}, {"app": "b"})
    True
    >>> selects({}, {"app": "b"}), selects(None, {"app": "b"})
    (True, False)
    """
    if not isinstance(selector, Mapping):
        return False
    wanted, expressions = _or_nothing(selector.get("matchLabels"), {}), _or_nothing(selector.get("matchExpressions"), ())
    if not isinstance(wanted, Mapping) or not isinstance(expressions, list | tuple):
        return False
    return all(key in labels and labels[key] == value for key, value in wanted.items()) and all(
        _holds(one, labels) for one in expressions
    )


def is_empty(selector: Any) -> bool:
    """Tell whether a selector asks for nothing, or is absent.

    As a query such a selector means everything, but no workload may have one: it would own every pod of its namespace.
    """
    return not isinstance(selector, Mapping) or not (selector.get("matchLabels") or selector.get("matchExpressions"))


def selects_for_workload(selector: Any, labels: Mapping[str, Any]) -> bool:
    """Tell whether the selector of a workload selects these labels; an empty one selects nothing."""
    return not is_empty(selector) and selects(selector, labels)


def _or_nothing(value: Any, nothing: Any) -> Any:
    return nothing if value is None else value


def _holds(requirement: Any, labels: Mapping[str, Any]) -> bool:
    if not isinstance(requirement, Mapping) or not isinstance(key := requirement.get("key"), str):
        return False
    values = _or_nothing(requirement.get("values"), ())
    if not isinstance(values, list | tuple):
        return False
    match requirement.get("operator"):
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return key not in labels or labels[key] not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return False
