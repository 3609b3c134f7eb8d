"""`--help` in sections: options by what they are about, then examples and exit codes."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

NODES: Final = "Nodes"
SSH: Final = "SSH"
CHANGES: Final = "What to change"
OUTPUT: Final = "Output"
_SECTIONS: Final = (NODES, CHANGES, SSH, OUTPUT)

_EXAMPLES: Final = (
    ("kthw-routes demo", "practise on the built-in lab"),
    ("kthw-routes plan --inventory machines.txt", "what would change on your own machines"),
    ("kthw-routes apply --persist auto", "add the routes, and keep them after a reboot"),
)
_EXIT_CODES: Final = (
    ("0", "done, or nothing to do"),
    ("1", "something failed on a host, at the API, or in the record"),
    ("2", "bad usage or configuration, or a finding that stops everything"),
    ("3", "drift (check, plan --exit-code)"),
    ("4", "the routes are right, but traffic between pod CIDRs does not get through"),
    ("130", "interrupted"),
)


def section(title: str, *options: Callable[[F], F]) -> Callable[[F], F]:
    """Return the decorator that adds these options, in this section of the help."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
            parameters: list[click.Parameter] = getattr(function, "__click_params__")  # noqa: B009 - click's own place
            setattr(parameters[-1], "section", title)  # noqa: B010
        return function

    return decorate


class SectionedCommand(click.Command):
    """A command whose options are listed in sections."""

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections that have options."""
        _write_options(self, context, formatter)


class SectionedGroup(click.Group):
    """The program itself: its commands, the options in sections, examples, exit codes."""

    command_class = SectionedCommand

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, then the sections."""
        self.format_commands(context, formatter)
        _write_options(self, context, formatter)

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the examples and the exit codes."""
        for title, rows in (("Examples", _EXAMPLES), ("Exit codes", _EXIT_CODES)):
            with formatter.section(title):
                formatter.write_dl(rows, col_max=50)


def _write_options(command: click.Command, context: click.Context, formatter: click.HelpFormatter) -> None:
    rows: dict[str, list[tuple[str, str]]] = {title: [] for title in _SECTIONS}
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record is not None:
            rows[getattr(parameter, "section", OUTPUT)].append(record)
    for title, records in rows.items():
        if records:
            with formatter.section(title):
                formatter.write_dl(records)
