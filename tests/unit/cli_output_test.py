"""What `-o` prints: forms that other programs read as they read kubectl's."""

from __future__ import annotations

import json
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from kube.kinds import POD, ROLLOUT
from rollouts.cli.output import Output, data_text, object_text, objects_text, output_option

WEB: dict[str, Any] = {
    "metadata": {"name": "web", "namespace": "shop", "managedFields": [{"manager": "kubectl"}]},
    "spec": {"replicas": 2, "note": "größer als 1: ja"},
    "status": {"phase": "Healthy"},
}
READERS: dict[Output, Any] = {Output.JSON: json.loads, Output.YAML: yaml.safe_load}


@pytest.mark.parametrize("output", [Output.JSON, Output.YAML])
def test_an_object_is_read_back_whole_with_its_kind_and_without_bookkeeping(output: Output) -> None:
    assert READERS[output](object_text(WEB, ROLLOUT, output)) == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": 2, "note": "größer als 1: ja"},
        "status": {"phase": "Healthy"},
    }


@pytest.mark.parametrize("output", [Output.JSON, Output.YAML])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_several_objects_are_a_list_however_many_there_are(output: Output, count: int) -> None:
    found = READERS[output](objects_text([WEB] * count, ROLLOUT, output))
    assert (found["apiVersion"], found["kind"]) == ("v1", "List")
    assert [(item["kind"], item["metadata"]["name"]) for item in found["items"]] == [("Rollout", "web")] * count


@pytest.mark.parametrize("output", [Output.JSON, Output.YAML])
def test_text_in_other_scripts_stays_readable(output: Output) -> None:
    assert "größer als 1: ja" in data_text({"note": "größer als 1: ja"}, output)


def test_names_can_be_given_back_to_kubectl() -> None:
    assert object_text(WEB, ROLLOUT, Output.NAME) == "rollout.argoproj.io/web\n"
    assert objects_text([WEB, WEB], ROLLOUT, Output.NAME) == "rollout.argoproj.io/web\n" * 2
    assert object_text(WEB, POD, Output.NAME) == "pod/web\n", "kinds of the core group have none to tell"


def test_a_form_that_a_command_does_not_have_is_refused_with_those_it_has() -> None:
    @click.command()
    @output_option(Output.JSON, Output.YAML)
    def show(output: Output | None) -> None:
        click.echo(repr(output))

    assert CliRunner().invoke(show, []).output == "None\n"
    assert CliRunner().invoke(show, ["-o", "yaml"]).output == f"{Output.YAML!r}\n"
    refused = CliRunner().invoke(show, ["-o", "wide"])
    assert refused.exit_code != 0
    assert "'json', 'yaml'" in refused.output
