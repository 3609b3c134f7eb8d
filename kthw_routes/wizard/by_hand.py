"""What one would type by hand for each step: shown by *Commands*, to read, copy and learn from."""

import shlex
from collections.abc import Iterator

from kthw_routes.cluster import Node
from kthw_routes.events import Step
from kthw_routes.results import Review
from kthw_routes.settings import Settings
from kthw_routes.sources.token import DEFAULT_URL
from kthw_routes.wizard.choices import SourceKind
from kthw_routes.wizard.journey import Journey
from kthw_routes.wording import ways_back


def finding(journey: Journey) -> Iterator[str]:
    """How to ask for the nodes."""
    yield "# The nodes of a Linode account, from its API:"
    yield "export LINODE_TOKEN=…    # scope linodes:read_only"
    yield f"curl -H \"Authorization: Bearer $LINODE_TOKEN\" '{DEFAULT_URL}/linode/instances?page_size=500'"
    yield f"curl '{DEFAULT_URL}/regions'"
    yield ""
    yield "# The same with linode-cli, as the tutorial does it, per worker:"
    yield "linode-cli linodes list --label worker-0 --json --format ipv4"
    if journey.choices.source.kind is SourceKind.LAB:
        region = journey.choices.source.lab_region
        yield ""
        yield "# The practice lab, kept open for a second terminal:"
        yield f"kthw-routes demo --keep --region {region}"


def nodes(journey: Journey) -> Iterator[str]:
    """How to log in to each node."""
    yield "# Each node, by SSH:"
    for node in journey.cluster.visited:
        if node.ssh is not None:
            yield f"{_ssh(journey, node)}    # {node.name}"


def looking(journey: Journey) -> Iterator[str]:
    """What was read on each host."""
    yield "# What is read on each host; nothing is changed:"
    yield from _ran(journey, Step.CHECKS)


def changing(journey: Journey) -> Iterator[str]:
    """What will be, or was, sent."""
    if journey.inspection is None:
        return
    yield from planned(journey, journey.review())


def planned(journey: Journey, review: Review) -> Iterator[str]:
    """The commands of the plan, host by host."""
    cluster = review.inspection.cluster
    if review.plan.is_empty:
        yield "# Nothing to do."
    for host in review.plan.hosts:
        if host.is_empty:
            continue
        ssh = _ssh(journey, cluster.node(host.node))
        yield f"# {host.node}"
        yield ssh
        yield from (str(command) for command in host.commands)
        for name in host.names:
            if name.kind.is_change:
                line = f"{name.address} {name.name}" if name.address else name.name
                yield f"#   /etc/hosts: {name.kind} “{line}” ({name.reason})"
        yield ""
    if journey.report is not None:
        for way in ways_back(journey.report):
            yield f"# To undo on {way.host}, as root:"
            yield from way.lines
            yield ""


def proving(journey: Journey) -> Iterator[str]:
    """What was asked of the kernels, and which test traffic was sent."""
    yield "# What Proof runs on each worker:"
    yield from _ran(journey, Step.PROOF)


def _ran(journey: Journey, step: Step) -> Iterator[str]:
    hosts = journey.commands.get(step, {})
    if not hosts:
        yield "# Nothing was run yet."
    for name, commands in hosts.items():
        node = next((n for n in journey.cluster if n.name == name), None)
        yield ""
        yield f"# {name}"
        yield _ssh(journey, node) if node is not None and node.ssh is not None else f"ssh {name}"
        yield from dict.fromkeys(commands)


def _ssh(journey: Journey, node: Node) -> str:
    settings: Settings = journey.found.settings if journey.found else journey.settings
    words = ["ssh"]
    if settings.ssh_config is not None:
        words += ["-F", str(settings.ssh_config)]
    if settings.identity is not None and settings.personal:
        words += ["-i", str(settings.identity)]
    port = node.ssh.port if node.ssh and node.ssh.port else settings.port
    if port:
        words += ["-p", str(port)]
    user = (node.ssh.user if node.ssh else None) or settings.user or "root"
    return shlex.join([*words, f"{user}@{node.ssh.host if node.ssh else node.name}"])
