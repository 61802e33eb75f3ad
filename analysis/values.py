"""How measured values are written into a measurement, as upstream writes them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from analysis.expressions import show_float


def plain_float(value: float) -> str:
    """Return a float without an exponent, as Prometheus' sample values print.

    >>> plain_float(0.98), plain_float(1.0), plain_float(1e22), plain_float(float("nan"))
    ('0.98', '1', '10000000000000000000000', 'NaN')
    """
    return show_float(value, lower=-400, upper=400)


def vector(values: Iterable[float]) -> str:
    """Return samples as a list that clients parse as JSON.

    >>> vector([0.98, 1.0]), vector([])
    ('[0.98,1]', '[]')
    """
    return f"[{','.join(map(plain_float, values))}]"


def go_json(value: Any) -> str:
    """Return decoded JSON as Go encodes it: sorted keys, no blanks, whole floats without `.0`, `<`, `>` and `&` escaped.

    >>> go_json({"b": 1.0, "a": [True, None, "x<y"]})
    '{"a":[true,null,"x\\\\u003cy"],"b":1}'
    """
    match value:
        case bool() | None:
            return json.dumps(value)
        case int():
            return show_float(float(value), lower=-6) if abs(value) < 2**1023 else str(value)
        case float():
            return show_float(value, lower=-6)
        case str():
            return _string(value)
        case Mapping():
            return "{" + ",".join(f"{_string(str(key))}:{go_json(value[key])}" for key in sorted(value, key=str)) + "}"
        case _:
            return "[" + ",".join(map(go_json, value)) + "]"


def _string(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        quoted = quoted.replace(character, f"\\u{ord(character):04x}")
    return quoted
