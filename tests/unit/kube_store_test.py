"""The store: found by name, found by index, and never by what is gone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kube_fakes import WIDGET, widget

from kube.objects import Object
from kube.store import Store


def colour(obj: Object) -> list[str]:
    return obj.get("colours") or []


def names(objects: list[Object]) -> list[str]:
    return [obj["metadata"]["name"] for obj in objects]


def test_an_object_is_found_under_every_value_of_an_index_in_order_of_name() -> None:
    store = Store(WIDGET, {"colour": colour})
    for one in (widget("b", colours=["red"]), widget("a", colours=["red", "blue"]), widget("c")):
        store.put(one)
    assert names(store.by("colour", "red")) == ["a", "b"]
    assert names(store.by("colour", "blue")) == ["a"]
    assert store.by("colour", "green") == []
    assert names(store.all()) == ["a", "b", "c"]


def test_a_change_moves_an_object_in_the_index_and_returns_the_old_one() -> None:
    store = Store(WIDGET, {"colour": colour})
    old = widget("a", colours=["red"])
    assert store.put(old) is None
    assert store.put(widget("a", "2", colours=["blue"])) is old
    assert (names(store.by("colour", "red")), names(store.by("colour", "blue"))) == ([], ["a"])


def test_a_removed_object_is_gone_everywhere_and_twice_is_nothing() -> None:
    store = Store(WIDGET, {"colour": colour})
    store.put(widget("a", colours=["red"]))
    assert store.remove(("shop", "a")) is not None
    assert store.remove(("shop", "a")) is None
    assert (store.get("shop", "a"), store.by("colour", "red"), len(store)) == (None, [], 0)


def test_an_index_added_later_finds_what_is_there_already() -> None:
    store = Store(WIDGET)
    store.put(widget("a", colours=["red"]))
    store.add_index("colour", colour)
    assert names(store.by("colour", "red")) == ["a"]
    with pytest.raises(ValueError, match="another index"):
        store.add_index("colour", lambda obj: [])


@given(st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.lists(st.sampled_from("xyz"), unique=True))))
def test_indices_always_tell_what_the_objects_say(changes: list[tuple[str, list[str] | None]]) -> None:
    store = Store(WIDGET, {"colour": colour})
    for name, colours in changes:
        if colours is None:
            store.remove(("shop", name))
        else:
            store.put(widget(name, colours=colours))
    for value in "xyz":
        assert store.by("colour", value) == [obj for obj in store.all() if value in colour(obj)]
