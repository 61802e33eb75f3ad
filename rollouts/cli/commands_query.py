"""`query`: a question to Prometheus, now or over the past, as a table with a summary or as JSON.

Must not: judge what comes back; that is `replay`'s.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from rollouts.cli.history import address, asking, moment, prometheus_options, span
from rollouts.cli.patches import Refused
from rollouts.cli.reading import now
from rollouts.cli.tables import aligned

if TYPE_CHECKING:
    from analysis.history.client import Address

_MILLISECOND = timedelta(milliseconds=1)
_BARS = 240


@click.command("query", short_help="Ask Prometheus, now or over the past.")
@click.argument("query")
@click.option("--at", default="", help="Moment to ask for, or end of the past: RFC 3339 or seconds since 1970.")
@click.option("--since", default="", help="Ask for a past of this length, such as 1h or 7d.")
@click.option("--step", default="", help="Time between two points of the past.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print it.")
@prometheus_options
def query(query: str, *, at: str, since: str, step: str, output: str, **given: Any) -> None:
    """Ask Prometheus for a value, or with --since for its past: a table with quantiles, gaps and a small picture."""
    if step and not since:
        raise Refused("--step is for a past; give its length with --since")
    end, where = moment(at, now=now()), address(given["address"], given)
    if since:
        _past(query, where, end=end, since=span(since, option="since"), step=step, output=output)
    else:
        _instant(query, where, end=end, output=output)


def _instant(query: str, where: Address, *, end: datetime, output: str) -> None:
    from analysis.history.findings import instant_rows

    with asking(where) as history:
        answer = history.instant(query, at_ms=int(end.timestamp() * 1000))
        rows = instant_rows(answer)
    if output == "json":
        _print_json(resultType=answer.kind, result=answer.result, warnings=answer.warnings)
        return
    _print_table([["SERIES", "VALUE"], *rows], answer.warnings)


def _past(query: str, where: Address, *, end: datetime, since: timedelta, step: str, output: str) -> None:
    from analysis.history.findings import RANGE_HEADER, range_data, range_rows
    from analysis.history.series import MAXIMUM_MOMENTS, Grid, table

    step_ms = span(step, option="step") // _MILLISECOND if step else max(1, round(since.total_seconds() / _BARS)) * 1000
    end_ms, since_ms = int(end.timestamp() * 1000), since // _MILLISECOND
    grid = Grid(start_ms=end_ms - since_ms // step_ms * step_ms, step_ms=step_ms, count=since_ms // step_ms + 1)
    if grid.count > MAXIMUM_MOMENTS:
        raise Refused(f"{grid.count} points are too many; give a longer --step or a shorter --since")
    with asking(where) as history:
        answer = history.range(query, start_ms=grid.start_ms, end_ms=grid.end_ms, step_ms=step_ms)
        found = table(answer, grid)
    if output == "json":
        _print_json(resultType=answer.kind, result=answer.result, warnings=answer.warnings, summary=range_data(found))
        return
    _print_table([RANGE_HEADER, *range_rows(found)], answer.warnings)


def _print_json(**data: Any) -> None:
    click.echo(json.dumps(data, indent=2, ensure_ascii=False))


def _print_table(rows: list[list[str]], warnings: tuple[str, ...]) -> None:
    if len(rows) == 1:
        click.echo("no data")
    else:
        click.echo("\n".join(line.rstrip() for line in aligned(rows)))
    for warning in warnings:
        click.echo(f"Warning: {warning}", err=True)
