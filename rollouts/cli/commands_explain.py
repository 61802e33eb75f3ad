"""`explain`: what the controller would do next about a Rollout and what it waits for, from the same plan it runs.

Must not: change anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kube.kinds import ROLLOUT
from rollouts.cli.commands import kube_command
from rollouts.cli.naming import rollout_names
from rollouts.cli.output import Output, data_text, output_option
from rollouts.cli.reading import now
from rollouts.cli.session import Cluster, Session

if TYPE_CHECKING:
    from rollouts.rollout.gather import Stores


@kube_command("explain", short_help="Say what a rollout waits for and what comes next.")
@click.argument("name", shell_complete=rollout_names)
@output_option(Output.JSON, Output.YAML)
@click.pass_obj
def explain(session: Session, name: str, *, output: Output | None) -> None:
    """Say where an update stands, what it waits for, what is written next and what comes after."""
    from rollouts.rollout.explain import explain as sentences
    from rollouts.rollout.gather import gather

    with session.open() as cluster:
        cluster.rollout(name)
        stores = _read(cluster)
    snapshot = gather(stores, (cluster.namespace, name))
    assert snapshot is not None
    told = sentences(snapshot, now())
    if output is not None:
        click.echo(data_text({"name": name, "namespace": cluster.namespace, "sentences": told}, output), nl=False)
        return
    for sentence in told:
        click.echo(sentence)


def _read(cluster: Cluster) -> Stores:
    """Return the namespace as the controller sees it; kinds that the cluster does not serve count as empty."""
    from kube.errors import NotFound
    from rollouts.rollout.gather import KINDS, SELECTORS, Stores

    stores = Stores.empty()
    for kind in KINDS:
        namespace = cluster.namespace if kind.namespaced else ""
        try:
            found = cluster.client.list(kind, namespace, label_selector=SELECTORS.get(kind, ""))
        except NotFound:
            if kind == ROLLOUT:
                raise
            continue
        for obj in found.items:
            stores[kind].put(obj)
    return stores
