"""Turn a terminal's screen, captured with its colours, into an SVG: `tmux capture-pane -p -e | python tools/picture.py OUT.svg`."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text


def main() -> None:
    """Read the screen from standard input and write the picture; fonts are the viewer's own, nothing is fetched."""
    lines = [Text.from_ansi(line) for line in sys.stdin.read().rstrip().splitlines()]
    console = Console(
        record=True, width=max(map(len, lines)) + 2, force_terminal=True, color_system="truecolor", file=io.StringIO()
    )
    for line in lines:
        console.print(line, soft_wrap=True)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title="rollouts demo"), flags=re.DOTALL)
    Path(sys.argv[1]).write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n")


if __name__ == "__main__":
    main()
