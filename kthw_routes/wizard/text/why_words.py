"""What *Why?* says of the row in focus, with its values: the words of its command, or what a finding means. Pure."""

from collections.abc import Iterator

from kthw_routes.cluster import Cluster
from kthw_routes.errors import UsageError
from kthw_routes.findings.model import Finding
from kthw_routes.plan.changes import Change, RouteChange
from kthw_routes.teaching.explain import explain, finding_codes
from kthw_routes.wizard.themes import dim
from kthw_routes.words import Tone, Words

Parts = Iterator[Words | str]


def of_change(change: Change, cluster: Cluster) -> Parts:
    """Yield what the first command of a change does, word by word; of a route that stays, the route."""
    command = next((c for c in change.commands if c.startswith("ip link add")), next(iter(change.commands), ""))
    if not command and isinstance(change, RouteChange):
        hop = change.next_hop or next((r.gateway for r in change.has), None)
        command = f"{change.prefix} via {hop}" if hop is not None else ""
    if not command or command.startswith("#"):
        yield change.reason
        return
    yield from of_command(command.partition("\n")[0], cluster)


def of_command(command: str, cluster: Cluster) -> Parts:
    """Yield what a command does, word by word, and what is missing without it."""
    try:
        found = explain(command, cluster)
    except UsageError:
        yield Words(command, Tone.NEW)
        return
    yield Words(f"{command}\n", Tone.NEW)
    if found.says:
        yield f"{found.says}\n"
    for word in found.words:
        yield from (Words(word.text, Tone.NEW), f"  {word.meaning}\n")
    if found.without:
        yield dim(f"Without it, {found.without}")


def of_line(line: str, cluster: Cluster) -> Parts:
    """Yield what a line of a log means, if it is a command or a route; else where it comes from."""
    try:
        explain(line, cluster)
    except UsageError:
        yield Words(f"{line}\n", Tone.NEW)
        yield "What came of it: no command and no route."
    else:
        yield from of_command(line.removeprefix("$ "), cluster)


def of_finding(finding: Finding) -> Parts:
    """Yield what a finding means."""
    yield Words(finding.sentence, Tone.NEW)
    yield f"\n{explain(finding.code).says}" if finding.code in finding_codes() else f"\n{finding.hint}"
