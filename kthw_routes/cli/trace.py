"""The command `trace`: one packet's way from a pod on one worker to a pod on another, and back."""

import sys
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Final, cast

from rich.table import Table
from rich.text import Text

from kthw_routes.cli.command import RunningCommand
from kthw_routes.cli.output import Printer
from kthw_routes.cluster import Node
from kthw_routes.errors import ExitCode, KthwRoutesError, UsageError
from kthw_routes.events import Phase
from kthw_routes.options import Settings
from kthw_routes.plan.changes import Plan
from kthw_routes.proof.diagnosis import pair_words
from kthw_routes.proof.readings import Proof
from kthw_routes.record.documents import CheckDocument
from kthw_routes.record.json_proof import check_document
from kthw_routes.record.json_values import Value
from kthw_routes.record.redact import redact
from kthw_routes.record.report import SavedCheck, parse_report, read_json
from kthw_routes.sanitize import clean_line
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


def trace(settings: Settings, source: str, target: str, *, is_redacted: bool = False) -> ExitCode:
    """Read both workers, send three requests each way, and print the way of the packets."""
    _check_ends(source, target)
    command = RunningCommand(
        replace(settings, only=(source, target), no_probe=False), as_json=False, live=frozenset({Phase.FIND})
    )
    with command.running():
        discovery = command.workflow.find(command.source)
        for name in (source, target):
            _check_worker(discovery.cluster.node(name))
        inspection = command.inspect(discovery.cluster)
        command.check_stopped()
        for error in inspection.troubles.values():
            raise error
        proof = command.prove(inspection, fresh=inspection.facts, as_carried=True)
        command.check_stopped()
        if is_redacted:
            document = check_document(inspection.cluster, Plan(()), (), proof)
            return _print_saved(command.printer, *_redacted(document, (source, target)))
        found = follow(proof, inspection.cluster, source, target)
        if found is None:
            raise _not_tested(proof, source, target)
        return print_trace(command.printer, found)


def trace_saved(path: Path, ends: tuple[str, str] | None, *, is_redacted: bool = False) -> ExitCode:
    """Print the way of the packets by a saved report; of the first pair that fails where none is named."""
    document = read_json(path)
    saved = parse_report(document, path)
    if ends is None:
        pairs = sorted((p for p in saved.proof.pairs if p.tested), key=lambda pair: pair.ok)
        if not pairs:
            raise UsageError(f"No pair of workers was tested in {clean_line(str(path))}.")
        ends = pairs[0].source, pairs[0].target
    _check_ends(*ends)
    for name in ends:
        try:
            _check_worker(saved.cluster.node(name))
        except KeyError:
            known = ", ".join(node.name for node in saved.cluster.workers)
            words = f"No node is named {clean_line(name)} in {clean_line(str(path))}."
            raise UsageError(words, f"Its workers: {known}.") from None
    printer = Printer(sys.stdout)
    if is_redacted:
        try:
            redacted = _redacted(cast("CheckDocument", document.raw), ends)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            words = f"{clean_line(str(path))} cannot be redacted: it is of an older version, or was changed."
            raise UsageError(words, "Save it again with this version.") from error
        return _print_saved(printer, *redacted)
    return _print_saved(printer, saved, ends)


def _check_ends(source: str, target: str) -> None:
    if source == target:
        raise UsageError(f"A packet from {source} to {source} itself leaves no node.", "Name two workers.")


def _check_worker(node: Node) -> None:
    if not node.is_worker:
        raise UsageError(f"{node.name} is not a worker: it has no pods of its own.", "Name two workers.")


def _not_tested(proof: Proof, source: str, target: str) -> KthwRoutesError:
    pair = proof.pair(source, target)
    return KthwRoutesError(f"{source} → {target}: {pair_words(pair) if pair is not None else 'not tested'}.")


def _redacted(document: CheckDocument, ends: tuple[str, str]) -> tuple[SavedCheck, tuple[str, str]]:
    """Return a report with other names and addresses, and the new names of two workers."""
    redacted = redact(document)
    new = {old["name"]: node["name"] for old, node in zip(document["nodes"], redacted["nodes"], strict=True)}
    return parse_report(Value(redacted)), (new[ends[0]], new[ends[1]])


def _print_saved(printer: Printer, saved: SavedCheck, ends: tuple[str, str]) -> ExitCode:
    found = follow(saved.proof, saved.cluster, *ends, saved.causes)
    if found is None:
        raise _not_tested(saved.proof, *ends)
    return print_trace(printer, found)


def print_trace(printer: Printer, found: Trace) -> ExitCode:
    """Print the way of a packet, a line per hop, and why it stops where it does. Returns what to return then."""
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
        printer.verdict(found.verdict, is_good=found.arrives)
        return ExitCode.DONE if found.arrives else ExitCode.NO_TRAFFIC
    printer.say(found.cause.sentence)
    printer.say(f"To see it: {found.cause.shows}")
    if found.cause.fix is not None:
        printer.say(found.cause.fix)
    printer.verdict(f"{found.verdict} What is marked · was not reached.", is_good=False)
    return ExitCode.NO_TRAFFIC


def _cells(hop: Hop) -> tuple[str, str, str, str]:
    return hop.host or "between", str(hop.kind), hop.value, hop.command
