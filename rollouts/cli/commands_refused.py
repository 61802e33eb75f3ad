"""Commands of upstream's program that this one does not have: each is known, and says what to do instead (spec/rollout.md 4).

docs/compatibility.md tells users the same and is checked against the table. Must not: do anything.
"""

from __future__ import annotations

from collections.abc import Mapping

import click

from rollouts.cli.commands import kube_command
from rollouts.cli.patches import Refused

INSTEAD: Mapping[str, str] = {
    "dashboard": "there is no web page; watch one rollout with `get rollout NAME -w`, all with `list rollouts -w`",
    "notifications": "nothing sends notifications; have Kubernetes events or the controller's metrics alert you",
}
"""What to do instead of each command."""


def _refused(name: str) -> click.Command:
    @kube_command(
        name,
        short_help="Refused: not served.",
        help=f"Refuse: {INSTEAD[name]}.",
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    )
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def command(**_: object) -> None:
        raise Refused(f"{name} is not served: {INSTEAD[name]}")

    return command


dashboard = _refused("dashboard")
notifications = _refused("notifications")
