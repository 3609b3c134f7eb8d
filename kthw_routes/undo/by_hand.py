"""Undo of a run by hand, host by host: shell lines for root, to paste. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from kthw_routes.events import HostOutcome, HostState
from kthw_routes.plan import shell
from kthw_routes.plan.changes import Plan


@dataclass(frozen=True, slots=True)
class ManualUndo:
    """What undoes, on one host, what was sent to it; to be run there as root."""

    host: str
    lines: tuple[str, ...]
    """All of it, to paste."""


def manual_undo(plan: Plan, outcomes: Mapping[str, HostOutcome]) -> tuple[ManualUndo, ...]:
    """Return the undo for every host on which something was sent, or may have been."""
    undos: list[ManualUndo] = []
    for host in plan.hosts:
        outcome = outcomes.get(host.node)
        was_sent = outcome is not None and (outcome.changes_sent or outcome.state is HostState.NOT_CONFIRMED)
        if was_sent and (commands := host.undo_commands):
            undos.append(ManualUndo(host.node, shell.lines(commands)))
    return tuple(undos)
