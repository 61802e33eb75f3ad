"""The command line against an API server over HTTP: what is printed, what is stored afterwards, how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from kube.kinds import (
    ANALYSIS_RUN,
    ANALYSIS_TEMPLATE,
    CUSTOM_RESOURCE_DEFINITION,
    DEPLOYMENT,
    REPLICA_SET,
    ROLLOUT,
    Kind,
    ObjectRef,
)
from kube.objects import Object
from kube.quick import QuickClient
from rollouts.cli.main import run

HASH = "rollouts-pod-template-hash"


def shop(**spec: Any) -> dict[str, Any]:
    """Return a Rollout of one container with two steps."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "shop"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [{"name": "web", "image": "web:2"}]}},
            "strategy": {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}},
            **spec,
        },
    }


def stored(client: QuickClient, body: dict[str, Any], *, status: dict[str, Any] | None = None) -> Object:
    """Store a Rollout in the namespace of the context."""
    created = client.create(ROLLOUT, {**body, "metadata": {"namespace": "default", **body["metadata"]}})
    return client.patch(SHOP, {"status": status}, subresource="status") if status else created


def revision(client: QuickClient, rollout: Object, number: int, image: str) -> None:
    """Store a ReplicaSet as the controller keeps them."""
    labels = {"app": "shop", HASH: f"hash{number}"}
    owner = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "name": "shop",
        "uid": rollout["metadata"]["uid"],
        "controller": True,
    }
    metadata = {
        "name": f"shop-hash{number}",
        "namespace": "default",
        "labels": labels,
        "annotations": {"rollout.argoproj.io/revision": str(number)},
        "ownerReferences": [owner],
    }
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": image}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": pod}
    client.create(REPLICA_SET, {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec})


SHOP = ObjectRef(ROLLOUT, "default", "shop")
SEEN = {"observedGeneration": "1", "phase": "Paused", "message": "CanaryPauseStep", "stableRS": "a", "currentPodHash": "b"}
PAUSED = SEEN | {"currentStepIndex": 1, "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z"}]}


def rollouts(*arguments: str) -> int:
    """Run one command in this process."""
    return run(list(arguments), prog="rollouts")


def image_of(client: QuickClient, kind: Kind = ROLLOUT, name: str = "shop") -> str:
    """Return the image that a workload's template asks for."""
    return str(client.get(kind, "default", name)["spec"]["template"]["spec"]["containers"][0]["image"])


def test_a_rollout_is_created_from_a_file_listed_and_shown(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = tmp_path / "shop.yaml"
    manifest.write_text(yaml.safe_dump(shop()) + "---\n")
    assert rollouts("create", "-f", str(manifest)) == 0
    assert rollouts("list", "rollouts") == 0
    assert rollouts("get", "ro", "shop", "--no-color") == 0
    out = capsys.readouterr().out
    assert out.startswith("rollout.argoproj.io/shop created\nNAME ")
    assert "shop        Canary     Progressing" in out
    assert "Status:          ◌ Progressing\nMessage:         waiting for rollout spec update to be observed\n" in out


@pytest.mark.parametrize(
    ("arguments", "said", "path", "value"),
    [
        pytest.param(("abort", "shop"), "rollout 'shop' aborted\n", "status.abort", True, id="abort"),
        pytest.param(("retry", "rollout", "shop"), "rollout 'shop' retried\n", "status.abort", False, id="retry"),
        pytest.param(("pause", "shop"), "rollout 'shop' paused\n", "spec.paused", True, id="pause"),
        pytest.param(("promote", "shop"), "rollout 'shop' promoted\n", "status.pauseConditions", None, id="promote"),
        pytest.param(("promote", "shop"), "rollout 'shop' promoted\n", "status.currentStepIndex", 1, id="promote keeps the step"),
        pytest.param(
            ("promote", "--full", "shop"), "rollout 'shop' fully promoted\n", "status.promoteFull", True, id="promote fully"
        ),
        pytest.param(
            ("set", "image", "shop", "web=web:3"),
            'rollout "shop" image updated\n',
            "spec.template.spec.containers.0.image",
            "web:3",
            id="set image",
        ),
    ],
)
def test_a_change_says_one_line_and_is_stored(
    client: QuickClient, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str, path: str, value: object
) -> None:
    stored(client, shop(), status=PAUSED)
    assert rollouts(*arguments) == 0
    assert capsys.readouterr().out == said
    found: Any = client.get(ROLLOUT, "default", "shop")
    for key in path.split("."):
        found = found[int(key)] if isinstance(found, list) else found.get(key)
    assert found == value


def test_a_cluster_without_the_status_subresource_gets_one_patch_to_the_object(
    client: QuickClient, capsys: pytest.CaptureFixture[str]
) -> None:
    definition = client.get(CUSTOM_RESOURCE_DEFINITION, "", "rollouts.argoproj.io")
    versions = [{**one, "subresources": {}} for one in definition["spec"]["versions"]]
    client.patch(ObjectRef(CUSTOM_RESOURCE_DEFINITION, "", "rollouts.argoproj.io"), {"spec": {"versions": versions}})
    stored(client, {**shop(paused=True), "status": PAUSED})
    assert rollouts("promote", "shop") == 0
    found = client.get(ROLLOUT, "default", "shop")
    assert "pauseConditions" not in found["status"]
    assert found["spec"]["paused"] is False


def test_a_restart_is_asked_for_at_a_time(client: QuickClient, capsys: pytest.CaptureFixture[str]) -> None:
    stored(client, shop())
    assert rollouts("restart", "shop", "--in", "10m") == 0
    assert capsys.readouterr().out == "rollout 'shop' restarts in 10m\n"
    assert client.get(ROLLOUT, "default", "shop")["spec"]["restartAt"].endswith("Z")


def test_undo_goes_back_one_revision_and_skips_when_there_already(client: QuickClient, capsys: pytest.CaptureFixture[str]) -> None:
    rollout = stored(client, shop())
    revision(client, rollout, 1, "web:1")
    revision(client, rollout, 2, "web:2")
    assert rollouts("undo", "shop") == 0
    assert image_of(client) == "web:1"
    assert rollouts("undo", "shop", "--to-revision=1") == 0
    assert capsys.readouterr().out == (
        "rollout 'shop' undo\nrollout 'shop' skipped rollback (current template already matches revision 1)\n"
    )
    assert HASH not in client.get(ROLLOUT, "default", "shop")["spec"]["template"]["metadata"]["labels"]


def test_the_image_of_a_referenced_deployment_is_changed_there(client: QuickClient, capsys: pytest.CaptureFixture[str]) -> None:
    body = shop(workloadRef={"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"})
    template = body["spec"].pop("template")
    stored(client, body)
    metadata, spec = {"name": "web", "namespace": "default"}, {"selector": body["spec"]["selector"], "template": template}
    client.create(DEPLOYMENT, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})
    assert rollouts("set", "image", "shop", "*=web:9") == 0
    assert capsys.readouterr().out == 'deployment "web" image updated\n'
    assert image_of(client, DEPLOYMENT, "web") == "web:9"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("get", "rollout", "nope"), 'Error: rollouts.argoproj.io "nope" not found\n', id="no such rollout"),
        pytest.param(("abort", "nope"), 'Error: rollouts.argoproj.io "nope" not found\n', id="no such rollout to change"),
        pytest.param(("get", "experiment", "x"), "Error: Experiments are not served", id="experiments"),
        pytest.param(("terminate", "analysisrun", "nope"), 'Error: analysisruns.argoproj.io "nope" not found\n', id="no such run"),
        pytest.param(("create", "analysisrun"), "Error: one of --from or --from-file must be used\n", id="no template"),
        pytest.param(("create", "-f", "/nowhere.yaml"), "Error: /nowhere.yaml cannot be read", id="no file"),
        pytest.param(("restart", "shop", "-i", "soon"), 'Error: Invalid value: "soon" is not a duration', id="no duration"),
        pytest.param(("bogus",), "Error: No such command 'bogus'.\nSee 'rollouts --help' for usage.\n", id="no such command"),
        pytest.param(("list", "rollouts", "--kubeconfig", "/none"), "Error: there is no file /none\n", id="no kubeconfig"),
    ],
)
def test_what_cannot_be_done_is_one_line_on_standard_error_and_exit_code_1(
    config: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert rollouts(*arguments) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith(said)
    assert captured.out == ""


def test_options_of_kubectl_may_stand_before_or_after_the_command(client: QuickClient, capsys: pytest.CaptureFixture[str]) -> None:
    stored(client, shop())
    for arguments in (("-n", "other", "list", "ro"), ("list", "-n", "other", "ro"), ("list", "ro", "-n", "other")):
        assert rollouts(*arguments) == 0
        assert capsys.readouterr().err == "No resources found.\n"
    assert rollouts("-n", "other", "list", "ro", "--namespace", "default") == 0
    assert "shop" in capsys.readouterr().out


def template(client: QuickClient, **spec: Any) -> None:
    """Store an AnalysisTemplate with one argument."""
    metric = {"name": "rate", "provider": {"prometheus": {"address": "http://p", "query": "up{app='{{args.app}}'}"}}}
    body = {"metrics": [metric], "args": [{"name": "app"}], **spec}
    metadata = {"name": "rate", "namespace": "default"}
    client.create(
        ANALYSIS_TEMPLATE, {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": metadata, "spec": body}
    )


def test_an_analysis_run_is_created_from_a_template_and_terminated(client: QuickClient, capsys: pytest.CaptureFixture[str]) -> None:
    template(client)
    assert rollouts("create", "analysisrun", "--from", "rate", "-a", "app=shop=1", "--name", "mine", "--instance-id", "blue") == 0
    assert rollouts("terminate", "ar", "mine") == 0
    assert capsys.readouterr().out == "analysisrun.argoproj.io/mine created\nanalysisrun 'mine' terminated\n"
    run = client.get(ANALYSIS_RUN, "default", "mine")
    assert run["spec"]["args"] == [{"name": "app", "value": "shop=1"}]
    assert run["spec"]["terminate"] is True
    assert run["metadata"]["labels"] == {"argo-rollouts.argoproj.io/controller-instance-id": "blue"}
    assert rollouts("create", "ar", "--from", "rate") == 1
    assert capsys.readouterr().err == "Error: args.app was not resolved\n"


def test_an_argument_that_the_template_does_not_declare_is_told_and_left_out(
    client: QuickClient, capsys: pytest.CaptureFixture[str]
) -> None:
    template(client)
    arguments = ("--from", "rate", "-a", "app=shop", "-a", "aap=shop", "--name", "mine")
    assert rollouts("create", "analysisrun", *arguments) == 0
    said = capsys.readouterr()
    assert said.out == "analysisrun.argoproj.io/mine created\n"
    assert said.err == "Warning: the template declares no argument aap; it declares app\n"
    assert client.get(ANALYSIS_RUN, "default", "mine")["spec"]["args"] == [{"name": "app", "value": "shop"}]


NESTING = {"kind": "AnalysisTemplate", "metadata": {"name": "all"}, "spec": {"templates": [{"templateName": "rate"}]}}


@pytest.mark.parametrize(
    ("documents", "code", "said"),
    [
        pytest.param([NESTING], 0, "", id="with a template of the cluster"),
        pytest.param([NESTING, NESTING], 1, "must hold one AnalysisTemplate", id="two templates"),
        pytest.param([{"kind": "Rollout"}], 1, "must hold one AnalysisTemplate, or be given the name of one; it has 0", id="none"),
        pytest.param([{"kind": "AnalysisTemplate", "spec": {}}], 1, "without metadata.name; give it one", id="without a name"),
        pytest.param([{**NESTING, "spec": []}], 1, "AnalysisTemplate all has no spec", id="without a spec"),
    ],
)
def test_an_analysis_run_is_created_from_the_one_template_of_a_file(
    client: QuickClient, tmp_path: Path, capsys: pytest.CaptureFixture[str], documents: list[Any], code: int, said: str
) -> None:
    template(client)
    path = tmp_path / "template.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    assert rollouts("create", "analysisrun", "--from-file", str(path), "-a", "app=shop", "--name", "mine") == code
    assert said in capsys.readouterr().err
    if code == 0:
        assert client.get(ANALYSIS_RUN, "default", "mine")["spec"]["metrics"][0]["name"] == "rate"


@pytest.mark.parametrize("argument", ["app", "=secret", ""])
def test_an_argument_without_key_or_value_is_refused_without_repeating_the_value(
    config: Path, argument: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rollouts("create", "analysisrun", "--from", "rate", "-a", argument) == 1
    said = capsys.readouterr().err
    assert "arguments must be of the form KEY=VALUE" in said
    assert "secret" not in said


def test_explain_says_what_comes_next_and_writes_nothing(client: QuickClient, capsys: pytest.CaptureFixture[str]) -> None:
    before = stored(client, shop())
    assert rollouts("explain", "shop") == 0
    assert "create ReplicaSet default/shop-" in capsys.readouterr().out
    assert client.get(ROLLOUT, "default", "shop") == before


def started(config: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a command that watches, as a process of its own."""
    command = [sys.executable, "-u", "-c", "from rollouts.cli.main import main; main()", *arguments]
    environment = {**os.environ, "KUBECONFIG": str(config), "PYTHONIOENCODING": "utf-8"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


@pytest.mark.parametrize(
    ("last", "said", "code", "complaint"),
    [
        pytest.param({"phase": "Healthy", "message": None}, "Healthy\n", 0, "", id="healthy"),
        pytest.param(
            {"phase": "Degraded", "message": "RolloutAborted: x"},
            "Degraded\n",
            1,
            "Error: The rollout is in a degraded state with message: RolloutAborted: x\n",
            id="degraded",
        ),
    ],
)
def test_status_waits_for_the_end_and_its_exit_code_tells_how_it_was(
    client: QuickClient, config: Path, last: dict[str, Any], said: str, code: int, complaint: str
) -> None:
    stored(client, shop(), status=PAUSED)
    with started(config, "status", "shop") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "Paused - CanaryPauseStep\n"
        client.patch(
            SHOP, {"status": {"phase": "Progressing", "message": "more replicas need to be updated"}}, subresource="status"
        )
        assert process.stdout.readline() == "Progressing - more replicas need to be updated\n"
        client.patch(SHOP, {"status": last}, subresource="status")
        out, err = process.communicate(timeout=30)
    assert (out, err, process.returncode) == (said, complaint, code)


def test_status_gives_up_after_its_time(client: QuickClient, capsys: pytest.CaptureFixture[str]) -> None:
    stored(client, shop(), status=PAUSED)
    assert rollouts("status", "shop", "--timeout", "1ms") == 1
    assert capsys.readouterr() == ("Paused - CanaryPauseStep\n", "Error: Rollout status watch exceeded timeout\n")
    for once in ("--watch=false", "-w=false", "--no-watch"):
        assert rollouts("status", "shop", once) == 0


def test_a_watched_tree_is_printed_again_when_something_changes_and_ends_with_the_rollout(
    client: QuickClient, config: Path
) -> None:
    rollout = stored(client, shop(), status=PAUSED)
    with started(config, "get", "rollout", "shop", "-w") as process:
        assert process.stdout is not None
        assert any(line.startswith("⟳ shop") for line in process.stdout)
        revision(client, rollout, 1, "web:1")
        assert any("⧉ shop-hash1" in line for line in process.stdout)
        client.delete(SHOP)
        _, err = process.communicate(timeout=30)
    assert err == 'Error: rollouts.argoproj.io "shop" not found\n'
    assert process.returncode == 1


def test_looking_at_a_rollout_loads_nothing_heavy(client: QuickClient, config: Path) -> None:
    """The command is typed often, so what takes long to import has no place in it."""
    stored(client, shop(), status=PAUSED)
    look = "from rollouts.cli.main import run; run(['get', 'rollout', 'shop'], prog='rollouts')"
    code = f"import sys, json; {look}; print(json.dumps([*sys.modules]))"
    environment = {**os.environ, "KUBECONFIG": str(config)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True, timeout=60)
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert not {"aiohttp", "asyncio", "httpx", "kopf", "kubernetes", "numpy", "pydantic", "rich"} & set(loaded)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_a_completion_script_names_the_program(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell], prog="kubectl argo rollouts") == 0
    out = capsys.readouterr().out
    assert "kubectl-argo-rollouts" in out
    assert "_KUBECTL_ARGO_ROLLOUTS_COMPLETE" in out


@pytest.mark.parametrize(
    ("words", "suggested"),
    [
        pytest.param("rollouts promote ", ["shop", "store"], id="all rollouts of the namespace"),
        pytest.param("rollouts get rollout st", ["store"], id="those that begin so"),
        pytest.param("rollouts abort shop ", ["store"], id="not twice"),
        pytest.param("rollouts -n elsewhere status ", [], id="of the namespace asked for"),
        pytest.param("rollouts set image s", ["shop", "store"], id="before the images"),
        pytest.param("rollouts terminate analysisrun ", ["shop-1"], id="analysis runs"),
        pytest.param("rollouts -s http://127.0.0.1:9 promote ", [], id="silence when there is no server"),
    ],
)
def test_the_shell_completes_names(
    words: str, suggested: list[str], client: QuickClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stored(client, shop(), status=PAUSED)
    stored(client, shop() | {"metadata": {"name": "store"}}, status=PAUSED)
    metrics = [{"name": "m", "provider": {"web": {"url": "http://127.0.0.1"}}}]
    client.create(ANALYSIS_RUN, {"metadata": {"name": "shop-1", "namespace": "default"}, "spec": {"metrics": metrics}})
    monkeypatch.setenv("_ROLLOUTS_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    with pytest.raises(SystemExit):
        rollouts()
    printed = capsys.readouterr()
    assert [line.partition(",")[2] for line in printed.out.split()] == suggested
    assert printed.err == ""


READERS: dict[str, Any] = {"json": json.loads, "yaml": yaml.safe_load}


@pytest.mark.parametrize("form", READERS)
def test_programs_read_rollouts_and_their_state(client: QuickClient, capsys: pytest.CaptureFixture[str], form: str) -> None:
    stored(client, shop(), status=PAUSED)

    def answer(*arguments: str) -> Any:
        assert rollouts(*arguments, "-o", form) == 0
        return READERS[form](capsys.readouterr().out)

    one, many = answer("get", "rollout", "shop"), answer("list", "rollouts", "-A")
    assert one["status"]["phase"] == "Paused"
    assert (many["kind"], many["items"]) == ("List", [one])
    assert answer("list", "rollouts", "-n", "elsewhere")["items"] == []
    state = {"name": "shop", "namespace": "default", "phase": "Paused", "message": "CanaryPauseStep"}
    assert answer("status", "shop", "--watch=false") == state
    assert answer("explain", "shop")["sentences"], "the same as without -o"


def test_status_as_data_is_the_last_state_alone_and_fails_as_without(
    client: QuickClient, capsys: pytest.CaptureFixture[str]
) -> None:
    stored(client, shop(), status=PAUSED | {"phase": "Degraded", "message": "RolloutAborted: x"})
    assert rollouts("status", "shop", "-o", "json") == 1
    assert json.loads(capsys.readouterr().out)["phase"] == "Degraded"


def test_a_wide_list_has_images_and_messages(client: QuickClient, capsys: pytest.CaptureFixture[str]) -> None:
    stored(client, shop(), status=PAUSED)
    assert rollouts("list", "rollouts", "-o", "wide") == 0
    titles, line = capsys.readouterr().out.splitlines()
    assert titles.split()[-3:] == ["AGE", "IMAGES", "MESSAGE"]
    assert line.split()[-1] == "CanaryPauseStep"


@pytest.mark.parametrize("arguments", [("get", "rollout", "shop"), ("list", "rollouts")], ids=" ".join)
def test_names_are_printed_and_one_answer_is_not_watched(
    client: QuickClient, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    stored(client, shop(), status=PAUSED)
    assert rollouts(*arguments, "-o", "name") == 0
    assert capsys.readouterr().out == "rollout.argoproj.io/shop\n"
    assert rollouts(*arguments, "-o", "name", "--watch") == 1
    assert "leave out --watch" in capsys.readouterr().err


def test_version_names_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["version", "--short"], prog="kubectl argo rollouts") == 0
    assert capsys.readouterr().out.startswith("kubectl-argo-rollouts: v")
    assert rollouts("version", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out)["Version"].startswith("v")


@pytest.mark.parametrize("arguments", [(), ("get",), ("--help",), ("promote", "-h"), ("create",)], ids=" ".join)
def test_help_is_printed_and_is_no_error(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert rollouts(*arguments) == 0
    assert capsys.readouterr().out.startswith("Usage: rollouts")
