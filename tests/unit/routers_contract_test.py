"""What every router promises: it reads back what it wrote, writes nothing twice, and leaves other people's things alone."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from router_scenarios import HEADER, MIRROR, SCENARIOS, Scenario, applied

from kube.kinds import ObjectRef
from kube.objects import name_of
from kube.plan import Create
from routers import ROUTERS
from routers.base import Destination, InvalidRouting, Objects, RoutingError, Split

every_scenario = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())


@st.composite
def splits(draw: st.DrawFn, scenario: Scenario) -> Split:
    """Draw a split that the scenario's router can be asked for."""
    total = draw(st.sampled_from(scenario.totals))
    canary = draw(st.integers(0, total))
    services = draw(st.lists(st.sampled_from(scenario.experiments), unique=True)) if scenario.experiments else []
    additional = tuple(Destination(service=one, pod_hash=f"hash-{one}", weight=draw(st.integers(0, 20))) for one in services)
    if canary + sum(one.weight for one in additional) > total:
        additional = ()
    wanted = draw(st.booleans()) and scenario.routes, draw(st.booleans()) and scenario.routes
    return Split(
        canary=canary,
        total=total,
        additional=additional,
        header_routes=(HEADER,) if wanted[0] else (),
        mirror_routes=(MIRROR,) if wanted[1] else (),
    )


def at(objects: Objects, where: tuple[Any, ...]) -> Any:
    """Return the part of an object at a path of kind, name, keys and positions."""
    kind, name, *keys = where
    found: Any = next(obj for ref, obj in objects.by_ref.items() if ref.kind.name == kind and name_of(obj) == name)
    for key in keys:
        found = found[key]
    return found


@every_scenario
@given(data=st.data())
def test_what_was_written_is_read_back_and_not_written_again(scenario: Scenario, data: st.DataObject) -> None:
    router, objects = ROUTERS[scenario.router], scenario.objects
    for _ in range(3):
        split = data.draw(splits(scenario))
        objects = applied(objects, router.desired(scenario.spec, split, objects))
        assert router.observed(scenario.spec, objects) == split
        assert router.desired(scenario.spec, split, objects) == []


@every_scenario
@given(data=st.data())
def test_what_belongs_to_others_never_changes(scenario: Scenario, data: st.DataObject) -> None:
    router, objects = ROUTERS[scenario.router], scenario.objects
    before = copy.deepcopy(objects)
    after = applied(objects, router.desired(scenario.spec, data.draw(splits(scenario)), objects))
    assert objects == before, "the router changed its argument"
    after = applied(after, router.cleaned(scenario.spec, after))
    for where in scenario.foreign:
        assert at(after, where) == at(before, where)


@every_scenario
def test_the_writes_are_about_objects_that_are_watched(scenario: Scenario) -> None:
    router = ROUTERS[scenario.router]
    watched = set(router.watches(scenario.spec))
    writes = router.desired(scenario.spec, Split(canary=10), scenario.objects)
    assert writes
    assert {write.ref for write in writes} <= watched
    assert set(scenario.objects.by_ref) <= watched


@every_scenario
def test_objects_as_users_have_them_are_valid(scenario: Scenario) -> None:
    ROUTERS[scenario.router].validate(scenario.spec, scenario.objects)


@every_scenario
def test_a_missing_object_is_named_and_no_split_is_seen(scenario: Scenario) -> None:
    router = ROUTERS[scenario.router]
    for ref in scenario.objects.by_ref:
        rest = Objects({other: obj for other, obj in scenario.objects.by_ref.items() if other != ref})
        with pytest.raises(InvalidRouting, match=ref.name):
            router.validate(scenario.spec, rest)
        with pytest.raises(RoutingError, match="not found"):
            router.desired(scenario.spec, Split(canary=1), rest)
    assert router.observed(scenario.spec, Objects()) is None


@every_scenario
def test_cleaning_up_twice_writes_nothing_the_second_time(scenario: Scenario) -> None:
    router = ROUTERS[scenario.router]
    objects = applied(scenario.objects, router.desired(scenario.spec, Split(canary=30), scenario.objects))
    objects = applied(objects, router.cleaned(scenario.spec, objects))
    assert router.cleaned(scenario.spec, objects) == []


@every_scenario
def test_an_edit_in_between_makes_the_old_writes_fail_rather_than_overwrite_it(scenario: Scenario) -> None:
    """Creations fail by themselves when the name is taken; a patch of a list must carry the version it was made from."""
    router = ROUTERS[scenario.router]
    for write in router.desired(scenario.spec, Split(canary=30), scenario.objects):
        if not isinstance(write, Create):
            assert write.version == scenario.objects.by_ref[write.ref]["metadata"]["resourceVersion"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("ability", "split"),
    [
        pytest.param("can_match_headers", Split(canary=0, header_routes=(HEADER,)), id="header routes"),
        pytest.param("can_mirror", Split(canary=0, mirror_routes=(MIRROR,)), id="mirror routes"),
        pytest.param(
            "can_weigh_additional",
            Split(canary=0, additional=(Destination(service="trial", pod_hash="x", weight=5),)),
            id="experiments",
        ),
    ],
)
@every_scenario
def test_a_router_does_or_refuses_what_it_says(scenario: Scenario, ability: str, split: Split) -> None:
    router = ROUTERS[scenario.router]
    if not getattr(router, ability):
        with pytest.raises(InvalidRouting, match="cannot"):
            router.desired(scenario.spec, split, scenario.objects)
    elif scenario.routes:
        assert router.desired(scenario.spec, split, scenario.objects)


junk = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just([]), st.just({}), st.just([[]]))


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every part of a value."""
    children: list[tuple[Any, Any]] = []
    if isinstance(value, Mapping):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    return [here] * bool(here) + [place for key, child in children for place in places(child, (*here, key))]


def with_junk(obj: Any, place: tuple[Any, ...], replacement: Any) -> Any:
    """Return the object with one part replaced."""
    mangled = copy.deepcopy(obj)
    parent = mangled
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = replacement
    return mangled


@every_scenario
@settings(max_examples=300)
@given(data=st.data())
def test_mangled_objects_raise_nothing_but_routing_errors(scenario: Scenario, data: st.DataObject) -> None:
    router, spec = ROUTERS[scenario.router], scenario.spec
    split = data.draw(splits(scenario))
    objects = applied(scenario.objects, router.desired(spec, split, scenario.objects))
    mangled: dict[ObjectRef, Any] = dict(objects.by_ref)
    for _ in range(data.draw(st.integers(1, 3))):
        ref = data.draw(st.sampled_from(sorted(mangled)))
        if choices := places(mangled[ref]):
            mangled[ref] = with_junk(mangled[ref], data.draw(st.sampled_from(choices)), data.draw(junk))
    bad = Objects(mangled)
    router.observed(spec, bad)
    router.cleaned(spec, bad)
    list(router.watches(spec))
    for call in (lambda: router.validate(spec, bad), lambda: router.desired(spec, split, bad)):
        with contextlib.suppress(RoutingError):
            call()


@every_scenario
@settings(max_examples=100)
@given(data=st.data())
def test_a_mangled_spec_raises_nothing_but_routing_errors(scenario: Scenario, data: st.DataObject) -> None:
    router = ROUTERS[scenario.router]
    config = with_junk(scenario.spec.config, data.draw(st.sampled_from(places(scenario.spec.config))), data.draw(junk))
    spec = type(scenario.spec)(**{**{name: getattr(scenario.spec, name) for name in scenario.spec.__slots__}, "config": config})
    list(router.watches(spec))
    router.observed(spec, scenario.objects)
    router.cleaned(spec, scenario.objects)
    with contextlib.suppress(RoutingError):
        router.desired(spec, Split(canary=5), scenario.objects)
