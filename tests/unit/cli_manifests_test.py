"""YAML as people write it and get it wrong: read as kubectl reads it, refused with file and line."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.cli.manifests import DEEPEST, BadManifest, parse


def contents(text: str) -> list[Any]:
    """Return what a text holds."""
    return [one.content for one in parse(text, "shop.yaml")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("", [], id="nothing"),
        pytest.param("---\n---\na: 1\n---\n# no more\n", [{"a": 1}], id="empty documents"),
        pytest.param("at: 2026-01-31T12:00:00Z", [{"at": "2026-01-31T12:00:00Z"}], id="a time without quotes is text"),
        pytest.param("on: 2026-01-31", [{True: "2026-01-31"}], id="a day without quotes is text"),
        pytest.param("a: 1:30", [{"a": "1:30"}], id="a colon makes text, not a number to base 60"),
        pytest.param("a: -12\nb: 1.5\nc: 0644\nd: 1_000", [{"a": -12, "b": 1.5, "c": 420, "d": 1000}], id="numbers"),
        pytest.param('{\n\t"a": "\\/"\n}', [{"a": "/"}], id="JSON with tabs and odd escapes"),
        pytest.param("kind: List\nitems: [{a: 1}, {b: 2}]", [{"a": 1}, {"b": 2}], id="a list of objects"),
        pytest.param("kind: List\nitems: x", [{"kind": "List", "items": "x"}], id="a list that is none"),
        pytest.param("a: &x {b: 1}\nc:\n  <<: *x\n  d: 2", [{"a": {"b": 1}, "c": {"b": 1, "d": 2}}], id="merged mappings"),
        pytest.param("\ufeffa: 1", [{"a": 1}], id="a byte order mark"),
    ],
)
def test_manifests_are_read_as_kubectl_reads_them(text: str, found: list[Any]) -> None:
    assert contents(text) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("a: 1\nb: [1,\nc: 2\n", "shop.yaml:4:1: is no YAML: did not find expected ',' or ']'", id="a bracket open"),
        pytest.param("a: 1\n b: 2", "shop.yaml:2:3: is no YAML: mapping values are not allowed", id="indented wrongly"),
        pytest.param("a:\n\t- x", "shop.yaml:2:1: is no YAML: found character that cannot start", id="a tab"),
        pytest.param("a: 'x", "is no YAML: found unexpected end of stream", id="a quote open"),
        pytest.param("a: {{ .Values.a }}", "shop.yaml:1:", id="a chart's template"),
        pytest.param("a: *b", "shop.yaml:1:4: is no YAML: found undefined alias", id="an alias to nothing"),
        pytest.param("a: !!python/object:os.system x", "could not determine a constructor", id="a tag that would run code"),
        pytest.param("a: \x00", "shop.yaml: is no YAML: unacceptable character", id="a control character"),
        pytest.param("a: 1\nb:\n  c: 1\n  c: 2", 'shop.yaml:4: key "c" is there twice, first in line 3', id="a key twice"),
        pytest.param("a: 1\n---\na: 1\na: 1", 'shop.yaml:4: key "a" is there twice, first in line 3', id="twice in the second"),
        pytest.param("a: &x [*x]", "shop.yaml:1: an alias refers to what it is part of", id="an endless alias"),
        pytest.param("[" * 5000, f"shop.yaml:1: is nested more than {DEEPEST} levels deep", id="nested beyond reading"),
        pytest.param(
            "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n" + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)),
            "values when its aliases are written out",
            id="aliases that multiply",
        ),
        pytest.param(
            "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 1000)),
            f"has more than {DEEPEST} levels when its aliases are written out",
            id="aliases that go deep",
        ),
    ],
)
def test_what_is_no_manifest_is_refused_with_file_and_line(text: str, said: str) -> None:
    with pytest.raises(BadManifest) as refused:
        parse(text, "shop.yaml")
    assert said in str(refused.value)


def test_every_key_that_is_there_twice_is_told_at_once() -> None:
    with pytest.raises(BadManifest) as refused:
        parse("a: 1\na: 2\nb: {c: 1, c: 2}", "shop.yaml")
    assert [one.partition(";")[0] for one in refused.value.problems] == [
        'shop.yaml:2: key "a" is there twice, first in line 1',
        'shop.yaml:3: key "c" is there twice, first in line 3',
    ]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        pytest.param("", 2, id="the object itself"),
        pytest.param("spec", 3, id="a field"),
        pytest.param("spec.steps[1].setWeight", 7, id="in a list"),
        pytest.param("spec.steps[1].pause", 7, id="what is not there is where it should be"),
        pytest.param("spec.steps[9].pause", 4, id="past the end of a list"),
        pytest.param("status.phase", 2, id="nothing of it is there"),
    ],
)
def test_a_field_is_found_in_its_line(path: str, line: int) -> None:
    [document] = parse("---\nkind: A\nspec:\n  steps:\n  - pause: {}\n  -\n    setWeight: 1\n", "shop.yaml")
    assert document.place(path) == f"shop.yaml:{line}"


def test_objects_of_a_list_have_lines_of_their_own() -> None:
    assert [one.place("a") for one in parse("kind: List\nitems:\n- a: 1\n- a: 2\n", "x.yaml")] == ["x.yaml:3", "x.yaml:4"]
