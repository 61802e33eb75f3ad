"""`create` and `terminate`: objects from files, AnalysisRuns from templates, and stopping a run (spec/rollout.md 4).

Must not: decide what a run measures; analysis/templates.py puts it together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import click

from kube.kinds import ANALYSIS_RUN, ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE, ROLLOUT, Kind
from kube.objects import Object, name_of
from rollouts.cli import patches
from rollouts.cli.commands import LazyGroup, kube_command, session_of
from rollouts.cli.files import documents
from rollouts.cli.guessing import closest
from rollouts.cli.naming import analysis_run_names
from rollouts.cli.patches import Refused
from rollouts.cli.session import Cluster, Session
from rollouts.cli.sources import Templates, read_arguments, unknown_arguments
from rollouts.engine.names import INSTANCE_ID

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (ROLLOUT, ANALYSIS_RUN, ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE)}
_ALIASES = {"ar": "analysisrun", "analysisruns": "analysisrun", "exp": "experiment", "experiments": "experiment"}


@click.group("create", cls=LazyGroup, aliases=_ALIASES, invoke_without_command=True)
@click.option("-f", "--filename", "filenames", multiple=True, help="File with the objects to create, - for standard input.")
@click.pass_context
def create(ctx: click.Context, /, filenames: tuple[str, ...], **_: object) -> None:
    """Create Rollouts, AnalysisTemplates and AnalysisRuns from files, or an AnalysisRun from a template."""
    if ctx.invoked_subcommand is not None:
        return
    if not filenames:
        click.echo(ctx.get_help())
        return
    with session_of(ctx).open() as cluster:
        for filename in filenames:
            for document in documents(filename):
                _create(cluster, document)


def _create(cluster: Cluster, document: Any) -> None:
    kind = _kind_of(document)
    created = cluster.client.create(kind, _placed(document, kind, cluster.namespace))
    _tell(kind, created)


def _tell(kind: Kind, created: Object) -> None:
    click.echo(f"{kind.name.lower()}.{kind.group}/{name_of(created)} created")


def _kind_of(document: Any) -> Kind:
    name = document.get("kind") if isinstance(document, dict) else None
    kind = KINDS.get(str(name))
    if kind is None or document.get("apiVersion") != kind.api_version:
        what = f"{document.get('apiVersion')}/{name}" if isinstance(document, dict) else "documents that are no objects"
        near = closest(str(name), KINDS) if kind is None else f"{kind.name} of {kind.api_version}"
        raise Refused(f"creates of {what} unsupported; use kubectl create" + (f", or did you mean {near}?" if near else ""))
    if not isinstance(document.get("metadata"), dict):
        raise Refused(f"a {name} needs metadata with a name")
    return kind


def _placed(document: Object, kind: Kind, namespace: str) -> Object:
    """Return the object with the namespace it goes to."""
    return {**document, "metadata": {"namespace": namespace, **document["metadata"]}} if kind.namespaced else document


@kube_command("analysisrun", short_help="Create an AnalysisRun from a template.")
@click.option("--from", "template", default="", help="Create the run from the AnalysisTemplate of this name.")
@click.option("--from-file", default="", help="Create the run from an AnalysisTemplate in a local file.")
@click.option("--global", "cluster_scope", is_flag=True, help="Use a ClusterAnalysisTemplate instead of an AnalysisTemplate.")
@click.option("-a", "--argument", "arguments", multiple=True, help="Argument of the template, KEY=VALUE.")
@click.option("--name", default="", help="Name of the run.")
@click.option("--generate-name", default="", help="Beginning of the run's generated name.")
@click.option("--instance-id", default="", help="Instance id of the controller that is to execute it.")
@click.option("-w", "--watch", is_flag=True, help="Wait for the result.")
@click.pass_obj
def create_analysisrun(session: Session, /, *, arguments: tuple[str, ...], name: str, watch: bool, **source: Any) -> None:
    """Create an AnalysisRun from a template, with the given arguments."""
    values = read_arguments(arguments)
    with session.open() as cluster:
        templates = _templates(cluster, source["template"], source["from_file"], cluster_scope=source["cluster_scope"])
        if unknown := unknown_arguments(values, templates):
            click.echo(f"Warning: the template declares {unknown}", err=True)
        metadata: dict[str, Any] = {"namespace": cluster.namespace}
        metadata |= {"name": name} if name else {"generateName": source["generate_name"] or f"{name_of(templates[0])}-"}
        if source["instance_id"]:
            metadata["labels"] = {INSTANCE_ID: source["instance_id"]}
        created = cluster.client.create(ANALYSIS_RUN, _run(metadata, templates, values))
    _tell(ANALYSIS_RUN, created)
    if watch:
        _wait(session, created)


def _templates(cluster: Cluster, name: str, path: str, *, cluster_scope: bool) -> tuple[Object, ...]:
    """Return the template named or in the file, with those it refers to.

    Raises:
        Refused: none or both are given, or a template is not there.
    """
    from analysis.errors import InvalidAnalysis

    if bool(name) == bool(path):
        raise Refused("one of --from or --from-file must be used")
    templates = Templates(lambda: cluster, filename=path, cluster_scope=cluster_scope)
    try:
        return templates.collect(name or templates.only())
    except InvalidAnalysis as error:
        raise Refused(str(error)) from error


def _run(metadata: Mapping[str, Any], templates: tuple[Object, ...], values: Iterable[Mapping[str, Any]]) -> Object:
    from analysis.errors import InvalidAnalysis
    from analysis.templates import build_run

    try:
        return build_run(metadata=metadata, templates=templates, arguments=values)
    except InvalidAnalysis as error:
        raise Refused(str(error)) from error


def _wait(session: Session, created: Object) -> None:
    """Print each new phase of a run; end when it is final.

    Raises:
        Refused: it did not succeed, or was deleted.
    """
    from rollouts.cli.live import Live, Source

    name, seen = name_of(created), ""
    source = Source(kind=ANALYSIS_RUN, namespace=created["metadata"]["namespace"], field_selector=f"metadata.name={name}")
    with Live(session.connection(), [source]) as live:
        for _ in live.changes(tick_seconds=None):
            found = live.of(ANALYSIS_RUN)
            if not found:
                raise Refused(f'analysisruns.argoproj.io "{name}" not found')
            status = found[0].get("status") or {}
            phase = str(status.get("phase") or "Pending")
            if phase != seen:
                click.echo(f"{phase} - {status['message']}" if status.get("message") else phase)
                seen = phase
            if phase == "Successful":
                return
            if phase in ("Failed", "Error", "Inconclusive"):
                raise Refused(f"analysisrun '{name}' is {phase}: {status.get('message') or 'no message'}")


terminate = LazyGroup("terminate", help="Terminate an analysis run.", aliases=_ALIASES, usual="analysisrun")


@kube_command("analysisrun", short_help="Terminate an AnalysisRun.")
@click.argument("names", nargs=-1, required=True, shell_complete=analysis_run_names)
@click.pass_obj
def terminate_analysisrun(session: Session, names: tuple[str, ...]) -> None:
    """Have an AnalysisRun stop measuring."""
    with session.open() as cluster:
        for name in names:
            cluster.change(cluster.ref(ANALYSIS_RUN, name), patches.TERMINATE)
            click.echo(f"analysisrun '{name}' terminated")


@kube_command("experiment", short_help="Refused: experiments are not served.")
@click.argument("names", nargs=-1, required=True)
def terminate_experiment(**_: object) -> None:
    """Refuse: this controller runs no experiments."""
    raise Refused("Experiments are not served by this controller; there is nothing to terminate")


create.add_command(create_analysisrun)
terminate.add_command(terminate_analysisrun)
terminate.add_command(terminate_experiment)
