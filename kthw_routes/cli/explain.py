"""The command `explain`: what a command, a route or a finding means, word by word."""

import sys

from rich.table import Table
from rich.text import Text

from kthw_routes.cli.output import Printer
from kthw_routes.errors import ExitCode
from kthw_routes.sanitize import clean_line
from kthw_routes.teaching.explain import explain as explain_text


def explain(what: str) -> ExitCode:
    """Print what it means. Raises UsageError where there is nothing to explain in it."""
    found = explain_text(what)
    printer = Printer(sys.stdout)
    if found.says:
        printer.say(found.says)
    if found.words:
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="bold", overflow="fold", max_width=40)
        grid.add_column(overflow="fold")
        for word in found.words:
            grid.add_row(Text(clean_line(word.text)), Text(clean_line(word.meaning)))
        printer.console.print(grid, soft_wrap=False)
    if found.without:
        printer.say(f"Without it, {found.without}")
    return ExitCode.DONE
