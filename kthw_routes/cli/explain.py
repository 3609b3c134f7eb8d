"""The command `explain`: what a command, a route or a finding means, word by word; and the lessons."""

import re
import sys
from string import ascii_lowercase
from typing import Final

from rich.table import Table
from rich.text import Text

from kthw_routes.cli.output import Printer
from kthw_routes.errors import ExitCode
from kthw_routes.sanitize import clean_line
from kthw_routes.teaching.explain import Explanation
from kthw_routes.teaching.explain import explain as explain_text
from kthw_routes.teaching.lesson import Lesson, lesson, lesson_names

_WIDTH: Final = 100
"""Columns of a paragraph at the most."""


def explain(what: str) -> ExitCode:
    """Print what it means; the list of lessons where it is empty. Raises UsageError where nothing in it is known."""
    printer = Printer(sys.stdout)
    if not what:
        _print_list(printer)
    elif what in lesson_names():
        _print_lesson(printer, lesson(what))
    else:
        _print_words(printer, explain_text(what))
    return ExitCode.DONE


def _print_list(printer: Printer) -> None:
    printer.say("Lessons:")
    _print_rows(printer, [(f"  {name}", lesson(name).title) for name in lesson_names()])
    printer.say()
    printer.say(
        "kthw-routes explain LESSON prints one. A command, a route as `ip route` prints it, or a finding's code is"
    )
    printer.say("explained word by word: kthw-routes explain ip route add 10.200.1.0/24 via 192.168.8.21")


def _print_lesson(printer: Printer, found: Lesson) -> None:
    printer.say(found.title, "bold")
    for paragraph in found.paragraphs:
        printer.say()
        print_wrapped(printer, paragraph)
    printer.say()
    print_wrapped(printer, found.question)
    for letter, answer in zip(ascii_lowercase, found.answers, strict=False):
        printer.say(f"  {letter}) {answer.text}")
    printer.say()
    for letter, answer in zip(ascii_lowercase, found.answers, strict=False):
        print_wrapped(printer, f"{letter}: {'right' if answer.is_right else 'wrong'}. {answer.reason}")


def _print_words(printer: Printer, found: Explanation) -> None:
    if found.says:
        print_wrapped(printer, found.says)
    _print_rows(printer, [(clean_line(word.text), clean_line(word.meaning)) for word in found.words])
    if found.without:
        print_wrapped(printer, f"Without it, {found.without}")


def print_wrapped(printer: Printer, text: str) -> None:
    """Print a paragraph of ours, in which `…` and **…** are marks."""
    parts = (part for part in re.split(r"(\*\*.+?\*\*|`.+?`)", text))
    marked = Text.assemble(*((part.strip("*`"), "bold") if part[:1] in ("*", "`") else part for part in parts))
    printer.console.print(marked, soft_wrap=False, width=min(printer.console.width, _WIDTH))


def _print_rows(printer: Printer, rows: list[tuple[str, str]]) -> None:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", overflow="fold", max_width=40)
    grid.add_column(overflow="fold")
    for row in rows:
        grid.add_row(*map(Text, row))
    printer.console.print(grid, soft_wrap=False)
