"""Telling people who change a Rollout that the controller refuses its spec: the change is stored, and little comes of it.

Must not: fail a command; what it did is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kube.objects import Object

if TYPE_CHECKING:
    from rollouts.cli.session import Cluster


def warn_if_refused(cluster: Cluster, name: str, *, new_template: bool = False) -> None:
    """Say on standard error what keeps a Rollout that was just changed from being acted upon; nothing when nothing does.

    With `new_template`, what was wrong with the template before is taken to be mended.
    """
    from kube.errors import ApiError

    try:
        text = warning(cluster.rollout(name), new_template=new_template)
    except ApiError:
        return  # who may change a Rollout need not be allowed to see it
    if text:
        click.echo(f"Warning: {text}", err=True)


def warning(rollout: Object, *, new_template: bool = False) -> str:
    """Return what to say of a Rollout whose `InvalidSpec` condition holds; empty when it does not."""
    status = rollout.get("status") or {}
    conditions = status.get("conditions") or ()
    said = [one.get("message") or "" for one in conditions if one.get("type") == "InvalidSpec" and one.get("status") == "True"]
    if not said or (new_template and "spec.template" in said[0]):
        return ""
    from rollouts.rollout.validation import validate

    if validate(rollout):
        return f"nothing happens until the spec is mended: {said[0]}"
    if _is_older(status, rollout):
        return ""
    return f"until this is mended, only what brings users back to stable or keeps them there goes on: {said[0]}"


def _is_older(status: Object, rollout: Object) -> bool:
    """Tell whether a status is about a spec before the last change but one; the last is the command's own."""
    seen = str(status.get("observedGeneration") or "")
    return seen.isdecimal() and int(rollout["metadata"].get("generation") or 0) - int(seen) > 1
