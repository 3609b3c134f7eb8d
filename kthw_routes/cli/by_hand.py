"""`apply --by-hand`: shows what to type, types nothing, and looks again until all of it is right."""

import select
import sys
from collections.abc import Sequence, Set
from typing import Final

from kthw_routes.cli.command import RunningCommand
from kthw_routes.cli.output import Printer
from kthw_routes.errors import ExitCode
from kthw_routes.events import Phase
from kthw_routes.options import Settings
from kthw_routes.plan import shell
from kthw_routes.teaching.by_hand import State, Typed, judge
from kthw_routes.words import check_verdict
from kthw_routes.workflow.results import Review, exit_code

_EVERY: Final = 3.0
"""Seconds between two looks, unless Enter is pressed."""
_POLL: Final = 0.1
"""Seconds after which a wish to stop is noticed."""


def apply_by_hand(settings: Settings) -> ExitCode:
    """Show the commands, look until they are typed, then prove the routes. Sends no change to a host."""
    command = RunningCommand(settings, as_json=False, live=frozenset({Phase.FIND}))
    with command.running():
        review = command.review()
        if not review.plan.is_empty:
            _print_commands(command, review)
            review = _wait(command, review)
            command.check_stopped()
        proof = command.prove(review.inspection, fresh=review.inspection.facts)
        command.print_proof(review, proof)
        code = exit_code(review.inspection, None, proof, drift=True)
        if command.workflow.stop.requested:
            code = ExitCode.INTERRUPTED
        command.printer.verdict(check_verdict(review, proof), is_good=code is ExitCode.DONE)
        return code


def _print_commands(command: RunningCommand, review: Review) -> None:
    say = command.printer.say
    say("Type this yourself; kthw-routes types nothing:")
    for host in review.plan.hosts:
        if host.is_empty:
            continue
        node = review.inspection.cluster.node(host.node)
        lines = host.commands if node.ssh is None or node.ssh.user in (None, "root") else shell.with_sudo(host.commands)
        say()
        say(f"# {host.node} ({node.ssh})", "dim")
        for line in shell.lines(lines):
            say(line)
    say()
    say("It looks again every few seconds, and at once when you press Enter. Ctrl-C ends it.")


def _wait(command: RunningCommand, review: Review) -> Review:
    """Look again until nothing is left to do. Returns the last review."""
    first, shown = _state(review), frozenset[Typed]()
    while not command.workflow.stop.requested:
        rows = judge(review.inspection.cluster, first, _state(review))
        _print_news(command.printer, rows, shown)
        shown = frozenset(rows)
        if (review.plan.is_empty and not any(row.wrong for row in rows)) or not _pause(command):
            break
        review = command.workflow.review(command.workflow.inspect(review.inspection.cluster))
    return review


def _state(review: Review) -> State:
    return State(review.plan, review.inspection.facts)


def _print_news(printer: Printer, rows: Sequence[Typed], shown: Set[Typed]) -> None:
    """Print what is right or wrong since the last look, and how much is left."""
    were_right = {(row.host, row.what) for row in shown if row.is_right}
    news = [row for row in rows if row not in shown]
    for row in news:
        if row.wrong is not None:
            printer.say(f"✗ {row.wrong}", "red")
        elif row.is_right:
            printer.say(f"✓ {row.host}: {row.what}", "green")
        elif (row.host, row.what) in were_right:
            printer.say(f"  {row.host}: {row.what} is gone again")
    if news:
        printer.say(f"{sum(row.is_right for row in rows)} of {len(rows)} right.", "bold")


def _pause(command: RunningCommand) -> bool:
    """Wait for Enter, for the next look, or for a wish to stop; False then."""
    waits_for = [sys.stdin] if sys.stdin.isatty() else []
    for _ in range(round(_EVERY / _POLL)):
        if command.workflow.stop.requested:
            return False
        if select.select(waits_for, [], [], _POLL)[0]:
            sys.stdin.readline()
            break
    return not command.workflow.stop.requested
