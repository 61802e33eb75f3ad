"""Flags as upstream's deployments write them: durations with units, booleans with a value, and flags that mean nothing here.

Must not: know what a flag does; that is app.py.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence

import click

from crds.durations import BadDuration, parse_duration

logger = logging.getLogger(__name__)

WITHOUT_EFFECT = frozenset(
    {
        "--experiment-threads",
        "--service-threads",
        "--ingress-threads",
        "--ephemeral-metadata-threads",
        "--ephemeral-metadata-update-pod-retries",
        "--istio-api-version",
        "--traffic-split-api-version",
        "--ambassador-api-version",
        "--traefik-api-group",
        "--traefik-api-version",
        "--appmesh-crd-version",
        "--ingress-api-version",
        "--aws-target-group-binding-api-version",
        "--alb-ingress-classes",
        "--nginx-ingress-classes",
        "--enable-pprof-address",
        "--kloglevel",
    }
)
"""Flags of upstream (spec/rollout.md 5.4) that take a value and tune what is not there or needs no tuning."""
SWITCHES_WITHOUT_EFFECT = frozenset(
    {"--aws-verify-target-group", "--alb-tag-key-resource-id", "--self-service-notification-enabled"}
)
LEFT_OUT = "rollouts.flags.left_out"
TRUE, FALSE = frozenset({"true", "t", "1"}), frozenset({"false", "f", "0"})


class Seconds(click.ParamType):  # type: ignore[type-arg]
    """Seconds, as a number or as a Go duration: `15`, `15s`, `1m30s`."""

    name = "duration"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        try:
            return float(value)
        except ValueError:
            pass
        try:
            return parse_duration(str(value)).total_seconds()
        except BadDuration as error:
            self.fail(str(error), param, ctx)


class Command(click.Command):
    """A command that takes the arguments of upstream's controller."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, after what upstream writes differently was rewritten and what has no effect was left out."""
        without = (WITHOUT_EFFECT | SWITCHES_WITHOUT_EFFECT).difference(*(option.opts for option in self.params))
        ctx.meta[LEFT_OUT] = [name for name in (word.partition("=")[0] for word in args) if name in without]
        known = {name: option for option in self.params if isinstance(option, click.Option) for name in option.opts}
        switches = {name: option for name, option in known.items() if option.is_flag}
        return super().parse_args(ctx, list(_rewritten(args, switches, without)))


def warn_of_flags_without_effect() -> None:
    """Log the flags of the current command that were left out; call it when the log was set up."""
    for name in click.get_current_context().meta.get(LEFT_OUT, ()):
        logger.warning("the flag %s of Argo Rollouts has no effect here; leave it out", name)


def _rewritten(words: Sequence[str], switches: Mapping[str, click.Option], without: Collection[str]) -> Iterator[str]:
    waiting = iter(words)
    for word in waiting:
        name, given, value = word.partition("=")
        if name in without:
            if name in WITHOUT_EFFECT and not given:
                next(waiting, None)  # its value
        elif given and name in switches:
            yield from _switched(name, value, switches[name])
        else:
            yield word


def _switched(name: str, value: str, option: click.Option) -> Iterator[str]:
    """Return a switch without its value: itself, its opposite, or nothing."""
    if value.lower() in TRUE:
        yield name
    elif value.lower() in FALSE:
        yield from option.secondary_opts[:1]
    else:
        raise click.UsageError(f"{name} is true or false, got {value!r}")
