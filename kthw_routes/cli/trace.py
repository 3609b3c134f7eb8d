"""The command `trace`: one packet's way from a pod on one worker to a pod on another, and back."""

from dataclasses import replace
from itertools import groupby
from typing import Final

from rich.table import Table
from rich.text import Text

from kthw_routes.cli.command import RunningCommand
from kthw_routes.cli.output import Printer
from kthw_routes.errors import ExitCode, KthwRoutesError, UsageError
from kthw_routes.events import Phase
from kthw_routes.options import Settings
from kthw_routes.proof.diagnosis import pair_words
from kthw_routes.teaching.hops import Hop, Passage, Trace
from kthw_routes.teaching.trace import trace as follow

_STYLES: Final = {
    Passage.PASSES: "green",
    Passage.STOPS: "bold red",
    Passage.MAY_STOP: "bold yellow",
    Passage.NOT_REACHED: "dim",
}

_MAX_COLUMN: Final = 24
"""Columns of the terminal that a column of the table keeps where there is little room."""


def trace(settings: Settings, source: str, target: str) -> ExitCode:
    """Read both workers, send three requests each way, and print the way of the packets."""
    if source == target:
        raise UsageError(f"A packet from {source} to {source} itself leaves no node.", "Name two workers.")
    command = RunningCommand(
        replace(settings, only=(source, target), no_probe=False), as_json=False, live=frozenset({Phase.FIND})
    )
    with command.running():
        discovery = command.workflow.find(command.source)
        for name in (source, target):
            if not discovery.cluster.node(name).is_worker:
                raise UsageError(f"{name} is not a worker: it has no pods of its own.", "Name two workers.")
        inspection = command.inspect(discovery.cluster)
        command.check_stopped()
        for error in inspection.troubles.values():
            raise error
        proof = command.prove(inspection, fresh=inspection.facts)
        command.check_stopped()
        found = follow(proof, inspection.cluster, source, target)
        if found is None:
            pair = proof.pair(source, target)
            raise KthwRoutesError(f"{source} → {target}: {pair_words(pair) if pair is not None else 'not tested'}.")
        print_trace(command.printer, found)
        return ExitCode.DONE if found.arrives else ExitCode.NO_TRAFFIC


def print_trace(printer: Printer, found: Trace) -> None:
    """Print the way of a packet, a line per hop, and why it stops where it does."""
    pair = found.pair
    printer.say(f"{pair.source_address} on {found.source} to {pair.target_address} on {found.target}", "bold")
    widths = [max(len(text) for text in column) for column in zip(*map(_cells, found.hops), strict=True)]
    for is_back, hops in groupby(found.hops, key=lambda hop: hop.is_back):
        printer.say()
        printer.say("The reply, back:" if is_back else "The request, there:")
        grid = Table.grid(padding=(0, 2))
        grid.add_column(width=1)
        for width in widths:
            grid.add_column(min_width=min(width, _MAX_COLUMN), overflow="fold")
        host: str | None = ""
        for hop in hops:
            where, *rest = _cells(hop)
            cells = ("" if hop.host == host else where, *rest)
            host = hop.host
            grid.add_row(
                Text(hop.passage.mark, _STYLES[hop.passage]),
                *(Text(c, "dim" if hop.passage is Passage.NOT_REACHED else "") for c in cells),
            )
        printer.console.print(grid, soft_wrap=False)
    printer.say()
    if found.cause is None:
        printer.verdict(found.verdict, is_good=True)
        return
    printer.say(found.cause.sentence)
    printer.say(f"To see it: {found.cause.shows}")
    if found.cause.fix is not None:
        printer.say(found.cause.fix)
    printer.verdict(f"{found.verdict} What is marked · was not reached.", is_good=False)


def _cells(hop: Hop) -> tuple[str, str, str, str]:
    return hop.host or "between", str(hop.kind), hop.value, hop.command
