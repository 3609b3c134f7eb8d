"""What was given on the command line, as settings; an option that means nothing with the others is refused."""

from typing import Any, Final

import click

from kthw_routes.options import Settings


def said_for(context: click.Context, main: click.Group, command: str) -> dict[str, Any]:
    """Return the options that were given before the command, not those that have their default. Raises UsageError."""
    default, typed = click.core.ParameterSource.DEFAULT, click.core.ParameterSource.COMMANDLINE
    said = {name: value for name, value in context.params.items() if context.get_parameter_source(name) is not default}
    known_to = main.get_command(context, command)
    known = {parameter.name for parameter in known_to.params} if known_to else set(said)
    for parameter in context.command.params:
        if parameter.name not in known and context.get_parameter_source(parameter.name or "") is typed:
            raise click.UsageError(f"{command} has no use for {parameter.opts[-1]}.", context)
    return said


_FOR_LINODE: Final = ("workers", "controllers", "region", "tag", "via")
"""Options that choose among what an account has."""
_FOR_ANSIBLE: Final = ("worker_group", "controller_group")


def settings_of(context: click.Context, given: dict[str, Any]) -> Settings:
    """Return the settings of a command. Raises UsageError for an option that means nothing with an inventory."""
    typed = (click.core.ParameterSource.COMMANDLINE, click.core.ParameterSource.DEFAULT_MAP)
    if given["inventory"] is not None:
        for parameter in context.command.params:
            if parameter.name in _FOR_LINODE and context.get_parameter_source(parameter.name) in typed:
                words = f"{parameter.opts[-1]} is for a Linode account: an inventory says all of that itself."
                raise click.UsageError(words, context)
    elif context.parent is not None:  # in the wizard a file may be chosen later
        for name in _FOR_ANSIBLE:
            if given.get(name) is not None:
                raise click.UsageError(
                    f"--{name.replace('_', '-')} needs an Ansible inventory (--inventory FILE).", context
                )
    return Settings.of(given)
