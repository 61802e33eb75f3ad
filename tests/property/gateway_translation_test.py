"""The translation holds against any content: it never fails, and what is good stays served."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.gateway.translate import translate
from sandbox.gateway.world import Settings, Socket, World
from tests.gateway_objects import (
    canary_ingress,
    destination,
    destination_rule,
    endpoints,
    ingress,
    path,
    pod,
    service,
    virtual_service,
)
from tests.gateway_picker import answers

SETTINGS = Settings(ingress=Socket("127.0.0.1", 8080), proxy=Socket("127.0.0.1", 8081))
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 2**40)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["/", "web", "*", "80"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
SPECIMENS: list[Any] = [
    service("odd", "127.96.0.9"),
    ingress("odd", path("web"), path("nobody", "/x"), host="odd.test"),
    canary_ingress("odd", path("web-canary"), host="odd.test", weight=10, by_header="x"),
    virtual_service(
        "odd",
        {
            "match": [{"uri": {"prefix": "/x"}, "headers": {"a": {"exact": "b"}}}],
            "route": [destination("web", 50, port=80), destination("web", 50, subset="a")],
            "mirror": {"host": "web"},
            "mirrorPercentage": {"value": 5},
            "headers": {"request": {"set": {"a": "b"}, "remove": ["c"]}},
            "retries": {"attempts": 3},
            "timeout": "5s",
            "rewrite": {"uri": "/y"},
        },
        hosts=["odd.test", "odd"],
        gateways=["mesh", "edge"],
        tcp=[{"match": [{"port": 80}], "route": [destination("web")]}],
        tls=[{"match": [{"sniHosts": ["x"]}], "route": [destination("web")]}],
    ),
    destination_rule("odd", "web", a={"v": "1"}),
]


@st.composite
def mangled(draw: st.DrawFn) -> Any:
    """A specimen with junk in one or two places of its spec."""
    made = json.loads(json.dumps(draw(st.sampled_from(SPECIMENS))))
    for _ in range(draw(st.integers(1, 2))):
        holder, key = made, "spec"
        for _ in range(draw(st.integers(0, 6))):
            inner = holder[key]
            if isinstance(inner, dict) and inner:
                holder, key = inner, draw(st.sampled_from(sorted(inner)))
            elif isinstance(inner, list) and inner:
                holder, key = inner, draw(st.integers(0, len(inner) - 1))  # type: ignore[assignment]
            else:
                break
        holder[key] = draw(JUNK)
    return made


@given(odd=mangled())
@settings(max_examples=400, deadline=None)
def test_a_mangled_object_takes_nothing_else_with_it(odd: Any) -> None:
    kinds = {
        "Service": "services",
        "Ingress": "ingresses",
        "VirtualService": "virtual_services",
        "DestinationRule": "destination_rules",
    }
    good: dict[str, tuple[Any, ...]] = {
        "services": (service("web", "127.96.0.1"), service("web-canary"), service("steady")),
        "ingresses": (ingress("steady", path("steady"), host="steady.test"),),
        "virtual_services": (),
        "destination_rules": (),
    }
    good[kinds[odd["kind"]]] += (odd,)
    slices = (endpoints("web", ["127.10.0.1"]), endpoints("web-canary", ["127.10.0.2"]))
    found = translate(World(**good, slices=slices, pods=(pod("127.10.0.1", v="1"),)), SETTINGS)
    assert answers(found, "ingress", "steady.test") == {"steady": 100}
    assert answers(found, "names", "steady.shop") == {"steady": 100}
    json.dumps([found.listeners, found.tables, found.clusters])
