"""What commands are made of: a command that takes kubectl's options, and a group that loads its commands when they are called.

Owns aliases and laziness; a command of another file is not imported until it is run or listed. Must not: do what commands do.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from itertools import takewhile
from typing import Any

import click

from rollouts.cli.guessing import closest
from rollouts.cli.session import KUBE_OPTIONS, Session, kube_options


class KubeCommand(click.Command):
    """A command that also takes kubectl's options and gets them as a `Session` (`click.pass_obj`)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += [one for one in kube_options() if not self._clashes(one)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; a flag may have a value, as in `--watch=false`, the way kubectl's may."""
        return super().parse_args(ctx, [read for arg in args for read in self._flag(arg)])

    def _flag(self, argument: str) -> list[str]:
        """Return an argument with the value of a flag resolved."""
        name, sign, value = argument.partition("=")
        truth = {"true": True, "1": True, "false": False, "0": False}.get(value.lower())
        for param in self.params if sign and truth is not None else ():
            if isinstance(param, click.Option) and param.is_flag and name in param.opts:
                return [name] if truth else param.secondary_opts[:1]
        return [argument]

    def invoke(self, ctx: click.Context) -> Any:
        """Run it with the options given here, or before it."""
        ctx.obj = session_of(ctx)
        return super().invoke(ctx)

    def _clashes(self, option: click.Option) -> bool:
        """Drop a short flag that the command uses itself; tell whether nothing is left of the option."""
        used = {flag for param in self.params for flag in param.opts}
        option.opts = [flag for flag in option.opts if flag not in used]
        return not option.opts


def session_of(ctx: click.Context) -> Session:
    """Return what the connection options of a command and of those before it say."""
    return Session(_given(ctx), prog=str(ctx.find_root().info_name))


def _given(ctx: click.Context) -> dict[str, Any]:
    """Return the connection options, those nearer to the command first, and take them out of its arguments."""
    given: dict[str, Any] = {}
    level: click.Context | None = ctx
    while level is not None:
        for name in KUBE_OPTIONS:
            value = level.params.pop(f"kube_{name}", None)
            if value and name not in given:
                given[name] = value
        level = level.parent
    return given


@dataclass(frozen=True, slots=True)
class Lazy:
    """Where a command is, `module:attribute`, and what the overview says of it."""

    target: str
    help: str

    def load(self, name: str) -> click.Command:
        """Import the command.

        Raises:
            ClickException: this installation is without it.
        """
        module, _, attribute = self.target.partition(":")
        try:
            found = getattr(import_module(module), attribute)
        except ModuleNotFoundError as error:
            raise click.ClickException(f"{name} is not part of this installation: {error}") from error
        assert isinstance(found, click.Command)
        return found


class LazyGroup(click.Group):
    """A group whose commands are named in a table and imported when they are called.

    `usual` is the command that somebody most likely means who gives a name where the command belongs.
    """

    def __init__(
        self,
        *args: Any,
        lazy: Mapping[str, Lazy] | None = None,
        aliases: Mapping[str, str] | None = None,
        usual: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = lazy or {}
        self._aliases = aliases or {}
        self._usual = usual
        self.params += kube_options()

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands, without aliases."""
        return sorted({*super().list_commands(ctx), *self._lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name or an alias."""
        name = self._aliases.get(cmd_name, cmd_name)
        return self._lazy[name].load(name) if name in self._lazy else super().get_command(ctx, name)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called; one that there is not is answered with what was probably meant."""
        if args[0].startswith("-") or self.get_command(ctx, args[0]) is not None:
            return super().resolve_command(ctx, args)
        words = list(takewhile(lambda word: not word.startswith("-"), args))
        near = closest(args[0], [*self.list_commands(ctx), *self._aliases])
        meant = [near, *words[1:]] if near else [self._usual, *words] if self._usual else []
        hint = f" Did you mean: {shlex.join([*ctx.command_path.split(), *meant])}" if meant else ""
        raise click.UsageError(f"No such command '{args[0]}'.{hint}", ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the overview without importing what it names."""
        if not self._lazy:
            super().format_commands(ctx, formatter)
            return
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._lazy[name].help) for name in sorted(self._lazy)])


def kube_command(name: str, **settings: Any) -> Callable[[Callable[..., Any]], KubeCommand]:
    """Declare a command that takes kubectl's options; with `click.pass_obj` its function gets the `Session` first."""
    return click.command(name, cls=KubeCommand, **settings)


def completion_variable(program: str) -> str:
    """Return the environment variable by which a shell asks for completions.

    >>> completion_variable("kubectl argo rollouts")
    '_KUBECTL_ARGO_ROLLOUTS_COMPLETE'
    """
    return f"_{re.sub('[^A-Z0-9]', '_', program.upper())}_COMPLETE"
