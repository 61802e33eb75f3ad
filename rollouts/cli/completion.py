"""`completion`: scripts that let a shell complete commands and flags.

bash, zsh and fish are click's; PowerShell's is here. Must not: talk to a cluster.
"""

from __future__ import annotations

import os

import click
from click.shell_completion import CompletionItem, ShellComplete, add_completion_class, get_completion_class

from rollouts.cli.commands import completion_variable, kube_command
from rollouts.cli.session import Session

SHELLS = ("bash", "zsh", "fish", "powershell")

_POWERSHELL = """\
Register-ArgumentCompleter -Native -CommandName %(prog_name)s -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $env:COMP_WORDS = $commandAst.ToString()
    $env:COMP_INCOMPLETE = $wordToComplete
    $env:%(complete_var)s = "powershell_complete"
    & %(prog_name)s | ForEach-Object {
        $value, $help = $_ -split "`t", 2
        if (-not $help) { $help = $value }
        [System.Management.Automation.CompletionResult]::new($value, $value, "ParameterValue", $help)
    }
    Remove-Item Env:COMP_WORDS, Env:COMP_INCOMPLETE, Env:%(complete_var)s
}
"""


class PowerShell(ShellComplete):
    """Completion for PowerShell, which gives the command line and the word under the cursor."""

    name = "powershell"
    source_template = _POWERSHELL

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the finished words and the one being typed."""
        words, incomplete = os.environ["COMP_WORDS"].split()[1:], os.environ.get("COMP_INCOMPLETE", "")
        return (words[:-1] if incomplete and words else words), incomplete

    def format_completion(self, item: CompletionItem) -> str:
        """Return one suggestion with its help."""
        return f"{item.value}\t{item.help or ''}"


add_completion_class(PowerShell)


@kube_command("completion", short_help="Generate a completion script for a shell.")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script to source in a shell: source <(rollouts completion bash)."""
    session: Session = ctx.obj
    program = session.prog.replace(" ", "-")
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(ctx.find_root().command, {}, program, completion_variable(program)).source(), nl=False)
