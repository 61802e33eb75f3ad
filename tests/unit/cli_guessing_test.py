"""Words that are misspelt are answered with what was meant, or not guessed at."""

from __future__ import annotations

import pytest

from rollouts.cli.guessing import closest
from rollouts.cli.main import run

FIELDS = ["setWeight", "setCanaryScale", "pause", "analysis", "replicas"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        pytest.param("setWieght", "setWeight", id="letters swapped"),
        pytest.param("setweight", "setWeight", id="another case"),
        pytest.param("set_weight", "setWeight", id="an underscore"),
        pytest.param("replica", "replicas", id="a letter missing"),
        pytest.param("weight", "setWeight", id="most of the word"),
        pytest.param("duration", "", id="nothing near"),
        pytest.param("", "", id="nothing at all"),
    ],
)
def test_the_nearest_word_is_meant_if_it_is_near(word: str, meant: str) -> None:
    assert closest(word, FIELDS) == meant


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        pytest.param(("retry", "web"), " Did you mean: rollouts retry rollout web", id="a name after retry"),
        pytest.param(("get", "web", "-w"), " Did you mean: rollouts get rollout web", id="a name after get"),
        pytest.param(("retry", "rolout", "web"), " Did you mean: rollouts retry rollout web", id="a kind misspelt"),
        pytest.param(("promot", "web"), " Did you mean: rollouts promote web", id="a command misspelt"),
        pytest.param(("set", "web", "a=b c"), " Did you mean: rollouts set image web 'a=b c'", id="blanks are quoted"),
        pytest.param(("terminate", "run-1"), " Did you mean: rollouts terminate analysisrun run-1", id="a run"),
        pytest.param(("replay", "errors"), " Did you mean: rollouts replay analysistemplate errors", id="a template"),
        pytest.param(("retry", "web", "--token", "secret"), " Did you mean: rollouts retry rollout web", id="options are not told"),
        pytest.param(("bogus",), "", id="nothing near"),
    ],
)
def test_a_command_that_is_not_there_is_answered_with_the_one_that_was_meant(
    arguments: tuple[str, ...], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(list(arguments), prog="rollouts") == 1
    first, _, _ = capsys.readouterr().err.partition("\n")
    assert first.partition("'.")[2] == hint
    assert first.startswith("Error: No such command '")


def test_the_hint_is_written_as_the_program_was_called(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["retry", "web"], prog="kubectl argo rollouts") == 1
    assert "Did you mean: kubectl argo rollouts retry rollout web\n" in capsys.readouterr().err
