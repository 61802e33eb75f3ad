"""Names for a shell to complete: what a cluster has of a kind.

Owns the asking, which is brief and silent: whoever presses Tab wants names or nothing. Must not: print.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import click

from kube.kinds import ANALYSIS_RUN, ROLLOUT, Kind
from kube.objects import name_of
from rollouts.cli.commands import session_of

PATIENCE = "2s"


def _names(ctx: click.Context, param: click.Parameter, incomplete: str, *, kind: Kind) -> list[str]:
    """Return the names that begin with what is typed, without those named already; nothing when the cluster cannot be asked."""
    from kube.errors import ApiError, InvalidConfig

    given = ctx.params.get(param.name or "") or ()
    session = session_of(ctx)
    session = replace(session, options={**session.options, "request_timeout": PATIENCE})
    try:
        with session.open() as cluster:
            found = [name_of(one) for one in cluster.client.list(kind, cluster.namespace).items]
    except (ApiError, InvalidConfig):
        return []
    return [name for name in found if name.startswith(incomplete) and name not in given]


rollout_names = partial(_names, kind=ROLLOUT)
analysis_run_names = partial(_names, kind=ANALYSIS_RUN)
