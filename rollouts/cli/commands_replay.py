"""`replay analysistemplate`: what an analysis would have said of the past (spec/analysis.md 1.3-1.6).

Owns finding the template, its arguments and secrets. Must not: judge, count or word the findings; analysis/history does.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from kube.kinds import SECRET
from rollouts.cli.commands import LazyGroup, kube_command
from rollouts.cli.history import address, asking, moment, prometheus_options, span
from rollouts.cli.patches import Refused
from rollouts.cli.reading import now
from rollouts.cli.session import Cluster, Session
from rollouts.cli.sources import Templates, read_arguments, unknown_arguments

if TYPE_CHECKING:
    from analysis.history.client import Address
    from analysis.history.metric import Period, Replayed
    from analysis.redaction import Redactor
    from analysis.run.metrics import Metric

_ALIASES = {"at": "analysistemplate", "analysistemplates": "analysistemplate"}
replay = LazyGroup("replay", help="Say what an analysis would have said of the past.", aliases=_ALIASES, usual="analysistemplate")


@kube_command("analysistemplate", short_help="Replay an AnalysisTemplate.")
@click.argument("name", default="")
@click.option("-f", "--filename", default="", help="File with the template, - for standard input, instead of the cluster.")
@click.option("--cluster-scope", is_flag=True, help="Use a ClusterAnalysisTemplate instead of an AnalysisTemplate.")
@click.option("--metric", "metrics", multiple=True, help="Replay only the metric of this name; several times if needed.")
@click.option("--since", default="6h", show_default=True, help="How much of the past to replay, such as 6h or 7d.")
@click.option("--until", default="", help="End of that past: RFC 3339 or seconds since 1970; now if not given.")
@click.option("--run-for", default="1h", show_default=True, help="How long a run measures a metric that has no count.")
@click.option("-a", "--argument", "arguments", multiple=True, help="Argument of the template, KEY=VALUE.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print it.")
@prometheus_options
@click.pass_obj
def replay_template(session: Session, /, *, name: str, filename: str, output: str, metrics: tuple[str, ...], **given: Any) -> None:
    """Judge the past of a template's Prometheus metrics, start a run at every interval, and tell how often it would have failed."""
    from analysis.history.metric import Period, replay

    end = moment(given["until"], now=now())
    since, run_for = (span(given[option], option=option.replace("_", "-")) for option in ("since", "run_for"))
    period = Period(end=end, since=since, run_for=run_for)
    template = _Template(session, name, filename, cluster_scope=given["cluster_scope"])
    wanted, skipped, redactor = template.metrics(given["arguments"], metrics)
    replayed, failed = [], []
    for metric in wanted:
        try:
            with asking(_address_of(metric, given)) as history:
                replayed.append(replay(metric, history, period))
        except Refused as error:
            failed.append(redactor.text(f"metric {metric.name}: {error}"))
    notes = [f"metric {metric.name} is left out: its provider {metric.provider} keeps no past to ask for" for metric in skipped]
    _tell(replayed, period, redactor=redactor, output=output, title=template.title, notes=notes)
    if failed:
        raise Refused("\n".join(failed))


class _Template:
    """The template asked for and what belongs to it; the cluster is asked for nothing that the file or the arguments hold."""

    def __init__(self, session: Session, name: str, filename: str, *, cluster_scope: bool) -> None:
        if not name and not filename:
            raise Refused("name an AnalysisTemplate, or give a file with one: -f FILE")
        self._session = session
        self._templates = Templates(lambda: self._cluster, filename=filename, cluster_scope=cluster_scope)
        self._name = name or self._templates.only()
        self.title = f"{self._templates.kind.name} {self._name}"

    def metrics(self, given: Iterable[str], names: Sequence[str]) -> tuple[list[Metric], list[Metric], Redactor]:
        """Return the metrics to replay, those that cannot be, and what hides the secrets of their arguments.

        Raises:
            Refused: the template, an argument or a metric is not there, or is wrong.
        """
        from analysis.errors import InvalidAnalysis, UnresolvedArgument
        from analysis.redaction import Redactor

        try:
            run, secrets = self._run(read_arguments(given))
        except UnresolvedArgument as error:
            raise Refused(f"{error}; give it with -a {error.name}=VALUE") from error
        except InvalidAnalysis as error:
            raise Refused(str(error)) from error
        redactor = Redactor.of(secrets)
        try:
            found = _read(run)
        except InvalidAnalysis as error:
            raise Refused(redactor.text(str(error))) from None
        if unknown := set(names) - {metric.name for metric in found}:
            raise Refused(f"{self.title} has no metric {', '.join(sorted(unknown))}; it has {', '.join(one.name for one in found)}")
        wanted = [metric for metric in found if not names or metric.name in names]
        asked = [metric for metric in wanted if metric.provider == "prometheus"]
        if not asked:
            raise Refused(f"{self.title} has no metric of Prometheus to replay")
        return asked, [metric for metric in wanted if metric not in asked], redactor

    def _run(self, given: Sequence[Mapping[str, str]]) -> tuple[dict[str, Any], list[str]]:
        """Return the run that the template would make, secrets filled in, and these secrets."""
        from analysis.arguments import secret_references
        from analysis.templates import build_run

        templates = self._templates.collect(self._name)
        if unknown := unknown_arguments(given, templates):
            raise Refused(f"{self.title} declares {unknown}")
        run = build_run(metadata={}, templates=templates, arguments=given)
        spec = run["spec"]
        secrets = {name: self._secret(*reference) for name, reference in secret_references(spec.get("args") or ()).items()}
        filled = [{"name": one["name"], "value": secrets.get(one["name"], one.get("value"))} for one in spec.get("args") or ()]
        return {**run, "spec": {**spec, "args": filled}}, list(secrets.values())

    def _secret(self, name: str, key: str) -> str:
        found = (self._cluster.client.get(SECRET, self._cluster.namespace, name).get("data") or {}).get(key)
        try:
            return base64.b64decode(str(found or ""), validate=True).decode() if found else ""
        except (binascii.Error, UnicodeDecodeError) as error:
            raise Refused(f"key {key} of secret {name} is not text") from error

    @cached_property
    def _cluster(self) -> Cluster:
        cluster = self._session.open()
        click.get_current_context().call_on_close(cluster.client.close)
        return cluster


def _read(run: dict[str, Any]) -> tuple[Metric, ...]:
    """Read all metrics of a run, whatever their provider, with what its annotations say about measurements without data."""
    from analysis.providers import KNOWN
    from analysis.run.validation import resolve, with_policies

    spec = run["spec"]
    providers = [metric.get("provider") or {} for metric in spec["metrics"]]
    plugins = {f"plugin {name}" for provider in providers for name in provider.get("plugin") or ()}
    return with_policies(run, resolve(spec, served={*KNOWN, *plugins}))


def _address_of(metric: Metric, given: dict[str, Any]) -> Address:
    """Return where a metric's Prometheus is; the command's address and headers win over the template's.

    Raises:
        Refused: there is no address, or the metric wants an authentication that is not served here.
    """
    from analysis.providers.http import header_pairs

    spec = metric.provider_spec
    try:
        headers = dict(header_pairs(spec))
        authentication = {kind: block for kind, block in (spec.get("authentication") or {}).items() if any((block or {}).values())}
    except (KeyError, TypeError, AttributeError) as error:
        raise Refused("headers or authentication of the prometheus block cannot be read; check their types") from error
    basic = authentication.pop("basicAuth", None) or {}
    if authentication and not given["headers"]:
        kind = next(iter(authentication))
        raise Refused(f"authentication.{kind} is not served by replay; give a token with --header 'Authorization: Bearer TOKEN'")
    pair = (str(basic.get("username") or ""), str(basic.get("password") or "")) if basic else None
    url = given["address"] or str(spec.get("address") or "")
    return address(url, given, headers=headers, basic=pair, insecure=bool(spec.get("insecure")))


def _tell(
    replayed: Sequence[Replayed], period: Period, *, redactor: Redactor, output: str, title: str, notes: Sequence[str]
) -> None:
    from analysis.history.metric import together
    from analysis.history.report import metric_data, metric_lines, runs_data, together_lines
    from crds.durations import duration_text
    from kube.objects import format_time

    runs = together(replayed)
    if output == "json":
        data: dict[str, Any] = {"template": title, "until": format_time(period.end), "sinceSeconds": period.since.total_seconds()}
        data |= {"metrics": [metric_data(one) for one in replayed], "notes": list(notes)}
        data |= {"together": runs_data(runs)} if runs else {}
        click.echo(json.dumps(redactor.value(data), indent=2, ensure_ascii=False))
        return
    lines = [f"{title}, the {duration_text(period.since)} until {format_time(period.end)}"] if replayed else []
    lines += [line for one in replayed for line in ("", *metric_lines(one, period))]
    lines += ["", *together_lines(runs, period)] if runs else []
    for line in (*lines, *notes):
        click.echo(redactor.text(line))


replay.add_command(replay_template)
