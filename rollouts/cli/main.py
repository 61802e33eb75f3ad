"""The command line: `rollouts`, and as a kubectl plugin `kubectl argo rollouts` and `kubectl rollouts` (spec/rollout.md 4).

Owns the list of commands, the program's name, and how errors end it. A command's module is imported when it is run: looking
at a Rollout takes a fraction of a second. Must not: do a command's work.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

import click

from rollouts.cli.commands import Lazy, LazyGroup, completion_variable
from rollouts.cli.patches import Refused

COMMANDS: Mapping[str, Lazy] = {
    "abort": Lazy("rollouts.cli.commands_change:abort", "Abort a rollout."),
    "completion": Lazy("rollouts.cli.completion:completion", "Generate a completion script for a shell."),
    "controller": Lazy("rollouts.app:command", "Run the controller."),
    "create": Lazy("rollouts.cli.commands_create:create", "Create a resource."),
    "dashboard": Lazy("rollouts.cli.commands_refused:dashboard", "Refused: there is no web page."),
    "demo": Lazy("rollouts.demo.command:demo", "Ship a good version and take a bad one back, under real traffic."),
    "explain": Lazy("rollouts.cli.commands_explain:explain", "Say what a rollout waits for and what comes next."),
    "get": Lazy("rollouts.cli.commands_get:get", "Get details about rollouts."),
    "lint": Lazy("rollouts.cli.commands_lint:lint", "Check rollouts in a file, without a cluster."),
    "list": Lazy("rollouts.cli.commands_get:list_", "List rollouts."),
    "notifications": Lazy("rollouts.cli.commands_refused:notifications", "Refused: nothing sends notifications."),
    "pause": Lazy("rollouts.cli.commands_change:pause", "Pause a rollout."),
    "promote": Lazy("rollouts.cli.commands_change:promote", "Promote a rollout."),
    "query": Lazy("rollouts.cli.commands_query:query", "Ask Prometheus, now or over the past."),
    "replay": Lazy("rollouts.cli.commands_replay:replay", "Say what an analysis would have said of the past."),
    "restart": Lazy("rollouts.cli.commands_change:restart", "Restart the pods of a rollout."),
    "retry": Lazy("rollouts.cli.commands_change:retry", "Retry a rollout that was aborted."),
    "sandbox": Lazy("sandbox.cli:group", "A cluster in a box, for demo and tests."),
    "set": Lazy("rollouts.cli.commands_change:set_", "Update various values on resources."),
    "status": Lazy("rollouts.cli.commands_status:status", "Show the status of a rollout."),
    "terminate": Lazy("rollouts.cli.commands_create:terminate", "Terminate an analysis run."),
    "undo": Lazy("rollouts.cli.commands_change:undo", "Undo a rollout."),
    "version": Lazy("rollouts.cli.commands_version:version", "Print version."),
}
PLUGINS: Mapping[str, str] = {"kubectl-argo-rollouts": "kubectl argo rollouts", "kubectl-rollouts": "kubectl rollouts"}


def program(path: str) -> str:
    """Return the name of the program as its user types it.

    >>> program("/usr/local/bin/kubectl-argo-rollouts")
    'kubectl argo rollouts'
    """
    name = Path(path).name
    return PLUGINS.get(name, "rollouts" if name in ("__main__.py", "main.py") else name)


def group() -> click.Group:
    """Return the whole command line."""
    return LazyGroup(
        "rollouts",
        help="Manage progressive delivery: look at rollouts, promote them or take them back.",
        lazy=COMMANDS,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 when it did what was asked, 1 when not."""
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments), prog=program(sys.argv[0])))


def run(arguments: list[str], *, prog: str) -> int:
    """Run one command; return its exit code. What went wrong is on standard error, in one line."""
    variable = completion_variable(prog)
    if os.environ.get(variable, "").startswith("powershell"):
        import_module("rollouts.cli.completion")  # teaches click this shell
    try:
        return _code(group().main(arguments, prog_name=prog, standalone_mode=False, complete_var=variable))
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "")
        return 0
    except click.UsageError as error:
        click.echo(f"Error: {error.format_message()}", err=True)
        if error.ctx is not None:
            click.echo(f"See '{error.ctx.command_path} --help' for usage.", err=True)
    except click.ClickException as error:
        click.echo(f"Error: {error.format_message()}", err=True)
    except Refused as error:
        click.echo(f"Error: {error}", err=True)
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        sys.stdout = None  # nobody reads any more; do not complain again at exit
        return 1
    except Exception as error:
        text = _expected(error)
        if text is None:
            raise
        click.echo(f"Error: {text}", err=True)
    return 1


def _code(result: object) -> int:
    return result if isinstance(result, int) else 0


def _expected(error: Exception) -> str | None:
    """Return what to say of an error of the cluster; None when the error is ours."""
    from kube.errors import ApiError, InvalidConfig

    match error:
        case ApiError(status=status) if status:
            return str(error).partition(": ")[2] or str(error)
        case ApiError() | InvalidConfig():
            return str(error)
        case _:
            return None
