"""The commands and their options. Heavy libraries are imported by the command that needs them, so `--help` is quick."""

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from kthw_routes import __version__
from kthw_routes.cli.completion import complete_drills, complete_explained, complete_nodes, complete_runs
from kthw_routes.cli.given import said_for as _said_for
from kthw_routes.cli.given import settings_of as _settings
from kthw_routes.cli.help import CHANGES, NODES, SectionedGroup, section
from kthw_routes.cli.leave import leave as _leave
from kthw_routes.cli.options import (
    EXPORT_FORMATS,
    json_option,
    node_options,
    overlay_option,
    plan_options,
    redact_option,
    ssh_options,
    verbose_option,
    yes_option,
)
from kthw_routes.options import Settings
from kthw_routes.serve import MAX_VISITORS, PORT
from kthw_routes.serve.confine import confine_visitor, is_for_visitor

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=SectionedGroup, invoke_without_command=True, context_settings=_CONTEXT)
@click.version_option(__version__, "-V", "--version", prog_name="kthw-routes")
@click.option("--plain", is_flag=True, help="The same steps in plain lines instead of the wizard.")
@click.option("--present", is_flag=True, help="Stop before each host's change; a key goes on (for teaching).")
@node_options
@plan_options
@ssh_options
@verbose_option
@click.pass_context
def main(context: click.Context, /, plain: bool, **given: Any) -> None:
    """Add the pod routes of Kubernetes The Hard Way, lab 11, and prove that pods reach each other.

    Without a command: the wizard, step by step, in this terminal. The Linode token is read from LINODE_TOKEN,
    LINODE_CLI_TOKEN, LINODE_API_TOKEN or linode-cli's own configuration; the scope linodes:read_only suffices.
    Machines of one's own are named in a file: --inventory FILE.
    """
    confine_visitor()
    if (command := context.invoked_subcommand) is not None:
        context.default_map = {command: _said_for(context, main, command)}  # options before it count for the command
        return
    settings = Settings.of(given)
    if plain:
        if not _has_terminal():
            raise click.UsageError("--plain asks before anything is changed, and needs a terminal for it.", context)
        from kthw_routes.cli.apply import run_steps

        _leave(context, lambda: run_steps(settings))
    if not _has_terminal():
        raise click.UsageError(
            "The wizard needs a terminal. Use a command (plan, apply, check), `--plain`, or `demo`.", context
        )
    from kthw_routes.wizard import run_wizard

    _leave(context, lambda: run_wizard(settings))


@main.command(context_settings=_CONTEXT)
@click.option(
    "--region",
    type=click.Choice(["ca-central", "eu-west"]),
    default="ca-central",
    show_default=True,
    help="Where the lab's cluster is; in eu-west the modelled provider drops packets with pod addresses.",
)
@click.option("--pods", is_flag=True, help="Run a pod on each worker from the start, so that the proof is of pods.")
@click.option("--keep", is_flag=True, help="Keep the lab in the foreground for other commands and a second terminal.")
@click.option("--plain", is_flag=True, help="The same steps in plain lines instead of the wizard.")
@click.option("--present", is_flag=True, help="Stop before each host's change; a key goes on (for teaching).")
@overlay_option
@click.option(
    "--serve",
    "port",
    metavar="[PORT]",
    type=click.IntRange(0, 65535),
    is_flag=False,
    flag_value=PORT,
    help=f"Serve it to browsers, by default on port {PORT}: each visitor has a lab that ends with the tab.",
)
@click.option(
    "--bind",
    "address",
    metavar="ADDRESS",
    help="With --serve: the IPv4 address to listen on. Visitors then type a word that is printed. Default: loopback.",
)
@click.option(
    "--visitors",
    "max_visitors",
    metavar="N",
    type=click.IntRange(1, 500),
    help=f"With --serve: how many have a lab at once. Default: {MAX_VISITORS}.",
)
@click.pass_context
def demo(
    context: click.Context,
    /,
    region: str,
    pods: bool,
    keep: bool,
    plain: bool,
    present: bool,
    overlay: str | None,
    port: int | None,
    address: str | None,
    max_visitors: int | None,
) -> None:
    """Run the wizard on an embedded lab: no account, no root, no network."""
    from kthw_routes.cli import demo as demo_command

    if port is None and (address is not None or max_visitors is not None):
        raise click.UsageError("--bind and --visitors are for --serve.", context)
    if port is not None:
        if keep or plain:
            raise click.UsageError("--serve goes neither with --keep nor with --plain.", context)
        _leave(
            context,
            lambda: demo_command.serve(
                region,
                port=port,
                address=address,
                max_visitors=max_visitors,
                pods=pods,
                present=present,
                overlay=overlay,
            ),
        )
    if keep:
        _leave(context, lambda: demo_command.keep(region, pods=pods))
    if plain or not _has_screen():
        _leave(context, lambda: demo_command.run(region, pods=pods, overlay=overlay))
    _leave(context, lambda: demo_command.wizard(region, pods=pods, present=present, overlay=overlay))


@main.command(context_settings=_CONTEXT)
@node_options
@plan_options
@ssh_options
@json_option
@verbose_option
@click.option("--exit-code", "with_exit_code", is_flag=True, help="Exit 3 where something would change.")
@click.pass_context
def plan(context: click.Context, /, as_json: bool, with_exit_code: bool, **given: Any) -> None:
    """Show what would change on each host. Changes nothing."""
    settings = _settings(context, given)
    from kthw_routes.cli import apply as commands

    _leave(context, lambda: commands.plan(settings, as_json=as_json, with_exit_code=with_exit_code), as_json=as_json)


@main.command(context_settings=_CONTEXT)
@node_options
@plan_options
@ssh_options
@json_option
@verbose_option
@yes_option
@section(
    CHANGES,
    click.option(
        "--commit-within",
        metavar="SECONDS",
        type=click.IntRange(20, 86400),
        help="Each host rolls back automatically after this time, unless the proof succeeds before.",
    ),
    click.option("--by-hand", is_flag=True, help="Show what to type, type nothing, and look until all of it is right."),
)
@click.pass_context
def apply(context: click.Context, /, as_json: bool, yes: bool, by_hand: bool, **given: Any) -> None:
    """Add the routes and names, read them back, prove them. Asks before anything is changed."""
    settings = _settings(context, given)
    if by_hand:
        if as_json or settings.commit_within is not None:
            raise click.UsageError(
                "--by-hand changes nothing: it goes neither with --json nor with --commit-within.", context
            )
        from kthw_routes.cli import by_hand as by_hand_command

        _leave(context, lambda: by_hand_command.apply_by_hand(settings))
    if not yes and (as_json or not _has_terminal()):
        raise click.UsageError("Without a terminal, or with --json, apply needs --yes.", context)
    from kthw_routes.cli import apply as commands

    _leave(context, lambda: commands.apply(settings, as_json=as_json, yes=yes), as_json=as_json)


@main.command(context_settings=_CONTEXT)
@node_options
@plan_options
@ssh_options
@json_option
@verbose_option
@redact_option
@click.option("-q", "--quiet", is_flag=True, help="Say nothing where all is well; for cron.")
@click.pass_context
def check(context: click.Context, /, as_json: bool, quiet: bool, redact: bool, **given: Any) -> None:
    """Look for drift and prove that pods reach each other. Leaves nothing changed."""
    if redact and not as_json:
        raise click.UsageError("--redact is for the report that --json prints.", context)
    settings = _settings(context, given)
    from kthw_routes.cli import apply as commands

    _leave(
        context,
        lambda: commands.check(settings, as_json=as_json, quiet=quiet, is_redacted=redact),
        as_json=as_json,
        is_redacted=redact,
    )


@main.command(context_settings=_CONTEXT)
@click.argument("run", required=False, shell_complete=complete_runs)
@section(
    NODES,
    click.option(
        "--only",
        metavar="HOST",
        multiple=True,
        shell_complete=complete_nodes,
        help="Undo it on this host only; may be repeated.",
    ),
)
@ssh_options
@json_option
@verbose_option
@yes_option
@click.pass_context
def undo(context: click.Context, /, run: str | None, as_json: bool, yes: bool, **given: Any) -> None:
    """Undo exactly what a run changed, the newest if none is named. Asks before anything is changed.

    RUN is a run's name as `runs` lists it, the beginning or end of one, or its folder. What somebody changed since is
    left untouched and reported. The hosts are reached as they were by that run, unless these options name other ways.
    """
    settings = Settings.of(given)
    if not yes and (as_json or not _has_terminal()):
        raise click.UsageError("Without a terminal, or with --json, undo needs --yes.", context)
    from kthw_routes.cli import undo as undo_command

    _leave(context, lambda: undo_command.undo(settings, run, as_json=as_json, yes=yes), as_json=as_json)


@main.command(context_settings=_CONTEXT)
@json_option
@click.pass_context
def runs(context: click.Context, /, as_json: bool) -> None:
    """List the runs so far: when, on which hosts, how they ended, whether they were undone."""
    from kthw_routes.cli import undo as undo_command

    _leave(context, lambda: undo_command.list_runs(Settings(), as_json=as_json), as_json=as_json)


@main.command(context_settings=_CONTEXT)
@click.argument("format_name", metavar="FORMAT", type=click.Choice(EXPORT_FORMATS))
@click.option(
    "-o",
    "--output",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="A file; or a folder, for a format of one file per host. Default: stdout.",
)
@click.option(
    "--interface",
    metavar="NAME",
    help="For netplan the interface's netplan id, for networkd its .network file, on all hosts alike: none is asked.",
)
@click.option("--offline", is_flag=True, help="Contact nothing: the inventory (and --interface) says all.")
@node_options
@plan_options
@ssh_options
@click.pass_context
def export(
    context: click.Context,
    /,
    format_name: str,
    output: Path | None,
    interface: str | None,
    offline: bool,
    **given: Any,
) -> None:
    """Write the plan in another form, for other hands: a script, configuration files, a playbook, a report.

    FORMAT is shell, batch, netplan, networkd, ansible, cloud-init, machines.txt, toml or markdown.

    Nothing is changed, and nothing is contacted that the format does not need.
    """
    settings = _settings(context, given)
    from kthw_routes.cli import export as export_command

    _leave(
        context,
        lambda: export_command.export(settings, format_name, output, interface=interface, offline=offline),
        is_for_stdout=True,
    )


@main.command(context_settings=_CONTEXT)
@click.argument("source", metavar="A", required=False, shell_complete=complete_nodes)
@click.argument("target", metavar="B", required=False, shell_complete=complete_nodes)
@node_options
@ssh_options
@click.option(
    "--report",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="By a saved report (`check --json > FILE`): no host is contacted; without A and B a pair that fails.",
)
@redact_option
@click.pass_context
def trace(
    context: click.Context,
    /,
    source: str | None,
    target: str | None,
    report: Path | None,
    redact: bool,
    **given: Any,
) -> None:
    """Follow a packet from a pod on worker A to a pod on worker B and back, hop by hop. Leaves nothing changed."""
    from kthw_routes.cli import trace as trace_command

    ends = (source, target) if source is not None and target is not None else None
    if ends is None and (report is None or source is not None):
        raise click.UsageError("Name two workers, A and B.", context)
    if report is not None:
        _leave(context, lambda: trace_command.trace_saved(report, ends, is_redacted=redact))
    settings = _settings(context, given)
    assert ends is not None  # noqa: S101 - refused above
    _leave(context, lambda: trace_command.trace(settings, *ends, is_redacted=redact))


@main.command(context_settings={**_CONTEXT, "ignore_unknown_options": True})
@click.argument("what", nargs=-1, type=click.UNPROCESSED, shell_complete=complete_explained)
@click.pass_context
def explain(context: click.Context, /, what: tuple[str, ...]) -> None:
    """Explain a command, a route or a finding, word by word; print a lesson. Contacts nothing.

    WHAT is a command as it is typed, a line as `ip route` prints it, the code of a finding, or a lesson's name; without
    it the lessons are listed.
    """
    from kthw_routes.cli import explain as explain_command

    _leave(context, lambda: explain_command.explain(what[0] if len(what) == 1 else shlex.join(what)))


@main.command(context_settings=_CONTEXT)
@click.argument("name", required=False, shell_complete=complete_drills)
@click.option("--list", "as_list", is_flag=True, help="List the drills, and which of them are solved.")
@click.option("--reset", is_flag=True, help="Forget which drills are solved.")
@click.option("--seed", metavar="WORD", help="The same nodes in the same parts, in the same order, for a whole class.")
@click.option("--pods", is_flag=True, help="Run a pod on each worker from the start, so that the proof is of pods.")
@click.option(
    "--from",
    "path",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Drills of your own: a TOML file, or a folder of them.",
)
@click.option("--plain", is_flag=True, help="In plain lines instead of screens; so it is without a terminal, too.")
@verbose_option
@click.pass_context
def drills(
    context: click.Context,
    /,
    name: str | None,
    as_list: bool,
    reset: bool,
    seed: str | None,
    pods: bool,
    path: Path | None,
    plain: bool,
    verbose: bool,
) -> None:
    """Practise on the embedded lab: something is broken in a working cluster; find it, name it, repair it by hand.

    NAME picks a drill; without it the first one that is not solved. With --list --verbose teachers see what each is.
    """
    from kthw_routes.cli import drills as drills_command
    from kthw_routes.drills.catalogue import Catalogue

    if reset:
        _leave(context, drills_command.reset)
    if as_list:
        _leave(context, lambda: drills_command.list_drills(Catalogue.load(path, seed), verbose=verbose))
    practise = drills_command.practise_plainly if plain or not _has_screen() else drills_command.practise
    _leave(context, lambda: practise(Catalogue.load(path, seed), name, with_pods=pods))


def _has_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _has_screen() -> bool:
    """Return whether the lab's screens can be shown: in a terminal, or in a visitor's browser."""
    return _has_terminal() or is_for_visitor()
