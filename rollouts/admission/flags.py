"""The flags of the webhook.

Must not: do anything with them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from rollouts.admission.keeper import DEFAULT_NAME
from rollouts.admission.webhook import Admission

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def admission_options(function: CommandT) -> CommandT:
    """Give a command the flags, and hand what they say to it as `admission`: None unless the webhook was asked for."""

    @wraps(function)
    def called(
        *arguments: Any,
        admission: bool,
        admission_name: str,
        admission_secret: str,
        admission_host: str,
        admission_port: int,
        **others: Any,
    ) -> Any:
        if admission_secret and not admission:
            raise click.UsageError("--admission-secret has no effect by itself; ask for the webhook with --admission")
        asked = Admission(name=admission_name, host=admission_host, port=admission_port, secret=admission_secret)
        return function(*arguments, admission=asked if admission else None, **others)

    for option in (
        click.option("--admission-address", "admission_host", default="0.0.0.0", show_default=True, help="Address of the webhook."),
        click.option("--admission-port", default=9443, show_default=True, help="Port of the webhook."),
        click.option("--admission-name", default=DEFAULT_NAME, show_default=True, help="Of its Service, Secret and configuration."),
        click.option(
            "--admission-secret",
            default="",
            help="Serve the certificate of this Secret, which somebody else looks after, and leave the configuration alone.",
        ),
        click.option("--admission", is_flag=True, help="Serve a webhook that refuses wrong objects when they are applied."),
    ):
        called = option(called)
    return called  # type: ignore[return-value]
